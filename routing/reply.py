"""An answer in progress: the candidates tried in order, and the account of it all.

A reply is born with a decision, `start` tries candidates until one shows content, iterating
or pouring gives the answer's Pieces, and `close` ends it: whatever happened by then is the
outcome. It is recorded exactly once. Nothing is awaited after the end, so a cancelled caller is
accounted for like any other.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import count

from .accounting.payment import Payment
from .again import wait_before_retry_s
from .errors import NOT_SENT, BudgetExceeded, RoutingError, UpstreamFailure, interruption
from .health.key_rates import Turn
from .hedge import normal_s, race
from .leg import NOTHING_USED, Leg, left_s
from .model import (
    Attempt,
    Caller,
    Candidate,
    Decision,
    Outcome,
    Piece,
    RouteRequest,
    Status,
)
from .policy import FALLS_BACK
from .ports import Sink
from .prepare import Prepared
from .refusals import all_failed, nothing_left, without_words
from .visit import Parts


class Reply:
    """One answer. `start` it, iterate or pour it once, `close` it always.

    Attributes:
        attempts: every call that has ended.
        outcome: set when the reply is closed.
        payment: what is set aside and paid for it.
        turn: its place among the requests of a key that has limits.
    """

    turn: Turn | None = None

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
        self._failures: list[UpstreamFailure] = []
        self._hedged: list[Candidate] = []
        self._outrun_usd_nanos = 0
        self._won: Leg | None = None
        self._failed: RoutingError | None = None

    @property
    def winner(self) -> Candidate | None:
        """The candidate that answers, None until `start` returned."""
        return None if self._won is None else self._won.candidate

    @property
    def model_served(self) -> str | None:
        """The model that answers, as far as its provider has named it."""
        return None if self._won is None else self._won.model_served

    @property
    def dropped(self) -> tuple[str, ...]:
        """What of the request the provider that answers was not told."""
        return () if self._won is None else self._won.dropped

    @property
    def forwards(self) -> bool:
        """Whether the Pieces are bytes of the client's own dialect, to be sent as they are."""
        return self._won is not None and self._won.forwards

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """The headers of the provider's answer, none until `start` returned."""
        return {} if self._won is None else self._won.headers

    async def start(self) -> None:
        """Try candidates in order until one shows content.

        Raises:
            RoutingError: none did; the reply is closed and recorded.
        """
        try:
            await self._try_in_order()
        except BaseException as ended:
            self.fail(ended)
            raise

    def __aiter__(self) -> "Reply":
        return self

    async def __anext__(self) -> Piece:
        """Give the next Piece.

        Raises:
            UpstreamFailure: the answer broke off; what came before was real.
            Interrupted: the gateway ended it.
        """
        leg = self._won
        if leg is None or leg.pieces is None:
            raise StopAsyncIteration
        if leg.held:
            return leg.held.pop(0)
        if leg.has_ended:
            raise StopAsyncIteration
        try:
            piece = await leg.pieces.__anext__()
        except StopAsyncIteration:
            leg.has_ended = True
            raise
        except (UpstreamFailure, asyncio.CancelledError) as ended:
            self._break_off(ended)
            raise
        leg.note(piece)
        if leg.failed is not None:
            self._failed = leg.failed
            if not leg.forwards:
                raise leg.failed
        return piece

    def whole(self) -> bytes | None:
        """Give all bytes of an answer that can be forwarded and is there, instead of iterating.

        None where there is more to come.
        """
        leg = self._won
        if leg is None or not leg.has_ended or not leg.forwards:
            return None
        held, leg.held = leg.held, []
        return held[0].raw if len(held) == 1 else b"".join([piece.raw for piece in held])

    async def pour(self, sink: Sink) -> None:
        """Give the Pieces that are left to a sink as they come, instead of iterating.

        Raises:
            UpstreamFailure: the answer broke off; what came before was real.
            Interrupted: the gateway ended it.
        """
        leg = self._won
        if leg is None:
            return
        try:
            await leg.pour(sink)
        except (UpstreamFailure, asyncio.CancelledError) as ended:
            self._break_off(ended)
            raise
        finally:
            self._failed = self._failed or leg.failed

    def refuse(self, error: RoutingError) -> None:
        """End the reply because of an error."""
        self._failed = error
        self.close()

    def fail(self, ended: BaseException) -> None:
        """End the reply because of an error, or because its client has left."""
        if isinstance(ended, RoutingError):
            self.refuse(ended)
            return
        self._break_off(ended)
        self.close()

    def close(self) -> None:
        """End the upstream call if it runs, settle, and record the outcome, once."""
        if self.outcome is not None:
            return
        self._end_all(self._failed if isinstance(self._failed, UpstreamFailure) else None)
        parts, self.outcome = self._parts, self._story()
        if self.request.session_id is not None:
            parts.sessions.note(self.outcome, now_s=parts.clock.now())
        if self.turn is not None:
            self.turn.end(_tokens(self.outcome, self.turn), parts.clock.now())
        parts.experience.learn(self.outcome)
        told = self.outcome if self._caller.keep_content else without_words(self.outcome)
        parts.ledger.record(told, None if self._prepared is None else self._prepared.snapshot)

    def _break_off(self, ended: BaseException) -> None:
        """Note why the answer broke off.

        Raises:
            Interrupted: in the place of a cancellation by the gateway, to be told like any error.
        """
        if isinstance(ended, UpstreamFailure):
            self._failed = ended
        elif (reason := interruption(ended)) is not None:
            self.refuse(reason)
            raise reason from None

    async def _try_in_order(self) -> None:
        decision, prepared = self.decision, self._prepared
        assert decision is not None and prepared is not None  # noqa: S101, PT018 - start's duty
        if not decision.order:
            raise nothing_left(self.request, prepared.snapshot, decision)
        failures = self._failures
        refused: BudgetExceeded | None = None
        failed, attempts_max = 0, prepared.snapshot.attempts_max
        for candidate in decision.order:
            tried = failed + len(self._hedged)
            if tried >= attempts_max or candidate in self._hedged or self._too_small(candidate):
                continue
            try:
                is_last = tried + 1 >= attempts_max or candidate is decision.order[-1]
                await self._try_often(prepared, candidate, is_last=is_last)
            except BudgetExceeded as error:
                refused = error
            except UpstreamFailure as failure:
                failed += failure.kind not in NOT_SENT
                if not FALLS_BACK[failure.kind]:
                    break
            else:
                return
        if failures:
            raise all_failed(self.request.request_id, self.attempts, failures)
        raise refused or nothing_left(self.request, prepared.snapshot, decision)

    def _too_small(self, candidate: Candidate) -> bool:
        """Whether a model failed for want of room and this one is not known to have more."""
        if not self._failures or self._failures[-1].kind != "context_too_long":
            return False
        failed = self.attempts[-1].candidate.facts.context_tokens_max or 0
        return (candidate.facts.context_tokens_max or 0) <= failed

    async def _try_often(self, prepared: Prepared, candidate: Candidate, *, is_last: bool) -> None:
        """Try one candidate, again as its combo wishes."""
        at_end = self.decision is None or candidate is self.decision.order[-1]
        percentile = None if is_last else prepared.patience.hedge_percentile
        for retries in count():
            leg = self._leg_at(prepared, candidate)
            try:
                if not leg.enter_now():
                    await leg.enter(is_last=at_end)
                leg.begin(before=self.attempts)
                wait_s = None if percentile is None else self._normal_s(leg, percentile)
                if wait_s is None:
                    await leg.call()
                    self._won = leg
                else:
                    await self._hedge(leg, wait_s)
            except UpstreamFailure as failure:
                self._end_all(failure)
                self._failures.append(failure)
                wait_s = wait_before_retry_s(
                    failure, prepared.patience, retries=retries, is_last=is_last
                )
                if wait_s is None or wait_s >= left_s(prepared, self.request, self._parts.clock):
                    raise
            except BudgetExceeded:
                self._end_all(None)
                raise
            else:
                return
            await self._parts.sleep(wait_s)

    def _leg_at(self, prepared: Prepared, candidate: Candidate) -> Leg:
        number = len(self.attempts) + len(self._legs) + 1
        leg = Leg(self._parts, prepared, self.request, self.payment, candidate, number)
        self._legs.append(leg)
        return leg

    def _normal_s(self, leg: Leg, percentile: int) -> float | None:
        """Give how long its first byte is waited for, None when it is to be the only call.

        An answer that had to be clamped shows that money is short: then one call is enough.
        """
        if not self.request.operation.features.stream or self.payment.output_tokens_clamp:
            return None
        order = self.decision.order if self.decision is not None else ()
        same = [one for one in order if one.model == leg.candidate.model]
        return normal_s(self._parts.health.timings_of(same), percentile)

    async def _hedge(self, leg: Leg, wait_s: float) -> None:
        """Call, and a second candidate beside it where the first byte is late.

        Raises:
            RoutingError: no call had content; the error of the first.
        """
        ended = await race(leg, wait_s, self._second, self._begins)
        rival = ended.rival
        if rival is not None and rival is not ended.winner:
            failure = ended.rival_error if isinstance(ended.rival_error, UpstreamFailure) else None
            self._end(rival, failure, outrun=failure is None)
            if failure is not None:
                self._hedged.append(rival.candidate)
                self._failures.append(failure)
        if ended.winner is None:
            assert ended.error is not None  # noqa: S101 - one has won or the first has failed
            raise ended.error
        self._won = ended.winner
        if ended.winner is rival:
            failure = ended.error if isinstance(ended.error, UpstreamFailure) else None
            self._end(leg, failure, outrun=failure is None)

    async def _second(self, first: Leg) -> Leg | None:
        """Give a leg at the next candidate with a place and its money in full, if it can have them.

        It never queues, and never makes its answer shorter so that both can be paid.
        """
        order = self.decision.order if self.decision is not None else ()
        after = order[order.index(first.candidate) + 1 :]
        free = (one for one in after if one not in self._hedged and not self._too_small(one))
        candidate = next(free, None)
        if candidate is None:
            return None
        leg = self._leg_at(first.prepared, candidate)
        try:
            await leg.enter(is_last=False, queues=False)
        except RoutingError:
            self._end(leg, None)
            return None
        if self.payment.output_tokens_clamp is not None:
            self.payment.output_tokens_clamp = None
            self._end(leg, None)
            return None
        return leg

    def _begins(self, leg: Leg, *, is_needed: bool) -> bool:
        """Let a second call go out if it is still needed and its account has a retry left."""
        if is_needed:
            with suppress(UpstreamFailure):
                leg.begin(before=self.attempts, hedges=True)
        if not leg.visit.has_begun:
            self._end(leg, None)
        return leg.visit.has_begun

    def _end(self, leg: Leg, failure: UpstreamFailure | None, *, outrun: bool = False) -> None:
        self._legs.remove(leg)
        attempt = leg.end(failure, outrun=outrun)
        if outrun:
            self._outrun_usd_nanos += leg.paid_usd_nanos
        if attempt is not None:
            self.attempts.append(attempt)

    def _end_all(self, failure: UpstreamFailure | None) -> None:
        while self._legs:
            self._end(self._legs[0], failure)

    def _story(self) -> Outcome:
        leg = self._won
        status: Status = "answered"
        if self._failed is not None:
            status = "failed" if self.attempts else "refused"
        elif leg is None or not leg.has_ended:
            status = "client_gone"
        usage, source = NOTHING_USED
        cost: int | None = 0
        if leg is not None:
            usage, source = leg.used
            cost = leg.billed_usd_nanos
            if cost is not None:
                cost = min(cost, leg.paid_usd_nanos) + self._outrun_usd_nanos
        clock = self._parts.clock
        total_s = clock.now() - self.request.at_s
        # By position: names are six times as dear, and this is done for every request.
        return Outcome(
            self.request,
            self._caller.key_id,
            self.decision,
            tuple(self.attempts),
            status,
            usage,
            source,
            cost,
            self.payment.reserved_usd_nanos,
            clock.unix() - total_s,
            None if leg is None else leg.content_s,
            total_s,
            None if leg is None else leg.candidate,
            None if leg is None else leg.model_served,
            None if leg is None else leg.finish,
            None if self._failed is None else self._failed.code,
            "" if self._failed is None else str(self._failed),
            self.payment.output_tokens_clamp,
        )


def _tokens(outcome: Outcome, turn: Turn) -> int:
    """Give what an answer took; what nobody has told stays at what was expected."""
    if outcome.usage_source == "none" and outcome.status == "answered":
        return turn.need.tokens
    return outcome.usage.input_tokens + outcome.usage.output_tokens
