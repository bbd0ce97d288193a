"""The health book of one worker, which hears of what the others have observed.

Circuits, rests, lock-outs, alerts and the limits that providers told are to be the same in all
workers, as a provider that fails does not fail for one of them. So a worker tells the others of
each failure, of the success that ends one, of what answers told of limits and of resets, and they
note it as if they had seen it; times are those of the machine's clock, which is one. Good
answers that change nothing are told to nobody, so that a request costs nothing more.

What remains each worker's own: the estimates of success and speed that decisions weigh, each
made of the requests that it answered, which are like the others'; and probes of a half-open
circuit, of which each worker lets one through until the first has a verdict.

What an account may get in a time is shared: each worker counts what it sends once for every
worker, so that all together keep to the limit that one process would keep to.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from omniroute.routing.errors import FailureKind
from omniroute.routing.health.alerts import Alert, AlertName, Alerts
from omniroute.routing.health.book import HealthBook
from omniroute.routing.health.breaker import Breaker
from omniroute.routing.health.cooldown import Cooldown
from omniroute.routing.health.healing import Healing
from omniroute.routing.health.latency import Timing, together
from omniroute.routing.health.lockout import Lockout
from omniroute.routing.health.pacing import Gait, Pace
from omniroute.routing.health.quota import Limit, Need, Quota
from omniroute.routing.health.retry_budget import RetryBudget
from omniroute.routing.model import Candidate

from .mail import Peers

FAILED = "failed"
RECOVERED = "recovered"
LIMITS = "limits"
RESET = "reset"
ALERT = "alert"
STATE = "state"
TIMINGS = "timings"
LIMITS_EVERY_S = 0.25
"""How often the others are told what is left of a limit, while there is some."""

Scope = tuple[str, str]
Who = tuple[str, str, str, str]
"""A candidate as others need it: account id, provider, model, dialect."""


class _State(msgspec.Struct):
    """What a worker that starts is told by one that runs: the books by scope, the alerts."""

    breakers: list[tuple[Scope, Breaker]]
    cooldowns: list[tuple[Scope, Cooldown]]
    lockouts: list[tuple[Scope, Lockout]]
    quotas: list[tuple[Scope, Quota]]
    paces: list[tuple[Scope, Pace]]
    healing: Healing
    alerts: tuple[Alert, ...]


class SharedAlerts(Alerts):
    """The alerts of all workers. Each is logged by the worker that it came to."""

    def __init__(self, peers: Peers) -> None:
        super().__init__()
        self._peers = peers
        self.muted = False

    def note(
        self,
        name: AlertName,
        now_s: float,
        *,
        about: Candidate | None = None,
        whole_account: bool = False,
        detail: str = "",
    ) -> None:
        """Note what happened, and tell it, unless it is what another worker has told."""
        if self.muted:
            return
        super().note(name, now_s, about=about, whole_account=whole_account, detail=detail)
        who = None if about is None else _who(about)
        self._peers.tell(ALERT, (name, now_s, who, whole_account, detail))

    def heard(self, name: AlertName, now_s: float, who: Who | None, whole: bool, more: str) -> None:
        """Note what another worker has noted."""
        listener, self.listener = self.listener, _unheard
        about = None if who is None else _candidate(who)
        super().note(name, now_s, about=about, whole_account=whole, detail=more)
        self.listener = listener


class SharedBook(HealthBook):
    """A health book that is like those of the other workers."""

    def __init__(self, peers: Peers, draw: Callable[[], float]) -> None:
        super().__init__(draw=self._draw)
        self.alerts = self._shared_alerts = SharedAlerts(peers)
        self._peers = peers
        self._drawing = draw
        self._drawn = 1.0
        self._listening = False
        self._others: list[tuple[Scope, Timing]] = []
        self._limits_told_s: dict[Scope, float] = {}
        handlers = {
            FAILED: self._hear_failed,
            RECOVERED: self._hear_recovered,
            LIMITS: self._hear_limits,
            RESET: self._hear_reset,
            ALERT: self._hear_alert,
            STATE: self._state,
            TIMINGS: self._own_timings,
        }
        for topic, handler in handlers.items():
            peers.on(topic, handler)

    async def gather(self) -> None:
        """Bring in the times that the others have measured, for `measured`."""
        answers = await self._peers.ask(TIMINGS)
        kind = list[tuple[Scope, Timing]]
        self._others = [one for some in answers if some for one in msgspec.convert(some, kind)]

    def measured(self, now_s: float) -> Sequence[tuple[Scope, Timing]]:
        """Give the times of all workers, as the others' were when last gathered."""
        parts: dict[Scope, list[Timing]] = {}
        for scope, timing in (*super().measured(now_s), *self._others):
            parts.setdefault(scope, []).append(timing)
        return [(scope, together(some, now_s)) for scope, some in parts.items()]

    async def join(self) -> None:
        """Take what the others know, if there are others already."""
        for answer in await self._peers.ask(STATE):
            if answer is None:
                continue
            state = msgspec.convert(answer, _State)
            self.breakers.update(state.breakers)
            self.cooldowns.update(state.cooldowns)
            self.lockouts.update(state.lockouts)
            self.quotas.update(state.quotas)
            self.paces.update(state.paces)
            self.healing = state.healing
            self._shared_alerts.restore(state.alerts)
            for breaker in self.breakers.values():
                # The probe is another worker's.
                breaker.released()
            self._dirty.update(self.quotas)
            self.version += 1
            return

    def admit(self, candidate: Candidate, now_s: float, *, again: bool) -> None:
        """Let a call go out, of the retries that are this worker's share."""
        scope = (candidate.account_id, "")
        if scope not in self.retries:
            self.retries[scope] = _RetryShare(self._peers.count)
        super().admit(candidate, now_s, again=again)

    def failed(
        self, candidate: Candidate, kind: FailureKind, *, hint_s: float | None, now_s: float
    ) -> None:
        """Note a failure, and tell it with what it was drawn to wait and whether it was a probe."""
        probe = any(one.probing for one in self._breakers_of(candidate))
        super().failed(candidate, kind, hint_s=hint_s, now_s=now_s)
        self._peers.tell(FAILED, (_who(candidate), kind, hint_s, now_s, self._drawn, probe))

    def recovered(self, candidate: Candidate, now_s: float) -> None:
        """Note what a good answer ends, and tell it where it ends something."""
        scopes = self._scopes_of(candidate)
        ends = (
            any(one.failures or one.open_until_s for one in self._breakers_of(candidate))
            or any(one in self.cooldowns and self.cooldowns[one].blocks for one in scopes)
            or any(one in self.lockouts and self.lockouts[one].blocks for one in scopes)
        )
        super().recovered(candidate, now_s)
        if ends and not self._listening:
            self._peers.tell(RECOVERED, (_who(candidate), now_s))

    def learn(self, candidate: Candidate, limits: Sequence[Limit], *, now_s: float) -> None:
        """Take what an answer told of limits, and tell it now and then, or when one is spent."""
        scope = (candidate.account_id, candidate.model)
        known = self.quotas.get(scope)
        is_news = known is None or bool(known.news(limits))
        super().learn(candidate, limits, now_s=now_s)
        told_s = self._limits_told_s.get(scope, -LIMITS_EVERY_S)
        is_spent = any(one.remaining == 0 for one in limits)
        if is_news or is_spent or now_s - told_s >= LIMITS_EVERY_S:
            if len(self._limits_told_s) >= len(self.quotas) + 1:
                self._limits_told_s.clear()
            self._limits_told_s[scope] = now_s
            self._peers.tell(LIMITS, (_who(candidate), limits, now_s))

    def reset(
        self,
        accounts: Collection[str] | None = None,
        model: str | None = None,
        providers: Collection[str] = (),
    ) -> int:
        """Close circuits and end rests, here and in the others."""
        meant = None if accounts is None else list(accounts)
        self._peers.tell(RESET, (meant, model, list(providers)))
        return super().reset(accounts, model, providers)

    def gait(self, candidate: Candidate, now_s: float) -> Gait | None:
        """Give what holds a candidate back, of which each worker has its share."""
        found = super().gait(candidate, now_s)
        if found is None:
            return None
        return _GaitShare(found, workers=self._peers.count)

    def _draw(self) -> float:
        """Give a draw, or what another worker has drawn."""
        if not self._listening:
            self._drawn = self._drawing()
        return self._drawn

    def _failed_once(self, candidate: Candidate, weight: float) -> None:
        # The others' good answers are not told, so their failures must not count either.
        if not self._listening:
            super()._failed_once(candidate, weight)

    @contextmanager
    def _hearing(self) -> Iterator[None]:
        self._listening = self._shared_alerts.muted = True
        try:
            yield
        finally:
            self._listening = self._shared_alerts.muted = False

    async def _hear_failed(self, words: Sequence[Any]) -> None:
        who, kind, hint_s, now_s, drawn, probe = words
        candidate = _candidate(who)
        with self._hearing():
            self._drawn = drawn
            if probe:
                # It is the probe that has failed, and the circuit is open again.
                self.begin(candidate, now_s)
            super().failed(candidate, kind, hint_s=hint_s, now_s=now_s)

    async def _hear_recovered(self, words: Sequence[Any]) -> None:
        who, now_s = words
        with self._hearing():
            self.recovered(_candidate(who), now_s)

    async def _hear_limits(self, words: Sequence[Any]) -> None:
        who, told, now_s = words
        candidate = _candidate(who)
        known = self.quotas.get((candidate.account_id, candidate.model))
        learned = {} if known is None else known.learned
        limits = [
            one
            for one in msgspec.convert(told, list[Limit])
            # What was told here since then is newer.
            if one.dimension not in learned or learned[one.dimension].at_s <= now_s
        ]
        with self._hearing():
            super().learn(candidate, limits, now_s=now_s)

    async def _own_timings(self, words: object) -> list[tuple[Scope, Timing]]:
        return list(self.timings.items())

    async def _state(self, words: object) -> "_State":
        return _State(
            breakers=list(self.breakers.items()),
            cooldowns=list(self.cooldowns.items()),
            lockouts=list(self.lockouts.items()),
            quotas=list(self.quotas.items()),
            paces=list(self.paces.items()),
            healing=self.healing,
            alerts=self.alerts.newest()[::-1],
        )

    async def _hear_reset(self, words: Sequence[Any]) -> None:
        accounts, model, providers = words
        super().reset(accounts, model, providers)

    async def _hear_alert(self, words: Sequence[Any]) -> None:
        self._shared_alerts.heard(*words)


class _GaitShare(Gait):
    """What holds a candidate back, where as many workers as there are send the same."""

    def __init__(self, gait: Gait, *, workers: int) -> None:
        super().__init__(gait.quota, gait.pace, gait.profile)
        self._workers = workers

    def take(self, need: Need, now_s: float) -> None:
        """Give a request its turn, and count one for each of the others."""
        for _ in range(self._workers):
            super().take(need, now_s)


class _RetryShare(RetryBudget):
    """A worker's share: its requests pay as ever, and time pays what it pays for all together."""

    def __init__(self, workers: int) -> None:
        super().__init__()
        self._millionths //= workers
        self._workers = workers

    def pay_in(self, now_s: float) -> None:
        """Note a request's first attempt."""
        super().pay_in(now_s / self._workers)

    def take(self, now_s: float) -> bool:
        """Whether a further attempt may go out; takes its token."""
        return super().take(now_s / self._workers)


def _unheard(alert: Alert) -> None:
    """Do as who is told nothing does."""


def _who(candidate: Candidate) -> Who:
    return candidate.account_id, candidate.provider, candidate.model, candidate.dialect


def _candidate(who: Who) -> Candidate:
    return Candidate(*who)  # type: ignore[arg-type]
