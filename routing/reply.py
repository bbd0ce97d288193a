"""An answer in progress: the candidates tried in order, and the account of it all.

A reply is born with a decision, `start` tries candidates until one shows content, iterating
gives the answer's Pieces, and `close` ends it: whatever happened by then is the outcome. It
is recorded exactly once. Nothing is awaited after the end, so a cancelled caller is
accounted for like any other.
"""

from itertools import count

from .accounting.payment import Payment
from .again import wait_before_retry_s
from .conversation import Usage
from .errors import BudgetExceeded, RoutingError, UpstreamFailure
from .leg import Leg, left_s
from .model import (
    Attempt,
    Caller,
    Candidate,
    Decision,
    Outcome,
    Piece,
    RouteRequest,
    Status,
    UsageSource,
)
from .policy import FALLS_BACK
from .prepare import Prepared
from .refusals import all_failed, nothing_left
from .visit import Parts


class Reply:
    """One answer. `start` it, iterate it once, `close` it always.

    Attributes:
        attempts: every call that has ended.
        outcome: set when the reply is closed.
        payment: what is set aside and paid for it.
    """

    def __init__(
        self,
        parts: Parts,
        request: RouteRequest,
        caller: Caller,
        prepared: Prepared | None,
        decision: Decision | None,
    ) -> None:
        self.request = request
        self.decision = decision
        self.attempts: list[Attempt] = []
        self.outcome: Outcome | None = None
        self.payment = Payment(parts.budgets, request, caller)
        self._parts = parts
        self._caller = caller
        self._prepared = prepared
        self._legs: list[Leg] = []
        self._won: Leg | None = None
        self._failed: RoutingError | None = None
        self._at_unix_s = parts.clock.unix() - (parts.clock.now() - request.at_s)

    @property
    def winner(self) -> Candidate | None:
        """The candidate that answers, None until `start` returned."""
        return None if self._won is None else self._won.candidate

    @property
    def model_served(self) -> str | None:
        """The model that answers, as far as its provider has named it."""
        return None if self._won is None else self._won.model_served

    @property
    def forwards(self) -> bool:
        """Whether the Pieces are bytes of the client's own dialect, to be sent as they are."""
        return self._won is not None and self._won.forwards

    async def start(self) -> None:
        """Try candidates in order until one shows content.

        Raises:
            RoutingError: none did; the reply is closed and recorded.
        """
        try:
            await self._try_in_order()
        except RoutingError as error:
            self.refuse(error)
            raise
        except BaseException:
            self.close()
            raise

    def __aiter__(self) -> "Reply":
        return self

    async def __anext__(self) -> Piece:
        """Give the next Piece.

        Raises:
            UpstreamFailure: the answer broke off; what came before was real.
        """
        leg = self._won
        if leg is None or leg.pieces is None:
            raise StopAsyncIteration
        if leg.held:
            return leg.held.pop(0)
        try:
            piece = await leg.pieces.__anext__()
        except StopAsyncIteration:
            leg.has_ended = True
            raise
        except UpstreamFailure as failure:
            self._failed = failure
            raise
        leg.note(piece)
        if leg.failed is not None:
            self._failed = leg.failed
            if not leg.forwards:
                raise leg.failed
        return piece

    def refuse(self, error: RoutingError) -> None:
        """End the reply because of an error."""
        self._failed = error
        self.close()

    def close(self) -> None:
        """End the upstream call if it runs, settle, and record the outcome, once."""
        if self.outcome is not None:
            return
        self._end(self._failed if isinstance(self._failed, UpstreamFailure) else None)
        self.outcome = self._story()
        self._parts.sessions.note(self.outcome, now_s=self._parts.clock.now())
        self._parts.experience.learn(self.outcome)
        self._parts.ledger.record(
            self.outcome, None if self._prepared is None else self._prepared.snapshot
        )

    async def _try_in_order(self) -> None:
        decision, prepared = self.decision, self._prepared
        assert decision is not None and prepared is not None  # noqa: S101, PT018 - start's duty
        if not decision.order:
            raise nothing_left(self.request, prepared.snapshot, decision)
        failures: list[UpstreamFailure] = []
        refused: BudgetExceeded | None = None
        failed, attempts_max = 0, prepared.snapshot.attempts_max
        for candidate in decision.order:
            if failed >= attempts_max or self._too_small(candidate, failures):
                continue
            try:
                is_last = failed + 1 >= attempts_max or candidate is decision.order[-1]
                await self._try_often(prepared, candidate, failures, is_last=is_last)
            except BudgetExceeded as error:
                refused = error
            except UpstreamFailure as failure:
                # Who was busy for us was passed over, not tried.
                failed += failure.kind != "busy"
                if not FALLS_BACK[failure.kind]:
                    break
            else:
                return
        if failures:
            raise all_failed(self.request.request_id, self.attempts, failures)
        raise refused or nothing_left(self.request, prepared.snapshot, decision)

    def _too_small(self, candidate: Candidate, failures: list[UpstreamFailure]) -> bool:
        """Whether a model failed for want of room and this one is not known to have more."""
        if not failures or failures[-1].kind != "context_too_long":
            return False
        failed = self.attempts[-1].candidate.facts.context_tokens_max or 0
        return (candidate.facts.context_tokens_max or 0) <= failed

    async def _try_often(
        self,
        prepared: Prepared,
        candidate: Candidate,
        failures: list[UpstreamFailure],
        *,
        is_last: bool,
    ) -> None:
        """Try one candidate, again as its combo wishes; `failures` gets each that came."""
        for retries in count():
            try:
                await self._try_one(prepared, candidate)
            except UpstreamFailure as failure:
                self._end(failure)
                failures.append(failure)
                wait_s = wait_before_retry_s(
                    failure, prepared.patience, retries=retries, is_last=is_last
                )
                if wait_s is None or wait_s >= left_s(prepared, self.request, self._parts.clock):
                    raise
            except BudgetExceeded:
                self._end(None)
                raise
            else:
                return
            await self._parts.sleep(wait_s)

    async def _try_one(self, prepared: Prepared, candidate: Candidate) -> None:
        leg = Leg(
            self._parts,
            prepared,
            self.request,
            self.payment,
            candidate,
            len(self.attempts) + 1,
        )
        self._legs.append(leg)
        await leg.enter(is_last=self.decision is None or candidate is self.decision.order[-1])
        leg.begin(before=self.attempts)
        await leg.call()
        self._won = leg

    def _end(self, failure: UpstreamFailure | None) -> None:
        """End every call that runs."""
        while self._legs:
            attempt = self._legs.pop().end(failure)
            if attempt is not None:
                self.attempts.append(attempt)

    def _story(self) -> Outcome:
        leg = self._won
        status: Status = "answered"
        if self._failed is not None:
            status = "failed" if self.attempts else "refused"
        elif leg is None or not leg.has_ended:
            status = "client_gone"
        usage = Usage()
        source: UsageSource = "none"
        cost: int | None = 0
        if leg is not None:
            usage = leg.usage or leg.estimate()
            source = "estimated" if leg.usage is None else "reported"
            cost = leg.billed_usd_nanos(usage)
            if cost is not None:
                cost = min(cost, leg.paid_usd_nanos)
        return Outcome(
            request=self.request,
            key_id=self._caller.key_id,
            decision=self.decision,
            attempts=tuple(self.attempts),
            status=status,
            usage=usage,
            usage_source=source,
            cost_usd_nanos=cost,
            reserved_usd_nanos=self.payment.reserved_usd_nanos,
            at_unix_s=self._at_unix_s,
            first_content_s=None if leg is None else leg.content_s,
            total_s=self._parts.clock.now() - self.request.at_s,
            winner=self.winner,
            model_served=self.model_served,
            finish=None if leg is None else leg.finish,
            error=None if self._failed is None else self._failed.code,
            error_detail="" if self._failed is None else str(self._failed),
            output_tokens_clamp=self.payment.output_tokens_clamp,
        )
