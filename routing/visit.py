"""One call's stay at its candidate: its place there, its probe, and what is noted at its end.

A place is taken before money is held, so that nothing is reserved for a request that queues.
What was learned is told once, at the end, and only of a call that went out: a request that
found no place or an open circuit says nothing of the provider.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from .accounting.cost import OUTPUT_TOKENS_EXPECTED, output_tokens_bound
from .accounting.sessions import Sessions
from .again import REFUSED_FOR_LOAD
from .errors import UpstreamFailure
from .health.book import HealthBook
from .health.experience import Experience
from .health.loads import Loads
from .health.pacing import PATIENT_S, Gait
from .health.quota import Need
from .health.tallies import Tallies
from .model import Attempt, Candidate, Features
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
    sessions: Sessions
    experience: Experience


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
    _places: tuple[Candidate, ...] = ()

    @property
    def has_place(self) -> bool:
        """Whether it has entered."""
        return bool(self._places)

    def enter_now(self, features: Features) -> bool:
        """Take a place and a turn if neither has to be waited for."""
        parts, candidate, now_s = self.parts, self.candidate, self.started_s
        gait = parts.health.gait(candidate, now_s)
        if gait is not None and (
            gait.places is not None or gait.wait_s(_need(candidate, features), now_s) > 0
        ):
            return False
        if not parts.loads.enter_now(candidate, places=self.prepared.patience.concurrency):
            return False
        if gait is not None:
            gait.take(_need(candidate, features), now_s)
        self._places = (candidate,)
        return True

    async def enter(self, features: Features, *, left_s: float, is_last: bool) -> None:
        """Take a place and a turn, waiting for them where the calls are bounded.

        Args:
            features: of the request: what it will take of the provider's limits.
            left_s: what is left of the request's total time.
            is_last: no other candidate is left to try.

        Raises:
            UpstreamFailure: none came free in time.
        """
        patience = self.prepared.patience
        gait = self.parts.health.gait(self.candidate, self.started_s)
        queue_s = max(min(patience.queue_s, left_s), 0.0)
        near_s = queue_s if is_last else min(queue_s, PATIENT_S)
        if gait is not None and gait.places is not None:
            # Only while the account is held: calls that were under way before do not count.
            account = replace(self.candidate, model="")
            await self._take_place(account, places=gait.places, queue_s=near_s)
        await self._take_place(self.candidate, places=patience.concurrency, queue_s=queue_s)
        if gait is not None:
            await self._take_turn(gait, _need(self.candidate, features), near_s)

    async def _take_place(self, where: Candidate, *, places: int | None, queue_s: float) -> None:
        if not await self.parts.loads.enter(where, places=places, queue_s=queue_s):
            raise UpstreamFailure(f"no place came free within {queue_s:g} s", kind="busy")
        self._places += (where,)

    async def _take_turn(self, gait: Gait, need: Need, wait_s_max: float) -> None:
        now = self.parts.clock.now()
        wait_s = gait.wait_s(need, now)
        if wait_s > wait_s_max:
            raise UpstreamFailure(
                f"the account is held to a rate, and its next turn is in {wait_s:.1f} s",
                kind="busy",
                retry_after_s=wait_s,
            )
        gait.take(need, now)
        if wait_s > 0:
            await self.parts.sleep(wait_s)

    def begin(self, now_s: float, *, before: Sequence[Attempt], hedges: bool) -> None:
        """Let the call go out.

        Args:
            now_s: the time.
            before: the request's attempts so far: one more at an account of theirs is a retry.
            hedges: it is a second call beside one that runs: a retry wherever it goes.

        Raises:
            UpstreamFailure: its circuit opened meanwhile, or retries there are used up.
        """
        self.started_s = now_s
        again = hedges
        if before and not again:
            # What was busy for us never reached the account.
            account_id = self.candidate.account_id
            again = any(
                one.candidate.account_id == account_id and one.failure != "busy" for one in before
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
        swap: str,
        now_s: float,
    ) -> None:
        """Give the place back and note how the call went.

        `swap` says in words that another model answered than was asked for.
        """
        self._leave()
        if not self.has_begun:
            return
        if swap:
            health = self.parts.health
            health.timing(self.candidate).swapped += 1
            health.alerts.note("model_swapped", now_s, about=self.candidate, detail=swap)
        if failure is not None:
            self._failed(failure)
        elif ended_well:
            self._answered(first_byte_s, now_s)
        else:
            self.parts.health.released(self.candidate)

    def outrun(self, *, has_content: bool) -> None:
        """Give the place back after another call of the request had content first: no failure.

        How long it was waited for is the least that its first byte would have taken.
        """
        self._leave()
        if not self.has_begun:
            return
        now = self.parts.clock.now()
        if not has_content:
            self.parts.health.timing(self.candidate).outrun(now - self.started_s, now)
        self.parts.health.released(self.candidate)

    def _leave(self) -> None:
        """Give back what places there are, the last one first."""
        places, self._places = self._places, ()
        for where in reversed(places):
            self.parts.loads.leave(where)

    def _failed(self, failure: UpstreamFailure) -> None:
        parts, kind, now = self.parts, failure.kind, self.parts.clock.now()
        # First: an account whose limits are known is not held to the profile's.
        self.learn(failure.headers)
        parts.health.failed(self.candidate, kind, hint_s=failure.retry_after_s, now_s=now)
        if COUNTS_FOR_BREAKER[kind] or kind in REFUSED_FOR_LOAD:
            parts.health.timing(self.candidate).failed(now - self.started_s, now)
        combo = self.prepared.snapshot.combo
        if combo is not None and FALLS_BACK[kind]:
            parts.tallies.failed(combo, self.candidate)

    def _answered(self, first_byte_s: float | None, now_s: float) -> None:
        parts, combo = self.parts, self.prepared.snapshot.combo
        took_s = now_s - self.started_s
        waited_s = took_s if first_byte_s is None else first_byte_s
        parts.health.succeeded(self.candidate, first_byte_s=waited_s, total_s=took_s, now_s=now_s)
        if combo is not None:
            parts.tallies.answered(combo, self.candidate, unix_s=parts.clock.unix())


def _need(candidate: Candidate, features: Features) -> Need:
    """Give what a request will probably take of a provider's limits."""
    output = min(output_tokens_bound(candidate, features), OUTPUT_TOKENS_EXPECTED)
    return Need(features.input_tokens, output)
