"""An answer in progress: the candidates tried in order, and the account of it all.

A reply is born with a decision, `start` tries candidates until one shows content, iterating
gives the answer's Pieces, and `close` ends it: whatever happened by then is the outcome. It
is recorded exactly once. Nothing is awaited after the end, so a cancelled caller is
accounted for like any other.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count

from .accounting.billed import billed_usd_nanos
from .accounting.cost import output_tokens_bound
from .accounting.payment import Payment
from .again import wait_before_retry_s
from .catalog.swaps import told_swap
from .conversation import Delta, Usage
from .errors import BudgetExceeded, FailureKind, RoutingError, UpstreamFailure
from .model import (
    Attempt,
    Call,
    Caller,
    Candidate,
    Decision,
    Limits,
    Outcome,
    Piece,
    RouteRequest,
    Status,
    UsageSource,
)
from .policy import FALLS_BACK
from .ports import Answer
from .prepare import Prepared
from .refusals import all_failed, inside, nothing_left
from .visit import Parts, Visit

HOP_HEADER = "x-omniroute-hop"
"""Names the gateways that a request came through, so that a loop is seen."""

WHOLE_ANSWER_SHARE = 0.5
"""How much of the request's total time one whole answer may take before its first byte."""

HELD_BYTES_MAX = 2**20
"""The most that is kept of an answer while its first content is awaited."""


class Reply:
    """One answer. `start` it, iterate it once, `close` it always.

    Attributes:
        winner: the candidate that answers, None until `start` returned.
        attempts: every call so far, the last one also while it runs.
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
        self.winner: Candidate | None = None
        self.model_served: str | None = None
        self.usage: Usage | None = None
        self.finish: str | None = None
        self.outcome: Outcome | None = None
        self.payment = Payment(parts.budgets, request, caller)
        self._parts = parts
        self._caller = caller
        self._prepared = prepared
        self._answer: Answer | None = None
        self._pieces: AsyncIterator[Piece] | None = None
        self._held: list[Piece] = []
        self._visit: Visit | None = None
        self._first_byte_s: float | None = None
        self._first_content_s: float | None = None
        self._bytes = 0
        self._failed: RoutingError | None = None
        self._ended = False
        self._at_unix_s = parts.clock.unix() - (parts.clock.now() - request.at_s)

    @property
    def forwards(self) -> bool:
        """Whether the Pieces are bytes of the client's own dialect, to be sent as they are."""
        operation = self.request.operation
        return (
            operation.forward
            and self.winner is not None
            and self.winner.dialect == operation.dialect
        )

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
        if self._held:
            return self._held.pop(0)
        if self._pieces is None:
            raise StopAsyncIteration
        try:
            piece = await self._pieces.__anext__()
        except StopAsyncIteration:
            self._ended = True
            raise
        except UpstreamFailure as failure:
            self._failed = failure
            raise
        self._bytes += len(piece.raw)
        if piece.delta is not None:
            self._note(piece.delta)
        return piece

    def refuse(self, error: RoutingError) -> None:
        """End the reply because of an error."""
        self._failed = error
        self.close()

    def close(self) -> None:
        """End the upstream call if it runs, settle, and record the outcome, once."""
        if self.outcome is not None:
            return
        if self._visit is not None:
            self._end_attempt(self._failed if isinstance(self._failed, UpstreamFailure) else None)
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
                self._end_attempt(failure)
                failures.append(failure)
                wait_s = wait_before_retry_s(
                    failure, prepared.patience, retries=retries, is_last=is_last
                )
                if wait_s is None or wait_s >= self._left_s(prepared):
                    raise
            except BudgetExceeded:
                self._end_attempt(None)
                raise
            else:
                return
            await self._parts.sleep(wait_s)

    async def _try_one(self, prepared: Prepared, candidate: Candidate) -> None:
        parts = self._parts
        number = len(self.attempts) + 1
        self._visit = visit = Visit(parts, prepared, candidate, parts.clock.now())
        self._first_byte_s = None
        await visit.enter(
            self.request.operation.features,
            left_s=self._left_s(prepared),
            is_last=self.decision is None or candidate is self.decision.order[-1],
        )
        operation = await self.payment.reserve(candidate, number)
        left_s = self._left_s(prepared)
        if left_s <= 0:
            raise UpstreamFailure("the request's total time is over", kind="timeout_total")
        visit.begin(before=self.attempts)
        call = Call(
            request_id=self.request.request_id,
            attempt=number,
            candidate=candidate,
            account=prepared.accounts[candidate.account_id],
            operation=operation,
            limits=self._limits(prepared.limits, left_s),
            headers=((HOP_HEADER, self._via()),),
        )
        self._answer = await parts.upstream.open(call)
        visit.learn(self._answer.headers)
        self._pieces = aiter(self._answer)
        await self._await_content(self._pieces, visit)
        self.winner = candidate

    def _left_s(self, prepared: Prepared) -> float:
        return prepared.limits.total_s - (self._parts.clock.now() - self.request.at_s)

    def _limits(self, limits: Limits, left_s: float) -> Limits:
        """Give the limits of one call, with what is left of the request's total time.

        A whole answer shows no byte before it is done, so its first byte may take as long as
        leaves another candidate the same.
        """
        first_byte_s = limits.first_byte_s
        if not self.request.operation.features.stream:
            first_byte_s = max(first_byte_s, limits.total_s * WHOLE_ANSWER_SHARE)
        return replace(limits, total_s=left_s, first_byte_s=first_byte_s)

    def _via(self) -> str:
        came, own = self.request.via, self._parts.instance_id
        return f"{came},{own}" if came else own

    async def _await_content(self, pieces: AsyncIterator[Piece], visit: Visit) -> None:
        held_bytes = 0
        async for piece in pieces:
            if self._first_byte_s is None:
                self._first_byte_s = self._parts.clock.now() - visit.started_s
            self._held.append(piece)
            held_bytes += len(piece.raw)
            delta = piece.delta
            if delta is None and held_bytes <= HELD_BYTES_MAX:
                continue
            if delta is not None and delta.error is not None:
                raise inside(delta.error)
            if delta is not None:
                self._note(delta)
            if delta is None or delta.has_content:
                self._bytes += held_bytes
                self._first_content_s = self._parts.clock.now() - self.request.at_s
                return
        raise UpstreamFailure("the provider's answer has no content", kind="malformed")

    def _note(self, delta: Delta) -> None:
        if delta.usage is not None:
            self.usage = delta.usage
        if delta.finish is not None:
            self.finish = delta.finish
        if delta.model is not None:
            self.model_served = delta.model
        if not self.forwards:
            self._bytes += len(delta.text) + len(delta.reasoning)
        if delta.error is not None:
            # Forwarded bytes already hold the provider's error event; the outcome must say so.
            self._failed = inside(delta.error)
            if not self.forwards:
                raise self._failed

    def _end_attempt(self, failure: UpstreamFailure | None) -> None:
        visit, parts = self._visit, self._parts
        if visit is None:
            return
        self._visit = None
        candidate, ended_well = visit.candidate, failure is None and self._ended
        swap = told_swap(candidate.model, self.model_served)
        if self._answer is not None:
            self._answer.close()
        visit.end(failure, ended_well=ended_well, first_byte_s=self._first_byte_s, swap=swap)
        if failure is None and not visit.has_begun:
            self.payment.settle(0)
            return
        kind: FailureKind | str | None = failure.kind if failure is not None else None
        if kind is None and not ended_well:
            kind = "client_gone"
        self.attempts.append(
            Attempt(
                number=len(self.attempts) + 1,
                candidate=candidate,
                started_s=visit.started_s,
                ended_s=parts.clock.now(),
                first_byte_s=self._first_byte_s,
                failure=kind,
                detail=swap if failure is None else str(failure),
                provider_status=failure.provider_status if failure is not None else 200,
                model_served=self.model_served,
                swapped=bool(swap),
            )
        )
        if beyond := self.payment.settle(self._spent(candidate, failure)):
            words = f"usage of ${beyond / 1e9:.6f} more than it could cost; the most is paid"
            parts.health.alerts.note(
                "usage_suspect", parts.clock.now(), about=candidate, detail=words
            )
        if self.winner is None:
            self._answer, self._pieces, self.usage, self.model_served = None, None, None, None
            self._held.clear()

    def _spent(self, candidate: Candidate, failure: UpstreamFailure | None) -> int:
        if failure is not None and self._first_byte_s is None:
            return 0
        usage = self.usage or self._estimate(candidate)
        return self._billed(candidate, usage) or 0

    def _billed(self, candidate: Candidate, usage: Usage) -> int | None:
        assert self._prepared is not None  # noqa: S101 - who was called was prepared
        served = self.model_served
        return billed_usd_nanos(candidate, served, usage, facts=self._prepared.facts)

    def _estimate(self, candidate: Candidate) -> Usage:
        """Bound what was used when the provider did not say: no token is under a byte."""
        features = self.request.operation.features
        longest = self.payment.output_tokens_clamp or output_tokens_bound(candidate, features)
        written = min(self._bytes, longest)
        return Usage(input_tokens=features.input_tokens_max, output_tokens=written)

    def _story(self) -> Outcome:
        winner = self.winner
        status: Status = "answered"
        if self._failed is not None:
            status = "failed" if self.attempts else "refused"
        elif winner is None or not self._ended:
            status = "client_gone"
        usage = self.usage
        source: UsageSource = "none" if usage is None else "reported"
        if usage is None and winner is not None:
            usage, source = self._estimate(winner), "estimated"
        cost = 0 if winner is None else self._billed(winner, usage or Usage())
        if cost is not None:
            cost = min(cost, self.payment.last_paid_usd_nanos)
        return Outcome(
            request=self.request,
            key_id=self._caller.key_id,
            decision=self.decision,
            attempts=tuple(self.attempts),
            status=status,
            usage=usage or Usage(),
            usage_source=source,
            cost_usd_nanos=cost,
            reserved_usd_nanos=self.payment.reserved_usd_nanos,
            at_unix_s=self._at_unix_s,
            first_content_s=self._first_content_s,
            total_s=self._parts.clock.now() - self.request.at_s,
            winner=winner,
            model_served=self.model_served,
            finish=self.finish,
            error=None if self._failed is None else self._failed.code,
            error_detail="" if self._failed is None else str(self._failed),
            output_tokens_clamp=self.payment.output_tokens_clamp,
        )
