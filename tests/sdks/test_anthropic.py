"""Anthropic's own Python SDK: messages, over providers of every dialect."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import beta_tool
from anthropic.types import MessageParam, ToolParam
from pydantic import BaseModel

from tests.processes import RunningGateway

from .conftest import Faulty
from .upstreams import PNG, SAID, UPSTREAMS, one_gateway, over_all_upstreams

pytestmark = one_gateway

HELLO: list[MessageParam] = [{"role": "user", "content": "hello there"}]


def tool(name: str) -> ToolParam:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }
    return {"name": name, "description": "What it is there.", "input_schema": schema}


TOOLS = [tool("get_weather"), tool("get_time")]
BOTH: list[MessageParam] = [{"role": "user", "content": "please get_weather and get_time"}]


class Weather(BaseModel):
    city: str
    degrees: int


@pytest.fixture
def client(here: RunningGateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=here.url, api_key="sk-fake", max_retries=0, timeout=20
    ) as opened:
        yield opened


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@over_all_upstreams
def test_a_message_is_answered_with_text_usage_and_a_reason(
    client: anthropic.Anthropic, upstream: str
) -> None:
    answer = client.messages.create(model=f"{upstream}/fast", max_tokens=100, messages=HELLO)

    assert (answer.type, answer.role, answer.stop_reason) == ("message", "assistant", "end_turn")
    assert text_of(answer) == SAID
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0
    assert answer._request_id


@over_all_upstreams
def test_the_stream_helper_folds_to_the_whole_message(
    client: anthropic.Anthropic, upstream: str
) -> None:
    asked: dict[str, Any] = {
        "model": f"{upstream}/fast",
        "max_tokens": 100,
        "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
        "messages": HELLO,
    }

    whole = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        said = list(stream.text_stream)
        folded = stream.get_final_message()

    assert "".join(said) == text_of(folded) == text_of(whole) == SAID
    assert len(said) > 2
    assert folded.stop_reason == whole.stop_reason
    assert folded.usage.output_tokens == whole.usage.output_tokens
    assert folded.usage.input_tokens == whole.usage.input_tokens


@over_all_upstreams
def test_a_raw_stream_has_its_events_in_order(client: anthropic.Anthropic, upstream: str) -> None:
    with client.messages.create(
        model=f"{upstream}/fast", max_tokens=100, messages=HELLO, stream=True
    ) as stream:
        kinds = [event.type for event in stream]

    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"}


@over_all_upstreams
def test_tools_are_called_and_their_results_answered(
    client: anthropic.Anthropic, upstream: str
) -> None:
    asked = client.messages.create(
        model=f"{upstream}/fast", max_tokens=100, messages=BOTH, tools=TOOLS
    )
    uses = [block for block in asked.content if block.type == "tool_use"]
    told = client.messages.create(
        model=f"{upstream}/fast",
        max_tokens=100,
        tools=TOOLS,
        messages=[
            *BOTH,
            {"role": "assistant", "content": asked.content},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": uses[0].id, "content": "result 0"},
                    {
                        "type": "tool_result",
                        "tool_use_id": uses[1].id,
                        "is_error": True,
                        "content": [{"type": "text", "text": "result 1"}],
                    },
                ],
            },
        ],
    )

    assert asked.stop_reason == "tool_use"
    assert [(one.name, one.input) for one in uses] == [
        ("get_weather", {"city": "simulated"}),
        ("get_time", {"city": "simulated"}),
    ]
    assert uses[0].id != uses[1].id
    assert text_of(told).startswith("[simulated by sim/fast] The tool answered: result 0")
    assert "result 1" in text_of(told)


@over_all_upstreams
def test_streamed_tool_uses_fold_to_the_whole_ones(
    client: anthropic.Anthropic, upstream: str
) -> None:
    with client.messages.stream(
        model=f"{upstream}/fast", max_tokens=100, messages=BOTH, tools=TOOLS
    ) as stream:
        inputs = [event for event in stream if event.type == "input_json"]
        folded = stream.get_final_message()

    uses = [block for block in folded.content if block.type == "tool_use"]
    assert [(one.name, one.input) for one in uses] == [
        ("get_weather", {"city": "simulated"}),
        ("get_time", {"city": "simulated"}),
    ]
    assert inputs[-1].snapshot == {"city": "simulated"}
    assert folded.stop_reason == "tool_use"


@over_all_upstreams
def test_the_tool_runner_runs_to_the_answer(client: anthropic.Anthropic, upstream: str) -> None:
    asked: list[str] = []

    @beta_tool
    def get_weather(city: str) -> str:
        """Give the weather of a city.

        Args:
            city: its name.
        """
        asked.append(city)
        return "sunny"

    runner = client.beta.messages.tool_runner(
        model=f"{upstream}/fast",
        max_tokens=100,
        tools=[get_weather],
        messages=[{"role": "user", "content": "please get_weather"}],
    )
    last = runner.until_done()

    assert asked == ["simulated"]
    assert text_of(last) == "[simulated by sim/fast] The tool answered: sunny"


@over_all_upstreams
@pytest.mark.parametrize("choice", ["any", "none", "tool", "auto"])
def test_the_choice_of_tools_is_kept_to(
    client: anthropic.Anthropic, upstream: str, choice: str
) -> None:
    chosen: Any = {"type": choice, **({"name": "get_time"} if choice == "tool" else {})}

    asked: dict[str, Any] = {"model": f"{upstream}/fast", "max_tokens": 100, "messages": HELLO}
    answer = client.messages.create(tools=TOOLS, tool_choice=chosen, **asked)

    expected = {"any": ["get_weather"], "none": [], "tool": ["get_time"], "auto": []}
    assert [one.name for one in answer.content if one.type == "tool_use"] == expected[choice]


@over_all_upstreams
def test_an_answer_is_parsed_into_the_shape_that_was_asked_for(
    client: anthropic.Anthropic, upstream: str
) -> None:
    answer = client.messages.parse(
        model=f"{upstream}/fast", max_tokens=100, messages=HELLO, output_format=Weather
    )

    assert answer.parsed_output == Weather(city="simulated", degrees=1)


@over_all_upstreams
def test_a_bound_on_the_answer_ends_it_with_max_tokens(
    client: anthropic.Anthropic, upstream: str
) -> None:
    answer = client.messages.create(model=f"{upstream}/fast", max_tokens=3, messages=HELLO)

    assert answer.stop_reason == "max_tokens"
    assert text_of(answer) == SAID[:12]


def test_a_stop_sequence_that_was_met_is_named(client: anthropic.Anthropic) -> None:
    answer = client.messages.create(
        model="anthropic/fast", max_tokens=100, messages=HELLO, stop_sequences=["hello"]
    )

    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "hello")


@over_all_upstreams
def test_an_image_is_taken_beside_text(client: anthropic.Anthropic, upstream: str) -> None:
    answer = client.messages.create(
        model=f"{upstream}/fast",
        max_tokens=100,
        messages=[
            {
                "role": "user",
                "content": [
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                    },
                    {"type": "text", "text": "hello there"},
                ],
            }
        ],
    )

    assert text_of(answer) == SAID


@over_all_upstreams
def test_a_smart_model_thinks_and_its_turn_can_be_sent_back(
    client: anthropic.Anthropic, upstream: str
) -> None:
    asked: dict[str, Any] = {
        "model": f"{upstream}/smart",
        "max_tokens": 4000,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
    }

    first = client.messages.create(messages=HELLO, **asked)
    turn: MessageParam = {"role": "assistant", "content": first.content}
    second = client.messages.create(
        messages=[*HELLO, turn, {"role": "user", "content": "hello again"}], **asked
    )

    assert "You said: hello there" in text_of(first)
    assert "You said: hello again" in text_of(second)


@pytest.mark.parametrize("upstream", ["anthropic", "openai_chat"])
def test_thinking_comes_before_the_text(client: anthropic.Anthropic, upstream: str) -> None:
    with client.messages.stream(
        model=f"{upstream}/smart",
        max_tokens=4000,
        messages=HELLO,
        thinking={"type": "enabled", "budget_tokens": 2000},
    ) as stream:
        thought = [event.thinking for event in stream if event.type == "thinking"]
        folded = stream.get_final_message()

    assert [block.type for block in folded.content] == ["thinking", "text"]
    assert folded.content[0].type == "thinking"
    assert "".join(thought) == folded.content[0].thinking
    assert folded.content[0].thinking.startswith("The user said 2 words")


@over_all_upstreams
def test_tokens_are_counted_before_anything_is_sent(
    client: anthropic.Anthropic, upstream: str
) -> None:
    short = client.messages.count_tokens(model=f"{upstream}/fast", messages=HELLO)
    more = client.messages.count_tokens(model=f"{upstream}/fast", messages=HELLO, tools=TOOLS)

    assert 0 < short.input_tokens < more.input_tokens


@over_all_upstreams
@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("rate_limited", anthropic.RateLimitError),
        ("context_too_long", anthropic.BadRequestError),
        ("server_error", anthropic.InternalServerError),
        ("overloaded", anthropic.InternalServerError),
    ],
)
def test_what_a_provider_refuses_is_raised_as_the_sdks_own_error(
    client: anthropic.Anthropic,
    faulty: Faulty,
    upstream: str,
    fault: str,
    raised: type[anthropic.APIStatusError],
) -> None:
    with pytest.raises(raised) as refused:
        client.messages.create(model=faulty(upstream, fault), max_tokens=100, messages=HELLO)

    assert refused.value.request_id
    body = refused.value.body
    assert isinstance(body, dict)
    assert (body["type"], set(body["error"]) >= {"type", "message"}) == ("error", True)


@over_all_upstreams
@pytest.mark.parametrize("fault", ["error_later", "hang_up"])
def test_a_stream_that_breaks_off_raises(
    client: anthropic.Anthropic, faulty: Faulty, upstream: str, fault: str
) -> None:
    with (
        pytest.raises(anthropic.APIStatusError),
        client.messages.stream(
            model=faulty(upstream, fault), max_tokens=100, messages=HELLO
        ) as stream,
    ):
        stream.until_done()


def test_models_are_listed_and_found_by_name(client: anthropic.Anthropic) -> None:
    listed = {one.id for one in client.models.list(limit=1000)}
    found = client.models.retrieve("anthropic/fast")

    assert {f"{upstream}/fast" for upstream in UPSTREAMS} <= listed
    assert (found.id, found.type) == ("anthropic/fast", "model")
    assert found.display_name


@pytest.mark.anyio
async def test_the_asynchronous_client_is_answered_the_same(here: RunningGateway) -> None:
    async with (
        anthropic.AsyncAnthropic(
            base_url=here.url, auth_token="sk-fake", max_retries=0, timeout=20
        ) as client,
        client.messages.stream(model="gemini/fast", max_tokens=100, messages=HELLO) as stream,
    ):
        said = [text async for text in stream.text_stream]

    assert "".join(said) == SAID
