"""Which Script is played for a request: a pure function of what was asked.

1. The conversation ends with tool results: they are quoted.
2. A tool is wanted: the client requires one, the last user text names one (every named one
   is called, the first alone where parallel calls are off), or it holds the word "tool"
   (the first one is called). Arguments are made from the schema's required properties.
3. A JSON schema is wanted: the answer is JSON that fits it.
4. Else the answer echoes what was said, and says who says it.

A token is four bytes of text. `output_tokens_max` holds for thoughts and answer together
and cuts in the middle of a word if it must, as a model would.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

import orjson

from ..conversation import Finish, Usage
from ..errors import BadRequest
from .directives import NONE, Directives, split_name
from .example import example_of
from .faults import FAULTS, SIZE_DEFAULT, Edit, Fault, Place
from .models import FAST, SimulatedModel, find_model, short_name
from .script import (
    Asked,
    Disturbance,
    OfferedTool,
    Picture,
    Refusal,
    Script,
    Speech,
    Step,
    Thought,
    Timing,
    ToolUse,
)

BYTES_PER_TOKEN = 4
SAID_CHARS_MAX = 2_000
TOOL_CALLS_MAX = 8
ARGUMENT_CHARS = 12

REFUSAL = "I'm sorry, but I can't help with that."
IMAGE = "iVBORw0KGgpzaW11bGF0ZWQ="
UNREADABLE = "c2VjcmV0LXRob3VnaHQ="  # a secret thought, in base64
TAGGED = "The tags are mine, so < is not yours."

_WORD = re.compile(r"\S+\s*|\s+")
_TOOL_WORD = re.compile(r"\btools?\b", re.IGNORECASE)
_VOCABULARY = (
    *("routes", "carry", "every", "request", "to", "the", "model", "that", "answers", "best"),
    *("and", "fall", "back", "when", "one", "fails"),
)


def script_for(asked: Asked, control: Directives = NONE) -> Script:
    """Give what the simulated provider does for a request.

    A model of another name than ours is played by `fast` and keeps its name. Directives in
    the name win over those of `control`.

    Raises:
        BadRequest: the directives in the model's name are not valid, or a schema holds a value
            that is nested too deeply.
    """
    _, written = split_name(asked.model)
    directives = written.over(control)
    model = find_model(asked.model) or FAST
    steps, finish = _steps(asked, model, directives)
    steps = _saying(steps, directives)
    stop_sequence = None
    if asked.stop:
        steps, stop_sequence = _stopped(steps, asked.stop)
        finish = "stop_sequence" if stop_sequence is not None else finish
    if asked.output_tokens_max is not None:
        steps, was_cut = _shortened(steps, asked.output_tokens_max * BYTES_PER_TOKEN)
        finish = "length" if was_cut else finish
    finish = directives.finish or finish
    reports = asked.stream_usage or not asked.stream
    script = Script(
        model=asked.model,
        steps=steps,
        finish=finish,
        usage=_usage(asked, steps, directives) if reports else None,
        timing=_timing(model, directives),
        chunk_bytes=directives.chunk,
        stop_sequence=stop_sequence if finish == "stop_sequence" else None,
        logprobs=asked.logprobs,
    )
    if directives.fault is None:
        return script
    return _faulty(script, asked, FAULTS[directives.fault], directives)


def tokens(size_bytes: int) -> int:
    """Give the tokens of a text of that size; nothing is free."""
    return max(1, -(-size_bytes // BYTES_PER_TOKEN))


def refused(error: BadRequest) -> Refusal:
    """Give the answer to a request that is not valid."""
    return Refusal("bad_request", error.status, str(error), field=error.field)


def _steps(
    asked: Asked, model: SimulatedModel, directives: Directives
) -> tuple[tuple[Step, ...], Finish]:
    thoughts: tuple[Step, ...] = ()
    if model.thinks and asked.thinking != "none":
        thoughts = (Thought(_words(_thought(asked)), shown=asked.thinking == "shown"),)
    calls = () if asked.results else _wanted_tools(asked)
    if calls:
        return (*thoughts, *(_call(tool) for tool in calls)), "tool_calls"
    return (*thoughts, Speech(_words(_text(asked, model, directives)))), "stop"


def _saying(steps: tuple[Step, ...], directives: Directives) -> tuple[Step, ...]:
    """Give the steps with what the directives want to be said."""
    match directives.says:
        case None:
            return steps
        case "refusal":
            return (Speech(_words(REFUSAL), refuses=True),)
        case "image":
            return (*steps, Picture((IMAGE,)))
        case "secret":
            return (Thought((UNREADABLE,), secret=True), *steps)
        case "tags":
            return (Thought(_words(TAGGED), tagged=True), *steps)
        case _:
            assert_never(directives.says)


def _wanted_tools(asked: Asked) -> tuple[OfferedTool, ...]:
    if asked.tool_choice == "none" or not asked.tools:
        return ()
    if asked.named is not None:
        return tuple(tool for tool in asked.tools if tool.name == asked.named)[:1]
    named = tuple(tool for tool in asked.tools if _names(asked.said, tool.name))
    if not named and (asked.tool_choice == "required" or _TOOL_WORD.search(asked.said)):
        named = asked.tools[:1]
    return named[: TOOL_CALLS_MAX if asked.parallel else 1]


def _names(text: str, name: str) -> bool:
    """Whether the text holds the name as a whole word."""
    if not name or name not in text:
        return False
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


def _call(tool: OfferedTool) -> ToolUse:
    value = example_of(tool.parameters) if tool.parameters else {}
    return ToolUse(tool.name, _parts(_written(value if isinstance(value, dict) else {})))


def _text(asked: Asked, model: SimulatedModel, directives: Directives) -> str:
    label = f"[simulated by sim/{short_name(asked.model)}]"
    if directives.words is not None:
        wanted = range(directives.words)
        return " ".join((label, *(_VOCABULARY[at % len(_VOCABULARY)] for at in wanted)))
    if asked.json_schema is not None:
        return _written(example_of(asked.json_schema))
    if asked.results:
        return f"{label} The tool answered: {' '.join(asked.results)[:SAID_CHARS_MAX]}"
    said = asked.said[:SAID_CHARS_MAX]
    if not model.long:
        return f"{label} You said: {said}"
    words, chars = _count(len(asked.said.split()), "word"), _count(len(asked.said), "character")
    return (
        f"{label} You said: {said}\n\nThat is {words} in {chars}. No model has thought about "
        "them: this answer is made by rules, so that the same words always get the same reply."
    )


def _thought(asked: Asked) -> str:
    if asked.results:
        return f"There is {_count(len(asked.results), 'tool result')} to quote."
    said, offered = _count(len(asked.said.split()), "word"), _count(len(asked.tools), "tool")
    return f"The user said {said} and offers {offered}. I will answer by rule."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text))


def _parts(text: str) -> tuple[str, ...]:
    ends = range(0, len(text), ARGUMENT_CHARS)
    return tuple(text[at : at + ARGUMENT_CHARS] for at in ends)


def _written(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise BadRequest(f"the schema asks for a value that cannot be written: {error}") from error


def _stopped(steps: tuple[Step, ...], stop: tuple[str, ...]) -> tuple[tuple[Step, ...], str | None]:
    """End the speech before the first of the client's stop sequences; give which one it was."""
    last = steps[-1]
    if not isinstance(last, Speech):
        return steps, None
    text = "".join(last.pieces)
    found = [(text.find(one), one) for one in stop if one and one in text]
    if not found:
        return steps, None
    at, sequence = min(found)
    return (*steps[:-1], Speech(_words(text[:at]))), sequence


def _shortened(steps: tuple[Step, ...], left: int) -> tuple[tuple[Step, ...], bool]:
    """Keep what fits into so many bytes; give whether something was cut."""
    kept: list[Step] = []
    for step in steps:
        if isinstance(step, Picture):
            kept.append(step)
        if not isinstance(step, Thought | Speech | ToolUse):
            continue
        pieces, rest = _fitting(step.pieces, left)
        left -= _size(pieces)
        if pieces or not kept:
            kept.append(replace(step, pieces=pieces))
        if rest:
            return tuple(kept), True
    return tuple(kept), False


def _fitting(pieces: tuple[str, ...], left: int) -> tuple[tuple[str, ...], bool]:
    """Give the pieces that fit, the last one cut between characters, and whether some did not."""
    for index, piece in enumerate(pieces):
        size = len(piece.encode())
        if size > left:
            cut = piece.encode()[:left].decode(errors="ignore")
            return (*pieces[:index], cut) if cut else pieces[:index], True
        left -= size
    return pieces, False


def _usage(asked: Asked, steps: tuple[Step, ...], directives: Directives) -> Usage:
    thought = sum(_size(step.pieces) for step in steps if isinstance(step, Thought))
    spoken = sum(_size(step.pieces) for step in steps if isinstance(step, Speech | ToolUse))
    input_tokens = _chosen(directives.input_tokens, tokens(asked.input_bytes))
    output_tokens = _chosen(directives.output_tokens, tokens(thought + spoken))
    cached = min(directives.cached_tokens or 0, input_tokens)
    written = min(directives.written_tokens or 0, input_tokens - cached)
    reasoning = _chosen(directives.reasoning_tokens, tokens(thought) if thought else 0)
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=min(reasoning, output_tokens),
        cache_write_1h_tokens=min(directives.written_1h_tokens or 0, written),
    )


def _chosen(value: int | None, default: int) -> int:
    return default if value is None else value


def _size(pieces: Iterable[str]) -> int:
    return sum(len(piece.encode()) for piece in pieces)


def _timing(model: SimulatedModel, directives: Directives) -> Timing:
    first, piece = directives.latency, directives.pace
    return Timing(
        model.timing.first_byte_s if first is None else first,
        model.timing.piece_s if piece is None else piece,
    )


def _faulty(script: Script, asked: Asked, fault: Fault, directives: Directives) -> Script:
    after = _chosen(directives.after, fault.after)
    script = replace(script, kind=fault.kind)
    match fault.how:
        case Refusal() as refusal:
            seconds = _chosen(directives.retry, refusal.retry_after_s)
            return replace(script, refusal=replace(refusal, retry_after_s=seconds))
        case Edit() as edit:
            size = _chosen(directives.size, SIZE_DEFAULT)
            return edit.apply(script, asked, Place(after, size))
        case effect:
            seconds_s = fault.seconds if directives.seconds is None else directives.seconds
            return replace(script, disturbance=Disturbance(effect, after, seconds_s))
