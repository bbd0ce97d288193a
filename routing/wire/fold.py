"""Deltas folded into one answer: the same for every dialect's whole answer.

An answer is a row of parts in the order in which they began. Text goes on while text
comes; a thought ends with its signature, and the next one is another; the pieces of a call
belong together by their index, whatever came between them. After a finish only usage counts.
"""

from collections.abc import Sequence

from msgspec import Struct

from ..conversation import Delta, Finish, Reasoning, Text, ToolCall, ToolCallDelta, Usage
from .codec import Head
from .parts import missing_id

AnswerPart = Text | Reasoning | ToolCall


class Answer(Struct, frozen=True, gc=False):
    """A whole answer. `usage` is None when the provider reported none."""

    parts: tuple[AnswerPart, ...]
    finish: Finish
    usage: Usage | None

    @property
    def text(self) -> str:
        """All text, in order."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def reasoning(self) -> str:
        """All thoughts, in order."""
        return "".join(part.text for part in self.parts if isinstance(part, Reasoning))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls, in the order in which they began."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


class _Open(Struct, gc=False):
    """A part in the making."""

    kind: type[AnswerPart]
    pieces: list[str] = []
    signature: str | None = None
    call_id: str = ""
    name: str = ""


def fold(deltas: Sequence[Delta], head: Head) -> Answer:
    """Give the answer that the Deltas add up to; a call without an id gets one."""
    parts: list[_Open] = []
    calls: dict[int, _Open] = {}
    finish: Finish | None = None
    usage: Usage | None = None
    for delta in deltas:
        usage = delta.usage or usage
        if finish is not None:
            continue
        finish = delta.finish
        if delta.reasoning:
            _thought(parts).pieces.append(delta.reasoning)
        if delta.reasoning_signature is not None:
            _thought(parts).signature = delta.reasoning_signature
        if delta.text:
            if not parts or parts[-1].kind is not Text:
                parts.append(_Open(Text))
            parts[-1].pieces.append(delta.text)
        if delta.tool_call is not None:
            _add_call(delta.tool_call, parts, calls, head)
    return Answer(
        parts=tuple(_closed(part) for part in parts),
        finish=finish or finish_without_word(has_calls=bool(calls)),
        usage=usage,
    )


def finish_without_word(*, has_calls: bool) -> Finish:
    """Give the finish of an answer that ended well and did not say why."""
    return "tool_calls" if has_calls else "stop"


def _thought(parts: list[_Open]) -> _Open:
    if not parts or parts[-1].kind is not Reasoning or parts[-1].signature is not None:
        parts.append(_Open(Reasoning))
    return parts[-1]


def _add_call(
    piece: ToolCallDelta, parts: list[_Open], calls: dict[int, _Open], head: Head
) -> None:
    call = calls.get(piece.index)
    if call is None:
        call_id = piece.call_id or missing_id(head.answer_id, len(calls))
        call = _Open(ToolCall, call_id=call_id, name=piece.name or "")
        calls[piece.index] = call
        parts.append(call)
    call.pieces.append(piece.arguments)


def _closed(part: _Open) -> AnswerPart:
    text = "".join(part.pieces)
    if part.kind is Text:
        return Text(text)
    if part.kind is Reasoning:
        return Reasoning(text, signature=part.signature)
    return ToolCall(part.call_id, part.name, text)
