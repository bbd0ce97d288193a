"""Cooldowns: for how long a refusal of a provider keeps us from asking again.

A provider's own hint is obeyed to the second, between named bounds. Without one, a refused
credential or missing credit rests for its fixed time (policy.COOLDOWN_S), and a rate limit or
an overload for a random time under a bound that doubles for each in a row: base * 2**level,
at most its maximum, the level at most the profile's. The random share is full jitter, so that
gateways that were refused together do not come back together; the draw is passed in.

A burst counts once: calls that were under way when a rest began are refused too, and say
nothing new. So while a scope rests, a refusal does not raise its level; a hint may still
lengthen the rest. A cooldown is no failure of the provider: it does not move the circuit
breaker. A success forgets it all. Times are passed in.

Source: capped exponential back-off with full jitter, AWS Architecture Blog, "Exponential
Backoff And Jitter" (2015).
"""

from dataclasses import dataclass

from ..errors import FailureKind
from ..policy import BACKOFF_S_MAX, BACKS_OFF, COOLDOWN_S, TRANSIENT_S_MAX
from .profiles import BALANCED, Profile

COOLDOWN_S_MIN = 1.0
COOLDOWN_S_MAX = 3600.0


@dataclass(slots=True)
class Cooldown:
    """How long one scope waits, why, and how often it was refused in a row."""

    until_s: float = 0.0
    reason: str = ""
    level: int = 0
    _drawn: "_Drawn | None" = None

    @property
    def blocks(self) -> bool:
        """Whether it keeps calls back, or did so until a good answer."""
        return self.until_s > 0.0

    def refused(
        self,
        kind: FailureKind,
        *,
        hint_s: float | None,
        now_s: float,
        profile: Profile = BALANCED,
        draw: float = 1.0,
    ) -> bool:
        """Start or lengthen a wait. Gives whether this failure changed one.

        `hint_s` is the provider's own hint, which wins where the kind rests at all; `draw` is the
        share of the bound to wait, from 0 to 1, where the kind backs off without one.
        """
        resting = now_s < self.until_s
        if kind not in BACKS_OFF:
            wait_s = COOLDOWN_S.get(kind)
            return wait_s is not None and self._rest(kind, hint_s or wait_s, now_s, None)
        if hint_s is not None:
            changed = self._rest(kind, hint_s, now_s, None)
        elif resting:
            return False
        else:
            drawn = _Drawn(kind, now_s, self.level, draw)
            changed = self._rest(kind, drawn.wait_s(profile), now_s, drawn)
        if not resting:
            self.level = min(self.level + 1, profile.level_max)
        return changed

    def answered(self) -> bool:
        """Forget it all. Gives whether there was anything to forget."""
        changed = self.level > 0 or self.until_s > 0.0
        self.until_s, self.reason, self.level, self._drawn = 0.0, "", 0, None
        return changed

    def use(self, profile: Profile) -> bool:
        """Hold a running wait to another profile. Gives whether that changed it.

        A wait that the provider asked for stays as it is.
        """
        self.level = min(self.level, profile.level_max)
        if self._drawn is None:
            return False
        before, self.until_s = self.until_s, self._drawn.began_s + self._drawn.wait_s(profile)
        return before != self.until_s

    def _rest(self, kind: FailureKind, wait_s: float, now_s: float, drawn: "_Drawn | None") -> bool:
        until_s = now_s + bounded_s(wait_s)
        if until_s <= self.until_s:
            return False
        self.until_s, self.reason, self._drawn = until_s, kind.replace("_", " "), drawn
        return True


@dataclass(frozen=True, slots=True)
class _Drawn:
    """How a wait without a hint came to be, so that another profile can work it out anew."""

    kind: FailureKind
    began_s: float
    level: int
    draw: float

    def wait_s(self, profile: Profile) -> float:
        return bounded_s(self.draw * backoff_bound_s(self.kind, level=self.level, profile=profile))


def backoff_bound_s(kind: FailureKind, *, level: int, profile: Profile) -> float:
    """Give the longest wait of a kind that backs off, after `level` others in a row."""
    base_s, most_s = profile.rate_limit_s, BACKOFF_S_MAX
    if kind == "overloaded":
        base_s, most_s = profile.transient_s, TRANSIENT_S_MAX
    return min(base_s * 2.0 ** min(max(level, 0), profile.level_max), most_s)


def bounded_s(wait_s: float) -> float:
    """Give a wait between the bounds of every cooldown."""
    return min(max(wait_s, COOLDOWN_S_MIN), COOLDOWN_S_MAX)
