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

from ...conversation import (
    Delta,
    Finish,
    Reasoning,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    ToolKind,
    Usage,
)
from ...errors import RoutingError
from ..codec import Head
from ..failures import malformed, openai_error, reported
from ..fields import encode
from ..fold import finish_without_word
from ..parts import missing_id
from ..sse import DONE, Event, data_event
from .answer import finish_of, finish_word, stop_sequence_of
from .counts import usage_json, usage_of
from .said import (
    Call,
    Said,
    call_json,
    google_proof,
    image_json,
    is_text_alone,
    logprobs_json,
    logprobs_of,
    proof_of,
    spoken,
    thought_of,
)
from .thinking import ThoughtSplitter
from .thoughts import detail_json
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
    logprobs: Any = None
    stop_reason: Any = None
    usage: Any = None


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
        self._told = False

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

    def _deltas(self, chunk: _Chunk) -> Sequence[Delta]:
        choices = chunk.choices
        if self._begun and chunk.usage is None and choices is not None and len(choices) == 1:
            plain = _plain_text(choices[0])
            if plain is not None:
                return (Delta(text=plain),)
        return self._all_deltas(chunk)

    def _all_deltas(self, chunk: _Chunk) -> list[Delta]:
        deltas: list[Delta] = []
        if not self._begun and chunk.model:  # Azure begins with a chunk that names none
            self._begun = True
            deltas.append(Delta(model=chunk.model, answer_id=chunk.id or None))
        finish: Finish | None = None
        sequence: str | None = None
        counts = chunk.usage
        for choice in chunk.choices or ():
            if choice.index:
                continue
            if choice.delta is not None:
                deltas += self._spoken(choice.delta, logprobs_of(choice.logprobs))
                for call in choice.delta.tool_calls or ():
                    deltas += self._call(call)
            if choice.finish_reason:
                finish = finish_of(choice.finish_reason, has_calls=bool(self._count))
                sequence = stop_sequence_of(choice.stop_reason, finish)
                finish = "stop_sequence" if sequence is not None else finish
                deltas += self._unargued()
            counts = counts or choice.usage  # where Moonshot tells it
        usage = usage_of(counts)
        if finish or usage:
            ended = finish is not None
            deltas.append(Delta(finish=finish, stop_sequence=sequence, usage=usage, ended=ended))
        return deltas

    def _spoken(self, said: Said, logprobs: tuple[TokenLogprob, ...]) -> list[Delta]:
        if not said.reasoning_details:
            self._told = self._told or bool(thought_of(said))
            return spoken(said, logprobs)
        # In both fields piece by piece, or the whole thought once more with its proof.
        told, self._told = self._told and not thought_of(said), False
        return spoken(said, logprobs, told=told)

    def _unargued(self) -> Sequence[Delta]:
        """Give an empty object to each call that ended without a byte of arguments."""
        silent, self._silent = self._silent, {}
        return [Delta(tool_call=ToolCallDelta(number, arguments="{}")) for number in silent]

    def _call(self, call: Call) -> list[Delta]:
        proof = proof_of(call)
        piece = Delta(tool_call=self._piece(call))
        return [piece] if proof is None else [Delta(reasoning_signature=proof), piece]

    def _piece(self, call: Call) -> ToolCallDelta:
        """Give one piece; the name and the id only with the first of its call.

        Some servers give every call the index 0, or none, and tell calls apart by id.
        """
        index = call.index if call.index is not None else self._latest
        name, arguments = _called(call)
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
        if call.custom is not None:
            return ToolCallDelta(known.number, known.call_id, name, arguments, kind="custom")
        if not arguments:
            self._silent[known.number] = None
        return ToolCallDelta(known.number, known.call_id, name, arguments)


class TranslatedReader:
    """Reads chunks for a client of another dialect: thoughts in the text are told apart."""

    def __init__(self) -> None:
        self._chunks = ChunkReader()
        self._splitter = ThoughtSplitter()

    def read(self, event: Event) -> Sequence[Delta]:
        """Give the Deltas of one event; raises as ChunkReader does."""
        return self._splitter.split(self._chunks.read(event))


def _plain_text(choice: _Choice) -> str | None:
    """Give the text of a choice that says nothing else, as nearly all of a stream's do."""
    said = choice.delta
    if (
        said is None
        or choice.index
        or choice.finish_reason is not None
        or choice.logprobs is not None
        or choice.usage is not None
    ):
        return None
    content = said.content
    return content if content and type(content) is str and is_text_alone(said) else None


def _called(call: Call) -> tuple[str | None, str]:
    """Give the name and the arguments that a piece has."""
    if call.function is not None:
        return call.function.name, call.function.arguments or ""
    if call.custom is not None:
        return call.custom.name, call.custom.input or ""
    return None, ""


def _is_another(call: Call, known: _Known) -> bool:
    """Whether a named piece begins a call beside the known one of the same index."""
    return call.id != known.call_id if call.id else call.index is None


class ChunkWriter:
    """Writes chunks: the role first, the finish once, usage if asked for, `[DONE]` once.

    A thought's proof comes when the thought is over, with its whole text; Google's stand at
    the call that they belong to.
    """

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
        self._text = b"data: " + self._delta + b'{"content":'
        self._running = b',"logprobs":null,"finish_reason":null}]' + null_usage
        self._text_end = b"}" + self._running + b"\n\n"
        self._weighed = b',"logprobs":%b,"finish_reason":null}]' + null_usage
        self._finished = b',"logprobs":null,"finish_reason":%b}]' + null_usage
        self._begun = False
        self._finish: Finish | None = None
        self._usage: Usage | None = None
        self._calls: dict[int, ToolKind] = {}
        self._thought: list[str] = []
        self._details = 0
        self._images = 0
        self._proof: str | None = None
        self._ended = False

    def write(self, delta: Delta) -> bytes:
        """Give the chunks of one step."""
        self._usage = delta.usage or self._usage
        if self._ended or self._finish is not None:
            return b""  # nothing may follow a finish but the usage
        chunks = self._thoughts(delta)
        if delta.text or delta.logprobs:
            chunks.append(self._content(delta.text, delta.logprobs))
        if delta.refusal:
            self._thought.clear()
            chunks.append(self._chunk({"refusal": delta.refusal}))
        if delta.image is not None:
            self._thought.clear()
            chunks.append(self._chunk({"images": [image_json(delta.image, self._images)]}))
            self._images += 1
        if delta.tool_call is not None:
            chunks.append(self._chunk({"tool_calls": [self._call(delta.tool_call)]}))
        if delta.finish:
            chunks.append(self._finish_chunk(delta.finish))
        return self._begin() + b"".join(chunks) if chunks else b""

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
            if self._calls[piece.index] == "custom":
                return {"index": piece.index, "custom": {"input": piece.arguments}}
            return {"index": piece.index, "function": {"arguments": piece.arguments}}
        call_id = piece.call_id or missing_id(self._head.answer_id, len(self._calls))
        self._calls[piece.index] = piece.kind
        self._thought.clear()
        proof, self._proof = self._proof, None
        call = ToolCall(call_id, piece.name or "", piece.arguments, piece.kind)
        return {"index": piece.index, **call_json(call, proof=proof)}

    def _thoughts(self, delta: Delta) -> list[bytes]:
        chunks: list[bytes] = []
        if delta.reasoning:
            self._thought.append(delta.reasoning)
            chunks.append(self._chunk({"reasoning_content": delta.reasoning}))
        if delta.reasoning_signature is not None:
            google = google_proof(delta.reasoning_signature)
            self._proof = google or self._proof
            if google is None:
                text = "".join(self._thought)
                chunks.append(self._detail(Reasoning(text, signature=delta.reasoning_signature)))
            self._thought.clear()
        if delta.reasoning_encrypted is not None:
            chunks.append(self._detail(Reasoning(encrypted=delta.reasoning_encrypted)))
            self._thought.clear()
        return chunks

    def _detail(self, thought: Reasoning) -> bytes:
        detail = detail_json(thought, self._details)
        self._details += 1
        return self._chunk({"reasoning_details": [detail]})

    def _content(self, text: str, logprobs: tuple[TokenLogprob, ...]) -> bytes:
        if self._thought:
            self._thought.clear()
        if not logprobs:
            return self._text + encode(text) + self._text_end
        weighed = self._weighed.replace(b"%b", encode(logprobs_json(logprobs)))
        return data_event(self._delta + encode({"content": text} if text else {}) + weighed)

    def _chunk(self, said: dict[str, object]) -> bytes:
        return data_event(self._delta + encode(said) + self._running)
