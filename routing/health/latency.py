"""How fast a model at an account answers: a peak that fades, and percentiles.

The peak answers "is it slow right now?". A slower first byte than the peak becomes it at once;
a faster one pulls it down by how long ago the last was (an exponential moving average of
PEAK_S). Without traffic it fades to the median of what was seen, so that one slow answer does
not keep a candidate out of use for good. A call that gave up waiting counts with its wait.

Percentiles come from a sketch: counts in buckets that grow by GROWTH, so that a value is known
to half of it, from VALUE_S_MIN to VALUE_S_MAX. When SAMPLES_MAX have been counted all counts
are halved: the past loses weight and the memory stays bounded. It reads no clock.

Source: peak EWMA as in Finagle; the buckets as in DDSketch (Masson et al., VLDB 2019).
"""

import math
from dataclasses import dataclass, field

from ..moment import Latency

PEAK_S = 10.0
GROWTH = 1.05
VALUE_S_MIN = 0.001
VALUE_S_MAX = 3600.0
SAMPLES_MAX = 1000

_LOG_GROWTH = math.log(GROWTH)


@dataclass(slots=True)
class Sketch:
    """Counts of durations by their bucket."""

    counts: dict[int, int] = field(default_factory=dict[int, int])
    total: int = 0

    def add(self, value_s: float) -> None:
        """Count a duration."""
        bounded = min(max(value_s, VALUE_S_MIN), VALUE_S_MAX)
        bucket = math.ceil(math.log(bounded / VALUE_S_MIN) / _LOG_GROWTH)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.total += 1
        if self.total >= SAMPLES_MAX:
            self.counts = {key: count // 2 for key, count in self.counts.items() if count > 1}
            self.total = sum(self.counts.values())

    def quantile_s(self, share: float) -> float | None:
        """Give the duration that `share` of them do not pass; None before the first."""
        rank, seen = share * self.total, 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= rank:
                return VALUE_S_MIN * math.exp(_LOG_GROWTH * bucket) * 2 / (1 + GROWTH)
        return None

    def quantile_ms(self, share: float) -> int | None:
        """Give the same in whole milliseconds."""
        seconds = self.quantile_s(share)
        return None if seconds is None else round(seconds * 1000)


@dataclass(slots=True)
class Timing:
    """The times of one model at one account.

    Attributes:
        swapped: how many answers came from another model than was asked for.
        published: what decisions see.
    """

    first_byte: Sketch = field(default_factory=Sketch)
    total: Sketch = field(default_factory=Sketch)
    swapped: int = 0
    published: Latency | None = None
    _peak_s: float | None = None
    _at_s: float = 0.0

    def waited(self, first_byte_s: float, now_s: float) -> None:
        """Note how long a first byte took, or was waited for in vain."""
        known = self._peak_s
        if known is None or first_byte_s >= known:
            self._peak_s = first_byte_s
        else:
            self._peak_s = first_byte_s + (known - first_byte_s) * self._weight(now_s)
        self._at_s = now_s

    def answered(self, first_byte_s: float, total_s: float, now_s: float) -> None:
        """Note a good answer."""
        self.waited(first_byte_s, now_s)
        self.first_byte.add(first_byte_s)
        self.total.add(total_s)

    def publish(self, now_s: float) -> bool:
        """Publish what is known. Gives whether time alone will change it further."""
        if self._peak_s is None:
            return False
        rest_s = self.first_byte.quantile_s(0.5) or 0.0
        faded_s = rest_s + (self._peak_s - rest_s) * self._weight(now_s)
        self.published = Latency(
            peak_ms=round(faded_s * 1000),
            first_byte_p50_ms=self.first_byte.quantile_ms(0.5),
            first_byte_p95_ms=self.first_byte.quantile_ms(0.95),
            first_byte_p99_ms=self.first_byte.quantile_ms(0.99),
            total_p50_ms=self.total.quantile_ms(0.5),
            total_p95_ms=self.total.quantile_ms(0.95),
            total_p99_ms=self.total.quantile_ms(0.99),
        )
        return abs(faded_s - rest_s) > VALUE_S_MIN

    def _weight(self, now_s: float) -> float:
        return math.exp(-max(now_s - self._at_s, 0.0) / PEAK_S)
