"""OpenAI's own Python SDK: Responses, over providers of every dialect."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.resources.responses.responses import ResponsesConnection
from openai.types.responses import FunctionToolParam, Response, ResponseInputParam
from pydantic import BaseModel

from tests.processes import RunningGateway

from .conftest import Faulty
from .upstreams import PNG, SAID, one_gateway, over_all_upstreams, over_upstreams_but

pytestmark = one_gateway


def tool(name: str) -> FunctionToolParam:
    return {
        "type": "function",
        "name": name,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
        "strict": False,
    }


TOOLS = [tool("get_weather"), tool("get_time")]
BOTH = "please get_weather and get_time"


class Weather(BaseModel):
    city: str
    degrees: int


@pytest.fixture
def client(here: RunningGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{here.url}/v1", api_key="sk-fake", max_retries=0, timeout=20
    ) as opened:
        yield opened


@over_all_upstreams
def test_a_response_has_its_text_usage_and_status(client: openai.OpenAI, upstream: str) -> None:
    answer = client.responses.create(
        model=f"{upstream}/fast", instructions="Be kind.", input="hello there"
    )

    assert (answer.object, answer.status, answer.output_text) == ("response", "completed", SAID)
    assert answer.usage is not None
    assert answer.usage.input_tokens > 0
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


@over_all_upstreams
def test_the_stream_helper_folds_to_the_whole_response(
    client: openai.OpenAI, upstream: str
) -> None:
    with client.responses.stream(model=f"{upstream}/fast", input="hello there") as stream:
        events = list(stream)
        folded = stream.get_final_response()

    kinds = [event.type for event in events]
    said = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert "".join(said) == folded.output_text == SAID
    assert len(said) > 2
    assert [event.sequence_number for event in events] == sorted(
        {event.sequence_number for event in events}
    )


@over_all_upstreams
def test_functions_are_called_and_their_results_answered(
    client: openai.OpenAI, upstream: str
) -> None:
    asked = client.responses.create(model=f"{upstream}/fast", input=BOTH, tools=TOOLS)
    calls = [item for item in asked.output if item.type == "function_call"]
    conversation: ResponseInputParam = [{"role": "user", "content": BOTH}]
    conversation += [item.to_dict() for item in asked.output]  # type: ignore[misc]
    conversation += [
        {"type": "function_call_output", "call_id": one.call_id, "output": f"result {at}"}
        for at, one in enumerate(calls)
    ]
    told = client.responses.create(model=f"{upstream}/fast", input=conversation, tools=TOOLS)

    assert [(one.name, json.loads(one.arguments)) for one in calls] == [
        ("get_weather", {"city": "simulated"}),
        ("get_time", {"city": "simulated"}),
    ]
    assert told.output_text.startswith("[simulated by sim/fast] The tool answered: result 0")
    assert "result 1" in told.output_text


@over_all_upstreams
def test_streamed_function_calls_fold_to_the_whole_ones(
    client: openai.OpenAI, upstream: str
) -> None:
    with client.responses.stream(
        model=f"{upstream}/fast", input="please get_weather", tools=TOOLS
    ) as stream:
        pieces = [
            event.delta
            for event in stream
            if event.type == "response.function_call_arguments.delta"
        ]
        folded = stream.get_final_response()

    assert json.loads("".join(pieces)) == {"city": "simulated"}
    assert [item.type for item in folded.output] == ["function_call"]


@over_upstreams_but(
    "openai_responses"
)  # There the provider keeps them, and the simulator does not.
def test_a_conversation_goes_on_from_the_response_before(
    client: openai.OpenAI, upstream: str
) -> None:
    asked = client.responses.create(
        model=f"{upstream}/fast", input="please get_weather", tools=TOOLS
    )
    (call,) = (item for item in asked.output if item.type == "function_call")

    told = client.responses.create(
        model=f"{upstream}/fast",
        previous_response_id=asked.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}],
        tools=TOOLS,
    )
    found = client.responses.retrieve(told.id)
    items = [item.type for item in client.responses.input_items.list(told.id)]
    client.responses.delete(asked.id)

    assert told.output_text == "[simulated by sim/fast] The tool answered: sunny"
    assert found.output_text == told.output_text
    assert "function_call_output" in items
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(asked.id)


@over_all_upstreams
@pytest.mark.parametrize("choice", ["required", "none", "named", "auto"])
def test_the_choice_of_functions_is_kept_to(
    client: openai.OpenAI, upstream: str, choice: str
) -> None:
    forms: dict[str, Any] = {"named": {"type": "function", "name": "get_time"}}

    answer = client.responses.create(
        model=f"{upstream}/fast",
        input="hello there",
        tools=TOOLS,
        tool_choice=forms.get(choice, choice),
    )

    expected = {"required": ["get_weather"], "none": [], "named": ["get_time"], "auto": []}
    called = [item.name for item in answer.output if item.type == "function_call"]
    assert called == expected[choice]


@over_all_upstreams
def test_an_answer_is_parsed_into_the_shape_that_was_asked_for(
    client: openai.OpenAI, upstream: str
) -> None:
    answer = client.responses.parse(
        model=f"{upstream}/fast", input="hello there", text_format=Weather
    )

    assert answer.output_parsed == Weather(city="simulated", degrees=1)


@over_all_upstreams
def test_a_bound_on_the_answer_leaves_it_incomplete(client: openai.OpenAI, upstream: str) -> None:
    answer = client.responses.create(
        model=f"{upstream}/fast", input="hello there", max_output_tokens=3
    )

    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.output_text == SAID[:12]


@over_all_upstreams
def test_an_image_is_taken_beside_text(client: openai.OpenAI, upstream: str) -> None:
    answer = client.responses.create(
        model=f"{upstream}/fast",
        input=[
            {
                "role": "user",
                "content": [
                    {
                        "type": "input_image",
                        "detail": "auto",
                        "image_url": f"data:image/png;base64,{PNG}",
                    },
                    {"type": "input_text", "text": "hello there"},
                ],
            }
        ],
    )

    assert answer.output_text == SAID


@over_all_upstreams
def test_reasoning_comes_before_the_message_and_can_be_sent_back(
    client: openai.OpenAI, upstream: str
) -> None:
    asked: dict[str, Any] = {
        "model": f"{upstream}/smart",
        "reasoning": {"effort": "high", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }

    first = client.responses.create(input="hello there", **asked)
    turns = [{"role": "user", "content": "hello there"}, *(one.to_dict() for one in first.output)]
    second = client.responses.create(
        input=[*turns, {"role": "user", "content": "hello again"}], **asked
    )

    assert [item.type for item in first.output] == ["reasoning", "message"]
    assert "You said: hello there" in first.output_text
    assert "You said: hello again" in second.output_text


@over_all_upstreams
def test_tokens_are_counted_before_anything_is_sent(client: openai.OpenAI, upstream: str) -> None:
    short = client.responses.input_tokens.count(model=f"{upstream}/fast", input="hello there")
    more = client.responses.input_tokens.count(
        model=f"{upstream}/fast", input="hello there", tools=TOOLS
    )

    assert 0 < short.input_tokens < more.input_tokens


@over_all_upstreams
@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("rate_limited", openai.RateLimitError),
        ("context_too_long", openai.BadRequestError),
        ("overloaded", openai.InternalServerError),
    ],
)
def test_what_a_provider_refuses_is_raised_as_the_sdks_own_error(
    client: openai.OpenAI,
    faulty: Faulty,
    upstream: str,
    fault: str,
    raised: type[openai.APIStatusError],
) -> None:
    with pytest.raises(raised) as refused:
        client.responses.create(model=faulty(upstream, fault), input="hello there")

    assert refused.value.request_id


@over_all_upstreams
@pytest.mark.parametrize("fault", ["error_later", "hang_up"])
def test_a_stream_that_breaks_off_never_completes(
    client: openai.OpenAI, faulty: Faulty, upstream: str, fault: str
) -> None:
    stream = client.responses.create(
        model=faulty(upstream, fault), input="hello there", stream=True
    )

    ends: list[str] = []
    try:
        ends += [event.type for event in stream][-1:]
    except openai.APIError:
        ends.append("raised")
    assert ends[-1] in ("error", "response.failed", "raised")


# The SDK uses its library of WebSockets in a way that this library is about to give up.
@pytest.mark.filterwarnings("ignore:connect.. must be used:DeprecationWarning")
@over_upstreams_but(
    "openai_responses"
)  # There the provider keeps them, and the simulator does not.
def test_responses_go_on_over_one_websocket(client: openai.OpenAI, upstream: str) -> None:
    with client.responses.connect() as connection:
        connection.response.create(
            model=f"{upstream}/fast", input="please get_weather", tools=TOOLS
        )
        asked = _completed(connection)
        (call,) = (item for item in asked.output if item.type == "function_call")
        connection.response.create(
            model=f"{upstream}/fast",
            previous_response_id=asked.id,
            input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}],
            tools=TOOLS,
        )
        told = _completed(connection)

    assert told.output_text == "[simulated by sim/fast] The tool answered: sunny"


def _completed(connection: ResponsesConnection) -> Response:
    """Read until the response is complete, and give it."""
    for event in connection:
        if event.type == "response.completed":
            return event.response
        assert event.type.startswith("response."), event
    raise AssertionError("the connection ended")
