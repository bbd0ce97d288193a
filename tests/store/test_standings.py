"""How a key's budgets and its guard stand, as reports tell it."""

import pytest

from omniroute.routing.guard import BudgetStanding, GuardTerms
from omniroute.routing.ports import Hold
from omniroute.server.store.budget import Budget
from omniroute.server.store.guards import StoredGuards
from tests.store.opened import Opened

pytestmark = pytest.mark.anyio

USD = 10**9


async def test_standings_tell_guards_and_budgets_as_the_database_has_them(store: Opened) -> None:
    guards = StoredGuards(store.budgets, store.keys)
    await store.budgets.put(Budget("b-1", "key-1", "daily", 5 * USD, "day"), actor="admin")
    guard = await guards.put_guard(
        GuardTerms(2 * USD, "alert"), owner="key-1", actor="key-1", restart=False
    )
    await store.budgets.reserve(Hold("hold-1", "key-1", ("b-1", guard.budget_id), USD))
    store.budgets.settle("hold-1", usd_nanos=USD // 2)
    await store.budgets.reserve(Hold("hold-2", "key-1", ("b-1",), USD))
    await store.budgets.flush()

    found = await guards.standings(("b-1", guard.budget_id, "b-gone"))

    daily, own = found
    assert daily == BudgetStanding(
        "b-1", "daily", "day", "block", False, 5 * USD, USD // 2, daily.held_usd_nanos
    )
    assert daily.left_usd_nanos == 5 * USD - USD // 2 - daily.held_usd_nanos
    assert (own.is_guard, own.action, own.spent_usd_nanos) == (True, "alert", USD // 2)
    assert own.left_usd_nanos == 3 * USD // 2


async def test_a_key_without_budgets_has_no_standings(store: Opened) -> None:
    assert await StoredGuards(store.budgets, store.keys).standings(()) == ()
