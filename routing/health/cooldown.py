"""Cooldowns: for how long a refusal of a provider keeps us from asking again.

A rate limit with a hint waits as the provider says; without one the wait doubles with each
refusal in a row. A refused credential, an empty account and a missing model wait a fixed
time. A cooldown is no failure of the provider: it does not move the circuit breaker.
"""

from dataclasses import dataclass

from ..errors import FailureKind

COOLDOWN_S_MIN = 1.0
COOLDOWN_S_MAX = 3600.0
BACKOFF_S_MAX = 120.0

FIXED_S: dict[FailureKind, float] = {
    "auth": 120.0,
    "quota_exhausted": 120.0,
    "model_gone": 600.0,
}
BACKED_OFF: frozenset[FailureKind] = frozenset({"rate_limited", "overloaded"})


@dataclass(slots=True)
class Cooldown:
    """How long one scope waits, why, and how often it was refused in a row."""

    until_s: float = 0.0
    reason: str = ""
    level: int = 0

    def refused(self, kind: FailureKind, *, hint_s: float | None, now_s: float) -> bool:
        """Start or lengthen a wait. Gives whether this kind of failure asks for one."""
        if kind in BACKED_OFF:
            wait_s = min(2.0**self.level, BACKOFF_S_MAX) if hint_s is None else hint_s
            self.level = min(self.level + 1, 15)
        elif kind in FIXED_S:
            wait_s = FIXED_S[kind] if hint_s is None else hint_s
        else:
            return False
        bounded_s = min(max(wait_s, COOLDOWN_S_MIN), COOLDOWN_S_MAX)
        self.until_s = max(self.until_s, now_s + bounded_s)
        self.reason = kind.replace("_", " ")
        return True

    def answered(self) -> bool:
        """Forget it all. Gives whether there was anything to forget."""
        changed = self.level > 0 or self.until_s > 0.0
        self.until_s, self.reason, self.level = 0.0, "", 0
        return changed
