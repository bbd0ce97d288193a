"""An upstream whose providers take their time, and what became of each call there."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from omniroute.routing.conversation import Delta, Usage
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Call, Piece


@dataclass(frozen=True)
class Plan:
    """What one provider does.

    Attributes:
        first_s: the loop's seconds until the head and the first byte.
        after: a provider whose call is waited for before.
        content_s: seconds between the first byte and the first content.
        fails: instead of the first byte.
    """

    first_s: float = 0.0
    after: str = ""
    content_s: float = 0.0
    fails: UpstreamFailure | None = None


class Raced:
    """Answers by plan, by the provider's name.

    Attributes:
        calls: the providers, in the order of their calls.
        cut: those whose call was cut off before its end.
    """

    def __init__(self, **plans: Plan) -> None:
        self.calls: list[str] = []
        self.cut: list[str] = []
        self._plans = plans
        self._called = {name: asyncio.Event() for name in plans}

    async def open(self, call: Call) -> "RacedAnswer":
        name = call.candidate.provider
        plan = self._plans[name]
        self.calls.append(name)
        self._called[name].set()
        try:
            if plan.after:
                await self._called[plan.after].wait()
            await asyncio.sleep(plan.first_s)
        except asyncio.CancelledError:
            self.cut.append(name)
            raise
        if plan.fails is not None:
            raise plan.fails
        return RacedAnswer(self, name, plan)


@dataclass
class RacedAnswer:
    """Says the provider's name."""

    upstream: Raced
    name: str
    plan: Plan
    has_ended: bool = False
    headers: Mapping[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    dropped: tuple[str, ...] = ()
    pour = None

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[Piece]:
        yield Piece(b"", Delta())
        await asyncio.sleep(self.plan.content_s)
        yield Piece(b"", Delta(text=self.name))
        yield Piece(b"", Delta(finish="stop", usage=Usage(10, 2), ended=True))
        self.has_ended = True

    def close(self) -> None:
        if not self.has_ended and self.name not in self.upstream.cut:
            self.upstream.cut.append(self.name)
