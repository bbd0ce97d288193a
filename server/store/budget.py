"""A budget, as it is set."""

from dataclasses import dataclass
from typing import Literal, get_args

from omniroute.routing.errors import BadRequest
from omniroute.routing.guard import Action, Tier

from .database import Row, Statement

Period = Literal["total", "day", "month"]

NAME_CHARACTERS_MAX = 200
USD_NANOS_MAX = 10**18
"""A thousand million dollars: sums of a few stay far from what a column holds."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit on spending, in all (`total`) or for each day or month in UTC.

    Attributes:
        key_id: the key it belongs to: every request of the key is charged to it. "" with a combo.
        warn_percent: how much of the cap is spent when warnings begin.
        allow_unpriced: models without a known price may be used; they count as nothing.
        action: what it does when it cannot pay, see routing/guard.py.
        tier: whom `degrade` keeps requests to.
        combo: charged instead are all requests that ask for the combo of this name.
        session_id: charged instead are the requests of this one session of the key.
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
    combo: str | None = None
    session_id: str | None = None


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


READ_BUDGETS = Statement(
    "SELECT budget_id, key_id, name, cap_usd_nanos, period, warn_percent, allow_unpriced, "
    "action, tier, combo, session_id FROM budgets ORDER BY created_unix_s, budget_id"
)


def budget_of(row: Row) -> Budget:
    """Give a row of budgets as a value."""
    return Budget(
        *(row["budget_id"], row["key_id"], row["name"]),
        *(int(row["cap_usd_nanos"]), row["period"]),
        *(int(row["warn_percent"]), bool(row["allow_unpriced"])),
        *(row["action"], row["tier"], row["combo"], row["session_id"]),
    )
