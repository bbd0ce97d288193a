"""What a budget does when it cannot pay, and to whom it keeps a request until then.

A budget has one of three actions. `block` refuses what it cannot pay. `degrade` keeps requests
to a cheaper tier of candidates from its threshold on, and before that when one of those who
could answer cannot be paid; it refuses only what not even they can be paid for. `alert` refuses
nothing: it warns, and counts what is spent beyond its cap.

A `Guard` is what all the degrading budgets of one request come to. It is a fact of the request,
stored with its decision; choose/tiers.py says which candidates a tier keeps. `GuardTerms` are
those of the one budget that a key may set for itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

Action = Literal["block", "degrade", "alert"]
Tier = Literal["cheap", "free"]


class Guard(Struct, frozen=True, gc=False, omit_defaults=True):
    """The tier that budgets keep a request to.

    Attributes:
        left_usd_nanos: what the tightest of them has left, as last seen: the tier is in force
            when it cannot pay one of those who could answer. None is in force at once.
    """

    tier: Tier
    left_usd_nanos: int | None = None


def strictest(guards: Iterable[Guard]) -> Guard | None:
    """Give one guard for all: of those in force the narrowest tier, else the least that is left."""
    found = tuple(guards)
    if not found:
        return None
    in_force = [one for one in found if one.left_usd_nanos is None]
    tier: Tier = "free" if any(one.tier == "free" for one in in_force or found) else "cheap"
    if in_force:
        return Guard(tier)
    return Guard(tier, min(one.left_usd_nanos or 0 for one in found))


@dataclass(frozen=True, slots=True)
class GuardTerms:
    """What a key allows itself to spend, and what happens when it cannot pay."""

    cap_usd_nanos: int
    action: Action
    tier: Tier = "cheap"


@dataclass(frozen=True, slots=True)
class BudgetStanding:
    """How one budget stands now.

    Attributes:
        is_guard: a key set it for itself.
        left_usd_nanos: what can still be set aside; one that only alerts lets more through.
    """

    budget_id: str
    name: str
    period: Literal["total", "day", "month"]
    action: Action
    is_guard: bool
    cap_usd_nanos: int
    spent_usd_nanos: int
    held_usd_nanos: int

    @property
    def left_usd_nanos(self) -> int:
        return max(0, self.cap_usd_nanos - self.spent_usd_nanos - self.held_usd_nanos)


@dataclass(frozen=True, slots=True)
class GuardStanding:
    """A guard that is kept, and what was spent under it."""

    budget_id: str
    owner: str
    terms: GuardTerms
    spent_usd_nanos: int
    held_usd_nanos: int
