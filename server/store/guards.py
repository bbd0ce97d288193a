"""The budget guards that keys set for themselves. Fulfils the port GuardStore.

A guard is a budget of its key, of period `total`, that is told from others by its id. It is
kept, charged and judged like any budget, and removed like one. An id is never used twice: a
hold of a guard that is gone must not be settled in the next one.
"""

import uuid

from omniroute.routing.errors import Conflict
from omniroute.routing.guard import BudgetStanding, GuardStanding, GuardTerms

from .budget import Budget
from .budgets import Budgets
from .keys import Keys

GUARD_ID_PREFIX = "guard-"
NAME = "guard"


def is_guard(budget: Budget) -> bool:
    """Whether a key set this budget for itself."""
    return budget.budget_id.startswith(GUARD_ID_PREFIX)


class StoredGuards:
    """Guards, kept among the budgets."""

    def __init__(self, budgets: Budgets, keys: Keys) -> None:
        self._budgets = budgets
        self._keys = keys

    async def put_guard(
        self, terms: GuardTerms, *, owner: str, actor: str, restart: bool
    ) -> GuardStanding:
        """Set a key's guard, in force when this returns, and give how it stands.

        Raises:
            BadRequest: the cap is negative or absurd.
            Conflict: somebody removed it meanwhile.
        """
        before = [one for one in self._budgets.all() if one.key_id == owner and is_guard(one)]
        kept = before[0].budget_id if before and not restart else _new_id()
        guard = Budget(
            budget_id=kept,
            key_id=owner,
            name=NAME,
            cap_usd_nanos=terms.cap_usd_nanos,
            action=terms.action,
            tier=terms.tier,
        )
        await self._budgets.put(guard, actor=actor)
        for one in before:
            if one.budget_id != kept:
                await self._budgets.remove(one.budget_id, actor=actor)
        await self._keys.load()
        standing = await self._budgets.standing(kept)
        if standing is None:
            raise Conflict("the guard was removed at the same moment: set it again")
        return GuardStanding(
            budget_id=kept,
            owner=owner,
            terms=terms,
            spent_usd_nanos=standing.spent_usd_nanos,
            held_usd_nanos=standing.held_usd_nanos,
        )

    async def standings(self, budget_ids: tuple[str, ...]) -> tuple[BudgetStanding, ...]:
        """Give how these budgets stand now, guards and others; one that is gone is left out."""
        wanted = [one for one in self._budgets.all() if one.budget_id in budget_ids]
        found = [(one, await self._budgets.standing(one.budget_id)) for one in wanted]
        return tuple(
            BudgetStanding(
                budget_id=one.budget_id,
                name=one.name,
                period=one.period,
                action=one.action,
                is_guard=is_guard(one),
                cap_usd_nanos=standing.cap_usd_nanos,
                spent_usd_nanos=standing.spent_usd_nanos,
                held_usd_nanos=standing.held_usd_nanos,
            )
            for one, standing in found
            if standing is not None
        )


def _new_id() -> str:
    return f"{GUARD_ID_PREFIX}{uuid.uuid4().hex[:12]}"
