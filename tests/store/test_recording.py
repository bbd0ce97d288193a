"""What was let through in memory, as it is recorded; and many settlements at once."""

from collections.abc import Sequence
from functools import partial

import pytest

from omniroute.routing.ports import Hold
from omniroute.server.store import abandoned
from omniroute.server.store.boots import new_boot, register_boot
from omniroute.server.store.budget import Budget
from omniroute.server.store.budget_rows import Standing, open_windows
from omniroute.server.store.database import RowRefused, Statement
from omniroute.server.store.lease import Lease
from omniroute.server.store.lease_rows import Wish, grant
from omniroute.server.store.recording import Held, Recorded, Sums, record, record_with_care
from omniroute.server.store.settling import settle_all
from omniroute.server.store.windows import Line
from tests.store.opened import Opened

pytestmark = pytest.mark.anyio

TEAM, OWN = Line("team", 0), Line("own", 0)
CAP = 100_000
CHUNK = 1_000
MADE_UNIX_S = 1_700_000_000.0
NOW_UNIX_S = MADE_UNIX_S + 7


async def lease_of(store: Opened, line: Line, number: int) -> Lease:
    """Have a chunk of a new budget."""
    budget = Budget(line.budget_id, "key-1", line.budget_id, CAP)
    await store.budgets.put(budget, actor="test")
    await store.database.write(lambda: open_windows(store.database, (line,)))
    lease = Lease(line, f"{store.boot.boot_id}-{number}", CHUNK)
    wish = Wish(line, lease.lease_id, True, CHUNK, 1, CHUNK)
    kind, boot_id = store.database.kind, store.boot.boot_id
    await store.database.write(partial(grant, wish, kind, boot_id=boot_id, now_unix_s=MADE_UNIX_S))
    return lease


def held(name: str, usd_nanos: int, *leases: Lease, spent: int | None = None) -> Held:
    wanted = Hold(name, "key-1", tuple(one.line.budget_id for one in leases), usd_nanos)
    item = Held(wanted, leases, MADE_UNIX_S, usd_nanos)
    for lease in leases:
        lease.unrecorded_usd_nanos += usd_nanos
    if spent is not None:
        item.settle(spent)
    return item


async def recorded(store: Opened, *items: Held, boot_id: str = "") -> Recorded:
    kind, own = store.database.kind, store.boot.boot_id
    return await store.database.write(
        partial(record, items, kind, boot_id=boot_id or own, now_unix_s=NOW_UNIX_S)
    )


async def carefully(store: Opened, *items: Held, again: bool) -> Recorded:
    kind, boot_id = store.database.kind, store.boot.boot_id
    return await store.database.write(
        partial(record_with_care, items, kind, boot_id=boot_id, again=again, now_unix_s=NOW_UNIX_S)
    )


async def settled(store: Opened, *spent: tuple[str, int]) -> Sequence[Standing]:
    kind = store.database.kind
    return await store.database.write(partial(settle_all, spent, kind, now_unix_s=NOW_UNIX_S))


async def windows(store: Opened) -> dict[str, tuple[int, int, int]]:
    """Give what each window has spent, holds for requests, and has leased."""
    rows = await store.database.read(Statement("SELECT * FROM budget_windows"))
    return {
        row["budget_id"]: (
            row["spent_usd_nanos"],
            row["held_usd_nanos"] - row["leased_usd_nanos"],
            row["leased_usd_nanos"],
        )
        for row in rows
    }


async def leased(store: Opened) -> list[int]:
    rows = await store.database.read(
        Statement("SELECT leased_usd_nanos FROM budget_leases ORDER BY lease_id")
    )
    return [row["leased_usd_nanos"] for row in rows]


async def kept(store: Opened) -> Sequence[tuple[object, ...]]:
    rows = await store.database.read(Statement("SELECT * FROM reservations ORDER BY hold_id"))
    names = ("hold_id", "lines", "bound_usd_nanos", "actual_usd_nanos", "settled_unix_s")
    return [tuple(row[name] for name in names) for row in rows]


@pytest.mark.parametrize(
    ("spent", "taken"), [(30, 30), (99, 99), (100, 100), (101, 100), (130, 100), (0, 0)]
)
def test_what_a_cheap_answer_leaves_stays_in_its_leases(spent: int, taken: int) -> None:
    leases = (Lease(TEAM, "l-0", 1_000), Lease(OWN, "l-1", 1_000))
    item = held("h1", 100, *leases)
    new = (item.usd_nanos, item.is_recorded)

    item.settle(spent)
    item.settle(7)

    assert new == (None, False)
    assert (item.usd_nanos, item.taken_usd_nanos) == (spent, taken)
    assert [one.unrecorded_usd_nanos for one in leases] == [taken, taken]


async def test_holds_are_recorded_and_what_they_took_leaves_the_leases(store: Opened) -> None:
    team, own = await lease_of(store, TEAM, 0), await lease_of(store, OWN, 1)
    both = (team, own)

    found = await recorded(
        store,
        held("a", 100, *both, spent=30),
        held("b", 50, *both),
        held("c", 5, team),
        held("d", 7),
        held("e", 9, spent=4),
    )

    lines = '[["team", 0], ["own", 0]]'
    assert await kept(store) == [
        ("a", lines, 100, 30, NOW_UNIX_S),
        ("b", lines, 50, None, None),
        ("c", '[["team", 0]]', 5, None, None),
        ("d", "[]", 7, None, None),
        ("e", "[]", 9, 4, NOW_UNIX_S),
    ]
    assert await windows(store) == {"team": (30, 55, 915), "own": (30, 50, 920)}
    assert await leased(store) == [915, 920]
    assert found.summed == {
        both: Sums(2, 80, 30, 30),
        (team,): Sums(1, 5, 0, 0),
        (): Sums(2, 16 - 5, 4, 4),
    }
    assert found.living == {team.lease_id, own.lease_id}
    assert {one.budget_id: one.spent_usd_nanos for one in found.standings} == {
        "team": 30,
        "own": 30,
    }
    assert found.aliases == {}


async def test_a_hold_says_who_made_it_and_how_long_it_stands(store: Opened) -> None:
    found = await recorded(store, held("h1", 7))

    assert (found.living, found.standings) == (frozenset(), ())
    (row,) = await store.database.read(Statement("SELECT * FROM reservations"))
    assert (row["key_id"], row["boot_id"]) == ("key-1", store.boot.boot_id)
    assert row["created_unix_s"] == MADE_UNIX_S
    assert row["lease_until_unix_s"] == MADE_UNIX_S + 900.0


async def test_what_costs_more_than_its_bound_is_spent_in_full(store: Opened) -> None:
    team = await lease_of(store, TEAM, 0)

    await recorded(store, held("h1", 100, team, spent=150))

    assert await windows(store) == {"team": (150, 0, 900)}


async def test_a_lease_that_is_over_pays_no_more(store: Opened) -> None:
    team, own = await lease_of(store, TEAM, 0), await lease_of(store, OWN, 1)
    await store.database.write(
        Statement("DELETE FROM budget_leases WHERE lease_id = $1", (team.lease_id,))
    )

    found = await recorded(store, held("h1", 100, team, own), held("h2", 10, own))

    assert found.living == {own.lease_id}
    assert [row[1] for row in await kept(store)] == ['[["own", 0]]'] * 2
    assert await windows(store) == {"team": (0, 0, CHUNK), "own": (0, 110, 890)}
    assert [one.budget_id for one in found.standings] == ["own"]


async def test_a_batch_with_an_id_that_is_taken_is_refused_whole(store: Opened) -> None:
    team = await lease_of(store, TEAM, 0)
    await recorded(store, held("h1", 100, team))

    with pytest.raises(RowRefused):
        await recorded(store, held("h2", 100, team), held("h1", 100, team))

    assert [row[0] for row in await kept(store)] == ["h1"]
    assert await windows(store) == {"team": (0, 100, 900)}


async def test_what_an_earlier_try_stored_is_not_counted_again(store: Opened) -> None:
    team = await lease_of(store, TEAM, 0)
    first, second = held("h1", 100, team), held("h2", 10, team)
    await recorded(store, first)

    found = await carefully(store, first, second, again=True)
    third = await carefully(store, first, second, again=True)

    assert [row[0] for row in await kept(store)] == ["h1", "h2"]
    assert await windows(store) == {"team": (0, 110, 890)}
    assert found.summed == third.summed == {(team,): Sums(2, 110, 0, 0)}
    assert (found.aliases, third.aliases) == ({}, {})
    assert [one.leased_usd_nanos for one in found.standings] == [890]
    assert third.standings == ()


async def test_a_hold_whose_id_is_anothers_is_recorded_beside_it_once(store: Opened) -> None:
    team = await lease_of(store, TEAM, 0)
    await recorded(store, held("h1", 1), held("unpaid", 1), boot_id="another")
    items = (held("h1", 100, team), held("unpaid", 2), held("h2", 10, team))

    first = await carefully(store, *items, again=False)
    second = await carefully(store, *items, again=True)

    alias = f"h1@{store.boot.boot_id}"
    assert first.aliases == second.aliases == {"h1": alias}
    assert [(row[0], row[2]) for row in await kept(store)] == [
        ("h1", 1),
        (alias, 100),
        ("h2", 10),
        ("unpaid", 1),
    ]
    assert await windows(store) == {"team": (0, 110, 890)}


async def test_the_first_try_of_a_hold_takes_no_row_for_its_own(store: Opened) -> None:
    team = await lease_of(store, TEAM, 0)
    await recorded(store, held("h1", 1))

    found = await carefully(store, held("h1", 100, team), again=False)

    assert found.aliases == {"h1": f"h1@{store.boot.boot_id}"}
    assert await windows(store) == {"team": (0, 100, 900)}


async def test_reservations_are_settled_together_and_once(store: Opened) -> None:
    team, own = await lease_of(store, TEAM, 0), await lease_of(store, OWN, 1)
    await recorded(
        store,
        *(held(name, 100, team, own) for name in ("a", "b")),
        *(held("c", 50, own), held("d", 7), held("e", 60, team)),
    )

    spent = (("d", 1), ("c", 5), ("b", 30), ("unknown", 9), ("a", 20))
    found = await settled(store, *spent)
    again = await settled(store, *((name, 99) for name, _ in spent))

    assert await windows(store) == {"team": (50, 60, 740), "own": (55, 0, 750)}
    assert [(one.budget_id, one.spent_usd_nanos) for one in found] == [("own", 55), ("team", 50)]
    assert again == ()
    told = {row[0]: row[3:] for row in await kept(store)}
    assert told == {
        "a": (20, NOW_UNIX_S),
        "b": (30, NOW_UNIX_S),
        "c": (5, NOW_UNIX_S),
        "d": (1, NOW_UNIX_S),
        "e": (None, None),
    }


async def test_windows_are_locked_in_one_order_before_settlements_change_them() -> None:
    steps = settle_all((("h1", 1),), "postgres", now_unix_s=NOW_UNIX_S)
    closed = {"lines": '[["team", 0], ["own", 0]]', "bound_usd_nanos": 2, "actual_usd_nanos": 1}

    next(steps)
    locking = steps.send([closed])

    assert isinstance(locking, Statement)
    assert locking.sql.endswith("FOR UPDATE OF budget_windows")
    assert locking.values == (["own", "team"], [0, 0])


async def test_what_a_removed_budget_paid_is_settled_without_it(store: Opened) -> None:
    team, own = await lease_of(store, TEAM, 0), await lease_of(store, OWN, 1)
    await recorded(store, held("h1", 100, team, own))
    await store.budgets.remove("team", actor="test")

    found = await settled(store, ("h1", 30))

    assert [one.budget_id for one in found] == ["own"]
    assert await windows(store) == {"own": (30, 0, 900)}


async def test_holds_of_the_dead_are_found_some_at_a_time(
    store: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert abandoned.HOLDS_MAX == 1_000
    monkeypatch.setattr(abandoned, "HOLDS_MAX", 3)
    for boot_id, process in (("b-0", "gone"), ("b-1", None), ("b-2", "gone")):
        boot = new_boot("0.0.0-test", NOW_UNIX_S)
        values = (boot_id, boot.machine, boot.process_id, process or boot.process, NOW_UNIX_S)
        await store.database.write(
            Statement(
                "INSERT INTO boots (boot_id, machine, process_id, process, version, "
                "started_unix_s, seen_unix_s) VALUES ($1, $2, $3, $4, '0', $5, $5)",
                values,
            )
        )
        await recorded(store, held(f"{boot_id}-a", 1), held(f"{boot_id}-b", 1), boot_id=boot_id)

    found = await store.database.read(
        partial(abandoned.abandoned_holds, NOW_UNIX_S, store.boot.boot_id)
    )

    assert len(found) == 3
    assert {one[:3] for one in found} == {"b-0", "b-2"}


async def test_windows_that_hold_something_else_than_their_rows_are_set_right(
    store: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    await lease_of(store, TEAM, 0)
    await lease_of(store, OWN, 1)
    await register_boot(store.database, new_boot("0.0.0-test", NOW_UNIX_S))
    none = await store.budgets.correct()
    await store.database.write(
        Statement(
            "UPDATE budget_windows SET held_usd_nanos = held_usd_nanos + 5, leased_usd_nanos = 2"
        )
    )

    corrected = [await store.budgets.correct() for _ in range(2)]

    assert (none, corrected) == (0, [2, 0])
    assert await windows(store) == {"team": (0, 0, CHUNK), "own": (0, 0, CHUNK)}
    said = [one for one in caplog.records if one.message == "held_mismatch"]
    assert {one.__dict__["budget_id"] for one in said} == {"team", "own"}
    assert [one.__dict__["held_usd_nanos"] for one in said] == [CHUNK + 5] * 2
    assert [one.__dict__["leased_usd_nanos_found"] for one in said] == [CHUNK] * 2
