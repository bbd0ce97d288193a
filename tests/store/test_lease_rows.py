"""Leases in the database, step by step: granted, given back, called back, written off."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from omniroute.server.store.boots import Boot, new_boot, register_boot
from omniroute.server.store.budget import Budget
from omniroute.server.store.budget_rows import Standing, open_windows
from omniroute.server.store.database import Row, Statement
from omniroute.server.store.lease_rows import (
    CHUNK_S,
    Granted,
    Returned,
    Wish,
    call_back,
    change_window,
    dead_leases,
    give_back,
    grant,
    locked_windows,
    share_of,
    write_off,
)
from omniroute.server.store.windows import Line
from tests.fakes import FakeClock
from tests.store.opened import Opened

LINE = Line("team", 0)
WISH = Wish(LINE, "mine-0", True, 100, 4, 12)
FULL = Standing("team", 0, 8_000, 0, 0)
NOW_UNIX_S = 1_700_000_000.0


def stands(standing: Standing | None) -> tuple[int, int, int]:
    """Give what is spent, held for requests, and leased."""
    assert standing is not None
    return standing.spent_usd_nanos, standing.held_usd_nanos, standing.leased_usd_nanos


async def put(store: Opened, cap_usd_nanos: int) -> None:
    await store.budgets.put(Budget("team", "key-1", "team", cap_usd_nanos), actor="test")
    await store.database.write(lambda: open_windows(store.database, (LINE,)))


async def granted(store: Opened, wish: Wish, now_unix_s: float = NOW_UNIX_S) -> Granted:
    kind, boot_id = store.database.kind, store.boot.boot_id
    unit = partial(grant, wish, kind, boot_id=boot_id, now_unix_s=now_unix_s)
    return await store.database.write(unit)


async def given_back(store: Opened, keep_usd_nanos: int | None) -> Returned:
    kind = store.database.kind
    return await store.database.write(
        partial(give_back, LINE, "mine-0", kind, keep_usd_nanos=keep_usd_nanos)
    )


async def written_off(store: Opened) -> int | None:
    kind = store.database.kind
    return await store.database.write(
        partial(write_off, LINE, "mine-0", kind, now_unix_s=NOW_UNIX_S)
    )


async def standing(store: Opened) -> tuple[int, int, int]:
    found = await store.database.write(partial(locked_windows, (LINE,), store.database.kind))
    return stands(found[LINE])


async def leases(store: Opened) -> Sequence[tuple[object, ...]]:
    rows = await store.database.read(
        Statement("SELECT * FROM budget_leases ORDER BY lease_id"),
    )
    names = ("lease_id", "boot_id", "leased_usd_nanos", "until_unix_s", "exposed_usd_nanos")
    return [tuple(row[name] for name in names) for row in rows]


async def reservations(store: Opened) -> Sequence[Row]:
    return await store.database.read(Statement("SELECT * FROM reservations"))


@pytest.mark.parametrize(
    ("standing", "least", "own", "processes", "share"),
    [
        (FULL, 4, 0, 1, 1_000),
        (FULL, 4, 0, 2, 500),
        (FULL, 4, 0, 0, 1_000),
        (replace(FULL, leased_usd_nanos=800), 4, 800, 1, 1_000),
        (FULL, 1_000, 0, 1, 1_000),
        (FULL, 1_001, 0, 1, 0),
        (replace(FULL, cap_usd_nanos=8), 1, 0, 1, 1),
        (replace(FULL, cap_usd_nanos=7), 0, 0, 1, 0),
        (replace(FULL, spent_usd_nanos=9_000), 0, 0, 1, 0),
    ],
)
def test_an_eighth_of_what_is_free_is_shared_by_the_processes_or_nothing_is(
    standing: Standing, least: int, own: int, processes: int, share: int
) -> None:
    wish = replace(WISH, usd_nanos_min=least)

    assert share == share_of(
        standing, wish, own_usd_nanos=own, processes=processes, now_unix_s=NOW_UNIX_S
    )


@pytest.mark.parametrize(
    ("since_s", "share"),
    [(-0.5, 1_000), (0.0, 0), (0.5, 0), (4.5, 0), (4.99, 0), (5.0, 1_000), (5.5, 1_000)],
)
def test_after_a_recall_nothing_is_shared_for_five_seconds(since_s: float, share: int) -> None:
    recalled = replace(FULL, recalled_unix_s=NOW_UNIX_S - since_s)

    found = share_of(recalled, WISH, own_usd_nanos=0, processes=1, now_unix_s=NOW_UNIX_S)

    assert found == share


def test_what_is_granted_is_not_lost_unless_it_says_so() -> None:
    assert not Granted(0, 0, None).lost


@pytest.mark.anyio
async def test_a_grant_makes_a_lease_and_moves_the_chunk(store: Opened) -> None:
    await put(store, 8_000)

    found = await granted(store, WISH)

    assert (found.usd_nanos, found.share_usd_nanos, found.lost) == (100, 1_000, False)
    assert stands(found.standing) == await standing(store) == (0, 0, 100)
    until_unix_s = NOW_UNIX_S + CHUNK_S
    assert await leases(store) == [("mine-0", store.boot.boot_id, 100, until_unix_s, 12)]


@pytest.mark.anyio
async def test_a_second_grant_adds_to_the_lease_and_exposes_no_less(store: Opened) -> None:
    await put(store, 8_000)
    await granted(store, WISH)

    more = Wish(LINE, "mine-0", False, 950, 4, 11)
    found = await granted(store, more, NOW_UNIX_S + 10)
    again = await granted(store, replace(more, exposed_usd_nanos=50), NOW_UNIX_S + 20)

    assert (found.usd_nanos, found.share_usd_nanos) == (900, 1_000)
    assert (again.usd_nanos, again.share_usd_nanos, again.lost) == (0, 1_000, False)
    assert stands(again.standing) == (0, 0, 1_000)
    assert [row[2:] for row in await leases(store)] == [(1_000, NOW_UNIX_S + 70, 12)]


@pytest.mark.anyio
async def test_a_second_grant_can_expose_more(store: Opened) -> None:
    await put(store, 8_000)
    await granted(store, WISH)

    await granted(store, Wish(LINE, "mine-0", False, 100, 4, 25))

    assert [row[4] for row in await leases(store)] == [25]


@pytest.mark.anyio
async def test_a_new_lease_is_granted_no_more_than_its_share(store: Opened) -> None:
    await put(store, 80)

    found = await granted(store, WISH)

    assert (found.usd_nanos, found.share_usd_nanos) == (10, 10)
    assert await standing(store) == (0, 0, 10)


@pytest.mark.anyio
async def test_the_least_chunk_is_a_nano_dollar(store: Opened) -> None:
    await put(store, 80)

    found = await granted(store, replace(WISH, usd_nanos=1))

    assert found.usd_nanos == 1
    assert await standing(store) == (0, 0, 1)


@pytest.mark.anyio
async def test_what_does_not_pay_for_the_least_is_not_granted(store: Opened) -> None:
    await put(store, 31)

    found = await granted(store, WISH)

    assert (found.usd_nanos, found.share_usd_nanos, found.lost) == (0, 0, False)
    assert stands(found.standing) == (0, 0, 0)
    assert await leases(store) == []


@pytest.mark.anyio
async def test_a_share_is_divided_among_the_processes_that_were_heard_of_lately(
    store: Opened, clock: FakeClock
) -> None:
    await put(store, 8_000)
    for seen_unix_s in (clock.unix() - 59, clock.unix() - 61):
        await register_boot(store.database, new_boot("0.0.0-test", seen_unix_s))

    found = await granted(store, replace(WISH, usd_nanos=2_000), clock.unix())

    assert found.usd_nanos == 500


@pytest.mark.anyio
async def test_a_lease_that_is_over_is_lost_and_not_granted_anew(store: Opened) -> None:
    await put(store, 8_000)

    found = await granted(store, replace(WISH, is_new=False))

    assert (found.usd_nanos, found.share_usd_nanos, found.lost) == (0, 0, True)
    assert stands(found.standing) == (0, 0, 0)
    assert await leases(store) == []


@pytest.mark.anyio
@pytest.mark.parametrize("is_new", [True, False])
async def test_without_a_window_nothing_is_granted(store: Opened, *, is_new: bool) -> None:
    found = await granted(store, replace(WISH, is_new=is_new))

    assert found == Granted(0, 0, None, lost=True)


@pytest.mark.anyio
async def test_a_new_lease_that_was_granted_before_is_filled_up(store: Opened) -> None:
    await put(store, 8_000)
    await granted(store, WISH)

    found = await granted(store, WISH)

    assert (found.usd_nanos, found.lost) == (100, False)
    assert await standing(store) == (0, 0, 200)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("keep", "given", "left"), [(30, 70, 30), (0, 100, 0), (100, 0, 100), (130, 0, 100)]
)
async def test_a_lease_is_given_back_but_for_what_is_kept(
    store: Opened, keep: int, given: int, left: int
) -> None:
    await put(store, 8_000)
    await granted(store, WISH)

    returned = await given_back(store, keep)

    assert returned.usd_nanos == given
    assert stands(returned.standing) == await standing(store) == (0, 0, left)
    assert [row[2] for row in await leases(store)] == [left]


@pytest.mark.anyio
async def test_a_lease_that_ends_gives_everything_back_once(store: Opened) -> None:
    await put(store, 8_000)
    await granted(store, WISH)

    first, second = await given_back(store, None), await given_back(store, None)

    assert first.usd_nanos == 100
    assert stands(first.standing) == await standing(store) == (0, 0, 0)
    assert second == Returned(0, None)
    assert await leases(store) == []


@pytest.mark.anyio
async def test_a_recall_is_told_by_the_window(store: Opened) -> None:
    await put(store, 8_000)

    await store.database.write(call_back(LINE, now_unix_s=NOW_UNIX_S))

    found = await store.database.write(partial(locked_windows, (LINE,), store.database.kind))
    assert found[LINE].recalled_unix_s == NOW_UNIX_S


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("machine", "late_s", "dead"),
    [
        ("here", -1.0, ["a-0", "b-0"]),
        ("elsewhere", -1.0, []),
        ("elsewhere", 0.0, []),
        ("elsewhere", 0.5, ["a-0", "b-0"]),
    ],
)
async def test_leases_are_dead_with_their_process_or_when_they_ran_out(
    store: Opened, machine: str, late_s: float, dead: list[str]
) -> None:
    await put(store, 8_000)
    here = new_boot("0.0.0-test", NOW_UNIX_S)
    where = here.machine if machine == "here" else machine
    gone = Boot("gone", where, here.process_id, "gone", "0.0.0-test", NOW_UNIX_S)
    await register_boot(store.database, gone)
    kind = store.database.kind
    for name in ("b-0", "a-0"):
        wish = replace(WISH, lease_id=name)
        await store.database.write(
            partial(grant, wish, kind, boot_id="gone", now_unix_s=NOW_UNIX_S)
        )

    now_unix_s = NOW_UNIX_S + CHUNK_S + late_s
    found = await store.database.read(partial(dead_leases, now_unix_s, store.boot.boot_id))
    own = await store.database.read(partial(dead_leases, now_unix_s, "gone"))

    assert found == [(LINE, name) for name in dead]
    assert own == []


@pytest.mark.anyio
@pytest.mark.parametrize(("kept", "spent"), [(None, 12), (5, 5)])
async def test_a_dead_lease_counts_as_spent_up_to_what_was_exposed(
    store: Opened, kept: int | None, spent: int
) -> None:
    await put(store, 8_000)
    await granted(store, WISH)
    if kept is not None:
        await given_back(store, kept)

    first, second = await written_off(store), await written_off(store)

    assert (first, second) == (spent, None)
    assert await standing(store) == (spent, 0, 0)
    assert await leases(store) == []
    (row,) = await reservations(store)
    assert (row["hold_id"], row["lines"]) == ("lease:mine-0", '[["team", 0]]')
    assert row["bound_usd_nanos"] == row["actual_usd_nanos"] == spent
    assert (row["boot_id"], row["settled_unix_s"]) == (store.boot.boot_id, NOW_UNIX_S)
    assert row["abandoned"]


@pytest.mark.anyio
async def test_a_dead_lease_that_exposed_nothing_leaves_no_reservation(store: Opened) -> None:
    await put(store, 8_000)
    await granted(store, replace(WISH, exposed_usd_nanos=0))

    amount = await written_off(store)

    assert amount == 0
    assert await standing(store) == (0, 0, 0)
    assert (await leases(store), await reservations(store)) == ([], [])


@pytest.mark.anyio
async def test_a_window_changes_by_what_is_said_and_by_nothing_else(store: Opened) -> None:
    await put(store, 8_000)

    found = [
        await store.database.write(partial(change_window, LINE, **{name: 7}))
        for name in ("held", "spent")
    ]
    leased = await store.database.write(partial(change_window, LINE, held=9, leased=9))
    gone = await store.database.write(partial(change_window, Line("nobodys", 0), held=1))

    assert [stands(one) for one in found] == [(0, 7, 0), (7, 7, 0)]
    assert stands(leased) == (7, 7, 9)
    assert gone is None
