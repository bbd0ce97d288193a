"""Anthropic messages, whole: reading a provider's, writing a client's, and usage.

Usage counts apart what others count together: `input_tokens` is what was neither read from
the cache nor written to it.

Source: Anthropic API reference, "Create a Message", response and "Prompt caching", read 2026-11.
"""

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import msgspec

from ...conversation import Delta, Finish, Image, Reasoning, Text, ToolCall, ToolCallDelta, Usage
from ..codec import Head
from ..counting import TOKENS_MAX, Count, counts_of, decoded, kept_for_an_hour, usage
from ..failures import failure_of, malformed, reported
from ..fields import encode
from ..fold import Answer, AnswerPart, Refusal, fold
from ..parts import arguments_object, image_note, tool_id
from ..plain import wrapped

_FINISHES: dict[str, Finish] = {
    "end_turn": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_WORDS: dict[Finish, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


class Block(msgspec.Struct, gc=False):
    """A content block, or its beginning in a stream."""

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None


class _Whole(msgspec.Struct, gc=False):
    type: str | None = None
    id: str | None = None
    model: str | None = None
    content: list[Block] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Any = None
    error: Any = None


class _Written(msgspec.Struct, gc=False):
    thinking_tokens: Count | None = None


class _Kept(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: Count | None = None
    ephemeral_1h_input_tokens: Count | None = None


class _Counts(msgspec.Struct, gc=False):
    input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    output_tokens: Count | None = None
    output_tokens_details: _Written | None = None
    cache_creation: _Kept | None = None


class _WithCounts(_Whole, gc=False):
    usage: _Counts | None = None


_decoder = msgspec.json.Decoder(_Whole)
_counted: msgspec.json.Decoder[_Whole] = msgspec.json.Decoder(_WithCounts)


def parse_answer(body: bytes) -> Sequence[Delta]:
    """Give the Deltas of a whole answer, as if it had been streamed.

    Raises:
        UpstreamFailure: kind "malformed", or the kind of the error that it is.
    """
    whole, content = _read(body)
    deltas = [Delta(model=whole.model, answer_id=whole.id)]
    calls = 0
    for block in content:
        deltas += _block(block, calls)
        calls += block.type == "tool_use"
    found = usage_of(whole.usage)
    if found is not None:
        deltas.append(Delta(usage=found))
    finish = finish_of(whole.stop_reason or "end_turn")
    return [*deltas, Delta(finish=finish, stop_sequence=whole.stop_sequence or None, ended=True)]


def sniff_answer(body: bytes) -> Delta:
    """Give what accounting needs of a whole answer; raises as `parse_answer` does."""
    whole, _ = _read(body)
    return Delta(
        content=True,
        usage=usage_of(whole.usage),
        finish=finish_of(whole.stop_reason or "end_turn"),
        model=whole.model,
        answer_id=whole.id,
        ended=True,
    )


def render_answer(deltas: Sequence[Delta], head: Head) -> bytes:
    """Give the whole answer that the Deltas fold to."""
    answer = fold(deltas, head)
    return encode(
        {
            **message_json(head),
            "content": _blocks(answer),
            "stop_reason": finish_word(answer.finish, refused=bool(answer.refusal)),
            "stop_sequence": answer.stop_sequence,
            "usage": usage_json(answer.usage),
        }
    )


def message_json(head: Head) -> dict[str, object]:
    """Give an answer's fields that are known before it begins."""
    return {"id": head.answer_id, "type": "message", "role": "assistant", "model": head.model}


def finish_of(word: str) -> Finish:
    """Give why an answer ended."""
    return _FINISHES.get(word, "stop")


def finish_word(finish: Finish, *, refused: bool = False) -> str:
    """Give a finish in this dialect's words; a model that refused in words did not just stop."""
    return "refusal" if refused and finish == "stop" else _WORDS[finish]


class Counted:
    """Usage as a stream reports it: a later count replaces the earlier one of its kind."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = _Counts()

    def add(self, reported: object) -> Usage | None:
        """Give all that was reported so far, None while input or output are unknown."""
        if not isinstance(reported, Mapping):
            return None
        earlier, later = self._counts, counts_of(reported, _Counts)
        for name in _Counts.__struct_fields__:
            if getattr(later, name) is None:
                setattr(later, name, getattr(earlier, name))
        written, kept = later.output_tokens_details, later.cache_creation
        if written is None or written.thinking_tokens is None:
            later.output_tokens_details = earlier.output_tokens_details
        if kept is None or kept == _Kept():
            later.cache_creation = earlier.cache_creation
        self._counts = later
        return usage_of(later)


def usage_of(reported: object) -> Usage | None:
    """Give a usage object's counts, None when it does not report both of them."""
    counts = counts_of(reported, _Counts)
    if counts.input_tokens is None or counts.output_tokens is None:
        return None
    cached = counts.cache_read_input_tokens or 0
    kept, written = counts.cache_creation or _Kept(), counts.output_tokens_details
    for_an_hour = kept.ephemeral_1h_input_tokens or 0
    cache_write = counts.cache_creation_input_tokens
    if cache_write is None:
        cache_write = min(for_an_hour + (kept.ephemeral_5m_input_tokens or 0), TOKENS_MAX)
    found = usage(
        input_tokens=min(counts.input_tokens + cached + cache_write, TOKENS_MAX),
        output_tokens=counts.output_tokens,
        cached=cached,
        cache_write=cache_write,
        reasoning=None if written is None else written.thinking_tokens,
    )
    return kept_for_an_hour(found, for_an_hour) if for_an_hour else found


def usage_json(found: Usage | None) -> dict[str, object]:
    """Give usage in this dialect's words; zero where it is unknown, since it is demanded."""
    found = found or Usage()
    apart = found.cached_input_tokens + found.cache_write_tokens
    counts: dict[str, object] = {
        "input_tokens": found.input_tokens - apart,
        "cache_creation_input_tokens": found.cache_write_tokens,
        "cache_read_input_tokens": found.cached_input_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": found.cache_write_tokens - found.cache_write_1h_tokens,
            "ephemeral_1h_input_tokens": found.cache_write_1h_tokens,
        },
        "output_tokens": found.output_tokens,
    }
    if found.reasoning_tokens:
        counts["output_tokens_details"] = {"thinking_tokens": found.reasoning_tokens}
    return counts


def _read(body: bytes) -> tuple[_Whole, list[Block]]:
    try:
        whole = decoded(body, _counted, _decoder)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(f"not a message, {len(body)} bytes ({error})") from None
    if whole.error is not None:
        raise failure_of(reported(whole.error))
    if whole.content is None:
        raise malformed("a message without content")
    return whole, whole.content


def _block(block: Block, calls: int) -> list[Delta]:
    match block.type:
        case "text" if block.text:
            return [Delta(text=block.text)]
        case "thinking" if block.thinking or block.signature:
            return [
                Delta(reasoning=block.thinking or "", reasoning_signature=block.signature or None)
            ]
        case "redacted_thinking" if block.data:
            return [Delta(reasoning_encrypted=block.data)]
        case "tool_use":
            if not block.name:
                raise malformed("a tool_use block without a name")
            arguments = encode(block.input if block.input is not None else {}).decode()
            return [Delta(tool_call=ToolCallDelta(calls, block.id, block.name, arguments))]
        case "text" | "thinking":
            return []
        case _:
            return [Delta(content=True)]  # seen by a client of this dialect, and no value


def _blocks(answer: Answer) -> list[dict[str, object]]:
    return [block for part in answer.parts for block in _content(part)]


def _content(part: AnswerPart) -> list[dict[str, object]]:
    match part:
        case Text() if not part.text:
            return []  # only probabilities, of which nothing is shown here
        case Text() | Refusal():
            return [{"type": "text", "text": part.text}]
        case Image():
            return [{"type": "text", "text": image_note(part)}]
        case Reasoning():
            return _thoughts(part)
        case ToolCall():
            arguments = wrapped(part.arguments) if part.kind == "custom" else part.arguments
            return [
                {
                    "type": "tool_use",
                    "id": tool_id(part.call_id),
                    "name": part.name,
                    "input": arguments_object(arguments),
                }
            ]
        case _:
            assert_never(part)


def _thoughts(part: Reasoning) -> list[dict[str, object]]:
    """Give a thought's blocks; what only its provider can read has one of its own."""
    blocks: list[dict[str, object]] = []
    if part.text or part.signature is not None:
        signature = part.signature or ""
        blocks.append({"type": "thinking", "thinking": part.text, "signature": signature})
    if part.encrypted is not None:
        blocks.append({"type": "redacted_thinking", "data": part.encrypted})
    return blocks
