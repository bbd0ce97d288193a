"""Budgets of combos and of sessions, beside those of keys: on both databases."""

from pathlib import Path

import pytest

from omniroute.routing.errors import BudgetExceeded
from omniroute.routing.ports import Hold
from omniroute.server.store.budget import Budget
from omniroute.server.store.key_terms import KeyTerms
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store

pytestmark = pytest.mark.anyio

DOLLAR = 1_000_000_000
TERMS = KeyTerms("k", ("agent",))


async def put_three(store: Opened) -> None:
    for one in (
        Budget("of-key", "key-1", "key", 3 * DOLLAR),
        Budget("of-combo", "", "combo", 2 * DOLLAR, combo="quality"),
        Budget("of-session", "key-1", "session", DOLLAR, session_id="ses_1"),
    ):
        await store.budgets.put(one, actor="test")


async def test_a_request_is_paid_for_by_its_key_its_combo_and_its_session(store: Opened) -> None:
    await put_three(store)
    paying = store.budgets.paying

    assert paying(("of-key",), combo="quality", session_id="ses_1") == (
        "of-key",
        "of-combo",
        "of-session",
    )
    assert paying((), combo="quality", session_id=None) == ("of-combo",)
    assert paying(("of-key",), combo="cheap", session_id="ses_2") == ("of-key",)
    assert paying(("of-key", "of-combo"), combo="quality", session_id=None) == (
        "of-key",
        "of-combo",
    )


async def test_all_of_them_pay_or_none(store: Opened) -> None:
    await put_three(store)
    all_three = store.budgets.paying(("of-key",), combo="quality", session_id="ses_1")

    with pytest.raises(BudgetExceeded, match="'session' cannot pay"):
        await store.budgets.reserve(Hold("h1", "key-1", all_three, DOLLAR + 1))
    await store.budgets.reserve(Hold("h2", "key-1", all_three, DOLLAR))
    store.budgets.settle("h2", usd_nanos=DOLLAR)
    await store.budgets.flush()

    standings = [await store.budgets.standing(name) for name in all_three]
    assert [one.spent_usd_nanos for one in standings if one] == [DOLLAR] * 3


async def test_a_key_is_not_charged_to_the_budgets_of_its_sessions(store: Opened) -> None:
    new = await store.keys.create(TERMS, actor="test")
    key_id = new.stored.key_id
    of_session = Budget("of-session", key_id, "session", DOLLAR, session_id="ses_1")
    await store.budgets.put(of_session, actor="test")
    await store.budgets.put(Budget("of-key", key_id, "key", DOLLAR), actor="test")
    await store.keys.load()

    caller = store.keys.check(new.text)

    assert caller is not None
    assert caller.budget_ids == store.keys.budgets_of(key_id) == ("of-key",)
    assert await store.keys.revoke(key_id, actor="test")
    await store.budgets.load()
    assert store.budgets.all() == ()


async def test_budgets_of_combos_and_sessions_are_there_after_a_restart(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    await put_three(store)

    async with open_store(database_url, tmp_path, clock) as again:
        await again.budgets.load()
        paying = again.budgets.paying((), combo="quality", session_id="ses_1")

    assert paying == ("of-combo", "of-session")
