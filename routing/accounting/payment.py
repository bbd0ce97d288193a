"""What one request sets aside and pays, attempt by attempt.

Before a call goes out its upper bound is reserved in every budget of the caller, also when
there is none; when the call has ended, what it cost is settled, once, and never more than was
reserved. The budgets' store judges every reservation; what is seen here only tells people.
"""

from ..errors import BudgetExceeded
from ..model import Caller, Candidate, RouteRequest
from ..ports import Budgets, Hold
from .cost import upper_bound_usd_nanos


class Payment:
    """The money of one request.

    Attributes:
        reserved_usd_nanos: the sum of all holds so far.
        left_usd_nanos: what the tightest budget has left, as last seen; None without a budget.
    """

    def __init__(self, budgets: Budgets, request: RouteRequest, caller: Caller) -> None:
        self.reserved_usd_nanos = 0
        self.left_usd_nanos: int | None = None
        self._budgets = budgets
        self._request = request
        self._caller = caller
        self._hold: Hold | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Words on each of the caller's budgets that is past its threshold."""
        return self._budgets.warnings(self._caller.budget_ids)

    async def reserve(self, candidate: Candidate, number: int) -> None:
        """Set the candidate's upper bound aside for an attempt.

        Raises:
            BudgetExceeded: a budget cannot pay, or the price is unknown and one must.
            StorageUnavailable: nobody can tell.
        """
        budget_ids = self._caller.budget_ids
        if candidate.facts.price is None and not self._budgets.pay_unpriced(budget_ids):
            raise BudgetExceeded(
                f"{candidate.name} has no known price and the key has a budget; use a priced "
                "model, or let the budget pass it with `omniroute budgets set ... --allow-unpriced`"
            )
        bound = upper_bound_usd_nanos(candidate, self._request.operation.features)
        hold_id = f"{self._request.request_id}:{number}"
        hold = Hold(hold_id, self._caller.key_id, budget_ids, bound)
        await self._budgets.reserve(hold)
        self._hold = hold
        self.reserved_usd_nanos += bound
        self.left_usd_nanos = self._budgets.left(budget_ids)

    def settle(self, spent_usd_nanos: int) -> None:
        """Pay for the attempt that has ended; does nothing when nothing is reserved."""
        hold, self._hold = self._hold, None
        if hold is None:
            return
        paid = min(spent_usd_nanos, hold.usd_nanos)
        self._budgets.settle(hold.hold_id, usd_nanos=paid)
        if self.left_usd_nanos is not None:
            self.left_usd_nanos += hold.usd_nanos - paid
