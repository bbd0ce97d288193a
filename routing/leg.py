"""One call of a request, from its place at a candidate to its end.

A reply makes one after the other until a candidate shows content; while it hedges (hedge.py) two
are under way. Everything that belongs to one call is here and nothing is shared: its place, its
hold, its connection, what came so far and what it used. `enter`, `begin` and `call` in this
order, then `end`, once, whatever happened: it never waits.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .accounting.billed import billed_usd_nanos
from .accounting.cost import cost_usd_nanos, output_tokens_bound
from .accounting.partial import is_left, partial_usage
from .accounting.payment import Payment
from .catalog.providers import provider_named
from .catalog.swaps import told_swap
from .conversation import Delta, Usage, UsageSource
from .errors import FailureKind, UpstreamFailure
from .model import (
    Attempt,
    Call,
    Candidate,
    Limits,
    Operation,
    Piece,
    RouteRequest,
)
from .policy import OUTRUN
from .ports import Answer, Clock, Sink, Wait
from .prepare import Prepared
from .refusals import inside
from .tracing import HEADER as TRACEPARENT
from .tracing import attempt_name, in_span, span_id
from .visit import Parts, Visit

HOP_HEADER = "x-omniroute-hop"
"""Names the gateways that a request came through, so that a loop is seen."""

WHOLE_ANSWER_SHARE = 0.5
"""How much of the request's total time one whole answer may take before its first byte."""

OUTRUN_WORDS = "cut off, as another call had content first"

NOTHING_USED: tuple[Usage, UsageSource] = (Usage(), "none")

HELD_BYTES_MAX = 2**20
"""The most that is kept of an answer while its first content is awaited."""


def _nowhere(data: bytes) -> Wait:
    raise AssertionError("nothing is poured yet")


@dataclass(slots=True, eq=False)
class Leg:
    """One call.

    Attributes:
        number: of the attempt, from 1.
        held: what came until the first content, to be given first.
        content_s: how long after the request's arrival the first content came.
        failed: an error inside the answer after its first content.
        has_ended: whether the answer came to its end.
        used: what it is taken to have used in the end, and where that is from.
        billed_usd_nanos: what it is taken to have cost; None where the price is unknown.
        paid_usd_nanos: what was paid for it in the end.
    """

    parts: Parts
    prepared: Prepared
    request: RouteRequest
    payment: Payment
    candidate: Candidate
    number: int
    visit: Visit = field(init=False)
    _operation: Operation = field(init=False)
    held: list[Piece] = field(default_factory=list[Piece])
    first_byte_s: float | None = None
    content_s: float | None = None
    usage: Usage | None = None
    finish: str | None = None
    model_served: str | None = None
    failed: UpstreamFailure | None = None
    has_ended: bool = False
    used: tuple[Usage, UsageSource] = NOTHING_USED
    billed_usd_nanos: int | None = 0
    paid_usd_nanos: int = 0
    pieces: AsyncIterator[Piece] | None = None
    _answer: Answer | None = None
    _sink: Sink | None = None
    _write: Callable[[bytes], Wait] = _nowhere
    _bytes: int = 0

    def __post_init__(self) -> None:
        # What `enter` has reserved for may be shorter.
        self._operation = self.request.operation
        self.visit = Visit(self.parts, self.prepared, self.candidate, self.parts.clock.now())

    @property
    def forwards(self) -> bool:
        """Whether the Pieces are bytes of the client's own dialect, to be sent as they are."""
        operation = self.request.operation
        return operation.forward and (
            self.candidate.dialect == operation.dialect or operation.kind != "chat"
        )

    @property
    def dropped(self) -> tuple[str, ...]:
        """What of the request its provider was not told."""
        return () if self._answer is None else self._answer.dropped

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """The headers of the provider's answer, as far as there is one."""
        return {} if self._answer is None else self._answer.headers

    @property
    def left_s(self) -> float:
        """What is left of the request's total time."""
        return left_s(self.prepared, self.request, self.parts.clock)

    def enter_now(self) -> bool:
        """Take a place and set money aside where neither has to be waited for, else `enter`.

        Raises:
            BudgetExceeded: it cannot be paid.
        """
        if not self.visit.enter_now(self.request.operation.features):
            return False
        operation = self.payment.reserve_now(self.candidate, self.number)
        if operation is None:
            return False
        self._operation = operation
        return True

    async def enter(self, *, is_last: bool, queues: bool = True) -> None:
        """Take a place and set money aside.

        Args:
            is_last: no other candidate is left.
            queues: a place may be waited for.

        Raises:
            UpstreamFailure: no place came free in time.
            BudgetExceeded: it cannot be paid.
        """
        features = self.request.operation.features
        left_s = self.left_s if queues else 0.0
        if not self.visit.has_place:
            await self.visit.enter(features, left_s=left_s, is_last=is_last)
        self._operation = await self.payment.reserve(self.candidate, self.number)

    def begin(self, *, before: Sequence[Attempt], hedges: bool = False) -> None:
        """Let the call go out; see Visit.begin.

        Raises:
            UpstreamFailure: its circuit opened meanwhile, retries there are used up, or the
                request's time is over.
        """
        now_s = self.parts.clock.now()
        if now_s - self.request.at_s >= self.prepared.limits.total_s:
            raise UpstreamFailure("the request's total time is over", kind="timeout_total")
        self.visit.begin(now_s, before=before, hedges=hedges)

    async def call(self) -> None:
        """Call, and wait for the first content.

        Raises:
            UpstreamFailure: it failed before.
        """
        came, own = self.request.via, self.parts.instance_id
        headers: tuple[tuple[str, str], ...] = ((HOP_HEADER, f"{came},{own}" if came else own),)
        if self._operation.headers and self.forwards:
            headers += self._operation.headers
        if self.request.trace is not None:
            span = span_id(attempt_name(self.request.request_id, self.number))
            headers += ((TRACEPARENT, in_span(self.request.trace, span)),)
        call = Call(
            self.request.request_id,
            self.number,
            self.candidate,
            self.prepared.accounts[self.candidate.account_id],
            self._operation,
            self._limits(self.prepared.limits),
            headers,
        )
        self._answer = await self.parts.upstream.open(call)
        self.visit.learn(self._answer.headers)
        self.pieces = aiter(self._answer)
        await self._await_content(self.pieces)

    def note(self, piece: Piece) -> None:
        """Note what a Piece tells of the answer; an error that it tells of is `failed`."""
        self._bytes += len(piece.raw)
        if piece.delta is not None:
            self._note(piece.delta)

    async def pour(self, sink: Sink) -> None:
        """Give what is left of the answer to a sink as it comes, and note it.

        Raises:
            UpstreamFailure: it broke off, or tells of an error that the client must hear from us.
        """
        answer, pieces = self._answer, self.pieces
        assert answer is not None and pieces is not None  # noqa: S101, PT018 - it was called
        self._sink, self._write = sink, sink.write
        for piece in self.held:
            if (wait := sink.take(piece)) is not None:
                await wait
        self.held.clear()
        if answer.pour is not None:
            await answer.pour(self)
        else:
            async for piece in pieces:
                if (wait := self.take(piece)) is not None:
                    await wait
        self.has_ended = True

    def write(self, data: bytes) -> Wait:
        """Count bytes and pass them on; see ports.Sink."""
        self._bytes += len(data)
        return self._write(data)

    def take(self, piece: Piece) -> Wait:
        """Note a Piece and pass it on; see ports.Sink."""
        self._bytes += len(piece.raw)
        if piece.delta is not None:
            self._note(piece.delta)
            if self.failed is not None and not self.forwards:
                raise self.failed
        assert self._sink is not None  # noqa: S101 - `pour` has set it
        return self._sink.take(piece)

    def end(self, failure: UpstreamFailure | None, *, outrun: bool = False) -> Attempt | None:
        """Cut the call if it runs, give its place back, settle, and tell health how it went.

        Args:
            failure: why it failed; None when it did not, or nobody knows as the client left.
            outrun: another call of the request had content before.

        Returns:
            The attempt; None when the call never went out and nobody failed.
        """
        ended_well, ended_s = failure is None and self.has_ended, self.parts.clock.now()
        swap = told_swap(self.candidate.model, self.model_served)
        if self._answer is not None:
            self._answer.close()
        if outrun:
            self.visit.outrun(has_content=self.content_s is not None)
        else:
            self.visit.end(
                failure,
                ended_well=ended_well,
                first_byte_s=self.first_byte_s,
                swap=swap,
                now_s=ended_s,
            )
        if failure is None and not self.visit.has_begun:
            self.payment.settle(0, self.number)
            return None
        self.used = self._used(failure)
        self.billed_usd_nanos = self._billed_usd_nanos(swapped=bool(swap))
        self._pay(self.billed_usd_nanos or 0)
        kind: FailureKind | str | None = failure.kind if failure is not None else None
        if kind is None and not ended_well:
            kind = OUTRUN if outrun else "client_gone"
        return Attempt(
            self.number,
            self.candidate,
            self.visit.started_s,
            ended_s,
            self.first_byte_s,
            kind,
            str(failure) if failure is not None else OUTRUN_WORDS if outrun else swap,
            failure.provider_status if failure is not None else 200,
            self.model_served,
            bool(swap),
        )

    def _billed_usd_nanos(self, *, swapped: bool) -> int | None:
        if not swapped:
            return cost_usd_nanos(self.candidate.facts.price, self.used[0])
        served, facts = self.model_served, self.prepared.facts
        return billed_usd_nanos(self.candidate, served, self.used[0], facts=facts)

    def _limits(self, limits: Limits) -> Limits:
        """Give the limits of one call, with what is left of the request's total time.

        A whole answer shows no byte before it is done, so its first byte may take as long as
        leaves another candidate the same.
        """
        first_byte_s = limits.first_byte_s
        if not self.request.operation.features.stream:
            first_byte_s = max(first_byte_s, limits.total_s * WHOLE_ANSWER_SHARE)
        return Limits(
            limits.connect_s,
            first_byte_s,
            limits.idle_s,
            limits.total_s - (self.visit.started_s - self.request.at_s),
            limits.answer_bytes_max,
            limits.event_bytes_max,
        )

    async def _await_content(self, pieces: AsyncIterator[Piece]) -> None:
        held_bytes = 0
        async for piece in pieces:
            if self.first_byte_s is None:
                self.first_byte_s = self.parts.clock.now() - self.visit.started_s
            self.held.append(piece)
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
                self.content_s = self.parts.clock.now() - self.request.at_s
                # A whole answer that is forwarded is one Piece: nothing comes after it.
                whole = self.forwards and not self.request.operation.features.stream
                self.has_ended = whole and delta is not None and delta.ended
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
            self.failed = inside(delta.error)

    def _pay(self, spent_usd_nanos: int) -> None:
        self.paid_usd_nanos = self.payment.settle(spent_usd_nanos, self.number)
        beyond = spent_usd_nanos - self.paid_usd_nanos
        if beyond > 0:
            self.used = self.used[0], "suspect"
            words = f"usage of ${beyond / 1e9:.6f} more than it could cost; the most is paid"
            health, now_s = self.parts.health, self.parts.clock.now()
            health.alerts.note("usage_suspect", now_s, about=self.candidate, detail=words)

    def _used(self, failure: UpstreamFailure | None) -> tuple[Usage, UsageSource]:
        is_whole = self.has_ended or (self.finish is not None and failure is None)
        if is_whole and self.usage is not None:
            return self.usage, "reported"
        left = not is_whole and is_left(None if failure is None else failure.kind)
        if not self.visit.has_begun or (self.first_byte_s is None and not left):
            return NOTHING_USED
        features, known = self.request.operation.features, provider_named(self.candidate.provider)
        longest = self.payment.output_tokens_clamp or output_tokens_bound(self.candidate, features)
        most = Usage(
            input_tokens=features.input_tokens_max,
            output_tokens=longest,
            units=features.units_max,
        )
        runs_on = left and (not features.stream or (known is not None and known.runs_on))
        partial = partial_usage(self.usage, most, written=self._bytes, runs_on=runs_on)
        return partial, "estimated"


def left_s(prepared: Prepared, request: RouteRequest, clock: Clock) -> float:
    """Give what is left of a request's total time."""
    return prepared.limits.total_s - (clock.now() - request.at_s)
