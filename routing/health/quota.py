"""What is left of a provider's limits, as its own answers say.

Many providers count requests and tokens in windows and tell with every answer what the limit
is, what remains and when it is full again. The last answer counts: a window may refill while
it runs. From its reset on, and without one after STALE_S, a figure is old and says nothing.

A limit outlasts its figures: for KEPT_S it is known how many there are and how fast they come
back, so what we send meanwhile is counted against it (see bucket.py and pacing.py). The rate is
what was missing by the time until it is full; an answer that misses nothing keeps the one
before. Where no rate is known nobody waits.

`headroom` is the smallest share that is left of any limit, None while none is known. A limit
of which nothing is left rests its model at that account until the reset; so does no limit
whose reset is not known: the provider's refusal would say it. It reads no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from .bucket import Bucket
from .cooldown import bounded_s

STALE_S = 60.0
KEPT_S = 86_400.0
"""How long a limit is believed that no answer has told again (documented: 24 h)."""
REQUESTS = "request"
"""What the name of a limit of requests holds."""
DIMENSIONS_MAX = 16
"""How many limits of one model are remembered; more are no provider's."""


class Limit(Struct, frozen=True, gc=False):
    """One limit as an answer told it; None is unknown.

    Attributes:
        dimension: what is counted, such as "requests" or "input-tokens".
        reset_s: seconds from the answer until it is full again.
    """

    dimension: str
    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None


class Need(Struct, frozen=True, gc=False):
    """What one request takes of its provider's limits, as estimated: itself, and tokens."""

    input_tokens: int = 0
    output_tokens: int = 0

    def of(self, dimension: str) -> int:
        """Give what it takes of one limit; 0 of what no request is known to take."""
        if "token" in dimension:
            input_tokens = 0 if "output" in dimension else self.input_tokens
            return input_tokens + (0 if "input" in dimension else self.output_tokens)
        return int(REQUESTS in dimension)


class Learned(Struct, frozen=True, gc=False):
    """A limit, and when it was told."""

    told: Limit
    at_s: float

    @property
    def old_from_s(self) -> float:
        """When it stops to say anything."""
        return self.at_s + (STALE_S if self.told.reset_s is None else self.told.reset_s)

    @property
    def expires_s(self) -> float:
        """When it is forgotten, its limit as well."""
        return max(self.at_s + KEPT_S, self.old_from_s)


@dataclass(slots=True)
class Quota:
    """The limits of one model at one account.

    Attributes:
        learned: by dimension.
        spent_until_s: until when a limit is used up, 0 when none is.
        spent: the dimension of that limit.
    """

    learned: dict[str, Learned] = field(default_factory=dict[str, Learned])
    spent_until_s: float = 0.0
    spent: str = ""
    _buckets: dict[str, Bucket] = field(default_factory=dict[str, Bucket])

    @property
    def blocks(self) -> bool:
        """Whether it keeps calls back, or did so until the reset."""
        return self.spent_until_s > 0.0

    @property
    def reason(self) -> str:
        """Why it rests, in words."""
        return f"no {self.spent} left in the provider's window"

    def news(self, limits: Sequence[Limit]) -> str:
        """Give in words the limits that are new, or other numbers than before; "" without any."""
        told: list[str] = []
        for one in limits:
            known = self.learned.get(one.dimension)
            if one.limit is not None and (known is None or known.told.limit != one.limit):
                told.append(f"{one.dimension} {one.limit}")
        return ", ".join(told)

    def learn(self, limits: Sequence[Limit], now_s: float) -> bool:
        """Take what an answer told. Gives whether that begins or ends a rest."""
        for limit in limits:
            if limit.dimension in self.learned or len(self.learned) < DIMENSIONS_MAX:
                self.learned[limit.dimension] = Learned(limit, now_s)
                self._fill(limit, now_s)
        before = self.spent_until_s
        rest = (0.0, "")
        for name, one in self.learned.items():
            told = one.told
            if told.remaining == 0 and told.reset_s is not None and one.old_from_s > now_s:
                rest = max(rest, (one.at_s + bounded_s(told.reset_s), name))
        self.spent_until_s, self.spent = rest
        return before != self.spent_until_s

    def known(self, now_s: float) -> tuple[Learned, ...]:
        """Give the limits that are believed, also where their figures are old."""
        if any(one.expires_s <= now_s for one in self.learned.values()):
            self.learned = {key: one for key, one in self.learned.items() if one.expires_s > now_s}
            self._buckets = {key: one for key, one in self._buckets.items() if key in self.learned}
        return tuple(self.learned.values())

    def fresh(self, now_s: float) -> tuple[Learned, ...]:
        """Give the limits whose figures still say something."""
        return tuple(one for one in self.known(now_s) if one.old_from_s > now_s)

    def tells_requests(self, now_s: float) -> bool:
        """Whether a limit of requests is known."""
        return any(
            REQUESTS in one.told.dimension and one.told.limit is not None
            for one in self.known(now_s)
        )

    def wait_s(self, need: Need, now_s: float) -> float:
        """Give the seconds until there is enough of everything."""
        longest_s = 0.0
        for name, bucket in self._buckets.items():
            wait_s = bucket.wait_s(need.of(name), now_s)
            longest_s = max(longest_s, wait_s)
        return longest_s

    def take(self, need: Need, now_s: float) -> None:
        """Count a request that goes out, until an answer tells what is really left."""
        for name, bucket in self._buckets.items():
            bucket.take(need.of(name), now_s)

    def headroom(self, now_s: float) -> float | None:
        """Give the smallest share left of any limit, from 0 to 1; None when none is known."""
        shares = [
            min(one.told.remaining / one.told.limit, 1.0)
            for one in self.fresh(now_s)
            if one.told.limit and one.told.remaining is not None
        ]
        return min(shares, default=None)

    def _fill(self, told: Limit, now_s: float) -> None:
        """Set the bucket of a limit to what was told of it."""
        before = self._buckets.pop(told.dimension, None)
        if not told.limit or told.remaining is None:
            return
        per_s = 0.0 if before is None else before.per_s
        missing = told.limit - told.remaining
        if missing > 0 and told.reset_s:
            per_s = missing / told.reset_s
        left = float(min(told.remaining, told.limit))
        self._buckets[told.dimension] = Bucket(float(told.limit), per_s, left, now_s)
