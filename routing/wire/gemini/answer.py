"""Gemini answers, whole and in chunks of the same shape: reading a provider's, writing a client's.

Usage is counted from the start in every chunk: the last one counts. Its prompt includes what
was cached; thoughts stand beside the candidates.

Source: Gemini API reference, "GenerateContentResponse", read 2026-11.
"""

from collections.abc import Sequence
from typing import Any, assert_never

import msgspec
from msgspec import structs

from ...conversation import (
    AnswerError,
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
from ..codec import Head
from ..counting import TOKENS_MAX, Count, counts_of, decoded, usage
from ..failures import failure_of, malformed, reported
from ..fields import encode
from ..fold import AnswerPart, Refusal, finish_without_word, fold
from ..parts import arguments_object
from ..plain import wrapped
from ..signatures import marked, unmarked
from ..sniffing import summary
from .logprobs import logprobs_json, logprobs_of
from .media import DIALECT

_FILTERED = (
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "LANGUAGE",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
)
# The model failed to answer: nothing of it can be used.
_FAILED = (
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MALFORMED_RESPONSE",
    "MISSING_THOUGHT_SIGNATURE",
)
_WORDS: dict[Finish, str] = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
}


class _Call(msgspec.Struct, gc=False):
    name: str | None = None
    id: str | None = None
    args: Any = None


class _Blob(msgspec.Struct, rename="camel", gc=False):
    mime_type: str | None = None
    data: str | None = None


class _File(msgspec.Struct, rename="camel", gc=False):
    mime_type: str | None = None
    file_uri: str | None = None


class _Part(msgspec.Struct, rename="camel", gc=False):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _Call | None = None
    inline_data: _Blob | None = None
    file_data: _File | None = None


class _Content(msgspec.Struct, gc=False):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, rename="camel", gc=False):
    content: _Content | None = None
    finish_reason: str | None = None
    index: int = 0
    logprobs_result: Any = None


class _Feedback(msgspec.Struct, rename="camel", gc=False):
    block_reason: str | None = None


class _Chunk(msgspec.Struct, rename="camel", gc=False):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: Any = None
    model_version: str | None = None
    response_id: str | None = None
    error: Any = None


class _Counts(msgspec.Struct, rename="camel", gc=False):
    prompt_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    total_token_count: Count | None = None
    cached_content_token_count: Count | None = None


class _Counted(_Chunk, rename="camel", gc=False):
    usage_metadata: _Counts | None = None


_decoder = msgspec.json.Decoder(_Chunk)
_counted: msgspec.json.Decoder[_Chunk] = msgspec.json.Decoder(_Counted)


class ChunkReader:
    """Reads chunks, of which a whole answer is one. Only the first candidate is an answer."""

    def __init__(self) -> None:
        self._begun = False
        self._calls = 0

    def read(self, data: bytes) -> list[Delta]:
        """Give the Deltas of one chunk.

        Raises:
            UpstreamFailure: kind "malformed".
        """
        try:
            chunk = decoded(data, _counted, _decoder)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise malformed(f"a chunk of {len(data)} bytes ({error})") from None
        if chunk.error is not None:
            return [Delta(error=reported(chunk.error))]
        deltas: list[Delta] = []
        if not self._begun and chunk.model_version:
            self._begun = True
            deltas.append(Delta(model=chunk.model_version, answer_id=chunk.response_id))
        reason = None
        for candidate in chunk.candidates or ():
            if candidate.index == 0:
                parts = candidate.content.parts if candidate.content is not None else None
                found = [delta for part in parts or () for delta in self._part(part)]
                deltas += _weighed(found, logprobs_of(candidate.logprobs_result))
                reason = candidate.finish_reason
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason:
            reason = "SAFETY"
        counted = usage_of(chunk.usage_metadata)
        if reason or counted:
            deltas.append(self._last(reason, counted))
        return deltas

    def _part(self, part: _Part) -> list[Delta]:
        call = part.function_call
        if call is not None:
            if not call.name:
                raise malformed("a function call without a name")
            arguments = encode(call.args if call.args is not None else {}).decode()
            number = self._calls
            self._calls += 1
            # A signature is demanded back with its call; on text it may be left out.
            proof = part.thought_signature
            signed = [Delta(reasoning_signature=marked(proof, DIALECT))] if proof else []
            piece = ToolCallDelta(number, call.id or None, call.name, arguments)
            return [*signed, Delta(tool_call=piece)]
        if part.text:
            return [Delta(reasoning=part.text) if part.thought else Delta(text=part.text)]
        image = _image_of(part)
        if image is not None:
            return [Delta(image=image)]
        if part.text is None and part.thought_signature is None:
            return [Delta(content=True)]  # seen by a client of this dialect, and no value
        return []

    def _last(self, reason: str | None, found: Usage | None) -> Delta:
        if reason is None:
            return Delta(usage=found)
        if reason in _FAILED:
            message = f"the model's answer could not be used: {reason}"
            error = AnswerError(kind="server_error", message=message)
            return Delta(error=error, usage=found, ended=True)
        return Delta(finish=self._finish(reason), usage=found, ended=True)

    def _finish(self, reason: str) -> Finish:
        if reason == "MAX_TOKENS":
            return "length"
        if reason in _FILTERED:
            return "content_filter"
        return "tool_calls" if self._calls else "stop"


def parse_answer(body: bytes) -> Sequence[Delta]:
    """Give the Deltas of a whole answer, as if it had been streamed.

    Raises:
        UpstreamFailure: kind "malformed", or the kind of the error that it is.
    """
    deltas = ChunkReader().read(body)
    for delta in deltas:
        if delta.error is not None:
            raise failure_of(delta.error)
    if any(delta.ended for delta in deltas):
        return deltas
    if not any(delta.has_content for delta in deltas):
        raise malformed("an answer without a candidate")
    has_calls = any(delta.tool_call is not None for delta in deltas)
    return [*deltas, Delta(finish=finish_without_word(has_calls=has_calls), ended=True)]


def sniff_answer(body: bytes) -> Delta:
    """Give what accounting needs of a whole answer; raises as `parse_answer` does."""
    return summary(parse_answer(body), content=True)


def render_answer(deltas: Sequence[Delta], head: Head) -> bytes:
    """Give the whole answer that the Deltas fold to."""
    answer = fold(deltas, head)
    parts = [part_json(part, proof=proof) for part, proof in _proven(answer.parts)]
    whole = chunk_json(
        head, parts, finish=answer.finish, usage=answer.usage, logprobs=answer.logprobs
    )
    return encode(whole)


def _proven(parts: Sequence[AnswerPart]) -> list[tuple[AnswerPart, str | None]]:
    """Give the parts as clients join them, each call with its signature.

    Texts that follow each other are one, also where a signature set them apart: it is shown
    at the next call alone.
    """
    proven: list[tuple[AnswerPart, str | None]] = []
    proof: str | None = None
    for part in parts:
        last = proven[-1][0] if proven else None
        if isinstance(part, Reasoning):
            if part.signature is not None:
                proof = unmarked(part.signature, DIALECT) or proof
            if part.text and isinstance(last, Reasoning):
                proven[-1] = (Reasoning(last.text + part.text), None)
            elif part.text:
                proven.append((Reasoning(part.text), None))
        elif isinstance(part, Text | Refusal):
            if isinstance(last, Text):
                proven[-1] = (Text(last.text + part.text), None)
            else:
                proven.append((Text(part.text), None))
        elif isinstance(part, ToolCall):
            proven.append((part, proof))
            proof = None
        else:
            proven.append((part, None))
    return proven


def part_json(part: AnswerPart, *, proof: str | None = None) -> dict[str, object]:
    """Give a part in this dialect's words, with the signature of a call if it has one."""
    match part:
        case Text() | Refusal():
            return {"text": part.text}
        case Reasoning():
            return {"text": part.text, "thought": True}
        case Image():
            return _image_json(part)
        case ToolCall():
            custom = part.kind == "custom"
            args = arguments_object(wrapped(part.arguments) if custom else part.arguments)
            call: dict[str, object] = {
                "functionCall": {"id": part.call_id, "name": part.name, "args": args}
            }
            return call if proof is None else {**call, "thoughtSignature": proof}
        case _:
            assert_never(part)


def chunk_json(
    head: Head,
    parts: Sequence[dict[str, object]],
    *,
    finish: Finish | None = None,
    usage: Usage | None = None,
    logprobs: Sequence[TokenLogprob] = (),
) -> dict[str, object]:
    """Give a chunk; a whole answer is a chunk with everything in it."""
    candidate: dict[str, object] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if logprobs:
        candidate["logprobsResult"] = logprobs_json(logprobs)
    if finish is not None:
        candidate["finishReason"] = _WORDS[finish]
    chunk: dict[str, object] = {"candidates": [candidate]}
    if usage is not None:
        chunk["usageMetadata"] = _usage_json(usage)
    return {**chunk, "modelVersion": head.model, "responseId": head.answer_id}


def usage_of(reported_usage: object) -> Usage | None:
    """Give the counts of usageMetadata, None when it does not report the prompt's."""
    counts = counts_of(reported_usage, _Counts)
    prompt, written = counts.prompt_token_count, counts.candidates_token_count
    if prompt is None:
        return None
    thoughts, tools = counts.thoughts_token_count or 0, counts.tool_use_prompt_token_count or 0
    if written is None:
        # Left out where it is zero, and by some models where only the total says it.
        total = counts.total_token_count
        written = max(0, total - prompt - tools - thoughts) if total is not None else 0
    return usage(
        input_tokens=min(prompt + tools, TOKENS_MAX),
        output_tokens=min(written + thoughts, TOKENS_MAX),
        cached=counts.cached_content_token_count,
        reasoning=thoughts,
    )


def _usage_json(found: Usage) -> dict[str, object]:
    return {
        "promptTokenCount": found.input_tokens,
        "candidatesTokenCount": found.output_tokens - found.reasoning_tokens,
        "totalTokenCount": found.input_tokens + found.output_tokens,
        "thoughtsTokenCount": found.reasoning_tokens,
        "cachedContentTokenCount": found.cached_input_tokens,
    }


def _weighed(deltas: list[Delta], logprobs: tuple[TokenLogprob, ...]) -> list[Delta]:
    """Give a chunk's Deltas with its probabilities at the last text, where there is one."""
    if logprobs:
        for at in reversed(range(len(deltas))):
            if deltas[at].text:
                deltas[at] = structs.replace(deltas[at], logprobs=logprobs)
                break
    return deltas


def _image_of(part: _Part) -> Image | None:
    inline, stored = part.inline_data, part.file_data
    if inline is not None and inline.data and (inline.mime_type or "").startswith("image/"):
        return Image(media_type=inline.mime_type, data=inline.data)
    if stored is not None and stored.file_uri and (stored.mime_type or "").startswith("image/"):
        return Image(url=stored.file_uri, media_type=stored.mime_type)
    return None


def _image_json(image: Image) -> dict[str, object]:
    if image.url is not None:
        stored = {"fileUri": image.url, "mimeType": image.media_type or "image/png"}
        return {"fileData": stored}
    return {"inlineData": {"mimeType": image.media_type or "image/png", "data": image.data or ""}}
