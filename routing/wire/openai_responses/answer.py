"""OpenAI responses, whole: reading a provider's, writing a client's, and usage.

Source: OpenAI API reference, "The response object", read 2026-11.
"""

from collections.abc import Sequence
from typing import Any, assert_never

import msgspec

from ...conversation import Delta, Finish, Reasoning, Text, ToolCall, ToolCallDelta, Usage
from ..codec import Head
from ..counting import Count, counts_of, decoded, usage
from ..failures import failure_of, malformed, reported
from ..fields import encode
from ..fold import AnswerPart, fold

_FINISHES: dict[str, Finish] = {
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}
_REASONS: dict[Finish, str] = {finish: reason for reason, finish in _FINISHES.items()}
_PREFIXES: dict[type[AnswerPart], str] = {Text: "msg", Reasoning: "rs", ToolCall: "fc"}


class Shown(msgspec.Struct, gc=False):
    """A part of a message, or a piece of a thought."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None


class Item(msgspec.Struct, gc=False):
    """An item of the output, whole or just begun."""

    type: str
    id: str | None = None
    content: list[Shown] | None = None
    summary: list[Shown] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None


class _Incomplete(msgspec.Struct, gc=False):
    reason: str | None = None


class Response(msgspec.Struct, gc=False):
    """A response, whole or so far."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[Item] | None = None
    incomplete_details: _Incomplete | None = None
    usage: Any = None
    error: Any = None


class _Read(msgspec.Struct, gc=False):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class _Written(msgspec.Struct, gc=False):
    reasoning_tokens: Count | None = None


class _Counts(msgspec.Struct, gc=False):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    input_tokens_details: _Read | None = None
    output_tokens_details: _Written | None = None


class _Counted(Response, gc=False):
    usage: _Counts | None = None


_decoder = msgspec.json.Decoder(Response)
_counted: msgspec.json.Decoder[Response] = msgspec.json.Decoder(_Counted)


def parse_answer(body: bytes) -> Sequence[Delta]:
    """Give the Deltas of a whole answer, as if it had been streamed.

    Raises:
        UpstreamFailure: kind "malformed", or the kind of the error that it is.
    """
    response, output = _read(body)
    deltas = [Delta(model=response.model, answer_id=response.id)]
    calls = 0
    for item in output:
        deltas += _item(item, calls)
        calls += item.type == "function_call"
    found = usage_of(response.usage)
    if found is not None:
        deltas.append(Delta(usage=found))
    return [*deltas, Delta(finish=finish_of(response, has_calls=bool(calls)), ended=True)]


def sniff_answer(body: bytes) -> Delta:
    """Give what accounting needs of a whole answer; raises as `parse_answer` does."""
    response, output = _read(body)
    has_calls = any(item.type == "function_call" for item in output)
    return Delta(
        content=True,
        usage=usage_of(response.usage),
        finish=finish_of(response, has_calls=has_calls),
        model=response.model,
        answer_id=response.id,
        ended=True,
    )


def render_answer(deltas: Sequence[Delta], head: Head) -> bytes:
    """Give the whole answer that the Deltas fold to."""
    answer = fold(deltas, head)
    # A signature alone is a thought without words: nothing of it can be shown here.
    shown = [part for part in answer.parts if not isinstance(part, Reasoning) or part.text]
    output = [item_json(part, item_id(part, head, number)) for number, part in enumerate(shown)]
    return encode(response_json(head, output, finish=answer.finish, usage=answer.usage))


def finish_of(response: Response, *, has_calls: bool) -> Finish:
    """Give why an answer ended."""
    reason = response.incomplete_details.reason if response.incomplete_details else None
    if response.status == "incomplete" and reason is not None:
        return _FINISHES.get(reason, "length")
    return "tool_calls" if has_calls else "stop"


def usage_of(reported: object) -> Usage | None:
    """Give a usage object's counts, None when it does not report both of them."""
    counts = counts_of(reported, _Counts)
    if counts.input_tokens is None or counts.output_tokens is None:
        return None
    read, written = counts.input_tokens_details, counts.output_tokens_details
    return usage(
        input_tokens=counts.input_tokens,
        output_tokens=counts.output_tokens,
        cached=None if read is None else read.cached_tokens,
        cache_write=None if read is None else read.cache_write_tokens,
        reasoning=None if written is None else written.reasoning_tokens,
    )


def item_id(part: AnswerPart, head: Head, number: int) -> str:
    """Give the id of an answer's item; items are told apart by their number in the output."""
    return f"{_PREFIXES[type(part)]}_{head.answer_id.removeprefix('resp_')}_{number}"


def item_json(part: AnswerPart, identity: str, *, begun: bool = False) -> dict[str, object]:
    """Give an item of the output; one that has just begun is empty and says so."""
    status = "in_progress" if begun else "completed"
    match part:
        case Text():
            content = [] if begun else [text_json(part.text)]
            return {
                "id": identity,
                "type": "message",
                "status": status,
                "role": "assistant",
                "content": content,
            }
        case Reasoning():
            summary = [summary_json(part.text)] if part.text and not begun else []
            return {"id": identity, "type": "reasoning", "summary": summary, "status": status}
        case ToolCall():
            return {
                "id": identity,
                "type": "function_call",
                "status": status,
                "call_id": part.call_id,
                "name": part.name,
                "arguments": "" if begun else part.arguments,
            }
        case _:
            assert_never(part)


def text_json(text: str) -> dict[str, object]:
    """Give a message's part."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def summary_json(text: str) -> dict[str, object]:
    """Give a thought's part."""
    return {"type": "summary_text", "text": text}


def response_json(
    head: Head,
    output: list[dict[str, object]],
    *,
    finish: Finish | None,
    usage: Usage | None,
) -> dict[str, object]:
    """Give a response; without a finish it is in progress.

    The fields about the request are demanded by clients; they say what is neutral.
    """
    reason = _REASONS.get(finish) if finish is not None else None
    status = "completed" if reason is None else "incomplete"
    return {
        "id": head.answer_id,
        "object": "response",
        "created_at": head.created_unix_s,
        "status": "in_progress" if finish is None else status,
        "model": head.model,
        "output": output,
        "error": None,
        "incomplete_details": None if reason is None else {"reason": reason},
        "usage": None if usage is None else _usage_json(usage),
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
    }


def _usage_json(found: Usage) -> dict[str, object]:
    return {
        "input_tokens": found.input_tokens,
        "input_tokens_details": {
            "cached_tokens": found.cached_input_tokens,
            "cache_write_tokens": found.cache_write_tokens,
        },
        "output_tokens": found.output_tokens,
        "output_tokens_details": {"reasoning_tokens": found.reasoning_tokens},
        "total_tokens": found.input_tokens + found.output_tokens,
    }


def _read(body: bytes) -> tuple[Response, list[Item]]:
    try:
        response = decoded(body, _counted, _decoder)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(f"not a response, {len(body)} bytes ({error})") from None
    if response.error is not None:
        raise failure_of(reported(response.error))
    if response.output is None:
        raise malformed("a response without output")
    return response, response.output


def _item(item: Item, calls: int) -> list[Delta]:
    match item.type:
        case "message":
            texts = [part.text or part.refusal for part in item.content or ()]
            return [Delta(text=text) for text in texts if text]
        case "reasoning":
            pieces = item.summary or item.content or ()
            text = "\n\n".join(piece.text for piece in pieces if piece.text)
            return [Delta(reasoning=text)] if text else []
        case "function_call":
            if not item.name:
                raise malformed("a function call without a name")
            call = ToolCallDelta(calls, item.call_id, item.name, item.arguments or "{}")
            return [Delta(tool_call=call)]
        case _:
            return [Delta(content=True)]  # seen by a client of this dialect, and no value
