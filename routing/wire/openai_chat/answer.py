"""OpenAI chat completions, whole: reading a provider's, writing a client's, and usage.

Compatible providers bend the format; `said` reads what they are known to do inside a message,
`counts` what they do to usage.

Source: OpenAI API reference, "The chat completion object", read 2026-11; the providers' own
references for what bends.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from ...conversation import Delta, Finish, Reasoning, ToolCall, ToolCallDelta
from ..codec import Head
from ..counting import decoded
from ..failures import failure_of, malformed, reported
from ..fields import encode
from ..fold import Answer, fold
from .counts import Counts, usage_json, usage_of
from .said import (
    Call,
    Said,
    call_json,
    google_proof,
    image_json,
    logprobs_json,
    logprobs_of,
    proof_of,
    spoken,
)
from .thinking import ThoughtSplitter
from .thoughts import detail_json

_FINISHES: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class _Choice(msgspec.Struct, gc=False):
    message: Said
    index: int = 0
    finish_reason: str | None = None
    logprobs: Any = None
    stop_reason: Any = None


class _Whole(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    id: str | None = None
    model: str | None = None
    usage: Any = None
    error: Any = None


class _Counted(_Whole, gc=False):
    usage: Counts | None = None


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
    deltas += spoken(said, logprobs_of(choice.logprobs))
    calls = said.tool_calls or []
    for number, call in enumerate(calls):
        proof = proof_of(call)
        if proof is not None:
            deltas.append(Delta(reasoning_signature=proof))
        deltas.append(Delta(tool_call=_whole_call(number, call)))
    found = usage_of(whole.usage)
    if found is not None:
        deltas.append(Delta(usage=found))
    finish = finish_of(choice.finish_reason or "stop", has_calls=bool(calls))
    sequence = stop_sequence_of(choice.stop_reason, finish)
    finish = "stop_sequence" if sequence is not None else finish
    last = Delta(finish=finish, stop_sequence=sequence, ended=True)
    return ThoughtSplitter().split([*deltas, last])


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
    logprobs = answer.logprobs
    body: dict[str, object] = {
        "id": head.answer_id,
        "object": "chat.completion",
        "created": head.created_unix_s,
        "model": head.model,
        "choices": [
            {
                "index": 0,
                "message": _message(answer),
                "logprobs": logprobs_json(logprobs) if logprobs else None,
                "finish_reason": finish_word(answer.finish),
            }
        ],
    }
    if answer.usage is not None:
        body["usage"] = usage_json(answer.usage)
    return encode(body)


def finish_of(word: str, *, has_calls: bool) -> Finish:
    """Give why an answer ended; some servers say "stop" beside tool calls."""
    finish = _FINISHES.get(word, "stop")
    return "tool_calls" if has_calls and finish == "stop" else finish


def finish_word(finish: Finish) -> str:
    """Give a finish in this dialect's words."""
    return "stop" if finish == "stop_sequence" else finish


def stop_sequence_of(reported: object, finish: Finish) -> str | None:
    """Give the stop sequence that ended an answer, where the server names it.

    Source: vLLM, "OpenAI-Compatible Server", `stop_reason` of a choice, read 2026-11.
    """
    return reported if finish == "stop" and isinstance(reported, str) and reported else None


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


def _whole_call(number: int, call: Call) -> ToolCallDelta:
    if call.custom is not None and call.custom.name:
        return ToolCallDelta(
            number, call.id or None, call.custom.name, call.custom.input or "", kind="custom"
        )
    if call.function is None or not call.function.name:
        raise malformed("a tool call without a function's name")
    return ToolCallDelta(
        number, call.id or None, call.function.name, call.function.arguments or "{}"
    )


def _message(answer: Answer) -> dict[str, object]:
    message: dict[str, object] = {
        "role": "assistant",
        "content": answer.text or None,
        "refusal": answer.refusal or None,
    }
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    details, calls = _details_and_calls(answer)
    if details:
        message["reasoning_details"] = details
    if answer.images:
        message["images"] = [image_json(one, at) for at, one in enumerate(answer.images)]
    if calls:
        message["tool_calls"] = calls
    return message


def _details_and_calls(answer: Answer) -> tuple[list[object], list[object]]:
    """Give what proves the thoughts, and the calls; Google's proofs stand at the calls."""
    details: list[object] = []
    calls: list[object] = []
    proof: str | None = None
    for part in answer.parts:
        if isinstance(part, Reasoning):
            if part.signature is not None:
                google = google_proof(part.signature)
                proof = google or proof
                if google is None:
                    signed = Reasoning(part.text, signature=part.signature)
                    details.append(detail_json(signed, len(details)))
            if part.encrypted is not None:
                unread = Reasoning(encrypted=part.encrypted)
                details.append(detail_json(unread, len(details)))
        elif isinstance(part, ToolCall):
            calls.append(call_json(part, proof=proof))
            proof = None
    return details, calls
