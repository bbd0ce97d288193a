"""Cooldowns: for how long a refusal of a provider keeps us from asking again.

How long is policy.cooldown_s: a provider's own hint wins, a rate limit without one waits twice
as long for each in a row. Here is only the memory of it, between named bounds. A cooldown is
no failure of the provider: it does not move the circuit breaker. Times are passed in.
"""

from dataclasses import dataclass

from ..errors import FailureKind
from ..policy import BACKOFF_LEVEL_MAX, BACKS_OFF, cooldown_s

COOLDOWN_S_MIN = 1.0
COOLDOWN_S_MAX = 3600.0


@dataclass(slots=True)
class Cooldown:
    """How long one scope waits, why, and how often it was refused in a row."""

    until_s: float = 0.0
    reason: str = ""
    level: int = 0

    def refused(self, kind: FailureKind, *, hint_s: float | None, now_s: float) -> bool:
        """Start or lengthen a wait. Gives whether this kind of failure asks for one."""
        wait_s = cooldown_s(kind, hint_s=hint_s, level=self.level)
        if not wait_s:
            return False
        if kind in BACKS_OFF:
            self.level = min(self.level + 1, BACKOFF_LEVEL_MAX)
        bounded_s = min(max(wait_s, COOLDOWN_S_MIN), COOLDOWN_S_MAX)
        self.until_s = max(self.until_s, now_s + bounded_s)
        self.reason = kind.replace("_", " ")
        return True

    def answered(self) -> bool:
        """Forget it all. Gives whether there was anything to forget."""
        changed = self.level > 0 or self.until_s > 0.0
        self.until_s, self.reason, self.level = 0.0, "", 0
        return changed
