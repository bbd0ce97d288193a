"""One call's stay at its candidate: its place there, its probe, and what is noted at its end.

A place is taken before money is held, so that nothing is reserved for a request that queues.
What was learned is told once, at the end, and only of a call that went out: a request that
found no place or an open circuit says nothing of the provider.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from .again import REFUSED_FOR_LOAD
from .errors import UpstreamFailure
from .health.book import HealthBook
from .health.loads import Loads
from .health.tallies import Tallies
from .model import Attempt, Candidate
from .policy import COUNTS_FOR_BREAKER, FALLS_BACK
from .ports import Budgets, Clock, Ledger, Upstream
from .prepare import Prepared
from .upstream.limits import limits_of


@dataclass(frozen=True, slots=True)
class Parts:
    """What a reply works with."""

    upstream: Upstream
    ledger: Ledger
    budgets: Budgets
    health: HealthBook
    clock: Clock
    instance_id: str
    loads: Loads
    tallies: Tallies
    sleep: Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class Visit:
    """A stay at one candidate.

    Attributes:
        started_s: when it came, and from `begin` on when its call went out.
        has_begun: whether the call went out.
    """

    parts: Parts
    prepared: Prepared
    candidate: Candidate
    started_s: float
    has_begun: bool = False
    _has_place: bool = False

    async def enter(self, *, left_s: float) -> None:
        """Take a place, waiting for it where the combo bounds the calls.

        Raises:
            UpstreamFailure: none came free in time.
        """
        patience = self.prepared.patience
        queue_s = max(min(patience.queue_s, left_s), 0.0)
        self._has_place = await self.parts.loads.enter(
            self.candidate, places=patience.concurrency, queue_s=queue_s
        )
        if not self._has_place:
            raise UpstreamFailure(f"no place came free within {queue_s:g} s", kind="busy")

    def begin(self, *, before: Sequence[Attempt]) -> None:
        """Let the call go out.

        Args:
            before: the request's attempts so far: one more at an account of theirs is a retry.

        Raises:
            UpstreamFailure: its circuit opened meanwhile, or retries there are used up.
        """
        self.started_s = self.parts.clock.now()
        # What was busy for us never reached the account.
        again = any(
            one.candidate.account_id == self.candidate.account_id and one.failure != "busy"
            for one in before
        )
        self.parts.health.admit(self.candidate, self.started_s, again=again)
        self.has_begun = True
        snapshot = self.prepared.snapshot
        if snapshot.combo is not None:
            self.parts.tallies.used(snapshot.combo, self.candidate, snapshot.candidates)

    def learn(self, headers: Mapping[bytes, bytes]) -> None:
        """Note the rate limits that the answer's headers tell of."""
        clock = self.parts.clock
        limits = limits_of(headers, now_unix_s=clock.unix())
        if limits:
            self.parts.health.learn(self.candidate, limits, now_s=clock.now())

    def end(
        self,
        failure: UpstreamFailure | None,
        *,
        ended_well: bool,
        first_byte_s: float | None,
        swapped: bool,
    ) -> None:
        """Give the place back and note how the call went.

        `swapped` says that another model answered than was asked for.
        """
        if self._has_place:
            self.parts.loads.leave(self.candidate)
            self._has_place = False
        if not self.has_begun:
            return
        if swapped:
            self.parts.health.timing(self.candidate).swapped += 1
        if failure is not None:
            self._failed(failure)
        elif ended_well:
            self._answered(first_byte_s)
        else:
            self.parts.health.released(self.candidate)

    def _failed(self, failure: UpstreamFailure) -> None:
        parts, kind, now = self.parts, failure.kind, self.parts.clock.now()
        parts.health.failed(self.candidate, kind, hint_s=failure.retry_after_s, now_s=now)
        if COUNTS_FOR_BREAKER[kind] or kind in REFUSED_FOR_LOAD:
            parts.health.timing(self.candidate).failed(now - self.started_s, now)
        combo = self.prepared.snapshot.combo
        if combo is not None and FALLS_BACK[kind]:
            parts.tallies.failed(combo, self.candidate)

    def _answered(self, first_byte_s: float | None) -> None:
        parts, combo = self.parts, self.prepared.snapshot.combo
        now = parts.clock.now()
        took_s = now - self.started_s
        waited_s = took_s if first_byte_s is None else first_byte_s
        parts.health.succeeded(self.candidate, first_byte_s=waited_s, total_s=took_s, now_s=now)
        if combo is not None:
            parts.tallies.answered(combo, self.candidate, unix_s=parts.clock.unix())
