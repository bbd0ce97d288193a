"""Reserving and settling in the database, one unit at a time."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from omniroute.routing.errors import Conflict
from omniroute.routing.ports import Hold
from omniroute.server.store.budget import Budget
from omniroute.server.store.budget_rows import (
    LEASE_S,
    Judged,
    Standing,
    open_windows,
    reservation,
    settlement,
    store_budget,
)
from omniroute.server.store.database import Row, RowRefused, Statement
from omniroute.server.store.windows import Line
from tests.store.opened import Opened

WIDE, NARROW = Line("wide", 0), Line("narrow", 0)
NOW_UNIX_S = 1_700_000_000.0
FRESH = Standing("wide", 0, 1_000, 0, 0)


async def put_both(store: Opened) -> None:
    for line, cap_usd_nanos in ((WIDE, 1_000), (NARROW, 100)):
        budget = Budget(line.budget_id, "key-1", line.budget_id, cap_usd_nanos)
        await store.budgets.put(budget, actor="test")
    await store.database.write(lambda: open_windows(store.database, (WIDE, NARROW)))


async def reserved(store: Opened, usd_nanos: int, *lines: Line, name: str = "h1") -> Judged:
    wanted = Hold(name, "key-1", (), usd_nanos)
    boot_id = store.boot.boot_id
    return await store.database.write(
        reservation(store.database, wanted, lines, boot_id=boot_id, now_unix_s=NOW_UNIX_S)
    )


async def settled(store: Opened, usd_nanos: int | None) -> Sequence[Standing]:
    unit = settlement(store.database, "h1", usd_nanos, now_unix_s=NOW_UNIX_S + 5)
    return await store.database.write(unit)


async def standings(store: Opened) -> dict[str, tuple[int, int]]:
    rows = await store.database.read(Statement("SELECT * FROM budget_windows"))
    return {row["budget_id"]: (row["spent_usd_nanos"], row["held_usd_nanos"]) for row in rows}


async def reservations(store: Opened) -> Sequence[Row]:
    return await store.database.read(Statement("SELECT * FROM reservations"))


def row_of(standing: Standing, *, paid: bool = True) -> Row:
    """Give the row in which PostgreSQL would tell it."""
    return {
        "budget_id": standing.budget_id,
        "window_start": standing.window_start,
        "cap_usd_nanos": standing.cap_usd_nanos,
        "spent_usd_nanos": standing.spent_usd_nanos,
        "held_usd_nanos": standing.held_usd_nanos + standing.leased_usd_nanos,
        "leased_usd_nanos": standing.leased_usd_nanos,
        "recalled_unix_s": standing.recalled_unix_s,
        "paid": paid,
    }


def test_a_standing_has_leased_nothing_and_was_never_called_back_unless_it_says_so() -> None:
    assert (FRESH.leased_usd_nanos, FRESH.recalled_unix_s) == (0, 0)


def test_a_line_ends_at_the_cap_unless_it_passes() -> None:
    assert not WIDE.passes


@pytest.mark.parametrize(
    ("standing", "left", "free", "over"),
    [
        (Standing("b", 0, 1_000, 0, 0), 1_000, 1_000, 0),
        (Standing("b", 0, 1_000, 100, 20, 3), 880, 877, 0),
        (Standing("b", 0, 1_000, 1_000, 0), 0, 0, 0),
        (Standing("b", 0, 1_000, 999, 0, 1), 1, 0, 0),
        (Standing("b", 0, 1_000, 1_100, 50, 7), 0, -157, 100),
    ],
)
def test_leases_count_as_left_but_not_as_free(
    standing: Standing, left: int, free: int, over: int
) -> None:
    assert (standing.left_usd_nanos, standing.free_usd_nanos) == (left, free)
    assert standing.over_usd_nanos == over


@pytest.mark.parametrize(
    ("cap", "spent", "percent", "warns"),
    [
        (1_000, 799, 80, False),
        (1_000, 800, 80, True),
        (1_000, 801, 80, True),
        (1_000, 1, 100, False),
        (1_000, 999, 100, False),
        (1_000, 1_000, 100, True),
        (1_000_000, 799_999, 80, False),
        (1_000_000, 800_000, 80, True),
        (10, 0, 1, False),
    ],
)
def test_a_warning_comes_with_the_first_nano_dollar_of_its_share(
    cap: int, spent: int, percent: int, *, warns: bool
) -> None:
    assert Standing("b", 0, cap, spent, 0).warns(percent) is warns


@pytest.mark.anyio
async def test_a_reservation_is_held_in_all_its_windows(store: Opened) -> None:
    await put_both(store)

    judged = await reserved(store, 100, WIDE, NARROW)

    assert judged.paid
    assert set(judged.standings) == {FRESH, Standing("narrow", 0, 100, 0, 0)}
    assert await standings(store) == {"wide": (0, 100), "narrow": (0, 100)}
    (row,) = await reservations(store)
    assert (row["hold_id"], row["key_id"], row["bound_usd_nanos"]) == ("h1", "key-1", 100)
    assert row["lines"] == '[["wide", 0], ["narrow", 0]]'
    assert (row["boot_id"], row["created_unix_s"]) == (store.boot.boot_id, NOW_UNIX_S)
    assert row["lease_until_unix_s"] == NOW_UNIX_S + 900.0 == NOW_UNIX_S + LEASE_S
    assert (row["actual_usd_nanos"], bool(row["abandoned"])) == (None, False)


@pytest.mark.anyio
async def test_what_one_window_cannot_pay_is_held_in_none(store: Opened) -> None:
    await put_both(store)

    judged = await reserved(store, 101, WIDE, NARROW)

    assert not judged.paid
    assert set(judged.standings) == {FRESH, Standing("narrow", 0, 100, 0, 0)}
    assert await standings(store) == {"wide": (0, 0), "narrow": (0, 0)}
    assert await reservations(store) == []


@pytest.mark.anyio
async def test_a_window_that_passes_pays_beyond_its_cap(store: Opened) -> None:
    await put_both(store)

    judged = await reserved(store, 101, WIDE, replace(NARROW, passes=True))

    assert judged.paid
    assert await standings(store) == {"wide": (0, 101), "narrow": (0, 101)}


@pytest.mark.anyio
@pytest.mark.parametrize("unknown", [Line("nobodys", 0), Line("wide", 86_400)])
async def test_a_window_that_is_not_there_cannot_pay(store: Opened, unknown: Line) -> None:
    await put_both(store)

    judged = [await reserved(store, 1, unknown), await reserved(store, 1, WIDE, unknown)]

    assert judged == [Judged(False, ()), Judged(False, (FRESH,))]
    assert await reservations(store) == []


@pytest.mark.anyio
async def test_a_hold_is_reserved_once(store: Opened) -> None:
    await put_both(store)
    await reserved(store, 1, WIDE)

    with pytest.raises(RowRefused):
        await reserved(store, 1, WIDE)

    assert (await standings(store))["wide"] == (0, 1)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("told", "spent", "abandoned"), [(30, 30, False), (0, 0, False), (None, 100, True)]
)
async def test_a_settlement_turns_what_is_held_into_what_was_spent_once(
    store: Opened, told: int | None, spent: int, *, abandoned: bool
) -> None:
    await put_both(store)
    await reserved(store, 100, WIDE, NARROW)

    first, second = await settled(store, told), await settled(store, 7)

    changed = {one.budget_id: (one.spent_usd_nanos, one.held_usd_nanos) for one in first}
    assert changed == await standings(store) == {"wide": (spent, 0), "narrow": (spent, 0)}
    assert second == ()
    (row,) = await reservations(store)
    assert (row["actual_usd_nanos"], bool(row["abandoned"])) == (spent, abandoned)
    assert row["settled_unix_s"] == NOW_UNIX_S + 5


@pytest.mark.anyio
async def test_a_window_is_opened_once_at_the_cap_of_its_budget(store: Opened) -> None:
    await put_both(store)
    await reserved(store, 1, WIDE)

    both = (WIDE, Line("wide", 86_400), Line("nobodys", 0))
    await store.database.write(lambda: open_windows(store.database, both))

    rows = await store.database.read(
        Statement("SELECT * FROM budget_windows ORDER BY budget_id, window_start")
    )
    told = [(row["budget_id"], row["window_start"], row["cap_usd_nanos"]) for row in rows]
    assert told == [("narrow", 0, 100), ("wide", 0, 1_000), ("wide", 86_400, 1_000)]
    assert [row["held_usd_nanos"] for row in rows] == [0, 1, 0]


@pytest.mark.anyio
async def test_a_cap_changes_from_the_current_window_on(store: Opened) -> None:
    await put_both(store)
    await store.database.write(lambda: open_windows(store.database, (Line("wide", 86_400),)))
    changed = Budget("wide", "key-1", "other", 5)

    await store.database.write(partial(store_budget, changed, 86_400, now_unix_s=NOW_UNIX_S))

    rows = await store.database.read(
        Statement("SELECT cap_usd_nanos FROM budget_windows WHERE budget_id = 'wide' ORDER BY 1")
    )
    assert [row["cap_usd_nanos"] for row in rows] == [5, 1_000]
    with pytest.raises(Conflict, match="'wide' exists with another owner or period"):
        await store.database.write(
            partial(store_budget, replace(changed, key_id="key-2"), 0, now_unix_s=NOW_UNIX_S)
        )


class PostgresInWords:
    """Has the kind of a PostgreSQL; what it is asked and what it says, the test looks at."""

    kind = "postgres"


@pytest.mark.parametrize("paid", [True, False])
def test_the_other_database_is_asked_once_whether_all_windows_pay(*, paid: bool) -> None:
    wanted = Hold("h1", "key-1", ("wide", "narrow"), 100)
    lines = (WIDE, replace(NARROW, passes=True))
    leased = Standing("narrow", 0, 100, 5, 6, 7, 8.0)

    steps = reservation(
        PostgresInWords(),  # type: ignore[arg-type]
        *(wanted, lines),
        boot_id="boot",
        now_unix_s=NOW_UNIX_S,
    )()
    asked = next(steps)
    with pytest.raises(StopIteration) as ended:
        steps.send([row_of(FRESH, paid=paid), row_of(leased, paid=paid)])

    assert isinstance(asked, Statement)
    windows = (["wide", "narrow"], [0, 0])
    hold = ("h1", "key-1", '[["wide", 0], ["narrow", 0]]', 100)
    moments = ("boot", NOW_UNIX_S + 900.0, NOW_UNIX_S)
    assert asked.values == (*windows, *hold, *moments, [False, True])
    assert ended.value.value == Judged(paid, (FRESH, leased))


def test_the_other_database_has_no_rows_for_windows_that_are_not_there() -> None:
    steps = reservation(
        PostgresInWords(),  # type: ignore[arg-type]
        *(Hold("h1", "key-1", ("wide",), 100), (WIDE,)),
        boot_id="boot",
        now_unix_s=NOW_UNIX_S,
    )()
    next(steps)

    with pytest.raises(StopIteration) as ended:
        steps.send([])

    assert ended.value.value == Judged(False, ())


def test_the_other_database_is_asked_once_to_settle_and_tells_what_changed() -> None:
    unit = settlement(PostgresInWords(), "h1", None, now_unix_s=5.0)  # type: ignore[arg-type]
    steps = unit()

    asked = next(steps)
    with pytest.raises(StopIteration) as ended:
        steps.send([row_of(FRESH)])

    assert isinstance(asked, Statement)
    assert asked.values == ("h1", None, 5.0)
    assert ended.value.value == (FRESH,)
