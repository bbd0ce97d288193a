"""Anthropic message streams: reading a provider's events, writing a client's.

Source: Anthropic API reference, "Streaming messages", read 2026-11. Unknown events and blocks
are skipped, as that page asks.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from ...conversation import Delta, Finish, ToolCallDelta, Usage
from ...errors import RoutingError
from ..codec import Head
from ..failures import attempts_json, malformed, reported, words_of
from ..fields import encode
from ..fold import finish_without_word
from ..parts import is_object, missing_id, tool_id
from ..sse import DONE, Event, named_event
from .answer import Block, Counted, finish_of, finish_word, message_json, usage_json

RARE = (re.compile(rb'"message_(?:delta|stop)"'), re.compile(rb'"error"'))


class _Step(msgspec.Struct):
    """The delta of a content_block_delta or of a message_delta."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Message(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    usage: Any = None


class _Event(msgspec.Struct):
    type: str | None = None
    index: int = 0
    message: _Message | None = None
    content_block: Block | None = None
    delta: _Step | None = None
    usage: Any = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Event)


@dataclass(slots=True)
class _Call:
    """A tool_use block being read.

    `whole` is the input that came with its beginning, mostly `{}`: it counts when the block
    ends without pieces.
    """

    number: int
    whole: str


class MessageReader:
    """Reads events. Blocks that it does not know are content without a value."""

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self._count = 0
        self._counted = Counted()

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
        match step.type:
            case "content_block_delta" if step.delta is not None:
                return self._delta(step.index, step.delta)
            case "content_block_start" if step.content_block is not None:
                return self._start(step.index, step.content_block)
            case "content_block_stop":
                return self._stop(step.index)
            case _:
                return self._message_event(step)

    def _message_event(self, step: _Event) -> Sequence[Delta]:
        match step.type:
            case "message_start" if step.message is not None:
                usage = self._counted.add(step.message.usage)
                return (Delta(model=step.message.model, answer_id=step.message.id, usage=usage),)
            case "message_delta":
                word = step.delta.stop_reason if step.delta is not None else None
                usage = self._counted.add(step.usage)
                return (Delta(finish=finish_of(word) if word else None, usage=usage),)
            case "message_stop":
                return (Delta(ended=True),)
            case kind if kind == "error" or step.error is not None:
                return (Delta(error=reported(step.error)),)
            case _:
                return ()

    def _start(self, index: int, block: Block) -> Sequence[Delta]:
        match block.type:
            case "text":
                return (Delta(text=block.text),) if block.text else ()
            case "thinking":
                return (Delta(reasoning=block.thinking),) if block.thinking else ()
            case "tool_use":
                if not block.name:
                    raise malformed("a tool_use block without a name")
                whole = encode(block.input or {}).decode()
                call = self._calls[index] = _Call(self._count, whole)
                self._count += 1
                return (Delta(tool_call=ToolCallDelta(call.number, block.id, block.name)),)
            case _:
                return (Delta(content=True),)

    def _delta(self, index: int, step: _Step) -> Sequence[Delta]:
        match step.type:
            case "text_delta" if step.text:
                return (Delta(text=step.text),)
            case "thinking_delta" if step.thinking:
                return (Delta(reasoning=step.thinking),)
            case "signature_delta" if step.signature:
                return (Delta(reasoning_signature=step.signature),)
            case "input_json_delta" if step.partial_json and index in self._calls:
                call = self._calls[index]
                call.whole = ""
                return (Delta(tool_call=ToolCallDelta(call.number, arguments=step.partial_json)),)
            case _:
                return ()

    def _stop(self, index: int) -> Sequence[Delta]:
        call = self._calls.pop(index, None)
        if call is None or not call.whole:
            return ()
        return (Delta(tool_call=ToolCallDelta(call.number, arguments=call.whole)),)


@dataclass(slots=True)
class _OpenCall:
    """A tool_use block that was begun and not ended."""

    block: int
    pieces: list[str] = field(default_factory=list)


class MessageWriter:
    """Writes events. Text and thoughts end when something else begins.

    A call's block ends when another block begins and its input, just written, is a whole
    object; else at the end: pieces of calls may come in turn, and a block that was ended
    cannot go on.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self._begun = False
        self._ended = False
        self._blocks = 0
        self._open: Literal["text", "thinking"] | None = None
        self._open_block = 0
        self._signed = False
        self._calls: dict[int, _OpenCall] = {}
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
            written.append(self._enter("thinking"))
            written.append(self._step("thinking_delta", "thinking", delta.reasoning))
        if delta.reasoning_signature is not None:
            written.append(self._enter("thinking"))
            signature = delta.reasoning_signature
            written.append(self._step("signature_delta", "signature", signature))
            self._signed = True
        if delta.text:
            written.append(self._enter("text"))
            written.append(self._step("text_delta", "text", delta.text))
        if delta.tool_call is not None:
            written.append(self._piece(delta.tool_call))
        return b"".join(written)

    def end(self) -> bytes:
        """Give the ends of all open blocks, the reason and the usage, and the end."""
        if self._ended:
            return b""
        begin = self._begin()
        self._ended = True
        closed = self._close(all_calls=True)
        finish = self._finish or finish_without_word(has_calls=bool(self._known))
        delta = {
            "type": "message_delta",
            "delta": {"stop_reason": finish_word(finish), "stop_sequence": None},
            "usage": usage_json(self._usage),
        }
        stop = named_event("message_stop", b'{"type":"message_stop"}')
        return begin + closed + named_event("message_delta", encode(delta)) + stop

    def error(self, error: RoutingError) -> bytes:
        """Give an error's event."""
        if self._ended:
            return b""
        self._ended = True
        return named_event("error", encode(error_json(error)))

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        message = {
            **message_json(self._head),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_json(self._usage),
        }
        return named_event("message_start", encode({"type": "message_start", "message": message}))

    def _enter(self, kind: Literal["text", "thinking"]) -> bytes:
        """Give the events that lead into a block of this kind, none when it is open."""
        if self._open == kind and not (kind == "thinking" and self._signed):
            return b""
        led = self._begin() + self._close()
        block: dict[str, object] = {"type": "text", "text": ""}
        if kind == "thinking":
            block = {"type": "thinking", "thinking": "", "signature": ""}
        self._open = kind
        self._open_block = self._blocks
        self._signed = False
        return led + self._start(block)

    def _piece(self, piece: ToolCallDelta) -> bytes:
        written = b""
        if piece.index not in self._known:
            call_id = piece.call_id or missing_id(self._head.answer_id, len(self._known))
            self._known.add(piece.index)
            block: dict[str, object] = {
                "type": "tool_use",
                "id": tool_id(call_id),
                "name": piece.name or "",
                "input": {},
            }
            written = self._begin() + self._close()
            self._calls[piece.index] = _OpenCall(self._blocks)
            written += self._start(block)
        call = self._calls.get(piece.index)
        if call is None or not piece.arguments:
            return written  # blank space after a whole object is all that can come late
        call.pieces.append(piece.arguments)
        self._latest = piece.index
        return written + self._step(
            "input_json_delta", "partial_json", piece.arguments, block=call.block
        )

    def _start(self, block: dict[str, object]) -> bytes:
        index = self._blocks
        self._blocks += 1
        start = {"type": "content_block_start", "index": index, "content_block": block}
        return named_event("content_block_start", encode(start))

    def _step(self, kind: str, name: str, value: str, *, block: int | None = None) -> bytes:
        step = {
            "type": "content_block_delta",
            "index": self._open_block if block is None else block,
            "delta": {"type": kind, name: value},
        }
        return named_event("content_block_delta", encode(step))

    def _close(self, *, all_calls: bool = False) -> bytes:
        """Give the ends of the open text or thought and of the latest call, if it is whole."""
        latest = self._calls.get(self._latest)
        ended: list[int] = []
        if all_calls:
            ended += [call.block for call in self._calls.values()]
            self._calls.clear()
        elif latest is not None and is_object("".join(latest.pieces)):
            ended.append(latest.block)
            del self._calls[self._latest]
        if self._open is not None:
            self._open = None
            ended.append(self._open_block)
        return b"".join(
            named_event(
                "content_block_stop", encode({"type": "content_block_stop", "index": index})
            )
            for index in sorted(ended)
        )


def error_json(error: RoutingError) -> dict[str, object]:
    """Give an error in this dialect's words.

    Source: Anthropic API reference, "Errors", read 2026-11.
    """
    said: dict[str, object] = {"type": words_of(error).anthropic, "message": str(error)}
    attempts = attempts_json(error)
    return {"type": "error", "error": {**said, "attempts": attempts} if attempts else said}
