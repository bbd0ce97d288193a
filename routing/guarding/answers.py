"""An answer's Deltas as a guard leaves them, while they come.

Words, thoughts and refusals go on as far as nothing that follows can change what is found in
them; where the answer turns to something else they have ended, and what was held of them goes
on before it. The arguments of a tool call are JSON, in which a character may be written in
several ways: they are held until they are whole. What a Delta says of the end goes on behind all
that was held before it. The probabilities of tokens spell the words out once more, so they are
left out where words are held.

Where findings are only counted, nothing is held and every Delta goes on as it came.
"""

from collections.abc import Sequence

from msgspec import structs

from ..conversation import Delta, ToolCallDelta
from .body import looking
from .text import Gate, Watch
from .turns import Steps, at_once

_THOUGHT = ("reasoning", "reasoning_signature", "reasoning_encrypted")
_ORDER = (*_THOUGHT, "text", "refusal", "image", "tool_call")
"""What one Delta may bring, in the order in which clients are told of it."""
_NOTHING = Delta()


class AnswerGate:
    """Feed it every Delta of one answer, in order, and call `end` last."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._gates = {name: Gate(watch) for name in ("reasoning", "text", "refusal")}
        self._calls: dict[int, ToolCallDelta] = {}

    def feed(self, delta: Delta) -> Sequence[Delta]:
        """Give what may go on now."""
        return at_once(self.feeding(delta))

    def end(self) -> Sequence[Delta]:
        """Give what was held: the answer is over."""
        return at_once(self.ending())

    def feeding(self, delta: Delta) -> Steps[Sequence[Delta]]:
        """Give what may go on now, in turns."""
        given = yield from self._fed(delta)
        return (delta,) if self._watch.mode == "warn" else given

    def ending(self) -> Steps[Sequence[Delta]]:
        """Give what was held, in turns."""
        held = yield from self._held()
        return () if self._watch.mode == "warn" else held

    def _fed(self, delta: Delta) -> Steps[Sequence[Delta]]:
        before, words = yield from self._words(delta)
        if delta.finish is None and not delta.ended and delta.error is None:
            return (*before, words)
        words = structs.replace(words, finish=None, usage=None, error=None, ended=False)
        last = Delta(finish=delta.finish, usage=delta.usage, error=delta.error, ended=delta.ended)
        held = yield from self._held()
        return (*before, *([words] if words != _NOTHING else ()), *held, last)

    def _words(self, delta: Delta) -> Steps[tuple[Sequence[Delta], Delta]]:
        """Give what ends where a Delta begins, and what may go on of the Delta itself."""
        brought = [name for name in _ORDER if getattr(delta, name)]
        before: list[Delta] = []
        shown: dict[str, str] = {}
        for name, gate in self._gates.items() if brought else ():
            if name in brought:
                shown[name] = yield from gate.feeding(getattr(delta, name))
                # The rest of this Delta comes behind it.
                shown[name] += gate.end() if name != brought[-1] else ""
            elif held := gate.end():
                before.append(structs.replace(_NOTHING, **{name: held}))
        call = delta.tool_call
        if call is not None:
            known = self._calls.get(call.index)
            self._calls[call.index] = call if known is None else _joined(known, call)
        return before, structs.replace(delta, **shown, tool_call=None, logprobs=())

    def _held(self) -> Steps[Sequence[Delta]]:
        given = [
            structs.replace(_NOTHING, **{name: held})
            for name, gate in self._gates.items()
            if (held := gate.end())
        ]
        calls, self._calls = self._calls, {}
        for _, call in sorted(calls.items()):
            arguments = yield from looking(call.arguments, self._watch)
            given.append(Delta(tool_call=structs.replace(call, arguments=arguments)))
        return given


def _joined(one: ToolCallDelta, more: ToolCallDelta) -> ToolCallDelta:
    return structs.replace(
        one,
        call_id=one.call_id or more.call_id,
        name=one.name or more.name,
        arguments=one.arguments + more.arguments,
    )
