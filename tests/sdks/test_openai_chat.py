"""OpenAI's own Python SDK: chat completions, over providers of every dialect."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from tests.processes import RunningGateway

from .conftest import Faulty
from .upstreams import PNG, SAID, UPSTREAMS, one_gateway, over_all_upstreams, over_upstreams_but

pytestmark = one_gateway

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello there"}]


def tool(name: str) -> ChatCompletionToolParam:
    parameters: dict[str, object] = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


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
def test_a_chat_is_answered_with_text_usage_and_a_reason(
    client: openai.OpenAI, upstream: str
) -> None:
    answer = client.chat.completions.create(model=f"{upstream}/fast", messages=HELLO)

    assert answer.choices[0].message.content == SAID
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@over_all_upstreams
def test_a_streamed_chat_says_the_same_with_one_usage_at_its_end(
    client: openai.OpenAI, upstream: str
) -> None:
    stream = client.chat.completions.create(
        model=f"{upstream}/fast",
        messages=HELLO,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)

    deltas = [one.choices[0].delta.content or "" for one in chunks if one.choices]
    assert "".join(deltas) == SAID
    assert len([text for text in deltas if text]) > 2
    assert [one.choices[0].finish_reason for one in chunks if one.choices][-1] == "stop"
    assert [bool(one.usage) for one in chunks[-2:]] == [False, True]
    assert len({one.id for one in chunks}) == 1


@over_all_upstreams
def test_a_stream_without_include_usage_has_none(client: openai.OpenAI, upstream: str) -> None:
    stream = client.chat.completions.create(model=f"{upstream}/fast", messages=HELLO, stream=True)

    assert [one.usage for one in stream if one.usage] == []


@over_all_upstreams
def test_the_stream_helper_folds_to_the_whole_answer(client: openai.OpenAI, upstream: str) -> None:
    asked: dict[str, Any] = {"model": f"{upstream}/fast", "messages": HELLO}

    whole = client.chat.completions.create(**asked)
    with client.chat.completions.stream(**asked) as stream:
        kinds = {event.type for event in stream}
        folded = stream.get_final_completion()

    assert folded.choices[0].message.content == whole.choices[0].message.content
    assert folded.choices[0].finish_reason == whole.choices[0].finish_reason
    assert {"content.delta", "content.done", "chunk"} <= kinds


@over_all_upstreams
def test_a_tool_is_called_and_its_result_answered(client: openai.OpenAI, upstream: str) -> None:
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "Answer with the weather."},
        {"role": "user", "content": "please get_weather and get_time"},
    ]
    tools = [tool("get_weather"), tool("get_time")]

    asked = client.chat.completions.create(model=f"{upstream}/fast", messages=messages, tools=tools)
    calls = asked.choices[0].message.tool_calls or []
    messages.append(asked.choices[0].message.model_dump(exclude_none=True))  # type: ignore[arg-type]
    messages += [
        {"role": "tool", "tool_call_id": one.id, "content": f"result {at}"}
        for at, one in enumerate(calls)
    ]
    told = client.chat.completions.create(model=f"{upstream}/fast", messages=messages, tools=tools)

    assert asked.choices[0].finish_reason == "tool_calls"
    named = [one.function.name for one in calls if one.type == "function"]
    assert named == ["get_weather", "get_time"]
    assert len({one.id for one in calls}) == 2
    assert [json.loads(one.function.arguments) for one in calls if one.type == "function"] == [
        {"city": "simulated"},
        {"city": "simulated"},
    ]
    assert told.choices[0].message.content == (
        "[simulated by sim/fast] The tool answered: result 0 result 1"
    )


@over_all_upstreams
def test_streamed_tool_calls_fold_to_the_whole_ones(client: openai.OpenAI, upstream: str) -> None:
    with client.chat.completions.stream(
        model=f"{upstream}/fast",
        messages=[{"role": "user", "content": "please get_weather and get_time"}],
        tools=[tool("get_weather"), tool("get_time")],
    ) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        folded = stream.get_final_completion()

    assert [(one.index, one.name) for one in done] == [(0, "get_weather"), (1, "get_time")]
    calls = folded.choices[0].message.tool_calls or []
    assert [json.loads(one.function.arguments) for one in calls] == [{"city": "simulated"}] * 2
    assert folded.choices[0].finish_reason == "tool_calls"


@over_all_upstreams
@pytest.mark.parametrize("choice", ["required", "none", "named", "auto"])
def test_the_choice_of_tools_is_kept_to(client: openai.OpenAI, upstream: str, choice: str) -> None:
    forms: dict[str, Any] = {"named": {"type": "function", "function": {"name": "get_time"}}}

    answer = client.chat.completions.create(
        model=f"{upstream}/fast",
        messages=HELLO,
        tools=[tool("get_weather"), tool("get_time")],
        tool_choice=forms.get(choice, choice),
    )

    expected = {"required": ["get_weather"], "none": [], "named": ["get_time"], "auto": []}
    calls = answer.choices[0].message.tool_calls or []
    assert [one.function.name for one in calls if one.type == "function"] == expected[choice]


@over_upstreams_but("gemini")  # Gemini has no such setting.
def test_one_tool_at_a_time_is_kept_to(client: openai.OpenAI, upstream: str) -> None:
    answer = client.chat.completions.create(
        model=f"{upstream}/fast",
        messages=[{"role": "user", "content": "please get_weather and get_time"}],
        tools=[tool("get_weather"), tool("get_time")],
        parallel_tool_calls=False,
    )

    assert len(answer.choices[0].message.tool_calls or []) == 1


@over_all_upstreams
def test_an_answer_is_parsed_into_the_shape_that_was_asked_for(
    client: openai.OpenAI, upstream: str
) -> None:
    answer = client.chat.completions.parse(
        model=f"{upstream}/fast", messages=HELLO, response_format=Weather
    )

    assert answer.choices[0].message.parsed == Weather(city="simulated", degrees=1)


@over_all_upstreams
def test_a_bound_on_the_answer_ends_it_with_length(client: openai.OpenAI, upstream: str) -> None:
    answer = client.chat.completions.create(
        model=f"{upstream}/fast", messages=HELLO, max_completion_tokens=3
    )

    assert answer.choices[0].finish_reason == "length"
    assert answer.choices[0].message.content == SAID[:12]


@over_upstreams_but("openai_responses")  # Responses has no stop sequences.
def test_a_stop_sequence_ends_the_answer_before_it(client: openai.OpenAI, upstream: str) -> None:
    answer = client.chat.completions.create(
        model=f"{upstream}/fast", messages=HELLO, stop=["hello"]
    )

    assert (answer.choices[0].message.content or "").rstrip() == SAID.removesuffix(" hello there")
    assert answer.choices[0].finish_reason == "stop"


@over_all_upstreams
def test_an_image_is_taken_beside_text(client: openai.OpenAI, upstream: str) -> None:
    answer = client.chat.completions.create(
        model=f"{upstream}/fast",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hello there"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                ],
            }
        ],
    )

    assert answer.choices[0].message.content == SAID


@pytest.mark.parametrize("upstream", ["openai_chat", "openai_responses", "gemini"])
def test_reasoning_is_counted_once_where_the_provider_counts_it(
    client: openai.OpenAI, upstream: str
) -> None:
    answer = client.chat.completions.create(
        model=f"{upstream}/smart", messages=HELLO, reasoning_effort="high"
    )

    assert (answer.choices[0].message.content or "").startswith("[simulated by sim/smart]")
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    reasoned = answer.usage.completion_tokens_details.reasoning_tokens
    assert reasoned
    assert reasoned < answer.usage.completion_tokens


@over_all_upstreams
@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("rate_limited", openai.RateLimitError),
        ("context_too_long", openai.BadRequestError),
        ("server_error", openai.InternalServerError),
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
        client.chat.completions.create(model=faulty(upstream, fault), messages=HELLO)

    assert refused.value.request_id
    assert refused.value.type


@over_all_upstreams
@pytest.mark.parametrize("fault", ["error_later", "hang_up"])
def test_a_stream_that_breaks_off_raises(
    client: openai.OpenAI, faulty: Faulty, upstream: str, fault: str
) -> None:
    stream = client.chat.completions.create(
        model=faulty(upstream, fault), messages=HELLO, stream=True
    )

    with pytest.raises(openai.APIError):
        list(stream)


def test_a_model_that_nobody_has_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no-such-model", messages=HELLO)


def test_models_are_listed_and_found_by_name(client: openai.OpenAI) -> None:
    listed = {one.id for one in client.models.list()}
    found = client.models.retrieve("anthropic/fast")

    assert {f"{upstream}/fast" for upstream in UPSTREAMS} <= listed
    assert (found.id, found.object) == ("anthropic/fast", "model")


def test_raw_answers_have_the_gateways_headers(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gemini/fast", messages=HELLO)

    assert raw.headers["x-omniroute-provider"] == "gemini"
    assert raw.parse().choices[0].message.content == SAID


@pytest.mark.anyio
async def test_the_asynchronous_client_is_answered_the_same(here: RunningGateway) -> None:
    async with openai.AsyncOpenAI(
        base_url=f"{here.url}/v1", api_key="sk-fake", max_retries=0, timeout=20
    ) as client:
        stream = await client.chat.completions.create(
            model="anthropic/fast", messages=HELLO, stream=True
        )
        said = [one.choices[0].delta.content or "" async for one in stream if one.choices]

    assert "".join(said) == SAID
