"""What budgets do when they cannot pay, as it is stored: on both databases."""

from pathlib import Path

import pytest

from omniroute.routing.errors import BadRequest, BudgetExceeded
from omniroute.routing.guard import Guard
from omniroute.routing.ports import Hold
from omniroute.server.store.budget import Budget
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store

pytestmark = pytest.mark.anyio

DOLLAR = 1_000_000_000


def hold(name: str, usd_nanos: int, *budget_ids: str) -> Hold:
    return Hold(name, "key-1", budget_ids, usd_nanos)


async def spend(store: Opened, name: str, usd_nanos: int, *budget_ids: str) -> None:
    await store.budgets.reserve(hold(name, usd_nanos, *budget_ids))
    store.budgets.settle(name, usd_nanos=usd_nanos)
    await store.budgets.flush()


async def test_an_alert_pays_beyond_its_cap_and_says_by_how_much(store: Opened) -> None:
    watched = Budget("watched", "key-1", "watched", DOLLAR, action="alert")
    await store.budgets.put(watched, actor="test")

    for number in range(3):
        await spend(store, f"h{number}", DOLLAR, "watched")

    standing = await store.budgets.standing("watched")
    assert standing is not None
    assert (standing.spent_usd_nanos, standing.held_usd_nanos) == (3 * DOLLAR, 0)
    assert standing.over_usd_nanos == 2 * DOLLAR
    assert store.budgets.left(("watched",)) is None
    assert store.budgets.pay_unpriced(("watched",))
    (words,) = store.budgets.warnings(("watched",))
    assert words == "budget 'watched' has spent $3.00 of $1.00: it is passed by $2.00"


async def test_an_alert_beside_a_block_takes_nothing_when_that_one_refuses(store: Opened) -> None:
    await store.budgets.put(Budget("a", "key-1", "a", 1, action="alert"), actor="test")
    await store.budgets.put(Budget("b", "key-1", "b", DOLLAR), actor="test")

    with pytest.raises(BudgetExceeded, match="budget 'b' cannot pay"):
        await store.budgets.reserve(hold("h1", 2 * DOLLAR, "a", "b"))
    await spend(store, "h2", DOLLAR, "a", "b")

    standings = [await store.budgets.standing(name) for name in ("a", "b")]
    assert [one.spent_usd_nanos for one in standings if one] == [DOLLAR, DOLLAR]
    assert store.budgets.left(("a", "b")) == 0


async def test_an_alert_that_becomes_a_block_refuses_from_then_on(store: Opened) -> None:
    await store.budgets.put(Budget("a", "key-1", "a", DOLLAR, action="alert"), actor="test")
    await spend(store, "h1", 2 * DOLLAR, "a")

    await store.budgets.put(Budget("a", "key-1", "a", DOLLAR), actor="test")

    with pytest.raises(BudgetExceeded, match=r"of \$1\.00 it has spent \$2\.00"):
        await store.budgets.reserve(hold("h2", 1, "a"))


async def test_a_degrading_budget_guards_from_its_threshold_on_and_after_a_restart(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    frugal = Budget("b", "key-1", "b", DOLLAR, "day", 50, action="degrade", tier="free")
    await store.budgets.put(frugal, actor="test")

    fresh = store.budgets.guard(("b",))
    await spend(store, "h1", DOLLAR // 4, "b")
    early = store.budgets.guard(("b",))
    await spend(store, "h2", DOLLAR // 4, "b")
    late = store.budgets.guard(("b",))
    (words,) = store.budgets.warnings(("b",))
    async with open_store(database_url, tmp_path, clock) as again:
        await again.budgets.load()
        restarted = again.budgets.guard(("b",))
        clock.advance(86_400)
        tomorrow = again.budgets.guard(("b",))

    assert fresh == tomorrow == Guard("free", DOLLAR)
    assert early == Guard("free", DOLLAR * 3 // 4)
    assert late == restarted == Guard("free")
    assert words.endswith("of $1.00: only free models answer now")


async def test_a_block_is_no_guard(store: Opened) -> None:
    await store.budgets.put(Budget("b", "key-1", "b", 0), actor="test")

    assert store.budgets.guard(("b", "nobodys")) is None


async def test_an_unknown_action_or_tier_is_refused(store: Opened) -> None:
    wrong = Budget("b", "key-1", "b", 1, action="stop")  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="action is one of block, degrade, alert"):
        await store.budgets.put(wrong, actor="test")
    wrong = Budget("b", "key-1", "b", 1, tier="gold")  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="tier is one of cheap, free"):
        await store.budgets.put(wrong, actor="test")
