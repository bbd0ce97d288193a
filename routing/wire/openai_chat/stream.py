"""OpenAI chat completion streams: reading a provider's chunks, writing a client's.

A stream ends at its finish: the usage chunk and `[DONE]` follow, and some providers leave
the one or the other out.

Source: OpenAI API reference, "Chat completion streaming", read 2026-11.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ...conversation import Delta, Finish, ToolCallDelta, Usage
from ...errors import RoutingError
from ..codec import Head
from ..failures import malformed, openai_error, reported
from ..fields import encode
from ..fold import finish_without_word
from ..parts import missing_id
from ..sse import DONE, Event, data_event
from .answer import Call, Said, finish_of, finish_word, spoken, usage_json, usage_of
from .usage import USAGE

# Null usage and a null finish stand in most chunks and must not match. What tells usage at all
# must: where the client did not ask for it, it is taken out.
RARE = (
    re.compile(rb'"finish_reason"\s*:\s*"'),
    USAGE,
    re.compile(rb'"error"\s*:\s*[{"]'),
    re.compile(rb"\[DONE\]"),
)


class _Choice(msgspec.Struct):
    delta: Said | None = None
    index: int = 0
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Chunk)


@dataclass(slots=True)
class _Known:
    """A call whose first piece was read: our number of it and the provider's id."""

    number: int
    call_id: str | None


class ChunkReader:
    """Reads chunks. Only the first choice of several is an answer."""

    def __init__(self) -> None:
        self._begun = False
        self._calls: dict[int, _Known] = {}
        self._count = 0
        self._latest = 0
        self._silent: dict[int, None] = {}

    def read(self, event: Event) -> Sequence[Delta]:
        """Give the Deltas of one event.

        Raises:
            UpstreamFailure: kind "malformed".
        """
        data = event.data.strip()
        if data == DONE:
            return (*self._unargued(), Delta(ended=True))
        if not data:
            return ()
        try:
            chunk = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise malformed(f"a chunk of {len(data)} bytes ({error})") from None
        if chunk.error is not None:
            return (Delta(error=reported(chunk.error)),)
        return self._deltas(chunk)

    def _deltas(self, chunk: _Chunk) -> list[Delta]:
        deltas: list[Delta] = []
        if not self._begun and chunk.model:  # Azure begins with a chunk that names none
            self._begun = True
            deltas.append(Delta(model=chunk.model, answer_id=chunk.id or None))
        finish: Finish | None = None
        for choice in chunk.choices or ():
            if choice.index:
                continue
            if choice.delta is not None:
                deltas += spoken(choice.delta)
                calls = choice.delta.tool_calls or ()
                deltas += [Delta(tool_call=self._piece(call)) for call in calls]
            if choice.finish_reason:
                finish = finish_of(choice.finish_reason, has_calls=bool(self._count))
                deltas += self._unargued()
        usage = usage_of(chunk.usage)
        if finish or usage:
            deltas.append(Delta(finish=finish, usage=usage, ended=finish is not None))
        return deltas

    def _unargued(self) -> Sequence[Delta]:
        """Give an empty object to each call that ended without a byte of arguments."""
        silent, self._silent = self._silent, {}
        return [Delta(tool_call=ToolCallDelta(number, arguments="{}")) for number in silent]

    def _piece(self, call: Call) -> ToolCallDelta:
        """Give one piece; the name and the id only with the first of its call.

        Some servers give every call the index 0, or none, and tell calls apart by id.
        """
        index = call.index if call.index is not None else self._latest
        name = call.function.name if call.function is not None else None
        arguments = (call.function.arguments if call.function is not None else None) or ""
        known = self._calls.get(index)
        if known is not None and not (name and _is_another(call, known)):
            if arguments:
                self._silent.pop(known.number, None)
            return ToolCallDelta(known.number, arguments=arguments)
        if not name:
            raise malformed("a tool call that begins without a function's name")
        known = _Known(self._count, call.id or None)
        self._calls[index] = known
        self._latest = index
        self._count += 1
        if not arguments:
            self._silent[known.number] = None
        return ToolCallDelta(known.number, known.call_id, name, arguments)


def _is_another(call: Call, known: _Known) -> bool:
    """Whether a named piece begins a call beside the known one of the same index."""
    return call.id != known.call_id if call.id else call.index is None


class ChunkWriter:
    """Writes chunks: the role first, the finish once, usage if asked for, `[DONE]` once."""

    def __init__(self, head: Head) -> None:
        self._head = head
        fixed = encode(
            {
                "id": head.answer_id,
                "object": "chat.completion.chunk",
                "created": head.created_unix_s,
                "model": head.model,
            }
        )
        self._prefix = fixed[:-1]
        # Who asks for usage gets it as null in every chunk but the last.
        null_usage = b',"usage":null}' if head.include_usage else b"}"
        self._delta = self._prefix + b',"choices":[{"index":0,"delta":'
        self._running = b',"logprobs":null,"finish_reason":null}]' + null_usage
        self._finished = b',"logprobs":null,"finish_reason":%b}]' + null_usage
        self._begun = False
        self._finish: Finish | None = None
        self._usage: Usage | None = None
        self._calls: set[int] = set()
        self._ended = False

    def write(self, delta: Delta) -> bytes:
        """Give the chunks of one step."""
        self._usage = delta.usage or self._usage
        if self._ended or self._finish is not None:
            return b""  # nothing may follow a finish but the usage
        chunks: list[bytes] = []
        if delta.reasoning:
            chunks.append(b'{"reasoning_content":' + encode(delta.reasoning) + b"}")
        if delta.text:
            chunks.append(b'{"content":' + encode(delta.text) + b"}")
        if delta.tool_call is not None:
            chunks.append(encode({"tool_calls": [self._call(delta.tool_call)]}))
        written = b"".join(data_event(self._delta + chunk + self._running) for chunk in chunks)
        if written or delta.finish:
            written = self._begin() + written
        if delta.finish:
            written += self._finish_chunk(delta.finish)
        return written

    def end(self) -> bytes:
        """Give the finish if it is still owed, the usage if it was asked for, and the end."""
        if self._ended:
            return b""
        self._ended = True
        written = self._begin()
        if self._finish is None:
            written += self._finish_chunk(finish_without_word(has_calls=bool(self._calls)))
        if self._head.include_usage and self._usage is not None:
            usage = encode(usage_json(self._usage))
            written += data_event(self._prefix + b',"choices":[],"usage":' + usage + b"}")
        return written + data_event(DONE)

    def error(self, error: RoutingError) -> bytes:
        """Give an error's event; no `[DONE]` follows, since nothing was done."""
        if self._ended:
            return b""
        self._ended = True
        return data_event(encode({"error": openai_error(error)}))

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        role = b'{"role":"assistant","content":null}'
        return data_event(self._delta + role + self._running)

    def _finish_chunk(self, finish: Finish) -> bytes:
        self._finish = finish
        word = encode(finish_word(finish))
        return data_event(self._delta + b"{}" + self._finished.replace(b"%b", word))

    def _call(self, piece: ToolCallDelta) -> dict[str, object]:
        if piece.index in self._calls:
            return {"index": piece.index, "function": {"arguments": piece.arguments}}
        call_id = piece.call_id or missing_id(self._head.answer_id, len(self._calls))
        self._calls.add(piece.index)
        return {
            "index": piece.index,
            "id": call_id,
            "type": "function",
            "function": {"name": piece.name or "", "arguments": piece.arguments},
        }
