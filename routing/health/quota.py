"""What is left of a provider's limits, as its own answers say.

Many providers count requests and tokens in windows and tell with every answer what the limit
is, what remains and when it is full again. The last answer counts: a window may refill while
it runs. From its reset on, and without one after STALE_S, a figure is old and says nothing.

`headroom` is the smallest share that is left of any limit, None while none is known. A limit
of which nothing is left rests its model at that account until the reset; so does no limit
whose reset is not known: the provider's refusal would say it. It reads no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .cooldown import bounded_s

STALE_S = 60.0
DIMENSIONS_MAX = 16
"""How many limits of one model are remembered; more are no provider's."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit as an answer told it; None is unknown.

    Attributes:
        dimension: what is counted, such as "requests" or "input-tokens".
        reset_s: seconds from the answer until it is full again.
    """

    dimension: str
    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None


@dataclass(frozen=True, slots=True)
class Learned:
    """A limit, and when it was told."""

    told: Limit
    at_s: float

    @property
    def old_from_s(self) -> float:
        """When it stops to say anything."""
        return self.at_s + (STALE_S if self.told.reset_s is None else self.told.reset_s)


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

    @property
    def blocks(self) -> bool:
        """Whether it keeps calls back, or did so until the reset."""
        return self.spent_until_s > 0.0

    @property
    def reason(self) -> str:
        """Why it rests, in words."""
        return f"no {self.spent} left in the provider's window"

    def learn(self, limits: Sequence[Limit], now_s: float) -> bool:
        """Take what an answer told. Gives whether that begins or ends a rest."""
        for limit in limits:
            if limit.dimension in self.learned or len(self.learned) < DIMENSIONS_MAX:
                self.learned[limit.dimension] = Learned(limit, now_s)
        before = self.spent_until_s
        rests = [
            (one.at_s + bounded_s(one.told.reset_s), name)
            for name, one in self.learned.items()
            if one.told.remaining == 0 and one.told.reset_s is not None and one.old_from_s > now_s
        ]
        self.spent_until_s, self.spent = max(rests, default=(0.0, ""))
        return before != self.spent_until_s

    def fresh(self, now_s: float) -> tuple[Learned, ...]:
        """Give the limits that still say something, and forget the others."""
        self.learned = {name: one for name, one in self.learned.items() if one.old_from_s > now_s}
        return tuple(self.learned.values())

    def headroom(self, now_s: float) -> float | None:
        """Give the smallest share left of any limit, from 0 to 1; None when none is known."""
        shares = [
            min(one.told.remaining / one.told.limit, 1.0)
            for one in self.fresh(now_s)
            if one.told.limit and one.told.remaining is not None
        ]
        return min(shares, default=None)
