"""The health of every account and model, as one book.

Scopes: what concerns the way to a provider (connection, TLS, credential, credit) is written
to its account and holds for all models there; what concerns an answer is written to the one
model at the one account, so that a model that is gone never closes the others.

A snapshot must stay the same for many requests. So changes are of two sorts: a transition
(a circuit opens, a cooldown starts) raises `version` at once; the estimates of success and
first byte are republished, and raise it, at most every REPUBLISH_S.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ..errors import FailureKind, UpstreamFailure
from ..model import Candidate
from ..moment import CandidateState
from ..policy import BACKS_OFF, COOLDOWN_S, COUNTS_FOR_BREAKER, LOCKS_OUT, OPENS_AT_ONCE
from .alerts import Alerts
from .breaker import Breaker
from .cooldown import Cooldown
from .healing import Healing
from .latency import Timing
from .lockout import Lockout
from .pacing import Gait, Pace, gait
from .profiles import BALANCED, Profile
from .quota import Learned, Limit, Quota
from .retry_budget import RetryBudget

REPUBLISH_S = 1.0
SMOOTHING = 0.1
"""The share of a new observation in an estimate (an exponential moving average)."""

HEADROOM_DIGITS = 2
"""A share of a limit is published in hundredths, so that a snapshot lasts for many requests."""

ACCOUNT_WIDE: frozenset[FailureKind] = frozenset(
    {"auth", "quota_exhausted", "connect", "tls", "egress_refused", "timeout_connect"}
)
SCOPES_MAX = 4096
"""How many accounts and models are remembered at most, per kind of memory."""

Value = TypeVar("Value")

Scope = tuple[str, str]
"""(account id, model); the model is "" for what holds for the whole account."""


@dataclass(slots=True)
class _Estimates:
    success: float = 1.0
    published_success: float = 1.0
    published_headroom: float | None = None

    def publish(self, headroom: float | None) -> None:
        self.published_success = round(self.success, 4)
        self.published_headroom = None if headroom is None else round(headroom, HEADROOM_DIGITS)


@dataclass(slots=True)
class HealthBook:
    """What was observed of every candidate since the start. Holds no clock.

    Attributes:
        profile: the resilience profile in force; `use` changes it.
        draw: gives the share of a back-off's bound to wait, from 0 to 1.
    """

    version: int = 0
    profile: Profile = BALANCED
    draw: Callable[[], float] = lambda: 1.0
    breakers: dict[Scope, Breaker] = field(default_factory=dict[Scope, Breaker])
    cooldowns: dict[Scope, Cooldown] = field(default_factory=dict[Scope, Cooldown])
    lockouts: dict[Scope, Lockout] = field(default_factory=dict[Scope, Lockout])
    retries: dict[Scope, RetryBudget] = field(default_factory=dict[Scope, RetryBudget])
    quotas: dict[Scope, Quota] = field(default_factory=dict[Scope, Quota])
    paces: dict[Scope, Pace] = field(default_factory=dict[Scope, Pace])
    timings: dict[Scope, Timing] = field(default_factory=dict[Scope, Timing])
    _estimates: dict[Scope, _Estimates] = field(default_factory=dict[Scope, _Estimates])
    healing: Healing = field(default_factory=Healing)
    alerts: Alerts = field(default_factory=Alerts)
    _dirty: set[Scope] = field(default_factory=set[Scope])
    _published_s: float = 0.0

    def refresh(self, now_s: float) -> int:
        """Republish the estimates when it is time, and give the version in force."""
        if self._dirty and now_s - self._published_s >= REPUBLISH_S:
            # What is left of a limit gets old, and a peak fades, by time alone.
            self._dirty = {scope for scope in self._dirty if self._publish(scope, now_s)}
            self._published_s = now_s
            self.version += 1
        return self.version

    def state(self, candidate: Candidate) -> CandidateState:
        """Give the state of one candidate: the worse of its account's and its own."""
        wide, own = (candidate.account_id, ""), (candidate.account_id, candidate.model)
        breakers = [self.breakers[key] for key in (wide, own) if key in self.breakers]
        worst = max(breakers, key=lambda one: one.open_until_s, default=None)
        waits: list[Cooldown | Lockout] = [
            self.cooldowns[key] for key in (wide, own) if key in self.cooldowns
        ]
        if own in self.lockouts:
            waits.append(self.lockouts[own])
        longest = max(waits, key=lambda one: one.until_s, default=None)
        until_s, reason = (longest.until_s, longest.reason) if longest else (0.0, "")
        quota = self.quotas.get(own)
        if quota is not None and quota.spent_until_s > until_s:
            until_s, reason = quota.spent_until_s, quota.reason
        known, timing = self._estimates.get(own), self.timings.get(own)
        return CandidateState(
            open_until_s=worst.open_until_s if worst else 0.0,
            probing=any(one.probing for one in breakers),
            cooldown_until_s=until_s,
            cooldown_reason=reason,
            success=known.published_success if known else 1.0,
            first_byte_ms=timing.published_mean_ms if timing else None,
            probe_from_s=max((one.probe_from_s for one in breakers), default=0.0),
            headroom=known.published_headroom if known else None,
            latency=timing.published if timing else None,
            excluded_until_s=self.healing.until_s(candidate.provider),
        )

    def admit(self, candidate: Candidate, now_s: float, *, again: bool) -> None:
        """Let a call go out now; `again` when this request has called the account before.

        Raises:
            UpstreamFailure: busy: its circuit opened meanwhile, or the account's retry budget is
                spent.
        """
        scope = (candidate.account_id, "")
        budget = self.retries.get(scope)
        if budget is None:
            budget = _keep(self.retries, scope, RetryBudget())
        if again and not budget.take(now_s):
            raise UpstreamFailure(
                "the retry budget of this account is spent: too many of its requests fail",
                kind="busy",
            )
        if self.breakers and not self.begin(candidate, now_s):
            raise UpstreamFailure("its circuit opened meanwhile", kind="busy")
        if not again:
            budget.pay_in(now_s)

    def rests(self, now_s: float) -> dict[Scope, tuple[float, str]]:
        """Give who rests now, until when and why."""
        found = {scope: (one.until_s, one.reason) for scope, one in self.cooldowns.items()}
        for scope, lockout in self.lockouts.items():
            if lockout.until_s > found.get(scope, (0.0, ""))[0]:
                found[scope] = (lockout.until_s, lockout.reason)
        for scope, quota in self.quotas.items():
            if quota.spent_until_s > found.get(scope, (0.0, ""))[0]:
                found[scope] = (quota.spent_until_s, quota.reason)
        return {scope: rest for scope, rest in found.items() if rest[0] > now_s}

    def begin(self, candidate: Candidate, now_s: float) -> bool:
        """Whether a call may go out now; a half-open circuit lets one through."""
        probes = [one for one in self._breakers_of(candidate) if one.open_until_s]
        if not all(one.may_begin(now_s) for one in probes):
            return False
        for one in probes:
            one.begin(now_s)
        if probes:
            self.healing.probed(candidate.provider)
            self.version += 1
        return True

    def succeeded(
        self, candidate: Candidate, *, first_byte_s: float, total_s: float, now_s: float
    ) -> None:
        """Note a good answer and its times."""
        if self.breakers or self.cooldowns or self.lockouts:
            self.recovered(candidate, now_s)
        scope = (candidate.account_id, candidate.model)
        known, timing = self._estimates.get(scope), self.timings.get(scope)
        if known is None:
            known = _keep(self._estimates, scope, _Estimates())
        if timing is None:
            timing = _keep(self.timings, scope, Timing())
        known.success += SMOOTHING * (1.0 - known.success)
        timing.answered(first_byte_s, total_s, now_s)
        self._dirty.add(scope)

    def recovered(self, candidate: Candidate, now_s: float) -> None:
        """Forget what a good answer ends."""
        changed = [one.succeeded() for one in self._breakers_of(candidate)]
        if any(changed):
            self.healing.answered(candidate.provider)
            self.alerts.note("circuit_closed", now_s, about=candidate)
        scopes = self._scopes_of(candidate)
        rests = [book.get(one) for one in scopes for book in (self.cooldowns, self.lockouts)]
        changed += [one.answered() for one in rests if one is not None]
        if any(changed):
            self.version += 1

    def failed(
        self, candidate: Candidate, kind: FailureKind, *, hint_s: float | None, now_s: float
    ) -> None:
        """Note a failure of the provider's side; the request's own faults change nothing."""
        scope = (candidate.account_id, "" if kind in ACCOUNT_WIDE else candidate.model)
        cooldown = self.cooldowns.get(scope) or Cooldown()
        draw = self.draw() if kind in BACKS_OFF and hint_s is None else 1.0
        if cooldown.refused(kind, hint_s=hint_s, now_s=now_s, profile=self.profile, draw=draw):
            _keep(self.cooldowns, scope, cooldown)
            self.version += 1
            if kind in COOLDOWN_S:
                words = f"{cooldown.reason}: the account rests for {cooldown.until_s - now_s:g} s"
                self.alerts.note(
                    "account_refused", now_s, about=candidate, whole_account=True, detail=words
                )
        if kind == "rate_limited":
            account = (candidate.account_id, "")
            _keep(self.paces, account, self.paces.get(account) or Pace()).refused(now_s)
            _keep(self._estimates, scope, self._estimates.get(scope) or _Estimates())
            self._dirty.add(scope)
        if kind in LOCKS_OUT:
            lockout = _keep(self.lockouts, scope, self.lockouts.get(scope) or Lockout())
            if lockout.refused(now_s):
                words = f"{lockout.reason}: not asked for {lockout.until_s - now_s:g} s"
                self.alerts.note("model_locked_out", now_s, about=candidate, detail=words)
                self.version += 1
        if weight := COUNTS_FOR_BREAKER[kind]:
            breaker = _keep(self.breakers, scope, self.breakers.get(scope) or Breaker())
            probe, until_s = breaker.probing, breaker.open_until_s
            at_once = kind in OPENS_AT_ONCE
            if breaker.failed(now_s, self.profile, weight=weight, at_once=at_once):
                if breaker.open_until_s != until_s:
                    # The failure of an early probe opens nothing anew.
                    self.healing.opened(candidate.provider, now_s, after_probe=probe)
                    self.alerts.note(
                        "circuit_opened",
                        now_s,
                        about=candidate,
                        whole_account=not scope[1],
                        detail=f"{kind.replace('_', ' ')}: open for "
                        f"{breaker.open_until_s - now_s:g} s",
                    )
                self.version += 1
            self._failed_once(candidate, weight)
        self.released(candidate)

    def learn(self, candidate: Candidate, limits: Sequence[Limit], *, now_s: float) -> None:
        """Take what an answer told of its provider's limits."""
        scope = (candidate.account_id, candidate.model)
        quota = _keep(self.quotas, scope, self.quotas.get(scope) or Quota())
        if news := quota.news(limits):
            self.alerts.note("limit_learned", now_s, about=candidate, detail=news)
        if quota.learn(limits, now_s):
            if quota.spent_until_s > now_s:
                self.alerts.note("limit_spent", now_s, about=candidate, detail=quota.reason)
            self.version += 1
        _keep(self._estimates, scope, self._estimates.get(scope) or _Estimates())
        self._dirty.add(scope)

    def restore(self, scope: Scope, one: Learned) -> None:
        """Take a limit that was told before a restart, with its age; the oldest come first."""
        quota = _keep(self.quotas, scope, self.quotas.get(scope) or Quota())
        quota.learn((one.told,), one.at_s)
        _keep(self._estimates, scope, self._estimates.get(scope) or _Estimates())
        self._dirty.add(scope)
        self.version += 1

    def gait(self, candidate: Candidate, now_s: float) -> Gait | None:
        """Give what holds a candidate back beside its health: limits, told or of the profile."""
        if not self.quotas and not self.paces:
            return None
        quota = self.quotas.get((candidate.account_id, candidate.model))
        pace = self.paces.get((candidate.account_id, ""))
        return gait(quota, pace, self.profile, now_s)

    def timing(self, candidate: Candidate) -> Timing:
        """Give the times of a candidate, to note one; they are published with the estimates."""
        scope = (candidate.account_id, candidate.model)
        self._dirty.add(scope)
        known = self.timings.get(scope)
        return _keep(self.timings, scope, Timing()) if known is None else known

    def measured(self, now_s: float) -> Sequence[tuple[Scope, Timing]]:
        """Give the times of all that have been used, published."""
        self.refresh(now_s)
        return [one for one in self.timings.items() if one[1].published is not None]

    def timings_of(self, candidates: Sequence[Candidate]) -> list[Timing]:
        """Give the times of those that have any."""
        known = [self.timings.get((one.account_id, one.model)) for one in candidates]
        return [one for one in known if one is not None]

    def peaks_us(self, candidates: Sequence[Candidate], now_s: float) -> tuple[int, ...]:
        """Give how many microseconds each lets wait for a first byte now; 0 is unknown."""
        known = [self.timings.get((one.account_id, one.model)) for one in candidates]
        return tuple(0 if one is None else one.peak_us(now_s) for one in known)

    def released(self, candidate: Candidate) -> None:
        """Give back a probe whose call ended without a verdict, such as a client that left."""
        released = [one.released() for one in self._breakers_of(candidate)]
        if any(released):
            self.version += 1

    def use(self, profile: Profile) -> None:
        """Put a profile in force, also for circuits that are open and cooldowns that run."""
        if profile == self.profile:
            return
        self.profile = profile
        for breaker in self.breakers.values():
            breaker.use(profile)
        for cooldown in self.cooldowns.values():
            cooldown.use(profile)
        self.version += 1

    def reset(
        self,
        accounts: Collection[str] | None = None,
        model: str | None = None,
        providers: Collection[str] = (),
    ) -> int:
        """Close circuits and end cooldowns, lock-outs and spent limits. Gives how many ended.

        Args:
            accounts: the ids of those that are meant; all without, and every exclusion then.
            model: the one that is meant; without, every one and what holds account-wide.
            providers: whose exclusions end.
        """
        for provider in providers:
            self.healing.exclusions.pop(provider, None)
        meant = [
            (book, scope)
            for book in (self.breakers, self.cooldowns, self.lockouts, self.quotas, self.paces)
            for scope in book
            if (accounts is None or scope[0] in accounts) and model in {None, scope[1]}
        ]
        ended = sum(book.pop(scope).blocks for book, scope in meant)
        if accounts is None and model is None:
            self.healing.exclusions.clear()
        self.version += 1
        return ended

    def _failed_once(self, candidate: Candidate, weight: float) -> None:
        """Lower the estimate of success."""
        scope = (candidate.account_id, candidate.model)
        known = self._estimates.get(scope) or _keep(self._estimates, scope, _Estimates())
        known.success += SMOOTHING * weight * (0.0 - known.success)
        self._dirty.add(scope)

    def _publish(self, scope: Scope, now_s: float) -> bool:
        """Publish the estimates of a scope. Gives whether time alone will change them."""
        quota, timing = self.quotas.get(scope), self.timings.get(scope)
        known = self._estimates.get(scope)
        held = gait(quota, self.paces.get((scope[0], "")), self.profile, now_s)
        if known is not None:
            known.publish(None if held is None else held.headroom(now_s))
        fades = timing is not None and timing.publish(now_s)
        return fades or (held is not None and held.changes(now_s))

    def _scopes_of(self, candidate: Candidate) -> tuple[Scope, Scope]:
        return (candidate.account_id, ""), (candidate.account_id, candidate.model)

    def _breakers_of(self, candidate: Candidate) -> list[Breaker]:
        if not self.breakers:
            return []
        keys = self._scopes_of(candidate)
        return [self.breakers[key] for key in keys if key in self.breakers]


def _keep(book: dict[Scope, Value], scope: Scope, value: Value) -> Value:
    """Put a value in, and drop the oldest when there are SCOPES_MAX: model names are free text."""
    if scope not in book and len(book) >= SCOPES_MAX:
        del book[next(iter(book))]
    book[scope] = value
    return value
