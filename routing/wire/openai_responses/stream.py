"""OpenAI response streams: reading a provider's events. `writer` writes a client's.

Most items come in pieces; what some servers send only with an item's end is read there.

Source: OpenAI API reference, "Responses streaming events", read 2026-11.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from ...conversation import Delta, ToolCallDelta
from ..failures import malformed, reported
from ..openai_chat.said import logprobs_of
from ..sse import DONE, Event
from .answer import (
    Item,
    Response,
    encrypted_of,
    finish_of,
    image_of_item,
    is_call,
    said,
    usage_of,
)

RARE = (
    re.compile(rb'"response\.(?:completed|incomplete|failed)"'),
    re.compile(rb'"error"'),
)

# The first and the last event repeat the client's instructions and tools, and the whole answer.
EVENT_BYTES_MAX = 8 * 2**20

_TEXT_DELTA = "response.output_text.delta"
_REFUSAL_DELTA = "response.refusal.delta"
_INPUT_DELTAS = (
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.delta",
)
_THOUGHT_DELTAS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_LAST = ("response.completed", "response.incomplete", "response.failed")


class _Event(msgspec.Struct):
    type: str | None = None
    output_index: int = 0
    summary_index: int = 0
    delta: Any = None
    logprobs: Any = None
    item: Item | None = None
    response: Response | None = None
    error: Any = None
    code: Any = None
    message: Any = None


_decoder = msgspec.json.Decoder(_Event)


class ResponseReader:
    """Reads events. Items that it does not know are content without a value."""

    def __init__(self) -> None:
        self._calls: dict[int, int] = {}
        self._silent: set[int] = set()
        self._told: set[int] = set()

    def read(self, event: Event) -> Sequence[Delta]:
        """Give the Deltas of one event.

        Raises:
            UpstreamFailure: kind "malformed".
        """
        data = event.data.strip()
        if not data or data == DONE:
            return ()
        try:
            step = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise malformed(f"an event of {len(data)} bytes ({error})") from None
        kind = step.type or ""
        if isinstance(step.delta, str):
            return self._piece(kind, step, step.delta)
        if step.item is not None:
            return self._item(kind, step.output_index, step.item)
        if step.response is not None:
            return self._response(kind, step.response)
        return self._other(kind, step)

    def _other(self, kind: str, step: _Event) -> Sequence[Delta]:
        if kind == "error" or step.error is not None:
            said = step.error or {"code": step.code, "message": step.message}
            return (Delta(error=reported(said)),)
        if kind == "response.reasoning_summary_part.added" and step.summary_index > 0:
            return (Delta(reasoning="\n\n"),)
        return ()

    def _piece(self, kind: str, step: _Event, piece: str) -> Sequence[Delta]:
        if kind in _INPUT_DELTAS:
            return self._arguments(step.output_index, piece)
        delta: Delta | None = None
        if kind == _TEXT_DELTA:
            logprobs = logprobs_of({"content": step.logprobs}) if step.logprobs else ()
            delta = Delta(text=piece, logprobs=logprobs) if piece or logprobs else None
        elif piece and kind == _REFUSAL_DELTA:
            delta = Delta(refusal=piece)
        elif piece and kind in _THOUGHT_DELTAS:
            delta = Delta(reasoning=piece)
        if delta is None:
            return ()
        self._told.add(step.output_index)
        return (delta,)

    def _item(self, kind: str, index: int, item: Item) -> Sequence[Delta]:
        if kind == "response.output_item.added":
            return self._added(index, item)
        return self._done(index, item) if kind == "response.output_item.done" else ()

    def _done(self, index: int, item: Item) -> Sequence[Delta]:
        """Give what of an item came only with its end."""
        if is_call(item):
            begun = self._added(index, item) if index not in self._calls else ()
            if index not in self._silent:
                return begun
            whole = item.input or "" if item.type == "custom_tool_call" else item.arguments or "{}"
            return (*begun, *self._arguments(index, whole))
        if item.type == "message":
            content = item.content or () if index not in self._told else ()
            return [delta for part in content for delta in said(part)]
        if item.type == "reasoning":
            return self._thought(index, item)
        image = image_of_item(item)
        return () if image is None else (Delta(image=image),)

    def _thought(self, index: int, item: Item) -> Sequence[Delta]:
        pieces = (item.summary or item.content or ()) if index not in self._told else ()
        text = "\n\n".join(piece.text for piece in pieces if piece.text)
        encrypted = encrypted_of(item)
        if not text and encrypted is None:
            return ()
        return (Delta(reasoning=text, reasoning_encrypted=encrypted),)

    def _response(self, kind: str, response: Response) -> Sequence[Delta]:
        if kind == "response.created":
            return (Delta(model=response.model, answer_id=response.id),)
        return (self._last(kind, response),) if kind in _LAST else ()

    def _added(self, index: int, item: Item) -> Sequence[Delta]:
        if item.type in ("message", "reasoning"):
            return ()
        if not is_call(item):
            return (Delta(content=True),)
        if not item.name:
            raise malformed("a function call without a name")
        number = self._calls[index] = len(self._calls)
        self._silent.add(index)  # until its arguments come, in pieces or with its end
        custom = item.type == "custom_tool_call"
        call = ToolCallDelta(
            number, item.call_id, item.name, kind="custom" if custom else "function"
        )
        return (Delta(tool_call=call),)

    def _arguments(self, index: int, arguments: str) -> Sequence[Delta]:
        number = self._calls.get(index)
        if number is None or not arguments:
            return ()
        self._silent.discard(index)
        return (Delta(tool_call=ToolCallDelta(number, arguments=arguments)),)

    def _last(self, kind: str, response: Response) -> Delta:
        usage = usage_of(response.usage)
        if kind == "response.failed":
            return Delta(error=reported(response.error), usage=usage, ended=True)
        has_calls = bool(self._calls) or any(map(is_call, response.output or ()))
        finish = finish_of(response, has_calls=has_calls)
        return Delta(finish=finish, usage=usage, model=response.model, ended=True)
