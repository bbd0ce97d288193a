"""Golden bytes: what vendors document, read; and what we write, pinned.

All request, response and stream files are written by us after the vendors' references, read
2026-11: OpenAI "Chat completions", "Function calling", "Images and vision", "Responses";
DeepSeek "Reasoning model"; Anthropic "Messages", "Streaming messages", "Tool use",
"Extended thinking", "Vision", "Prompt caching"; Gemini "Generating content", "Function
calling", "Thought signatures". The files named `written.*` hold our own output.
"""

import pytest

from omniroute.routing.conversation import (
    Chat,
    Delta,
    Image,
    Message,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolChoice,
    ToolResult,
    Usage,
)
from omniroute.routing.errors import (
    BadRequest,
    BudgetExceeded,
    ModelNotFound,
    NoCandidate,
    NotAllowed,
    NotAuthenticated,
    RoutingError,
    TooLarge,
    UpstreamFailure,
)
from omniroute.routing.model import Dialect
from omniroute.routing.wire.codec import Head
from omniroute.routing.wire.fold import Answer, fold
from omniroute.routing.wire.table import codec

from .answers import DIALECTS, HEAD, golden, read, streamed

SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk="
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
STRICT_CITY = {**CITY, "additionalProperties": False}
NAMES = {
    "type": "object",
    "properties": {"names": {"type": "array", "items": {"type": "string"}}},
    "required": ["names"],
    "additionalProperties": False,
}
OSLO = ToolCall("call_oslo", "get_weather", '{"city":"Oslo"}')
ROME = ToolCall("call_rome", "get_weather", '{"city":"Rome"}')
QUESTION = Message("user", (Text("Which city is the capital of Norway?"),))
WRITTEN = [
    Delta(reasoning="One city."),
    Delta(reasoning_signature="c2ln"),
    Delta(text="Let me "),
    Delta(text="see."),
    Delta(tool_call=ToolCallDelta(0, "call_oslo", "get_weather")),
    Delta(tool_call=ToolCallDelta(0, arguments='{"city":')),
    Delta(tool_call=ToolCallDelta(0, arguments='"Oslo"}')),
    Delta(finish="tool_calls", ended=True),
    Delta(usage=Usage(37, 21, 8, 2, 5), ended=True),
]


def test_an_openai_chat_request_is_read() -> None:
    chat = codec("openai_chat").parse_request(golden("openai_chat", "text.request"))

    assert chat == Chat(
        messages=(Message("developer", (Text("Answer in one word."),)), QUESTION),
        output_tokens_max=64,
        temperature=0.2,
        top_p=0.9,
        stop=("\n",),
        stream=True,
        seed=7,
        rest={"openai_chat": {"stream_options": {"include_usage": True}}},
    )


def test_openai_chat_tools_are_read() -> None:
    chat = codec("openai_chat").parse_request(golden("openai_chat", "tools.request"))

    assert chat == Chat(
        messages=(
            Message("system", (Text("Use the tools."),)),
            Message("user", (Text("Weather in Oslo and Rome?"),)),
            Message("assistant", (OSLO, ROME)),
            Message("tool", (ToolResult("call_oslo", (Text("4 degrees"),)),)),
            Message("tool", (ToolResult("call_rome", (Text("19 degrees"),)),)),
            Message("user", (Text("Which is warmer?"),)),
        ),
        tools=(
            Tool(
                "get_weather",
                "Current weather of a city",
                STRICT_CITY,
                {"openai_chat": {"function": {"strict": True}}},
            ),
        ),
        tool_choice=ToolChoice("named", "get_weather", parallel=False),
    )


def test_openai_chat_images_and_schemas_are_read() -> None:
    chat = codec("openai_chat").parse_request(golden("openai_chat", "image.request"))

    assert chat.messages[0].parts == (
        Text("What is on these?"),
        Image(
            media_type="image/png",
            data="iVBORw0KGgo=",
            rest={"openai_chat": {"image_url": {"detail": "low"}}},
        ),
        Image(url="https://example.com/cat.jpg"),
    )
    assert chat.json_schema == {"name": "things", "strict": True, "schema": NAMES}


def test_an_anthropic_request_is_read() -> None:
    chat = codec("anthropic").parse_request(golden("anthropic", "text.request"))

    marker = {"anthropic": {"cache_control": {"type": "ephemeral"}}}
    assert chat == Chat(
        messages=(Message("system", (Text("Answer in one word.", marker),)), QUESTION),
        output_tokens_max=1024,
        temperature=0.2,
        top_p=0.9,
        stop=("\n\nHuman:",),
        stream=True,
        top_k=40,
        user="someone",
    )


def test_anthropic_tools_and_thoughts_are_read() -> None:
    chat = codec("anthropic").parse_request(golden("anthropic", "tools.request"))

    assert chat == Chat(
        messages=(
            Message("user", (Text("Weather in Oslo and Rome?"),)),
            Message(
                "assistant",
                (
                    Reasoning("Two cities, two calls.", signature=SIGNATURE),
                    Text("I will look."),
                    ToolCall("toolu_oslo", "get_weather", '{"city":"Oslo"}'),
                    ToolCall("toolu_rome", "get_weather", '{"city":"Rome"}'),
                ),
            ),
            Message(
                "user",
                (
                    ToolResult("toolu_oslo", (Text("4 degrees"),)),
                    ToolResult("toolu_rome", (Text("no such city"),), is_error=True),
                    Text("Which is warmer?"),
                ),
            ),
        ),
        tools=(
            Tool(
                "get_weather",
                "Current weather of a city",
                CITY,
                {"anthropic": {"cache_control": {"type": "ephemeral"}}},
            ),
        ),
        tool_choice=ToolChoice("required", parallel=False),
        output_tokens_max=1024,
    )


def test_anthropic_images_and_schemas_are_read() -> None:
    chat = codec("anthropic").parse_request(golden("anthropic", "image.request"))

    assert chat.messages[0].parts == (
        Text("What is on these?"),
        Image(media_type="image/png", data="iVBORw0KGgo="),
        Image(url="https://example.com/cat.jpg"),
    )
    assert chat.json_schema == {"schema": NAMES}
    assert chat.reasoning_effort == "low"
    assert chat.rest == {"anthropic": {"output_config": {"effort": "low"}}}


def test_a_responses_request_is_read() -> None:
    chat = codec("openai_responses").parse_request(golden("openai_responses", "tools.request"))

    image = Image(
        media_type="image/png",
        data="iVBORw0KGgo=",
        rest={"openai_responses": {"detail": "auto"}},
    )
    thought = Reasoning("One city.", encrypted="openai_responses#gAAAAABo-fake")
    strict = {"openai_responses": {"strict": True}}
    assert chat == Chat(
        messages=(
            Message("system", (Text("Use the tools."),)),
            Message("user", (Text("Weather in Oslo?"), image)),
            Message("assistant", (thought, OSLO)),
            Message("tool", (ToolResult("call_oslo", (Text("4 degrees"),)),)),
        ),
        tools=(Tool("get_weather", "Current weather of a city", STRICT_CITY, strict),),
        tool_choice=ToolChoice("required", parallel=True),
        output_tokens_max=300,
        reasoning_effort="low",
        json_schema={"name": "weather", "schema": {"type": "object"}, "strict": False},
        stream=True,
        reasoning_shown=True,
        rest={
            "openai_responses": {
                "store": False,
                "include": ["reasoning.encrypted_content"],
                "reasoning": {"summary": "auto"},
                "text": {"verbosity": "low"},
            }
        },
    )


def test_a_gemini_request_is_read() -> None:
    chat = codec("gemini").parse_request(golden("gemini", "tools.request"))

    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "title": {"type": ["string", "null"]}},
        "required": ["city"],
    }
    assert chat == Chat(
        messages=(
            Message("system", (Text("Use the tools."),)),
            Message(
                "user",
                (Text("Weather in Oslo?"), Image(media_type="image/png", data="iVBORw0KGgo=")),
            ),
            Message(
                "assistant",
                (
                    Reasoning(signature="gemini#CiQBjz1rX-fake"),
                    ToolCall("get_weather_0", "get_weather", '{"city":"Oslo"}'),
                ),
            ),
            Message("user", (ToolResult("get_weather_0", (Text("4 degrees"),)),)),
        ),
        tools=(Tool("get_weather", "Current weather of a city", schema),),
        tool_choice=ToolChoice("named", "get_weather"),
        output_tokens_max=300,
        temperature=0.2,
        top_p=0.9,
        stop=("END",),
        json_schema={"schema": {"type": "object", "properties": {"degrees": {"type": "integer"}}}},
        rest={
            "gemini": {
                "safetySettings": [
                    {
                        "category": "HARM_CATEGORY_HARASSMENT",
                        "threshold": "BLOCK_ONLY_HIGH",
                    }
                ],
            }
        },
        top_k=20,
    )


CITY_CALL = '{"city": "Oslo"}'
ANSWERS: list[tuple[Dialect, str, Answer]] = [
    ("openai_chat", "text", Answer((Text("Oslo."),), "stop", Usage(19, 10, 4, 0, 3))),
    (
        "openai_chat",
        "tools",
        Answer(
            (
                ToolCall("call_oslo", "get_weather", CITY_CALL),
                ToolCall("call_rome", "get_weather", '{"city": "Rome"}'),
            ),
            "tool_calls",
            Usage(82, 17),
        ),
    ),
    ("anthropic", "text", Answer((Text("Oslo."),), "stop", Usage(135, 15, 100, 10))),
    (
        "anthropic",
        "tools",
        Answer(
            (
                Reasoning("Two cities, two calls.", signature=SIGNATURE),
                Text("I will look."),
                ToolCall("toolu_oslo", "get_weather", '{"city":"Oslo"}'),
                ToolCall("toolu_now", "get_time", "{}"),
            ),
            "tool_calls",
            Usage(472, 89),
        ),
    ),
    (
        "openai_responses",
        "tools",
        Answer(
            (Reasoning("One city."), Text("Let me see."), OSLO),
            "tool_calls",
            Usage(37, 21, 8, 2, 5),
        ),
    ),
    (
        "gemini",
        "tools",
        Answer(
            (
                Reasoning("One city."),
                Text("Let me see."),
                Reasoning(signature="gemini#CiQBjz1rX-fake"),
                ToolCall("call_answer-1_0", "get_weather", '{"city":"Oslo"}'),
            ),
            "tool_calls",
            Usage(37, 21, 8, 0, 5),
        ),
    ),
]


@pytest.mark.parametrize(("dialect", "case", "answer"), ANSWERS)
def test_an_answer_is_read_alike_whole_and_streamed(
    dialect: Dialect, case: str, answer: Answer
) -> None:
    whole = codec(dialect).parse_answer(golden(dialect, f"{case}.response"))
    stream = read(dialect, [golden(dialect, f"{case}.stream")])

    assert fold(whole, HEAD) == answer
    assert fold(stream, HEAD) == answer
    assert whole[-1].ended
    assert any(delta.ended for delta in stream)


@pytest.mark.parametrize(("dialect", "case", "answer"), ANSWERS)
def test_a_whole_answer_is_sniffed(dialect: Dialect, case: str, answer: Answer) -> None:
    body = golden(dialect, f"{case}.response")

    found = codec(dialect).sniffer(stream=False).feed(body)

    assert found is not None
    assert (found.content, found.ended) == (True, True)
    assert (found.usage, found.finish) == (answer.usage, answer.finish)
    assert found.model is not None


def test_deepseeks_thoughts_and_cache_are_read() -> None:
    answer = fold(read("openai_chat", [golden("openai_chat", "reasoning.stream")]), HEAD)

    assert answer.parts == (Reasoning("Nine is odd."), Text("Odd."))
    assert answer.usage == Usage(17, 9, 16, 0, 6)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_our_own_stream_and_answer_are_pinned(dialect: Dialect) -> None:
    head = Head("answer-1", "a-model", 1_700_000_000, include_usage=True)

    assert streamed(dialect, WRITTEN, head) == golden(dialect, "written.stream")
    assert codec(dialect).render_answer(WRITTEN, head) == golden(dialect, "written.response")


ERRORS: list[RoutingError] = [
    BadRequest("`model` is missing", field="model"),
    NotAuthenticated("no such key"),
    BudgetExceeded("the budget has 3 nano-dollars left"),
    NotAllowed("the key lacks a scope", scope="write:route"),
    ModelNotFound("no model is named x"),
    TooLarge("more than 10 MiB"),
    NoCandidate("all circuits are open", retry_after_s=3.0),
    RoutingError("something broke"),
    UpstreamFailure("too many requests", kind="rate_limited"),
    UpstreamFailure("too long", kind="context_too_long"),
    UpstreamFailure("no answer", kind="timeout_first_byte"),
    UpstreamFailure("cut", kind="truncated"),
]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_error_bodies_are_pinned(dialect: Dialect) -> None:
    bodies = [codec(dialect).render_error(error, request_id="req-1") for error in ERRORS]

    assert b"\n".join(bodies) + b"\n" == golden(dialect, "errors.response")
