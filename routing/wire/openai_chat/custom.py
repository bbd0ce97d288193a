"""Calls of a client's custom tools, answered by a model that knows functions alone.

Such a tool went out as a function with one argument (wire/plain). Its call comes back as what the
client offered, a custom tool's with its text: that can only be told once the arguments are whole,
so the pieces wait for the end of the call.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import structs

from ...conversation import Delta, ToolCallDelta
from ...errors import RoutingError
from ..codec import StreamWriter
from ..plain import free_text

_MARK = b'"custom"'
_NOTHING = Delta()


class _Custom(msgspec.Struct):
    name: str | None = None


class _Tool(msgspec.Struct):
    type: str | None = None
    custom: _Custom | None = None


class _Asked(msgspec.Struct):
    tools: list[_Tool] | None = None


_asked = msgspec.json.Decoder(_Asked)


def custom_names(asked: bytes) -> frozenset[str]:
    """Give the names of the custom tools that a client's body offers."""
    if _MARK not in asked:
        return frozenset()
    try:
        tools = _asked.decode(asked).tools or ()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return frozenset()  # it was forwarded as it is, and its answer needs no other form
    customs = (tool.custom for tool in tools if tool.type == "custom")
    return frozenset(one.name for one in customs if one is not None and one.name)


class CustomCalls:
    """Feed it the Deltas of one answer, in order."""

    __slots__ = ("_held", "_names")

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._held: dict[int, list[str]] = {}

    def restored(self, delta: Delta) -> Iterable[Delta]:
        """Give the Delta with calls of custom tools as such."""
        call = delta.tool_call
        if call is None or not self._is_custom(call):
            if delta.finish is not None or delta.ended:
                yield from self.rest()
            yield delta
            return
        others = structs.replace(delta, tool_call=None)
        ends = others.finish is not None or others.ended
        if others != _NOTHING and not ends:
            yield others  # of one Delta, a call is what comes last
        yield from self._taken(call)
        if ends:
            yield from self.rest()
            yield others

    def _is_custom(self, call: ToolCallDelta) -> bool:
        return call.index in self._held or (call.name in self._names and call.kind == "function")

    def _taken(self, call: ToolCallDelta) -> Iterable[Delta]:
        if call.index in self._held:
            self._held[call.index].append(call.arguments)
            return
        yield from self.rest()
        self._held[call.index] = [call.arguments]
        yield Delta(tool_call=structs.replace(call, arguments="", kind="custom"))

    def rest(self) -> Iterable[Delta]:
        """Give the texts of the calls that are whole."""
        for index, pieces in self._held.items():
            text = free_text("".join(pieces))
            yield Delta(tool_call=ToolCallDelta(index, arguments=text, kind="custom"))
        self._held = {}


class CustomWriter:
    """A writer of chunks that gives custom tools their calls back."""

    __slots__ = ("_calls", "_writer")

    def __init__(self, writer: StreamWriter, names: frozenset[str]) -> None:
        self._writer = writer
        self._calls = CustomCalls(names)

    def write(self, delta: Delta) -> bytes:
        return b"".join(map(self._writer.write, self._calls.restored(delta)))

    def end(self) -> bytes:
        return b"".join(map(self._writer.write, self._calls.rest())) + self._writer.end()

    def error(self, error: RoutingError) -> bytes:
        return self._writer.error(error)


def restored(deltas: Sequence[Delta], names: frozenset[str]) -> Sequence[Delta]:
    """Give all the Deltas of an answer with calls of custom tools as such."""
    calls = CustomCalls(names)
    whole = [one for delta in deltas for one in calls.restored(delta)]
    return [*whole, *calls.rest()]
