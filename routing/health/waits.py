"""How long the last answers of one candidate took to their first byte, and how evenly.

The last KEPT times, whatever their age: their 95th percentile and their standard deviation. An
average forgets how bad it gets now and then; these two say it.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import pstdev

KEPT = 100


@dataclass(slots=True)
class Waits:
    """The last times to the first byte, in seconds."""

    _last: deque[float] = field(default_factory=lambda: deque[float](maxlen=KEPT))

    def add(self, wait_s: float) -> None:
        """Note one time; the oldest of KEPT goes."""
        self._last.append(wait_s)

    def p95_ms(self) -> int | None:
        """Give the time that 95 % did not take longer than (nearest rank); None without any."""
        if not self._last:
            return None
        return round(sorted(self._last)[math.ceil(len(self._last) * 0.95) - 1] * 1000)

    def deviation_ms(self) -> int | None:
        """Give the standard deviation of the times kept; None without any."""
        return round(pstdev(self._last) * 1000) if self._last else None
