"""A budget, as it is set."""

from dataclasses import dataclass
from typing import Literal, get_args

from omniroute.routing.errors import BadRequest
from omniroute.routing.guard import Action, Tier

Period = Literal["total", "day", "month"]

NAME_CHARACTERS_MAX = 200
USD_NANOS_MAX = 10**18
"""A thousand million dollars: sums of a few stay far from what a column holds."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit on spending, in all (`total`) or for each day or month in UTC.

    Attributes:
        key_id: the key it belongs to: every request of the key is charged to it.
        warn_percent: how much of the cap is spent when warnings begin.
        allow_unpriced: models without a known price may be used; they count as nothing.
        action: what it does when it cannot pay, see routing/guard.py.
        tier: whom `degrade` keeps requests to.
    """

    budget_id: str
    key_id: str
    name: str
    cap_usd_nanos: int
    period: Period = "total"
    warn_percent: int = 80
    allow_unpriced: bool = False
    action: Action = "block"
    tier: Tier = "cheap"


def checked_budget(budget: Budget) -> Budget:
    """Give the budget.

    Raises:
        BadRequest: its cap is negative or absurd, or its name or another term is not one.
    """
    if not 0 <= budget.cap_usd_nanos <= USD_NANOS_MAX:
        raise BadRequest(
            f"a budget's cap is 0 to {USD_NANOS_MAX} nano-dollars", field="cap_usd_nanos"
        )
    if not 0 < len(budget.name) <= NAME_CHARACTERS_MAX or not budget.name.isprintable():
        raise BadRequest(
            f"a budget's name has 1 to {NAME_CHARACTERS_MAX} printable characters", field="name"
        )
    if not 0 < budget.warn_percent <= 100:
        raise BadRequest("a budget warns from 1 to 100 percent on", field="warn_percent")
    for field, value, known in (
        ("action", budget.action, get_args(Action)),
        ("tier", budget.tier, get_args(Tier)),
    ):
        if value not in known:
            raise BadRequest(f"a budget's {field} is one of {', '.join(known)}", field=field)
    return budget
