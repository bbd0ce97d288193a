"""What one request sets aside and pays, attempt by attempt.

Before a call goes out its upper bound is reserved in every budget of the caller, also when
there is none; when the call has ended, what it cost is settled, once, and never more than was
reserved. A bound that cannot be paid is made smaller by a shorter answer (see clamp.py), for
which the operation is written anew.

The budgets' store judges every reservation. What is left as last seen may be out of date, so a
refusal makes us look again, and the last word is the store's on the shortest answer: nobody is
refused whom the budget could pay.
"""

from ..errors import BadRequest, BudgetExceeded
from ..model import Caller, Candidate, Operation, RouteRequest
from ..ports import Budgets, Hold
from ..wire.capping import capped
from .clamp import Bound, bound_within, least_bound

LOOKS_MAX = 3
"""How often a bound is made anew after a refusal, before the least one is asked for."""


class Payment:
    """The money of one request.

    Attributes:
        reserved_usd_nanos: the sum of all holds so far.
        left_usd_nanos: what the tightest budget has left, as last seen; None without a budget.
        output_tokens_clamp: what the latest attempt's answer is clamped to, None if it is not.
    """

    def __init__(self, budgets: Budgets, request: RouteRequest, caller: Caller) -> None:
        self.reserved_usd_nanos = 0
        self.left_usd_nanos: int | None = None
        self.output_tokens_clamp: int | None = None
        self._paid_usd_nanos = 0
        self._budgets = budgets
        self._request = request
        self._caller = caller
        self._holds: dict[int, Hold] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """Words on each of the caller's budgets that is past its threshold."""
        return self._budgets.warnings(self._caller.budget_ids)

    def reserve_now(self, candidate: Candidate, number: int) -> Operation | None:
        """Set the candidate's upper bound aside for an attempt, if that can be told at once.

        Returns:
            What to send, or None where `reserve` has to ask.

        Raises:
            BudgetExceeded: the price is unknown and a budget must pay, or the request's own
                ceiling cannot.
            BadRequest: the body is not one that a bound can be written into.
        """
        features, budget_ids = self._request.operation.features, self._caller.budget_ids
        ceiling = self._ceiling(candidate)
        left = self._budgets.left(budget_ids)
        bound = bound_within(candidate, features, ceiling=ceiling, left=left)
        if bound.least:
            return None
        hold = self._hold(number, bound)
        if not self._budgets.take(hold):
            return None
        self._holds[number] = hold
        self.left_usd_nanos = None if left is None else max(left - bound.usd_nanos, 0)
        return self._bounded(candidate, number, bound)

    async def reserve(self, candidate: Candidate, number: int) -> Operation:
        """Set the candidate's upper bound aside for an attempt.

        Returns:
            What to send: the request's operation, its answer clamped to what was set aside.

        Raises:
            BudgetExceeded: a budget cannot pay, or the price is unknown and one must.
            BadRequest: the body is not one that a bound can be written into.
            StorageUnavailable: nobody can tell.
        """
        bound = await self._set_aside(candidate, number, self._ceiling(candidate))
        self.left_usd_nanos = self._budgets.left(self._caller.budget_ids)
        return self._bounded(candidate, number, bound)

    def settle(self, spent_usd_nanos: int, number: int) -> int:
        """Pay for the attempt that has ended, and give what was paid.

        That is never more than was reserved for it, and nothing where nothing was.
        """
        hold = self._holds.pop(number, None)
        if hold is None:
            return 0
        paid = min(spent_usd_nanos, hold.usd_nanos)
        self._paid_usd_nanos += paid
        self._budgets.settle(hold.hold_id, usd_nanos=paid)
        if self.left_usd_nanos is not None:
            self.left_usd_nanos += hold.usd_nanos - paid
        return paid

    def _ceiling(self, candidate: Candidate) -> int | None:
        """Give what the request may still cost, after the attempts before and beside this one.

        Raises:
            BudgetExceeded: no answer of use is as cheap, or nobody knows its price.
        """
        if candidate.facts.price is None and not self._budgets.pay_unpriced(
            self._caller.budget_ids
        ):
            raise BudgetExceeded(
                f"{candidate.name} has no known price and the key has a budget; use a priced "
                "model, or let the budget pass it with `omniroute budgets set ... --allow-unpriced`"
            )
        ceiling = self._request.spend_usd_nanos_max
        if ceiling is None:
            return None
        held = sum(one.usd_nanos for one in self._holds.values())
        rest = ceiling - self._paid_usd_nanos - held
        if least_bound(candidate, self._request.operation.features).usd_nanos > rest:
            raise BudgetExceeded(
                f"{candidate.name} may cost more than the ${max(rest, 0) / 1e9:.6f} that is left "
                "of the request's own budget; raise that, or use a cheaper model"
            )
        return rest

    def _bounded(self, candidate: Candidate, number: int, bound: Bound) -> Operation:
        """Give what to send for a bound that is set aside."""
        self.reserved_usd_nanos += bound.usd_nanos
        self.output_tokens_clamp = bound.output_tokens_max
        operation = self._request.operation
        if bound.output_tokens_max is None:
            return operation
        try:
            return capped(
                operation,
                bound.output_tokens_max,
                model=candidate.model,
                dialect=candidate.dialect,
            )
        except (BadRequest, BudgetExceeded):
            self.settle(0, number)
            raise

    async def _set_aside(self, candidate: Candidate, number: int, ceiling: int | None) -> Bound:
        features, budget_ids = self._request.operation.features, self._caller.budget_ids
        for _ in range(LOOKS_MAX):
            left = self._budgets.left(budget_ids)
            bound = bound_within(candidate, features, ceiling=ceiling, left=left)
            if bound.least:
                break
            try:
                await self._hold_back(number, bound)
            except BudgetExceeded:
                continue
            return bound
        bound = least_bound(candidate, features)
        await self._hold_back(number, bound)
        return bound

    async def _hold_back(self, number: int, bound: Bound) -> None:
        hold = self._hold(number, bound)
        await self._budgets.reserve(hold)
        self._holds[number] = hold

    def _hold(self, number: int, bound: Bound) -> Hold:
        hold_id = f"{self._request.request_id}:{number}"
        return Hold(hold_id, self._caller.key_id, self._caller.budget_ids, bound.usd_nanos)
