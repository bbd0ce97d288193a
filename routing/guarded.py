"""An answer that a content guard looks at before its client sees it."""

import asyncio
from collections import deque

from msgspec import structs

from .content import Finding, Side
from .errors import ContentBlocked
from .guarding.answers import AnswerGate
from .guarding.text import Watch
from .guarding.turns import in_turns
from .model import Caller, Decision, Outcome, Piece, RouteRequest
from .ports import Sink
from .prepare import Prepared
from .reply import Reply
from .visit import Parts


class GuardedReply(Reply):
    """A Reply whose Deltas pass a gate. Its request's operation must not be forwarded.

    What is to be blocked ends the answer as an error; a client of a stream may have seen what
    came before, and none of what was found.
    """

    def __init__(
        self,
        parts: Parts,
        request: RouteRequest,
        caller: Caller,
        prepared: Prepared,
        decision: Decision,
    ) -> None:
        super().__init__(parts, request, caller, prepared, decision)
        self._ready: deque[Piece] = deque()
        self._is_over = False
        self.watched: Watch | None = None
        self._gate: AnswerGate | None = None

    def watch(self, watch: Watch) -> None:
        """Have a guard look."""
        self.watched, self._gate = watch, AnswerGate(watch)

    async def __anext__(self) -> Piece:
        """Give the next Piece.

        Raises:
            UpstreamFailure: the answer broke off; what came before was real.
            ContentBlocked: a guard found what is not to be shown.
        """
        while not self._ready:
            if self._is_over:
                raise StopAsyncIteration
            await self._look()
        return self._ready.popleft()

    async def pour(self, sink: Sink) -> None:
        """Give the Pieces that are left to a sink. Raises as `__anext__`."""
        async for piece in self:
            wait = sink.take(piece)
            if wait is not None:
                await wait

    def whole(self) -> bytes | None:
        """Give None: there are no bytes that could be forwarded."""
        return None

    async def _look(self) -> None:
        gate = self._gate
        assert gate is not None  # noqa: S101 - begin gives it one
        try:
            piece = await super().__anext__()
        except StopAsyncIteration:
            self._is_over = True
            steps = gate.ending()
        else:
            if piece.delta is None:
                return
            steps = gate.feeding(piece.delta)
        try:
            given = await in_turns(steps)
        except asyncio.CancelledError as ended:
            self._break_off(ended)
            raise
        self._block()
        self._ready.extend(Piece(b"", one) for one in given)

    def _block(self) -> None:
        watch = self.watched
        if watch is None or watch.mode != "block" or not watch.found:
            return
        self._failed = blocked("answer", watch)
        raise self._failed

    def _story(self) -> Outcome:
        outcome = super()._story()
        if self.watched is None or not self.watched.found:
            return outcome
        known = outcome.request.findings or ()
        request = structs.replace(
            outcome.request, findings=(*known, *findings("answer", self.watched))
        )
        return structs.replace(outcome, request=request)


def findings(side: Side, watch: Watch) -> tuple[Finding, ...]:
    """Give what was found, by kind."""
    return tuple(
        Finding(side, kind, count, watch.mode) for kind, count in sorted(watch.found.items())
    )


def blocked(side: Side, watch: Watch) -> ContentBlocked:
    """Give the error for what is not to be shown. It names kinds, and nothing of what was said."""
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(watch.found.items()))
    if side == "request":
        return ContentBlocked(
            f"the request holds {told}, and this gateway's rules let none of that go to a "
            "provider: take it out and ask again; `omniroute guards` shows the rules"
        )
    return ContentBlocked(
        f"the answer holds {told}, and this gateway's rules show none of that; `omniroute guards` "
        "shows the rules"
    )
