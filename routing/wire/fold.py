"""Deltas folded into one answer: the same for every dialect's whole answer.

An answer is a row of parts in the order in which they began. Text goes on while text
comes; a thought ends with its signature or with what only its provider can read of it, and the
next one is another; the pieces of a call belong together by their index, whatever came between
them. After a finish only usage counts.

Of one Delta the parts come in this order: thought, signature, encrypted thought, text, refusal,
image, tool call. Every dialect's writer keeps to it.
"""

from collections.abc import Sequence

from msgspec import Struct

from ..conversation import (
    Delta,
    Finish,
    Image,
    Reasoning,
    Text,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
    ToolKind,
    Usage,
)
from .codec import Head
from .parts import missing_id


class Weighed(Text, frozen=True, gc=False):
    """Text with the probabilities of its tokens."""

    logprobs: tuple[TokenLogprob, ...] = ()


class Refusal(Struct, frozen=True, gc=False):
    """Text in which the model says that it will not answer."""

    text: str


AnswerPart = Text | Refusal | Reasoning | Image | ToolCall


class Answer(Struct, frozen=True, gc=False):
    """A whole answer. `usage` is None when the provider reported none."""

    parts: tuple[AnswerPart, ...]
    finish: Finish
    usage: Usage | None
    stop_sequence: str | None = None

    @property
    def text(self) -> str:
        """All text, in order."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def refusal(self) -> str:
        """All text in which the model refuses."""
        return "".join(part.text for part in self.parts if isinstance(part, Refusal))

    @property
    def reasoning(self) -> str:
        """All thoughts, in order."""
        return "".join(part.text for part in self.parts if isinstance(part, Reasoning))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls, in the order in which they began."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))

    @property
    def images(self) -> tuple[Image, ...]:
        """The generated images."""
        return tuple(part for part in self.parts if isinstance(part, Image))

    @property
    def logprobs(self) -> tuple[TokenLogprob, ...]:
        """The probabilities of all text's tokens."""
        return tuple(
            one for part in self.parts if isinstance(part, Weighed) for one in part.logprobs
        )


class _Open(Struct, gc=False):
    """A part in the making."""

    kind: type[AnswerPart]
    pieces: list[str] = []
    signature: str | None = None
    encrypted: str | None = None
    call_id: str = ""
    name: str = ""
    call_kind: ToolKind = "function"
    image: Image | None = None
    logprobs: list[TokenLogprob] = []


def fold(deltas: Sequence[Delta], head: Head) -> Answer:
    """Give the answer that the Deltas add up to; a call without an id gets one."""
    parts: list[_Open] = []
    calls: dict[int, _Open] = {}
    finish: Finish | None = None
    usage: Usage | None = None
    stop_sequence: str | None = None
    for delta in deltas:
        usage = delta.usage or usage
        if finish is not None:
            continue
        finish = delta.finish
        stop_sequence = delta.stop_sequence or stop_sequence
        _add_thought(delta, parts)
        _add_shown(delta, parts)
        if delta.tool_call is not None:
            _add_call(delta.tool_call, parts, calls, head)
    return Answer(
        parts=tuple(_closed(part) for part in parts),
        finish=finish or finish_without_word(has_calls=bool(calls)),
        usage=usage,
        stop_sequence=stop_sequence,
    )


def finish_without_word(*, has_calls: bool) -> Finish:
    """Give the finish of an answer that ended well and did not say why."""
    return "tool_calls" if has_calls else "stop"


def _add_thought(delta: Delta, parts: list[_Open]) -> None:
    if delta.reasoning:
        _thought(parts).pieces.append(delta.reasoning)
    if delta.reasoning_signature is not None:
        _thought(parts).signature = delta.reasoning_signature
    if delta.reasoning_encrypted is not None:
        _thought(parts).encrypted = delta.reasoning_encrypted


def _add_shown(delta: Delta, parts: list[_Open]) -> None:
    if delta.text or delta.logprobs:
        part = _last(parts, Text)
        part.pieces.append(delta.text)
        part.logprobs += delta.logprobs
    if delta.refusal:
        _last(parts, Refusal).pieces.append(delta.refusal)
    if delta.image is not None:
        parts.append(_Open(Image, image=delta.image))


def _last(parts: list[_Open], kind: type[AnswerPart]) -> _Open:
    if not parts or parts[-1].kind is not kind:
        parts.append(_Open(kind))
    return parts[-1]


def _thought(parts: list[_Open]) -> _Open:
    part = _last(parts, Reasoning)
    if part.signature is not None or part.encrypted is not None:
        part = _Open(Reasoning)
        parts.append(part)
    return part


def _add_call(
    piece: ToolCallDelta, parts: list[_Open], calls: dict[int, _Open], head: Head
) -> None:
    call = calls.get(piece.index)
    if call is None:
        call_id = piece.call_id or missing_id(head.answer_id, len(calls))
        call = _Open(ToolCall, call_id=call_id, name=piece.name or "", call_kind=piece.kind)
        calls[piece.index] = call
        parts.append(call)
    call.pieces.append(piece.arguments)


def _closed(part: _Open) -> AnswerPart:
    text = "".join(part.pieces)
    if part.kind is Text:
        return Weighed(text, logprobs=tuple(part.logprobs)) if part.logprobs else Text(text)
    if part.kind is Refusal:
        return Refusal(text)
    if part.kind is Reasoning:
        return Reasoning(text, signature=part.signature, encrypted=part.encrypted)
    if part.image is not None:
        return part.image
    return ToolCall(part.call_id, part.name, text, part.call_kind)
