"""A token bucket: so many in a window, filled at a steady rate, never over its capacity.

Whoever finds too little may still take: the level goes below nought and the next one waits for
longer, so that those who wait have each a turn of their own, in the order they came. A need
above the capacity waits for a full bucket, as it could never be met. It reads no clock; one
that steps back fills nothing, and its next step forward is counted from there.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """What is left, at a moment.

    Attributes:
        per_s: what flows in; 0 where that is not known: then nobody is made to wait.
    """

    capacity: float
    per_s: float
    level: float
    at_s: float

    def level_at(self, now_s: float) -> float:
        """Give what is left now."""
        since_s = now_s - self.at_s
        level = self.level + self.per_s * since_s if since_s > 0 else self.level
        return level if level < self.capacity else self.capacity

    def wait_s(self, need: float, now_s: float) -> float:
        """Give the seconds until there is enough."""
        short = (need if need < self.capacity else self.capacity) - self.level_at(now_s)
        return short / self.per_s if short > 0 and self.per_s > 0 else 0.0

    def take(self, need: float, now_s: float) -> None:
        """Take what is needed, also what is not there yet."""
        self.level, self.at_s = self.level_at(now_s) - min(need, self.capacity), now_s
