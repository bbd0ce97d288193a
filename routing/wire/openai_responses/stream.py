"""OpenAI response streams: reading a provider's events, writing a client's.

Source: OpenAI API reference, "Responses streaming events", read 2026-11.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

import msgspec

from ...conversation import Delta, Finish, Reasoning, Text, ToolCall, ToolCallDelta, Usage
from ...errors import RoutingError
from ..codec import Head
from ..failures import malformed, openai_error, reported
from ..fields import encode
from ..fold import AnswerPart, finish_without_word
from ..parts import is_object, missing_id
from ..sse import DONE, Event, named_event
from .answer import (
    Item,
    Response,
    finish_of,
    item_id,
    item_json,
    response_json,
    summary_json,
    text_json,
    usage_of,
)

RARE = (
    re.compile(rb'"response\.(?:completed|incomplete|failed)"'),
    re.compile(rb'"error"'),
)

# The first and the last event repeat the client's instructions and tools, and the whole answer.
EVENT_BYTES_MAX = 8 * 2**20

_TEXT_DELTAS = ("response.output_text.delta", "response.refusal.delta")
_THOUGHT_DELTAS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_LAST = ("response.completed", "response.incomplete", "response.failed")


class _Event(msgspec.Struct):
    type: str | None = None
    output_index: int = 0
    summary_index: int = 0
    delta: Any = None
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
            return self._piece(kind, step.output_index, step.delta)
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

    def _piece(self, kind: str, index: int, piece: str) -> Sequence[Delta]:
        if not piece:
            return ()
        if kind in _TEXT_DELTAS:
            return (Delta(text=piece),)
        if kind in _THOUGHT_DELTAS:
            return (Delta(reasoning=piece),)
        if kind == "response.function_call_arguments.delta":
            return self._arguments(index, piece)
        return ()

    def _item(self, kind: str, index: int, item: Item) -> Sequence[Delta]:
        if kind == "response.output_item.added":
            return self._added(index, item)
        if kind == "response.output_item.done" and index in self._silent:
            return self._arguments(index, item.arguments or "{}")
        return ()

    def _response(self, kind: str, response: Response) -> Sequence[Delta]:
        if kind == "response.created":
            return (Delta(model=response.model, answer_id=response.id),)
        return (self._last(kind, response),) if kind in _LAST else ()

    def _added(self, index: int, item: Item) -> Sequence[Delta]:
        if item.type in ("message", "reasoning"):
            return ()
        if item.type != "function_call":
            return (Delta(content=True),)
        if not item.name:
            raise malformed("a function call without a name")
        number = self._calls[index] = len(self._calls)
        self._silent.add(index)  # until its arguments come, in pieces or with its end
        return (Delta(tool_call=ToolCallDelta(number, item.call_id, item.name)),)

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
        has_calls = bool(self._calls) or any(
            item.type == "function_call" for item in response.output or ()
        )
        finish = finish_of(response, has_calls=has_calls)
        return Delta(finish=finish, usage=usage, model=response.model, ended=True)


@dataclass(slots=True)
class _Open:
    """An item that was begun and not ended. `part` is of its kind, and empty."""

    part: AnswerPart
    identity: str
    index: int
    pieces: list[str] = field(default_factory=list)

    def whole(self) -> AnswerPart:
        text = "".join(self.pieces)
        match self.part:
            case Text():
                return Text(text)
            case Reasoning():
                return Reasoning(text)
            case ToolCall():
                return ToolCall(self.part.call_id, self.part.name, text)
            case _:
                assert_never(self.part)


class ResponseWriter:
    """Writes events. Every item has its own rising index, every event its number.

    A call ends when another item begins and its arguments, just written, are a whole
    object; else at the end: pieces of calls may come in turn.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self._sequence = 0
        self._begun = False
        self._ended = False
        self._output: list[dict[str, object]] = []
        self._open: _Open | None = None
        self._signed = False
        self._calls: dict[int, _Open] = {}
        self._latest = -1
        self._known: set[int] = set()
        self._finish: Finish | None = None
        self._usage: Usage | None = None

    def write(self, delta: Delta) -> bytes:
        """Give the events of one step; finish and usage wait for the end."""
        self._usage = delta.usage or self._usage
        if self._ended or self._finish is not None:
            return b""
        self._finish = delta.finish
        written: list[bytes] = []
        if delta.reasoning:
            written.append(self._spoken(Reasoning(), delta.reasoning))
        if delta.reasoning_signature is not None:
            # A signature has no place here, but it ends its thought, or what came before.
            if self._open is None or isinstance(self._open.part, Reasoning):
                self._signed = True
            else:
                written.append(self._close())
        if delta.text:
            written.append(self._spoken(Text(""), delta.text))
        if delta.tool_call is not None:
            written.append(self._piece(delta.tool_call))
        return b"".join(written)

    def end(self) -> bytes:
        """Give the ends of all open items and the whole response."""
        if self._ended:
            return b""
        written = self._begin() + self._close(all_calls=True)
        self._ended = True
        finish = self._finish or finish_without_word(has_calls=bool(self._known))
        response = response_json(self._head, self._output, finish=finish, usage=self._usage)
        return written + self._event(f"response.{response['status']}", {"response": response})

    def error(self, error: RoutingError) -> bytes:
        """Give an error's event."""
        if self._ended:
            return b""
        self._ended = True
        # As documented, and once more as an object, by which OpenAI's SDK knows to raise.
        said = openai_error(error)
        flat = {name: said[name] for name in ("code", "message", "param")}
        return self._event("error", {**flat, "error": said})

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        response = response_json(self._head, [], finish=None, usage=None)
        return b"".join(
            self._event(name, {"response": response})
            for name in ("response.created", "response.in_progress")
        )

    def _spoken(self, part: Text | Reasoning, piece: str) -> bytes:
        entered, item = self._enter(part)
        item.pieces.append(piece)
        name, place = _channel(part)
        step = {**_at(item), **place, "delta": piece}
        if isinstance(part, Text):
            step["logprobs"] = []
        return entered + self._event(f"response.{name}.delta", step)

    def _enter(self, part: Text | Reasoning) -> tuple[bytes, _Open]:
        """Give the events that lead into an item of this kind, none when it is open."""
        if self._open is not None and type(self._open.part) is type(part) and not self._signed:
            return b"", self._open
        led = self._begin() + self._close()
        self._open = item = self._new(part)
        self._signed = False
        name, place = _channel(part)
        whole = text_json("") if isinstance(part, Text) else summary_json("")
        added = {**_at(item), **place, "part": whole}
        led += self._added(item) + self._event(f"response.{_PART_NAMES[name]}.added", added)
        return led, item

    def _piece(self, piece: ToolCallDelta) -> bytes:
        written = b""
        if piece.index not in self._known:
            call_id = piece.call_id or missing_id(self._head.answer_id, len(self._known))
            self._known.add(piece.index)
            written = self._begin() + self._close()
            item = self._new(ToolCall(call_id, piece.name or "", ""))
            self._calls[piece.index] = item
            written += self._added(item)
        call = self._calls.get(piece.index)
        if call is None or not piece.arguments:
            return written  # blank space after a whole object is all that can come late
        call.pieces.append(piece.arguments)
        self._latest = piece.index
        step = {**_at(call), "delta": piece.arguments}
        return written + self._event("response.function_call_arguments.delta", step)

    def _new(self, part: AnswerPart) -> _Open:
        index = len(self._output)
        identity = item_id(part, self._head, index)
        self._output.append({})  # its place; filled when it ends
        return _Open(part, identity, index)

    def _added(self, item: _Open) -> bytes:
        begun = item_json(item.part, item.identity, begun=True)
        return self._event(
            "response.output_item.added", {"output_index": item.index, "item": begun}
        )

    def _close(self, *, all_calls: bool = False) -> bytes:
        """Give the ends of the open text or thought and of the latest call, if it is whole."""
        latest = self._calls.get(self._latest)
        ended: list[_Open] = []
        if all_calls:
            ended += self._calls.values()
            self._calls.clear()
        elif latest is not None and is_object("".join(latest.pieces)):
            ended.append(latest)
            del self._calls[self._latest]
        if self._open is not None:
            ended.append(self._open)
            self._open = None
        return b"".join(self._done(item) for item in sorted(ended, key=lambda one: one.index))

    def _done(self, item: _Open) -> bytes:
        part = item.whole()
        written: list[bytes] = []
        if isinstance(part, ToolCall):
            step = {**_at(item), "name": part.name, "arguments": part.arguments}
            written.append(self._event("response.function_call_arguments.done", step))
        else:
            name, place = _channel(part)
            step = {**_at(item), **place, "text": part.text}
            if isinstance(part, Text):
                step["logprobs"] = []
            whole = text_json(part.text) if isinstance(part, Text) else summary_json(part.text)
            written.append(self._event(f"response.{name}.done", step))
            closed = {**_at(item), **place, "part": whole}
            written.append(self._event(f"response.{_PART_NAMES[name]}.done", closed))
        finished = item_json(part, item.identity)
        self._output[item.index] = finished
        done = {"output_index": item.index, "item": finished}
        written.append(self._event("response.output_item.done", done))
        return b"".join(written)

    def _event(self, name: str, fields: dict[str, object]) -> bytes:
        number = self._sequence
        self._sequence += 1
        return named_event(name, encode({"type": name, "sequence_number": number, **fields}))


_PART_NAMES = {"output_text": "content_part", "reasoning_summary_text": "reasoning_summary_part"}


def _channel(part: Text | Reasoning) -> tuple[str, dict[str, object]]:
    """Give the name of a part's own events, and its place inside the item."""
    if isinstance(part, Text):
        return "output_text", {"content_index": 0}
    return "reasoning_summary_text", {"summary_index": 0}


def _at(item: _Open) -> dict[str, object]:
    return {"item_id": item.identity, "output_index": item.index}
