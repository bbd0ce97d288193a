"""Gemini streams: chunks in the shape of whole answers, one an event.

Source: Gemini API reference, "streamGenerateContent" with alt=sse, read 2026-11.
"""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from ...conversation import (
    Delta,
    Finish,
    Image,
    Reasoning,
    Text,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from ...errors import RoutingError
from ..codec import Head
from ..failures import attempts_json, status_of, words_of
from ..fields import encode, encode_text
from ..fold import AnswerPart, Refusal, finish_without_word
from ..parts import is_object, missing_id
from ..signatures import unmarked
from ..sse import DONE, Event, data_event
from .answer import ChunkReader, chunk_json, part_json
from .media import DIALECT

# Usage stands in every chunk and is read only in the last one, with the finish.
RARE = (
    re.compile(rb'"finishReason"\s*:\s*"'),
    re.compile(rb'"blockReason"\s*:\s*"'),
    re.compile(rb'"error"\s*:\s*\{'),
)

# An image comes whole, as base64 in one event.
EVENT_BYTES_MAX = 32 * 2**20


_RPC = "type.googleapis.com/google.rpc"

# Code in a call's arguments is full of closing braces. A call that was not whole so often
# waits for the end, instead of being read again and again.
_TRIES_MAX = 64


class EventReader:
    """Reads a stream's events."""

    def __init__(self) -> None:
        self._chunks = ChunkReader()

    def read(self, event: Event) -> Sequence[Delta]:
        """Give the Deltas of one event.

        Raises:
            UpstreamFailure: kind "malformed".
        """
        data = event.data.strip()
        return self._chunks.read(data) if data and data != DONE else ()


@dataclass(slots=True)
class _Held:
    """A part that waits for the end of a call before it."""

    part: AnswerPart
    pieces: list[str] = field(default_factory=list)
    tries: int = 0
    proof: str | None = None
    logprobs: tuple[TokenLogprob, ...] = ()

    def whole(self) -> AnswerPart:
        text = "".join(self.pieces)
        match self.part:
            case Text() | Refusal():
                return Text(text)
            case Reasoning():
                return Reasoning(text)
            case Image():
                return self.part
            case ToolCall():
                return ToolCall(self.part.call_id, self.part.name, text, self.part.kind)
            case _:
                assert_never(self.part)

    def is_whole(self) -> bool:
        if not isinstance(self.part, ToolCall):
            return True
        # Only a closing brace can end an object: the rest need not be tried.
        if (
            self.part.kind == "custom"
            or self.tries >= _TRIES_MAX
            or not self.pieces
            or self.pieces[-1].rstrip()[-1:] != "}"
        ):
            return False
        self.tries += 1
        return is_object("".join(self.pieces))


class ChunkWriter:
    """Writes chunks. A call goes out whole, and what comes after it waits until it has."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._held: deque[_Held] = deque()
        self._calls: dict[int, _Held] = {}
        self._finish: Finish | None = None
        self._usage: Usage | None = None
        self._proof: str | None = None
        self._ended = False

    def write(self, delta: Delta) -> bytes:
        """Give the chunks of one step; finish and usage wait for the end."""
        self._usage = delta.usage or self._usage
        if self._ended or self._finish is not None:
            return b""
        self._finish = delta.finish
        if delta.reasoning:
            self._held.append(_Held(Reasoning(), [delta.reasoning]))
        if delta.reasoning_signature is not None:
            self._proof = unmarked(delta.reasoning_signature, DIALECT) or self._proof
        if delta.text or delta.logprobs:
            self._held.append(_Held(Text(""), [delta.text], logprobs=delta.logprobs))
        if delta.refusal:
            self._held.append(_Held(Text(""), [delta.refusal]))
        if delta.image is not None:
            self._held.append(_Held(delta.image))
        if delta.tool_call is not None:
            self._piece(delta.tool_call)
        return self._released()

    def end(self) -> bytes:
        """Give what was held, and the last chunk with the reason and the usage."""
        if self._ended:
            return b""
        self._ended = True
        released = self._released(everything=True)
        finish = self._finish or finish_without_word(has_calls=bool(self._calls))
        last = chunk_json(self._head, [], finish=finish, usage=self._usage)
        return released + data_event(encode(last))

    def error(self, error: RoutingError) -> bytes:
        """Give an error's event."""
        if self._ended:
            return b""
        self._ended = True
        return data_event(encode(error_json(error)))

    def _piece(self, piece: ToolCallDelta) -> None:
        held = self._calls.get(piece.index)
        if held is None:
            call_id = piece.call_id or missing_id(self._head.answer_id, len(self._calls))
            call = ToolCall(call_id, piece.name or "", "", piece.kind)
            held = self._calls[piece.index] = _Held(call, proof=self._proof)
            self._proof = None
            self._held.append(held)
        held.pieces.append(piece.arguments)

    def _released(self, *, everything: bool = False) -> bytes:
        written: list[bytes] = []
        while self._held and (everything or self._held[0].is_whole()):
            held = self._held.popleft()
            part = part_json(held.whole(), proof=held.proof)
            chunk = chunk_json(self._head, [part], logprobs=held.logprobs)
            written.append(data_event(encode(chunk)))
        return b"".join(written)


def error_json(error: RoutingError) -> dict[str, object]:
    """Give an error in this dialect's words.

    Its details say why in one word, when to ask again, and how each attempt ended.

    Source: Gemini API reference, "Troubleshooting", and google.rpc.Status with the messages of
    google/rpc/error_details.proto, read 2026-11.
    """
    details: list[dict[str, object]] = [
        {"@type": f"{_RPC}.ErrorInfo", "reason": error.code.upper(), "domain": "omniroute"}
    ]
    if error.retry_after_s is not None:
        details.append({"@type": f"{_RPC}.RetryInfo", "retryDelay": f"{error.retry_after_s:.3f}s"})
    attempts = attempts_json(error)
    if attempts:
        told = [encode_text(one) for one in attempts]
        details.append({"@type": f"{_RPC}.DebugInfo", "stackEntries": told})
    return {
        "error": {
            "code": status_of(error, "gemini"),
            "message": str(error),
            "status": words_of(error).gemini,
            "details": details,
        }
    }
