"""How a budget stands, in the words of warnings and refusals, and to what it keeps requests."""

from collections.abc import Sequence

from omniroute.routing.errors import BudgetExceeded
from omniroute.routing.guard import Guard
from omniroute.routing.ports import Hold

from .budget import Budget
from .budget_rows import Standing


def guard_of(budget: Budget, standing: Standing | None) -> Guard | None:
    """Give the tier that a budget keeps requests to; None where its action is another one.

    `standing` None is not spent from yet.
    """
    if budget.action != "degrade":
        return None
    if standing is None:
        return Guard(budget.tier, budget.cap_usd_nanos)
    past = standing.warns(budget.warn_percent)
    return Guard(budget.tier, None if past else standing.left_usd_nanos)


def warning(budget: Budget, standing: Standing | None) -> str:
    """Give words on a budget that is past its threshold, "" on one that is not."""
    if standing is None or not standing.warns(budget.warn_percent):
        return ""
    words = (
        f"budget {budget.name!r} has spent ${dollars(standing.spent_usd_nanos)} "
        f"of ${dollars(standing.cap_usd_nanos)}"
    )
    if budget.action == "degrade":
        return f"{words}: only {budget.tier} models answer now"
    over = standing.over_usd_nanos
    return f"{words}: it is passed by ${dollars(over)}" if over else words


def refusal(hold: Hold, budget: Budget | None, standing: Standing) -> BudgetExceeded:
    """Give the error for a hold that a budget cannot pay; `budget` None was removed just now."""
    name = standing.budget_id if budget is None else budget.name
    return BudgetExceeded(
        f"budget {name!r} cannot pay for this request, which may cost "
        f"${dollars(hold.usd_nanos)}: of ${dollars(standing.cap_usd_nanos)} it has spent "
        f"${dollars(standing.spent_usd_nanos)} and holds ${dollars(standing.held_usd_nanos)} "
        "for requests under way; ask for less output, or raise the budget"
    )


def tightest(standings: Sequence[Standing], *, limits: frozenset[str]) -> Standing:
    """Give how the budget with the least left stands, of those that may refuse."""
    refusing = [one for one in standings if one.budget_id in limits]
    return min(refusing or standings, key=lambda standing: standing.left_usd_nanos)


def dollars(usd_nanos: int) -> str:
    """Give an amount with as many decimals as it has, two at least."""
    whole, part = divmod(usd_nanos, 1_000_000_000)
    return f"{whole}.{part:09d}".rstrip("0").ljust(len(str(whole)) + 3, "0")
