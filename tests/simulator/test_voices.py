"""The four dialects: event order and shapes as documented, and one Script behind them all."""

import json
from typing import Any

import orjson
import pytest

from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Dialect
from omniroute.routing.simulator.director import script_for
from omniroute.routing.simulator.script import Asked, Speech
from omniroute.routing.simulator.voices import anthropic, gemini, openai_chat, openai_responses
from omniroute.routing.simulator.voices.table import VOICES
from omniroute.routing.simulator.voices.voice import Occasion, Voice

from .raw import events, parse

NOW = Occasion("0123456789ab", 1_790_000_000)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

# One conversation in four dialects: a system prompt, a tool that was called, its result.
TALK: dict[Dialect, dict[str, Any]] = {
    "openai_chat": {
        "model": "fast",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "look at the weather"}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        ],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}],
    },
    "openai_responses": {
        "model": "fast",
        "instructions": "be brief",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "look at the weather"}]},
            {
                "type": "function_call",
                "call_id": "call_1",
                "name": "weather",
                "arguments": '{"city":"Rome"}',
            },
            {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
        ],
        "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA}],
    },
    "anthropic": {
        "model": "fast",
        "max_tokens": 1000,
        "system": [{"type": "text", "text": "be brief"}],
        "messages": [
            {"role": "user", "content": "look at the weather"},
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Rome"}}
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "sunny"}],
            },
        ],
        "tools": [{"name": "weather", "input_schema": SCHEMA}],
    },
    "gemini": {
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "look at the weather"}]},
            {
                "role": "model",
                "parts": [{"functionCall": {"name": "weather", "args": {"city": "Rome"}}}],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "weather", "response": {"result": "sunny"}}}
                ],
            },
        ],
        "tools": [{"functionDeclarations": [{"name": "weather", "parameters": SCHEMA}]}],
    },
}
FIELD_OF_TURNS = {"openai_responses": "input", "gemini": "contents"}


def listen(dialect: Dialect, **more: object) -> Any:
    return VOICES[dialect].read(orjson.dumps({**TALK[dialect], **more}))


def raw_json(value: object) -> bytes:
    """Give JSON text of a value that orjson would find too deep."""
    return json.dumps(value).encode()


def say(voice: Voice, body: dict[str, object]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Give the whole answer and the events of the streamed one."""
    script = script_for(voice.read(orjson.dumps({**body, "stream": True})))
    streamed = b"".join(event.data for event in voice.events(script, NOW))
    return parse(voice.answer(script, NOW)), events(streamed)


@pytest.mark.parametrize("dialect", VOICES)
def test_a_conversation_is_heard_alike_in_every_dialect(dialect: Dialect) -> None:
    asked = listen(dialect)

    assert asked.said == "look at the weather"
    assert asked.results == ("sunny",)
    assert [tool.name for tool in asked.tools] == ["weather"]
    assert asked.input_bytes == listen("openai_chat").input_bytes


@pytest.mark.parametrize("dialect", VOICES)
def test_a_result_of_a_call_that_nobody_made_is_refused(dialect: Dialect) -> None:
    field = FIELD_OF_TURNS.get(dialect, "messages")
    orphaned = TALK[dialect][field][-1:]

    with pytest.raises(BadRequest, match="which no earlier turn"):
        listen(dialect, **{field: orphaned})


@pytest.mark.parametrize("dialect", VOICES)
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"nonsense", b'{"model": "fast"}', b'{"messages": 3, "input": {}}']
)
def test_a_body_that_is_no_request_is_refused(dialect: Dialect, body: bytes) -> None:
    with pytest.raises(BadRequest):
        VOICES[dialect].read(body)


def test_anthropic_hears_a_system_message_between_turns() -> None:
    said = {"role": "user", "content": "hello there"}
    reminder = {"role": "system", "content": "Remember to be brief."}

    asked = anthropic.read(
        raw_json({"model": "fast", "max_tokens": 9, "messages": [reminder, said, reminder]})
    )

    assert asked.said == "hello there"


def test_anthropic_needs_a_limit_of_tokens() -> None:
    with pytest.raises(BadRequest, match="max_tokens: Field required"):
        listen("anthropic", max_tokens=None)


@pytest.mark.parametrize(
    ("dialect", "tool"),
    [
        ("openai_chat", {"type": "custom", "custom": {"name": "free"}}),
        ("openai_responses", {"type": "web_search"}),
        ("anthropic", {"type": "web_search_20250305", "name": "web_search"}),
        ("gemini", {"googleSearch": {}}),
    ],
)
def test_the_vendors_own_tools_are_taken_and_not_called(
    dialect: Dialect, tool: dict[str, object]
) -> None:
    assert listen(dialect, tools=[tool]).tools == ()


@pytest.mark.parametrize("dialect", VOICES)
def test_a_schema_that_is_nested_too_deeply_is_refused(dialect: Dialect) -> None:
    deep = orjson.loads('{"properties":' * 300 + "{}" + "}" * 300)
    tool: dict[str, Any] = {"name": "t", "parameters": deep, "input_schema": deep}
    offered: dict[Dialect, dict[str, Any]] = {
        "openai_chat": {"type": "function", "function": tool},
        "openai_responses": {"type": "function", **tool},
        "anthropic": {"name": "t", "input_schema": deep},
        "gemini": {"functionDeclarations": [tool]},
    }
    body = orjson.dumps({**TALK[dialect], "tools": "TOOLS"}).replace(
        b'"TOOLS"', raw_json([offered[dialect]])
    )

    with pytest.raises(BadRequest, match="cannot be written"):
        VOICES[dialect].read(body)


@pytest.mark.parametrize(
    ("dialect", "more", "choice", "named"),
    [
        ("openai_chat", {"tool_choice": "required"}, "required", None),
        (
            "openai_chat",
            {"tool_choice": {"type": "function", "function": {"name": "weather"}}},
            "required",
            "weather",
        ),
        ("openai_responses", {"tool_choice": "none"}, "none", None),
        (
            "openai_responses",
            {"tool_choice": {"type": "function", "name": "weather"}},
            "required",
            "weather",
        ),
        ("anthropic", {"tool_choice": {"type": "any"}}, "required", None),
        ("anthropic", {"tool_choice": {"type": "tool", "name": "weather"}}, "required", "weather"),
        ("gemini", {"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}, "none", None),
        (
            "gemini",
            {
                "tool_config": {
                    "function_calling_config": {
                        "mode": "ANY",
                        "allowed_function_names": ["weather"],
                    }
                }
            },
            "required",
            "weather",
        ),
    ],
)
def test_tool_choices_are_heard(
    dialect: Dialect, more: dict[str, object], choice: str, named: str | None
) -> None:
    asked = listen(dialect, **more)

    assert (asked.tool_choice, asked.named) == (choice, named)


def test_anthropic_streams_blocks_between_start_and_stop() -> None:
    body: dict[str, object] = {
        "model": "smart",
        "max_tokens": 500,
        "thinking": {"type": "enabled", "budget_tokens": 100},
        "messages": [{"role": "user", "content": "call weather"}],
        "tools": [{"name": "weather", "input_schema": SCHEMA}],
    }

    whole, told = say(anthropic, body)

    kinds = [event["type"] for event in told]
    thinking, signature = told[2]["delta"], told[kinds.index("content_block_stop") - 1]["delta"]
    assert kinds[:3] == ["message_start", "content_block_start", "content_block_delta"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert thinking["type"] == "thinking_delta"
    assert signature == {"type": "signature_delta", "signature": anthropic.SIGNATURE}
    starts = [event for event in told if event["type"] == "content_block_start"]
    assert [(one["index"], one["content_block"]["type"]) for one in starts] == [
        (0, "thinking"),
        (1, "tool_use"),
    ]
    parts = [
        event["delta"]["partial_json"]
        for event in told
        if event.get("delta", {}).get("type") == "input_json_delta"
    ]
    assert parts[0] == ""
    assert parse("".join(parts)) == whole["content"][1]["input"] == {"city": "simulated"}
    assert told[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert whole["stop_reason"] == "tool_use"


def test_anthropic_counts_cached_tokens_apart() -> None:
    body: dict[str, object] = {
        "model": "fast@input_tokens=100,cached_tokens=30,output_tokens=7",
        "max_tokens": 500,
        "messages": [{"role": "user", "content": "hello"}],
    }

    whole, told = say(anthropic, body)

    expected = {
        "input_tokens": 70,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 30,
        "output_tokens": 7,
    }
    assert whole["usage"] == told[-2]["usage"] == expected
    assert told[0]["message"]["usage"] == {**expected, "output_tokens": 1}


def test_anthropic_names_the_stop_sequence_that_ended_it() -> None:
    body: dict[str, object] = {
        "model": "fast",
        "max_tokens": 500,
        "stop_sequences": ["nothing", "You"],
        "messages": [{"role": "user", "content": "hello"}],
    }

    whole, _ = say(anthropic, body)

    assert whole["content"] == [{"type": "text", "text": "[simulated by sim/fast] "}]
    assert (whole["stop_reason"], whole["stop_sequence"]) == ("stop_sequence", "You")


def test_anthropic_pings_inside_the_first_text_block() -> None:
    body: dict[str, object] = {
        "model": "fast",
        "max_tokens": 500,
        "messages": [{"role": "user", "content": "hello"}],
    }

    _, told = say(anthropic, body)

    assert [event["type"] for event in told[:4]] == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
    ]


def test_responses_number_their_events_and_open_and_close_every_item() -> None:
    body: dict[str, object] = {
        "model": "smart",
        "reasoning": {"summary": "auto"},
        "input": "hello",
    }

    whole, told = say(openai_responses, body)

    kinds = [event["type"].removeprefix("response.") for event in told]
    shape = [kind for index, kind in enumerate(kinds) if index == 0 or kinds[index - 1] != kind]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert shape == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert told[-1]["response"] == whole
    assert {event["output_index"] for event in told if "summary_index" in event} == {0}
    assert {event["output_index"] for event in told if "content_index" in event} == {1}


def test_responses_hide_thoughts_unless_a_summary_is_asked_for() -> None:
    whole, _ = say(openai_responses, {"model": "smart", "input": "hello"})

    assert whole["output"][0]["summary"] == []
    assert whole["usage"]["output_tokens_details"]["reasoning_tokens"] > 0


@pytest.mark.parametrize(
    ("after", "kind"), [("error_first", "error"), ("error_later", "response.failed")]
)
def test_responses_break_down_in_their_two_ways(after: str, kind: str) -> None:
    _, told = say(openai_responses, {"model": f"smart@fault={after},after=18", "input": "hello"})

    assert told[-1]["type"] == kind


def test_gemini_counts_from_the_start_and_finishes_in_the_last_chunk() -> None:
    body: dict[str, object] = {"contents": [{"parts": [{"text": "hello"}]}]}

    whole, told = say(gemini, body)

    counts = [event["usageMetadata"]["candidatesTokenCount"] for event in told]
    finishes = [event["candidates"][0].get("finishReason") for event in told]
    assert counts == sorted(counts)
    assert told[-1]["usageMetadata"] == whole["usageMetadata"]
    assert finishes == [None] * (len(told) - 1) + ["STOP"]


def test_gemini_shows_thoughts_when_asked_and_counts_them_apart() -> None:
    shown = {"thinkingConfig": {"includeThoughts": True}}
    body: dict[str, object] = {
        "contents": [{"parts": [{"text": "hello"}]}],
        "generationConfig": shown,
    }
    asked = gemini.read(orjson.dumps(body))
    script = script_for(Asked(model="smart", said="hello", input_bytes=5, thinking="shown"))

    answer = parse(gemini.answer(script, NOW))

    parts, usage = answer["candidates"][0]["content"]["parts"], answer["usageMetadata"]
    assert asked.thinking == "shown"
    assert [part.get("thought") for part in parts] == [True, None]
    assert usage["totalTokenCount"] == (
        usage["promptTokenCount"] + usage["candidatesTokenCount"] + usage["thoughtsTokenCount"]
    )


def test_gemini_without_sse_is_one_json_array() -> None:
    script = script_for(gemini.read(orjson.dumps({"contents": [{"parts": [{"text": "hi"}]}]})))
    occasion = Occasion("0123", 1_790_000_000, sse=False)

    told = parse(b"".join(event.data for event in gemini.events(script, occasion)))

    texts = [chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in told]
    assert "".join(texts) == script.text
    assert gemini.headers(occasion, stream=True)[0][1].startswith("application/json")


def test_chat_chunks_begin_with_the_role_and_end_with_usage_and_done() -> None:
    body: dict[str, object] = {
        "model": "fast",
        "messages": [{"role": "user", "content": "hello"}],
        "stream_options": {"include_usage": True},
    }

    whole, told = say(openai_chat, body)

    assert told[0]["choices"][0]["delta"]["role"] == "assistant"
    assert told[0]["usage"] is None
    assert [choice["finish_reason"] for choice in told[-2]["choices"]] == ["stop"]
    assert told[-1]["choices"] == []
    assert told[-1]["usage"] == whole["usage"]
    assert {event["object"] for event in told} == {"chat.completion.chunk"}
    assert len({event["id"] for event in told}) == 1


@pytest.mark.parametrize("dialect", VOICES)
def test_one_script_says_the_same_in_every_dialect(dialect: Dialect) -> None:
    script = script_for(listen("openai_chat"))

    whole = VOICES[dialect].answer(script, NOW)
    streamed = b"".join(event.data for event in VOICES[dialect].events(script, NOW))

    (speech,) = script.steps
    assert isinstance(speech, Speech)
    assert orjson.dumps(script.text)[1:-1] in whole
    assert all(orjson.dumps(piece)[1:-1] in streamed for piece in speech.pieces)
