"""OpenAI responses, whole: reading a provider's, writing a client's, and usage.

Source: OpenAI API reference, "The response object", read 2026-11.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from ...conversation import Delta, Finish, Image, ToolCallDelta, Usage
from ..codec import Head
from ..counting import Count, counts_of, decoded, usage
from ..failures import failure_of, malformed, reported
from ..fields import encode
from ..fold import fold
from ..openai_chat.said import logprobs_of
from ..signatures import marked
from .output import Echo, item_id, item_json, response_json, shown
from .tools import DIALECT

_FINISHES: dict[str, Finish] = {
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}
_FAILED = ("failed", "cancelled")
_CALLS = ("function_call", "custom_tool_call")


class Shown(msgspec.Struct, gc=False):
    """A part of a message, or a piece of a thought."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    logprobs: Any = None


class Item(msgspec.Struct, gc=False):
    """An item of the output, whole or just begun."""

    type: str
    id: str | None = None
    content: list[Shown] | None = None
    summary: list[Shown] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    encrypted_content: str | None = None
    result: str | None = None
    output_format: str | None = None


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
        calls += is_call(item)
    found = usage_of(response.usage)
    if found is not None:
        deltas.append(Delta(usage=found))
    return [*deltas, Delta(finish=finish_of(response, has_calls=bool(calls)), ended=True)]


def sniff_answer(body: bytes) -> Delta:
    """Give what accounting needs of a whole answer; raises as `parse_answer` does."""
    response, output = _read(body)
    has_calls = any(map(is_call, output))
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
    parts = enumerate(filter(shown, answer.parts))
    echo = Echo(head.asked)
    output = [item_json(part, item_id(part, head, number), echo) for number, part in parts]
    return encode(
        response_json(head, echo, output=output, finish=answer.finish, usage=answer.usage)
    )


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


def is_call(item: Item) -> bool:
    """Whether an item is a call of the client's own tools."""
    return item.type in _CALLS


def image_of_item(item: Item) -> Image | None:
    """Give the image of an item that holds one."""
    if item.type != "image_generation_call" or not item.result:
        return None
    return Image(media_type=f"image/{item.output_format or 'png'}", data=item.result)


def encrypted_of(item: Item) -> str | None:
    """Give what of a thought only its provider can read."""
    return marked(item.encrypted_content, DIALECT) if item.encrypted_content else None


def said(part: Shown) -> list[Delta]:
    """Give a message's part."""
    if part.refusal:
        return [Delta(refusal=part.refusal)]
    logprobs = logprobs_of({"content": part.logprobs}) if part.logprobs else ()
    return [Delta(text=part.text or "", logprobs=logprobs)] if part.text or logprobs else []


def _read(body: bytes) -> tuple[Response, list[Item]]:
    try:
        response = decoded(body, _counted, _decoder)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(f"not a response, {len(body)} bytes ({error})") from None
    if response.error is not None:
        raise failure_of(reported(response.error))
    if response.status in _FAILED:
        raise failure_of(reported(f"the response is {response.status}"))
    if response.output is None:
        raise malformed("a response without output")
    return response, response.output


def _item(item: Item, calls: int) -> list[Delta]:
    match item.type:
        case "message":
            return [delta for part in item.content or () for delta in said(part)]
        case "reasoning":
            pieces = item.summary or item.content or ()
            text = "\n\n".join(piece.text for piece in pieces if piece.text)
            encrypted = encrypted_of(item)
            if not text and encrypted is None:
                return []
            return [Delta(reasoning=text, reasoning_encrypted=encrypted)]
        case "function_call" | "custom_tool_call":
            if not item.name:
                raise malformed("a function call without a name")
            if item.type == "custom_tool_call":
                text = item.input or ""
                call = ToolCallDelta(calls, item.call_id, item.name, text, kind="custom")
            else:
                call = ToolCallDelta(calls, item.call_id, item.name, item.arguments or "{}")
            return [Delta(tool_call=call)]
        case _:
            image = image_of_item(item)
            # What has no value is seen by a client of this dialect.
            return [Delta(content=True) if image is None else Delta(image=image)]
