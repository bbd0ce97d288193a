"""How fast a model at an account answers: a peak that fades, a mean, and percentiles.

It is the one place where times are kept; balancing, utility and status all read it.

The peak answers "is it slow right now?". A slower first byte than the peak becomes it at once;
a faster one pulls it down by how long ago the last was (an exponential moving average of
PEAK_S). Without traffic it fades to the median of what was seen, so that one slow answer does
not keep a candidate out of use for good. A failure counts as a wait of FAILED_S at least, so
that a host that fails fast does not look quick; it tells nothing else of speed.

The mean says what to expect of the next answer: a moving average by SMOOTHING.

Percentiles come from a sketch: counts in buckets that grow by GROWTH, so that a value is known
to half of it, from VALUE_S_MIN to VALUE_S_MAX. When SAMPLES_MAX have been counted all counts
are halved: the past loses weight and the memory stays bounded. The standard deviation is that
of the sketch, too. It reads no clock.

Source: peak EWMA as in Finagle; the buckets as in DDSketch (Masson et al., VLDB 2019).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..moment import Latency

PEAK_S = 10.0
FAILED_S = 5.0
OUTRUN_DOUBLINGS_MAX = 4
SMOOTHING = 0.1
"""The share of a new observation in the mean."""
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
        if value_s <= VALUE_S_MIN:
            bucket = 0
        else:
            bounded = value_s if value_s < VALUE_S_MAX else VALUE_S_MAX
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
                return _middle_s(bucket)
        return None

    def quantile_ms(self, share: float) -> int | None:
        """Give the same in whole milliseconds."""
        seconds = self.quantile_s(share)
        return None if seconds is None else round(seconds * 1000)

    def deviation_ms(self) -> int | None:
        """Give the standard deviation in whole milliseconds; None before the first."""
        if not self.total:
            return None
        values = [(_middle_s(bucket), count) for bucket, count in self.counts.items()]
        mean = math.fsum(value * count for value, count in values) / self.total
        spread = math.fsum((value - mean) ** 2 * count for value, count in values)
        return round(math.sqrt(spread / self.total) * 1000)


@dataclass(slots=True)
class Timing:
    """The times of one model at one account.

    Attributes:
        swapped: how many answers came from another model than was asked for.
        published: what decisions see, and `published_mean_ms` with it.
    """

    first_byte: Sketch = field(default_factory=Sketch)
    total: Sketch = field(default_factory=Sketch)
    swapped: int = 0
    published: Latency | None = None
    published_mean_ms: int | None = None
    _mean_s: float | None = None
    _peak_s: float | None = None
    _rest_s: float = 0.0
    _at_s: float = 0.0
    _outruns: int = 0
    _percentiles: dict[int, float] = field(default_factory=dict[int, float])

    def percentile_s(self, percentile: int) -> float:
        """Give the first byte that so many of a hundred do not pass, as of the last publication."""
        known = self._percentiles.get(percentile)
        if known is None:
            known = self.first_byte.quantile_s(percentile / 100) or 0.0
            self._percentiles[percentile] = known
        return known

    def peak_us(self, now_s: float) -> int:
        """Give the microseconds that it lets wait for a first byte now; 0 when unknown."""
        return round(self._faded_s(now_s) * 1_000_000)

    def waited(self, first_byte_s: float, now_s: float) -> None:
        """Note how long a first byte was waited for; only the peak hears of it."""
        known = self._peak_s
        if known is None or first_byte_s >= known:
            self._peak_s = first_byte_s
        else:
            self._peak_s = first_byte_s + (known - first_byte_s) * self._weight(now_s)
        self._at_s = now_s

    def answered(self, first_byte_s: float, total_s: float, now_s: float) -> None:
        """Note a good answer."""
        self._outruns = 0
        self.waited(first_byte_s, now_s)
        self._expect(first_byte_s)
        self.first_byte.add(first_byte_s)
        self.total.add(total_s)

    def failed(self, waited_s: float, now_s: float) -> None:
        """Note a call that failed after so long."""
        self.waited(max(waited_s, FAILED_S), now_s)

    def outrun(self, waited_s: float, now_s: float) -> None:
        """Note a call that was cut off after so long without content, as another was quicker.

        Its first byte would have taken longer still, nobody knows how much. For the peak that is
        as long again with each such call in a row, OUTRUN_DOUBLINGS_MAX times at most: who is cut
        off time and again is not a little slow. For the percentiles it counts as if it had come
        then, where that is more than the median: without it, what is slow would look quicker with
        every call that is cut off, and be cut off sooner.
        """
        guess_s = waited_s * 2.0 ** min(self._outruns, OUTRUN_DOUBLINGS_MAX)
        if guess_s > self._faded_s(now_s):
            self.waited(guess_s, now_s)
        if waited_s > (self.first_byte.quantile_s(0.5) or 0.0):
            self._outruns += 1
            self._expect(waited_s)
            self.first_byte.add(waited_s)

    def publish(self, now_s: float) -> bool:
        """Publish what is known. Gives whether time alone will change it further."""
        if self._peak_s is None:
            return False
        self._percentiles.clear()
        self._rest_s = self.first_byte.quantile_s(0.5) or 0.0
        faded_s = self._faded_s(now_s)
        self.published_mean_ms = None if self._mean_s is None else round(self._mean_s * 1000)
        self.published = Latency(
            peak_ms=round(faded_s * 1000),
            first_byte_p50_ms=self.first_byte.quantile_ms(0.5),
            first_byte_p95_ms=self.first_byte.quantile_ms(0.95),
            first_byte_p99_ms=self.first_byte.quantile_ms(0.99),
            first_byte_deviation_ms=self.first_byte.deviation_ms(),
            total_p50_ms=self.total.quantile_ms(0.5),
            total_p95_ms=self.total.quantile_ms(0.95),
            total_p99_ms=self.total.quantile_ms(0.99),
        )
        return abs(faded_s - self._rest_s) > VALUE_S_MIN

    def _expect(self, first_byte_s: float) -> None:
        mean_s = self._mean_s
        step_s = 0.0 if mean_s is None else SMOOTHING * (first_byte_s - mean_s)
        self._mean_s = first_byte_s if mean_s is None else mean_s + step_s

    def _faded_s(self, now_s: float) -> float:
        if self._peak_s is None:
            return 0.0
        return self._rest_s + (self._peak_s - self._rest_s) * self._weight(now_s)

    def _weight(self, now_s: float) -> float:
        return math.exp(-max(now_s - self._at_s, 0.0) / PEAK_S)


def together(timings: Iterable[Timing], now_s: float) -> Timing:
    """Give the times of one model of which several processes have each measured a part."""
    whole = Timing()
    for one in timings:
        whole.swapped += one.swapped
        if one._peak_s is None:
            continue
        whole._peak_s, whole._at_s = max(whole._peak_s or 0.0, one._faded_s(now_s)), now_s
        for sums, part in ((whole.first_byte, one.first_byte), (whole.total, one.total)):
            sums.total += part.total
            for bucket, count in part.counts.items():
                sums.counts[bucket] = sums.counts.get(bucket, 0) + count
    whole.publish(now_s)
    return whole


def _middle_s(bucket: int) -> float:
    return VALUE_S_MIN * math.exp(_LOG_GROWTH * bucket) * 2 / (1 + GROWTH)
