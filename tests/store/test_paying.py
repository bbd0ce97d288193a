"""Which budgets pay for a request, and what is known of them together."""

from dataclasses import replace

import pytest

from omniroute.server.store import paying as of_paying
from omniroute.server.store.budget import Budget
from omniroute.server.store.paying import Paying, purse_of
from omniroute.server.store.windows import Line, Windows

WINDOWS = Windows(day=2_000, month=1_000, until=3_000)
TOTAL = Budget("total", "key-1", "total", 10)
DAILY = Budget("daily", "key-1", "daily", 10, "day")
ALERT = Budget("alert", "key-1", "alert", 10, "month", action="alert")
DEGRADE = replace(TOTAL, budget_id="degrade", action="degrade", allow_unpriced=True)
ALL = {one.budget_id: one for one in (TOTAL, DAILY, ALERT, DEGRADE)}
COMBOS = tuple(Budget(name, "", name, 1, combo="fast") for name in ("c1", "c2"))
SESSION = Budget("s1", "key-1", "s1", 1, session_id="ses")


def test_so_many_purses_are_kept() -> None:
    assert of_paying.PURSES_MAX == 4_096


@pytest.mark.parametrize(
    ("combo", "session_id", "paying"),
    [
        (None, None, ("own",)),
        ("slow", "another", ("own",)),
        ("fast", None, ("own", "c1", "c2")),
        (None, "ses", ("own", "s1")),
        ("fast", "ses", ("own", "c1", "c2", "s1")),
    ],
)
def test_a_combo_and_a_session_pay_beside_the_key(
    combo: str | None, session_id: str | None, paying: tuple[str, ...]
) -> None:
    known = Paying([*COMBOS, SESSION, TOTAL])

    assert known.of(("own",), combo=combo, session_id=session_id) == paying


@pytest.mark.parametrize(
    ("budgets", "paying"),
    [((), ("own", "own")), (COMBOS, ("own", "c1", "c2")), ((SESSION,), ("own", "s1"))],
)
def test_each_pays_once_beside_others(budgets: tuple[Budget, ...], paying: tuple[str, ...]) -> None:
    known = Paying(budgets)

    assert known.of(("own", "own"), combo="fast", session_id="ses") == paying


def test_a_purse_has_the_windows_of_its_budgets_once_each() -> None:
    purse = purse_of(("daily", "alert", "total", "daily"), ALL, WINDOWS)

    lines = (Line("daily", 2_000), Line("alert", 1_000, passes=True), Line("total", 0))
    assert purse.lines == lines
    assert purse.shares == tuple(zip((DAILY, ALERT, TOTAL), lines, strict=True))
    assert (purse.since_unix_s, purse.until_unix_s) == (2_000, 3_000)
    assert (purse.degrading, purse.pays_unpriced) == ((), False)


def test_a_purse_of_budgets_for_all_time_is_always_the_same() -> None:
    purse = purse_of(("total", "degrade"), ALL, WINDOWS)

    assert purse.since_unix_s is None
    assert purse.degrading == ((DEGRADE, Line("degrade", 0)),)


def test_a_purse_with_a_budget_that_nobody_knows_has_no_lines_and_pays_nothing_unpriced() -> None:
    purse = purse_of(("degrade", "nobodys"), ALL, WINDOWS)

    assert [budget for budget, _ in purse.shares] == [DEGRADE]
    assert (purse.lines, purse.pays_unpriced) == (None, False)


@pytest.mark.parametrize(
    ("names", "pays"),
    [
        ((), True),
        (("degrade",), True),
        (("alert",), True),
        (("degrade", "alert"), True),
        (("degrade", "total"), False),
    ],
)
def test_models_without_a_price_need_the_leave_of_all_that_may_refuse(
    names: tuple[str, ...], *, pays: bool
) -> None:
    assert purse_of(names, ALL, WINDOWS).pays_unpriced is pays
