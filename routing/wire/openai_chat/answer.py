"""OpenAI chat completions, whole: reading a provider's, writing a client's, and usage.

Compatible providers bend the format; what they are known to do is read: `reasoning` for
`reasoning_content` (OpenRouter), content as a list of parts (Mistral), reasoning tokens
beside the completion's (xAI), cache counts under other names (DeepSeek).

Source: OpenAI API reference, "The chat completion object", read 2026-11; the providers' own
references for what bends.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from ...conversation import Delta, Finish, ToolCallDelta, Usage
from ..codec import Head
from ..counting import TOKENS_MAX, Count, counts_of, decoded, usage
from ..failures import failure_of, malformed, reported
from ..fields import encode
from ..fold import Answer, fold

_FINISHES: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class Function(msgspec.Struct, gc=False):
    """A called function, whole or a piece of it."""

    name: str | None = None
    arguments: str | None = None


class Call(msgspec.Struct, gc=False):
    """A tool call, whole or a piece of it; only pieces have an index."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Said(msgspec.Struct, gc=False):
    """A message or a delta. The untyped fields are only looked at for being there."""

    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    function_call: Any = None
    audio: Any = None
    images: Any = None


class _Choice(msgspec.Struct, gc=False):
    message: Said
    index: int = 0
    finish_reason: str | None = None


class _Whole(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    id: str | None = None
    model: str | None = None
    usage: Any = None
    error: Any = None


class _Read(msgspec.Struct, gc=False):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class _Written(msgspec.Struct, gc=False):
    reasoning_tokens: Count | None = None


class _Counts(msgspec.Struct, gc=False):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: _Read | None = None
    completion_tokens_details: _Written | None = None
    prompt_cache_hit_tokens: Count | None = None


class _Counted(_Whole, gc=False):
    usage: _Counts | None = None


_decoder = msgspec.json.Decoder(_Whole)
_counted: msgspec.json.Decoder[_Whole] = msgspec.json.Decoder(_Counted)


def parse_answer(body: bytes) -> Sequence[Delta]:
    """Give the Deltas of a whole answer, as if it had been streamed.

    Raises:
        UpstreamFailure: kind "malformed", or the kind of the error that it is.
    """
    whole, choice = _read(body)
    said = choice.message
    deltas = [Delta(model=whole.model, answer_id=whole.id)]
    deltas += spoken(said)
    calls = said.tool_calls or []
    deltas += [Delta(tool_call=_whole_call(number, call)) for number, call in enumerate(calls)]
    found = usage_of(whole.usage)
    if found is not None:
        deltas.append(Delta(usage=found))
    finish = finish_of(choice.finish_reason or "stop", has_calls=bool(calls))
    return [*deltas, Delta(finish=finish, ended=True)]


def sniff_answer(body: bytes) -> Delta:
    """Give what accounting needs of a whole answer; raises as `parse_answer` does."""
    whole, choice = _read(body)
    return Delta(
        content=True,
        usage=usage_of(whole.usage),
        finish=finish_of(choice.finish_reason or "stop", has_calls=bool(choice.message.tool_calls)),
        model=whole.model,
        answer_id=whole.id,
        ended=True,
    )


def render_answer(deltas: Sequence[Delta], head: Head) -> bytes:
    """Give the whole answer that the Deltas fold to."""
    answer = fold(deltas, head)
    body: dict[str, object] = {
        "id": head.answer_id,
        "object": "chat.completion",
        "created": head.created_unix_s,
        "model": head.model,
        "choices": [
            {
                "index": 0,
                "message": _message(answer),
                "logprobs": None,
                "finish_reason": finish_word(answer.finish),
            }
        ],
    }
    if answer.usage is not None:
        body["usage"] = usage_json(answer.usage)
    return encode(body)


def spoken(said: Said) -> list[Delta]:
    """Give the thoughts and the text of a message or a delta, in this order."""
    thought = said.reasoning_content or said.reasoning
    deltas = [Delta(reasoning=thought)] if isinstance(thought, str) and thought else []
    if isinstance(said.content, list):
        deltas += [delta for part in said.content for delta in _part(part)]
    elif said.content:
        deltas.append(Delta(text=said.content))
    if said.refusal:
        deltas.append(Delta(text=said.refusal))
    if not deltas and (said.audio or said.images or said.function_call):
        deltas.append(Delta(content=True))  # seen by a client of this dialect, and no value
    return deltas


def finish_of(word: str, *, has_calls: bool) -> Finish:
    """Give why an answer ended; some servers say "stop" beside tool calls."""
    finish = _FINISHES.get(word, "stop")
    return "tool_calls" if has_calls and finish == "stop" else finish


def finish_word(finish: Finish) -> str:
    """Give a finish in this dialect's words."""
    return "stop" if finish == "stop_sequence" else finish


def usage_of(reported: object) -> Usage | None:
    """Give a usage object's counts, None when it does not report both of them."""
    counts = counts_of(reported, _Counts)
    prompt, completion = counts.prompt_tokens, counts.completion_tokens
    if prompt is None or completion is None:
        return None
    read, written = counts.prompt_tokens_details, counts.completion_tokens_details
    reasoning = 0 if written is None else written.reasoning_tokens or 0
    if reasoning and counts.total_tokens == prompt + completion + reasoning:
        completion = min(completion + reasoning, TOKENS_MAX)  # the total proves them separate
    cached = None if read is None else read.cached_tokens
    return usage(
        input_tokens=prompt,
        output_tokens=completion,
        cached=counts.prompt_cache_hit_tokens if cached is None else cached,
        cache_write=None if read is None else read.cache_write_tokens,
        reasoning=reasoning,
    )


def usage_json(found: Usage) -> dict[str, object]:
    """Give usage in this dialect's words."""
    return {
        "prompt_tokens": found.input_tokens,
        "completion_tokens": found.output_tokens,
        "total_tokens": found.input_tokens + found.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": found.cached_input_tokens,
            "cache_write_tokens": found.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": found.reasoning_tokens},
    }


def _read(body: bytes) -> tuple[_Whole, _Choice]:
    try:
        whole = decoded(body, _counted, _decoder)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(f"not a chat completion, {len(body)} bytes ({error})") from None
    if whole.error is not None:
        raise failure_of(reported(whole.error))
    if not whole.choices:
        raise malformed("a chat completion without choices")
    return whole, whole.choices[0]


def _part(part: object) -> list[Delta]:
    if not isinstance(part, dict):
        return []
    text = part.get("text")
    if isinstance(text, str) and text:
        return [Delta(text=text)]
    thinking = part.get("thinking")
    pieces = thinking if isinstance(thinking, list) else []
    found = [piece.get("text") for piece in pieces if isinstance(piece, dict)]
    return [Delta(reasoning=thought) for thought in found if isinstance(thought, str) and thought]


def _whole_call(number: int, call: Call) -> ToolCallDelta:
    if call.function is None or not call.function.name:
        raise malformed("a tool call without a function's name")
    return ToolCallDelta(
        number, call.id or None, call.function.name, call.function.arguments or "{}"
    )


def _message(answer: Answer) -> dict[str, object]:
    message: dict[str, object] = {
        "role": "assistant",
        "content": answer.text or None,
        "refusal": None,
    }
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in answer.calls
        ]
    return message
