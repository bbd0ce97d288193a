"""An answer's Deltas as a guard leaves them, while they come.

Words, thoughts and refusals go on as far as nothing that follows can change what is found in
them. The arguments of a tool call are JSON, in which a character may be written in several ways:
they are held until they are whole. What a Delta says of usage, of its model or its end goes on
behind all that was held before it. The probabilities of tokens spell the words out once more, so
they are left out where words are replaced.
"""

from collections.abc import Sequence

from msgspec import structs

from ..conversation import Delta, ToolCallDelta
from .body import json_text
from .text import Gate, Watch


class AnswerGate:
    """Feed it every Delta of one answer, in order, and call `end` last."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._text, self._reasoning, self._refusal = Gate(watch), Gate(watch), Gate(watch)
        self._calls: dict[int, ToolCallDelta] = {}

    def feed(self, delta: Delta) -> Sequence[Delta]:
        """Give what may go on now."""
        if self._watch.mode == "redact":
            return self._fed(delta)
        # Nothing is changed: what is found is counted, and comes to light no later than it must.
        self._fed(delta)
        return (delta,)

    def end(self) -> Sequence[Delta]:
        """Give what was held: the answer is over."""
        held = self._held()
        return held if self._watch.mode == "redact" else ()

    def _fed(self, delta: Delta) -> Sequence[Delta]:
        given: list[Delta] = []
        if delta.finish is not None or delta.ended or delta.error is not None:
            words = self._words(delta)
            given += [*([words] if words.has_content else []), *self._held()]
            rest = structs.replace(delta, text="", reasoning="", refusal="", tool_call=None)
            return (*given, structs.replace(rest, logprobs=()))
        call = delta.tool_call
        if call is not None:
            known = self._calls.get(call.index)
            self._calls[call.index] = call if known is None else _joined(known, call)
            given += self._words_held()
        return (*given, structs.replace(self._words(delta), logprobs=()))

    def _words(self, delta: Delta) -> Delta:
        call = delta.tool_call
        if call is not None and delta.finish is not None and call.index not in self._calls:
            self._calls[call.index] = call
        return structs.replace(
            delta,
            text=self._text.feed(delta.text),
            reasoning=self._reasoning.feed(delta.reasoning),
            refusal=self._refusal.feed(delta.refusal),
            tool_call=None,
            finish=None,
            usage=None,
            error=None,
            ended=False,
            logprobs=(),
        )

    def _words_held(self) -> list[Delta]:
        held = (
            Delta(reasoning=self._reasoning.end()),
            Delta(text=self._text.end()),
            Delta(refusal=self._refusal.end()),
        )
        return [one for one in held if one.has_content]

    def _held(self) -> list[Delta]:
        calls, self._calls = self._calls, {}
        whole = [
            structs.replace(one, arguments=json_text(one.arguments, self._watch))
            for _, one in sorted(calls.items())
        ]
        return [*self._words_held(), *(Delta(tool_call=one) for one in whole)]


def _joined(one: ToolCallDelta, more: ToolCallDelta) -> ToolCallDelta:
    return structs.replace(
        one,
        call_id=one.call_id or more.call_id,
        name=one.name or more.name,
        arguments=one.arguments + more.arguments,
    )
