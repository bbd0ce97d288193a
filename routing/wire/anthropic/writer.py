"""Anthropic message streams: writing a client's events.

Source: Anthropic API reference, "Streaming messages" and "Errors", read 2026-11.
"""

from dataclasses import dataclass, field
from typing import Literal

from ...conversation import Delta, Finish, Image, ToolCallDelta, Usage
from ...errors import RoutingError
from ..codec import Head
from ..failures import attempts_json, words_of
from ..fields import encode
from ..fold import finish_without_word
from ..parts import image_note, is_object, missing_id, tool_id
from ..plain import wrapped
from ..sse import named_event
from .answer import finish_word, message_json, usage_json

_Kind = Literal["text", "refusal", "thinking"]

_PING = named_event("ping", b'{"type":"ping"}')
_STEP = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":'
)


@dataclass(slots=True)
class _OpenCall:
    """A tool_use block that was begun and not ended."""

    block: int
    custom: bool
    pieces: list[str] = field(default_factory=list)


class MessageWriter:
    """Writes events. Text and thoughts end when something else begins.

    A call's block ends when another block begins and its input, just written, is a whole
    object; else at the end: pieces of calls may come in turn, and a block that was ended
    cannot go on. A signature is written only where the provider gave one.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self._begun = False
        self._ended = False
        self._blocks = 0
        self._open: _Kind | None = None
        self._open_block = 0
        self._text = b""
        self._signed = False
        self._calls: dict[int, _OpenCall] = {}
        self._latest = -1
        self._known: set[int] = set()
        self._refused = False
        self._finish: Finish | None = None
        self._stop_sequence: str | None = None
        self._usage: Usage | None = None

    def write(self, delta: Delta) -> bytes:
        """Give the events of one step; finish and usage wait for the end."""
        self._usage = delta.usage or self._usage
        if self._ended or self._finish is not None:
            return b""
        self._finish = delta.finish
        self._stop_sequence = delta.stop_sequence or self._stop_sequence
        written = self._thoughts(delta)
        if delta.text:
            # The same for nearly every event of a stream, so it is written without a detour.
            led = self._enter("text") if self._open != "text" else b""
            written += led + self._text + encode(delta.text) + b"}}\n\n"
        elif delta.logprobs and self._open != "text":
            written += self._close()  # a text that has no words yet: no block may be empty
        if delta.refusal:
            self._refused = True
            written += self._enter("refusal") + self._step("text_delta", "text", delta.refusal)
        if delta.image is not None:
            written += self._image(delta.image)
        if delta.tool_call is not None:
            written += self._piece(delta.tool_call)
        return written

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
            "delta": {
                "stop_reason": finish_word(finish, refused=self._refused),
                "stop_sequence": self._stop_sequence,
            },
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

    def _thoughts(self, delta: Delta) -> bytes:
        written = b""
        if delta.reasoning:
            written += self._enter("thinking")
            written += self._step("thinking_delta", "thinking", delta.reasoning)
        if delta.reasoning_signature is not None:
            written += self._enter("thinking")
            signature = delta.reasoning_signature
            written += self._step("signature_delta", "signature", signature)
            self._signed = True
        if delta.reasoning_encrypted is not None:
            block: dict[str, object] = {
                "type": "redacted_thinking",
                "data": delta.reasoning_encrypted,
            }
            written += self._lone(block)
        return written

    def _image(self, image: Image) -> bytes:
        led = self._begin() + self._close() + self._start({"type": "text", "text": ""})
        block = self._blocks - 1
        return led + self._step("text_delta", "text", image_note(image), block=block) + _end(block)

    def _lone(self, block: dict[str, object]) -> bytes:
        """Give a block that comes whole with its beginning."""
        led = self._begin() + self._close()
        return led + self._start(block) + _end(self._blocks - 1)

    def _enter(self, kind: _Kind) -> bytes:
        """Give the events that lead into a block of this kind, none when it is open."""
        if self._open == kind and not (kind == "thinking" and self._signed):
            return b""
        led = self._begin() + self._close()
        block: dict[str, object] = {"type": "text", "text": ""}
        if kind == "thinking":
            block = {"type": "thinking", "thinking": "", "signature": ""}
        self._open = kind
        self._open_block = self._blocks
        self._text = _STEP % self._blocks + b'"text_delta","text":'
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
            self._calls[piece.index] = _OpenCall(self._blocks, piece.kind == "custom")
            written += self._start(block)
        call = self._calls.get(piece.index)
        if call is None or not piece.arguments:
            return written  # blank space after a whole object is all that can come late
        call.pieces.append(piece.arguments)
        self._latest = piece.index
        if call.custom:
            return written  # free text becomes an object when it is whole
        return written + self._input(call, piece.arguments)

    def _input(self, call: _OpenCall, piece: str) -> bytes:
        return self._step("input_json_delta", "partial_json", piece, block=call.block)

    def _start(self, block: dict[str, object]) -> bytes:
        index = self._blocks
        self._blocks += 1
        start = {"type": "content_block_start", "index": index, "content_block": block}
        # The vendor's streams have one ping here, which clients take as a sign of life.
        ping = b"" if index else _PING
        return named_event("content_block_start", encode(start)) + ping

    def _step(self, kind: str, name: str, value: str, *, block: int | None = None) -> bytes:
        index = self._open_block if block is None else block
        return _STEP % index + encode(kind) + b"," + encode({name: value})[1:] + b"}\n\n"

    def _close(self, *, all_calls: bool = False) -> bytes:
        """Give the ends of the open text or thought and of the latest call, if it is whole."""
        latest = self._calls.get(self._latest)
        written = b""
        ended: list[int] = []
        if all_calls:
            for call in self._calls.values():
                if call.custom:
                    written += self._input(call, wrapped("".join(call.pieces)))
                ended.append(call.block)
            self._calls.clear()
        elif latest is not None and not latest.custom and is_object("".join(latest.pieces)):
            ended.append(latest.block)
            del self._calls[self._latest]
        if self._open is not None:
            self._open = None
            ended.append(self._open_block)
        return written + b"".join(map(_end, sorted(ended)))


def error_json(error: RoutingError) -> dict[str, object]:
    """Give an error in this dialect's words."""
    said: dict[str, object] = {"type": words_of(error).anthropic, "message": str(error)}
    attempts = attempts_json(error)
    return {"type": "error", "error": {**said, "attempts": attempts} if attempts else said}


def _end(block: int) -> bytes:
    stop = {"type": "content_block_stop", "index": block}
    return named_event("content_block_stop", encode(stop))
