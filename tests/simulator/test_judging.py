"""Voices and codecs, written apart from each other, must understand each other."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from omniroute.routing.conversation import (
    Chat,
    Delta,
    Message,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from omniroute.routing.model import Dialect
from omniroute.routing.simulator.director import script_for
from omniroute.routing.simulator.performance import rechunk
from omniroute.routing.simulator.script import Asked, OfferedTool, Script, Thought, ToolUse
from omniroute.routing.simulator.voices.table import VOICES
from omniroute.routing.simulator.voices.voice import Occasion
from omniroute.routing.wire.table import codec

from .raw import parse

NOW = Occasion("0123456789ab", 1_790_000_000)
SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "line": {"type": "integer"}},
    "required": ["path", "line"],
}
TOOLS = (OfferedTool("read_file", SCHEMA), OfferedTool("list_files", {"type": "object"}))
HELLO = Asked(model="fast", said='say "hello" wörld \U0001f600\n\nand bye', input_bytes=40)
ASKED = {
    "echo": HELLO,
    "thoughts": replace(HELLO, model="smart", thinking="shown"),
    "tools": replace(HELLO, said="read_file, list_files", tools=TOOLS),
    "thoughts and tools": replace(
        HELLO, model="smart", thinking="shown", said="read_file", tools=TOOLS
    ),
    "too long": replace(HELLO, output_tokens_max=5),
    "cached": replace(HELLO, model="fast@input_tokens=100,cached_tokens=30,output_tokens=9"),
    "empty": replace(HELLO, model="fast@fault=empty_answer"),
    "finished twice": replace(HELLO, model="fast@fault=finish_twice"),
}


def folded(deltas: Sequence[Delta]) -> dict[str, Any]:
    """Give what a list of Deltas says altogether."""
    calls: dict[int, list[str]] = {}
    for delta in deltas:
        if delta.tool_call is not None:
            parts = calls.setdefault(delta.tool_call.index, ["", ""])
            parts[0] += delta.tool_call.name or ""
            parts[1] += delta.tool_call.arguments
    usages = [delta.usage for delta in deltas if delta.usage is not None]
    return {
        "text": "".join(delta.text for delta in deltas),
        "reasoning": "".join(delta.reasoning for delta in deltas),
        "calls": [(name, parse(arguments)) for name, arguments in calls.values()],
        "finish": [delta.finish for delta in deltas if delta.finish is not None][-1:],
        "usage": usages[-1] if usages else None,
        "ended": deltas[-1].ended,
    }


def told(script: Script, dialect: Dialect) -> dict[str, Any]:
    """Give what the Script says; Anthropic does not count thoughts apart."""
    usage = script.usage
    assert usage is not None
    if dialect == "anthropic":
        usage = structs.replace(usage, reasoning_tokens=0)
    return {
        "text": script.text,
        "reasoning": "".join(
            piece for step in script.steps if isinstance(step, Thought) for piece in step.pieces
        ),
        "calls": [
            (step.name, parse("".join(step.pieces)))
            for step in script.steps
            if isinstance(step, ToolUse)
        ],
        "finish": [script.finish],
        "usage": usage,
        "ended": True,
    }


@pytest.mark.parametrize("size", [1, 7, 1_000_000])
@pytest.mark.parametrize("case", ASKED)
@pytest.mark.parametrize("dialect", VOICES)
def test_a_spoken_stream_is_read_as_its_script(dialect: Dialect, case: str, size: int) -> None:
    script = script_for(ASKED[case])
    spoken = [event.data for event in VOICES[dialect].events(script, NOW)]
    reader = codec(dialect).reader()

    deltas = [
        delta
        for frame in rechunk(spoken, size)
        if isinstance(frame, bytes)
        for delta in reader.feed(frame)
    ]

    assert folded(deltas) == told(script, dialect)


@pytest.mark.parametrize("case", ASKED)
@pytest.mark.parametrize("dialect", VOICES)
def test_a_spoken_answer_is_read_as_its_script(dialect: Dialect, case: str) -> None:
    script = script_for(ASKED[case])

    deltas = codec(dialect).parse_answer(VOICES[dialect].answer(script, NOW))

    assert folded(deltas) == told(script, dialect)


@pytest.mark.parametrize("dialect", VOICES)
def test_a_forwarded_stream_is_seen_to_begin_to_finish_and_to_cost(dialect: Dialect) -> None:
    script = script_for(HELLO)
    sniffer = codec(dialect).sniffer(stream=True)

    seen = [sniffer.feed(event.data) for event in VOICES[dialect].events(script, NOW)]

    deltas = [delta for delta in seen if delta is not None]
    assert any(delta.has_content for delta in deltas)
    assert [delta.usage for delta in deltas if delta.usage is not None][-1] == script.usage
    assert any(delta.finish == "stop" for delta in deltas)
    assert deltas[-1].ended


@pytest.mark.parametrize("dialect", VOICES)
def test_an_error_inside_a_stream_is_read_as_one(dialect: Dialect) -> None:
    script = script_for(replace(HELLO, model="fast@fault=error_later,after=2"))
    reader = codec(dialect).reader()

    deltas = [
        delta for event in VOICES[dialect].events(script, NOW) for delta in reader.feed(event.data)
    ]

    errors = [delta.error for delta in deltas if delta.error is not None]
    assert len(errors) == 1
    assert "overloaded" in errors[0].message


CHAT = Chat(
    messages=(
        Message("system", (Text("be brief"),)),
        Message("user", (Text("please read_file"),)),
        Message("assistant", (ToolCall("call_1", "read_file", '{"path": "a", "line": 1}'),)),
        Message("tool", (ToolResult("call_1", (Text("line one"),)),)),
    ),
    tools=(Tool("read_file", "Reads a line.", SCHEMA),),
    output_tokens_max=100,
)


@pytest.mark.parametrize("dialect", VOICES)
def test_a_rendered_request_is_heard_as_the_conversation(dialect: Dialect) -> None:
    body = codec(dialect).render_request(CHAT, model="fast").body

    asked = VOICES[dialect].read(body)

    assert asked.said == "please read_file"
    assert asked.results == ("line one",)
    assert asked.tools == (OfferedTool("read_file", SCHEMA),)
    assert asked.output_tokens_max == 100


@pytest.mark.parametrize(
    ("choice", "heard"),
    [
        (ToolChoice("required"), ("required", None)),
        (ToolChoice("none"), ("none", None)),
        (ToolChoice("named", "read_file"), ("required", "read_file")),
    ],
)
@pytest.mark.parametrize("dialect", VOICES)
def test_a_rendered_tool_choice_is_heard(
    dialect: Dialect, choice: ToolChoice, heard: tuple[str, str | None]
) -> None:
    chat = structs.replace(CHAT, messages=CHAT.messages[:2], tool_choice=choice)

    asked = VOICES[dialect].read(codec(dialect).render_request(chat, model="fast").body)

    assert (asked.tool_choice, asked.named) == heard


@pytest.mark.parametrize("dialect", ["openai_chat", "openai_responses", "anthropic"])
def test_a_rendered_stream_is_asked_for_with_its_usage(dialect: Dialect) -> None:
    body = codec(dialect).render_request(structs.replace(CHAT, stream=True), model="fast").body

    asked = VOICES[dialect].read(body)

    assert asked.stream
    assert asked.stream_usage


def test_usage_of_the_same_words_is_the_same_in_every_dialect() -> None:
    weights = {
        dialect: VOICES[dialect]
        .read(codec(dialect).render_request(CHAT, model="fast").body)
        .input_bytes
        for dialect in VOICES
    }

    assert len(set(weights.values())) == 1
