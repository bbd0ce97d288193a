"""Budgets of one process: what is remembered, what is asked again, and who is told."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from omniroute.routing.errors import BadRequest, BudgetExceeded, Conflict
from omniroute.routing.guard import Guard
from omniroute.routing.ports import Hold
from omniroute.server.store import budgets as of_budgets
from omniroute.server.store import leases as of_leases
from omniroute.server.store.boots import new_boot, register_boot
from omniroute.server.store.budget import USD_NANOS_MAX, Budget
from omniroute.server.store.budget_rows import LEASE_S, Standing
from omniroute.server.store.budgets import Budgets
from omniroute.server.store.database import Statement
from omniroute.server.store.lease_rows import call_back
from omniroute.server.store.paying import PURSES_MAX
from omniroute.server.store.windows import Line, windows_at
from tests.store.opened import Opened, open_store
from tests.store.watched import WatchedClock

pytestmark = pytest.mark.anyio

DAY_S = 86_400
WAIT_S = 10.0
CAP = 1_000_000
BOUND = 10
CHUNK = 16 * BOUND
EXPOSED = 4 * BOUND
KEPT = "SELECT hold_id AS a, lines AS b, bound_usd_nanos AS c FROM reservations ORDER BY hold_id"


@pytest.fixture
def clock() -> WatchedClock:
    return WatchedClock()


@pytest.fixture
async def other(sqlite_url: str, tmp_path: Path, clock: WatchedClock) -> AsyncIterator[Opened]:
    """Another process on the same database."""
    async with open_store(sqlite_url, tmp_path, clock) as other:
        yield other


def hold(name: str, usd_nanos: int = BOUND, *budget_ids: str) -> Hold:
    return Hold(name, "key-1", budget_ids or ("team",), usd_nanos)


def team(cap_usd_nanos: int = CAP, **changes: object) -> Budget:
    made = Budget("team", "key-1", "team", cap_usd_nanos)
    return replace(made, **changes)  # type: ignore[arg-type]


async def put(store: Opened, *budgets: Budget) -> None:
    for budget in budgets or (team(),):
        await store.budgets.put(budget, actor="test")


async def spend(store: Opened, name: str, usd_nanos: int, *budget_ids: str) -> None:
    await store.budgets.reserve(hold(name, usd_nanos, *budget_ids))
    store.budgets.settle(name, usd_nanos=usd_nanos)
    await store.budgets.flush()


async def leased(store: Opened) -> None:
    """Have the budget leased: it is asked for twice, and each costs nothing."""
    for name in ("first", "second"):
        await store.budgets.reserve(hold(name))
        store.budgets.settle(name, usd_nanos=0)
    # Units are begun in the order of their submission: the lease is granted before this one.
    await store.budgets.flush()
    await asyncio.sleep(0)


async def rows(store: Opened, sql: str) -> Sequence[tuple[object, ...]]:
    """Give rows whose columns are named a, b, c."""
    found = await store.database.read(Statement(sql))
    return [tuple(row[name] for name in "abc") for row in found]


async def windows(store: Opened) -> Sequence[tuple[object, ...]]:
    """Give what windows have spent, hold for requests, and have leased."""
    return await rows(
        store,
        "SELECT spent_usd_nanos AS a, held_usd_nanos - leased_usd_nanos AS b, "
        "leased_usd_nanos AS c FROM budget_windows ORDER BY budget_id, window_start",
    )


@asynccontextmanager
async def running(store: Opened) -> AsyncIterator[None]:
    """Let the background of a process run."""
    task = asyncio.create_task(store.budgets.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=WAIT_S)


def messages(caplog: pytest.LogCaptureFixture) -> Sequence[str]:
    return [one.message for one in caplog.records if one.levelno == logging.WARNING]


async def test_before_anything_is_loaded_there_are_no_budgets(
    sqlite_store: Opened, other: Opened, clock: WatchedClock
) -> None:
    await put(sqlite_store)
    await other.budgets.reserve(hold("h1"))
    await other.database.write(
        Statement("UPDATE boots SET process = 'gone' WHERE boot_id = $1", (other.boot.boot_id,))
    )

    new = Budgets(sqlite_store.database, sqlite_store.changes, clock, boot_id="new")
    swept = await new.sweep(clock.unix())

    assert swept == 1
    assert (new.all(), new.left(("team",)), new.warnings(("team",))) == ((), None, ())
    assert new.paying(("team",), combo="c", session_id="s") == ("team",)
    assert (new.admitted.by_leases, new.admitted.by_database) == (0, 0)
    await new.poll()
    assert await new.standing("team") is None


async def test_what_is_left_is_what_the_tightest_has(sqlite_store: Opened) -> None:
    names = ("watched", "wide", "narrow", "wide too")
    watched = replace(team(1), budget_id="watched", action="alert")
    caps = dict(zip(names[1:], (CAP, 50, 2 * CAP), strict=True))
    await put(sqlite_store, watched, *(replace(team(cap), budget_id=n) for n, cap in caps.items()))
    left = sqlite_store.budgets.left

    assert (left(names), left(("wide too", "wide")), left(("watched",))) == (50, CAP, None)
    await sqlite_store.budgets.reserve(hold("h1", 49, *names))
    assert (left(names), left(("wide",))) == (1, CAP - 49)
    await sqlite_store.budgets.reserve(hold("h2", 1, *names))
    assert left(names) == 0
    sqlite_store.budgets.settle("h2", usd_nanos=100)
    await sqlite_store.budgets.flush()
    assert left(names) == 0


async def test_what_leases_paid_is_not_left_though_it_is_not_recorded(
    sqlite_store: Opened,
) -> None:
    await put(sqlite_store)
    await leased(sqlite_store)

    await sqlite_store.budgets.reserve(hold("h1", 7))

    assert sqlite_store.budgets.left(("team",)) == CAP - 7
    assert sqlite_store.budgets.admitted.by_leases == 1
    assert await windows(sqlite_store) == [(0, 0, CHUNK)]


async def test_nothing_is_left_when_leases_paid_more_than_a_cap_that_others_lowered(
    sqlite_store: Opened,
) -> None:
    await put(sqlite_store)
    await leased(sqlite_store)
    await sqlite_store.budgets.reserve(hold("h1", 7))

    for sql in (
        "UPDATE budgets SET cap_usd_nanos = 5",
        "UPDATE budget_windows SET cap_usd_nanos = 5, cap_passed = TRUE",
    ):
        await sqlite_store.database.write(Statement(sql))
    await sqlite_store.budgets.load()

    assert sqlite_store.budgets.left(("team",)) == 0


async def test_what_a_request_pays_from_is_looked_up_once(
    sqlite_store: Opened, clock: WatchedClock
) -> None:
    await put(sqlite_store)
    left = sqlite_store.budgets.left
    names = [(f"nobodys-{number}",) for number in range(PURSES_MAX)]

    def looked_up(*budget_ids: str) -> bool:
        before = clock.looks
        left(budget_ids)
        return clock.looks > before

    first = [looked_up("team"), looked_up("team")]
    for one in names[: PURSES_MAX - 1]:
        left(one)
    kept = looked_up("team")
    left(names[-1])
    cleared = looked_up("team")

    assert first == [True, False]
    assert (kept, cleared) == (False, True)


async def test_what_pays_by_the_day_is_looked_up_once_a_day(
    sqlite_store: Opened, clock: WatchedClock
) -> None:
    await put(sqlite_store, team(period="day"))
    today = windows_at(clock.unix())
    clock.unix_s = float(today.day)
    left = sqlite_store.budgets.left

    def looks() -> int:
        before = clock.looks
        left(("team",))
        return clock.looks - before

    first, midnight = looks(), looks()
    clock.unix_s = today.until - 0.5
    evening = looks()
    await spend(sqlite_store, "h1", 100)
    spent = left(("team",))
    clock.unix_s = float(today.until)
    tomorrow = left(("team",))

    # Who knows the windows looks whether they are still those.
    assert (first, midnight, evening) == (1, 1, 1)
    assert (spent, tomorrow) == (CAP - 100, CAP)
    again = looks()
    assert again == 1


async def test_a_budget_that_changed_is_looked_up_anew(sqlite_store: Opened) -> None:
    await put(sqlite_store)
    before = sqlite_store.budgets.left(("team",))

    await put(sqlite_store, team(CAP // 2))

    assert (before, sqlite_store.budgets.left(("team",))) == (CAP, CAP // 2)
    assert [one.cap_usd_nanos for one in sqlite_store.budgets.all()] == [CAP // 2]


async def test_a_budget_made_anew_has_spent_nothing(sqlite_store: Opened) -> None:
    await put(sqlite_store)
    await spend(sqlite_store, "h1", 100)

    removed = await sqlite_store.budgets.remove("team", actor="test")
    again = await sqlite_store.budgets.remove("team", actor="test")
    gone = sqlite_store.budgets.left(("team",))
    await put(sqlite_store)

    assert (removed, again, gone) == (True, False, None)
    assert sqlite_store.budgets.left(("team",)) == CAP


async def test_a_standing_is_read_from_the_database(sqlite_store: Opened, other: Opened) -> None:
    await put(sqlite_store)
    fresh = await sqlite_store.budgets.standing("team")
    await other.budgets.reserve(hold("h1", 30))

    standing = await sqlite_store.budgets.standing("team")

    assert fresh == Standing("team", 0, CAP, 0, 0)
    assert standing == Standing("team", 0, CAP, 0, 30)
    assert await sqlite_store.budgets.standing("nobodys") is None


async def test_each_poll_looks_at_those_that_were_asked_for(
    sqlite_store: Opened, other: Opened
) -> None:
    await put(sqlite_store, *(replace(team(), budget_id=f"b{n}") for n in range(65)))
    await other.budgets.load()
    names = [one.budget_id for one in sqlite_store.budgets.all()]
    left = sqlite_store.budgets.left
    for name in names:
        await other.budgets.reserve(hold(name, 5, name))
        left((name,))

    def known() -> int:
        return sum(sqlite_store.budgets.warnings((name,)) == () for name in names)

    before = known()
    await sqlite_store.budgets.poll()
    seen = [name for name in names if left((name,)) == CAP - 5]

    assert before == len(names)
    assert len(seen) == of_budgets.WATCHED_MAX == 64
    for _ in range(2):
        await sqlite_store.budgets.poll()
    assert {left((name,)) for name in names} == {CAP - 5}


async def test_a_budget_that_was_removed_is_not_polled(sqlite_store: Opened) -> None:
    await put(sqlite_store)
    sqlite_store.budgets.left(("team",))
    await sqlite_store.budgets.remove("team", actor="test")

    await sqlite_store.budgets.poll()

    assert sqlite_store.budgets.left(("team",)) is None


async def test_a_lease_that_a_poll_sees_called_back_pays_no_more(
    sqlite_store: Opened, clock: WatchedClock
) -> None:
    await put(sqlite_store)
    await leased(sqlite_store)
    before = sqlite_store.budgets.take(hold("h1"))
    line = Line("team", 0)
    await sqlite_store.database.write(call_back(line, now_unix_s=clock.unix()))

    sqlite_store.budgets.left(("team",))
    await sqlite_store.budgets.poll()

    assert (before, sqlite_store.budgets.take(hold("h2"))) == (True, False)


async def test_combos_and_sessions_pay_once_their_budgets_are_there(sqlite_store: Opened) -> None:
    combo = replace(team(), budget_id="of-combo", key_id="", combo="fast")
    session = replace(team(), budget_id="of-session", session_id="ses")
    await put(sqlite_store, combo, session)

    paying = sqlite_store.budgets.paying(("team",), combo="fast", session_id="ses")

    assert paying == ("team", "of-combo", "of-session")


async def test_models_without_a_price_are_paid_for_when_all_budgets_say_so(
    sqlite_store: Opened,
) -> None:
    await put(sqlite_store, team(), replace(team(), budget_id="lax", allow_unpriced=True))

    assert sqlite_store.budgets.pay_unpriced(("lax",))
    assert not sqlite_store.budgets.pay_unpriced(("lax", "team"))


async def test_each_degrading_budget_guards_and_the_strictest_counts(
    sqlite_store: Opened,
) -> None:
    cheap = replace(team(CAP, action="degrade"), budget_id="cheap")
    free = replace(cheap, budget_id="free", tier="free")
    await put(sqlite_store, team(), cheap, free)
    guard = sqlite_store.budgets.guard

    assert guard(("team",)) is None
    assert guard(("team", "cheap")) == Guard("cheap", CAP)
    await spend(sqlite_store, "h1", CAP, "free")
    assert guard(("cheap", "free")) == Guard("free", None)


async def test_a_warning_is_told_once_in_a_window_and_again_when_the_budget_changed(
    sqlite_store: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    await put(sqlite_store, replace(team(), budget_id="calm"), team())
    told, warned = list[str](), list[tuple[str, int]]()
    sqlite_store.budgets.on_warning = told.append
    sqlite_store.budgets.on_warned = lambda name, start: warned.append((name, start))
    both = ("calm", "team")

    early = sqlite_store.budgets.warnings(both)
    await spend(sqlite_store, "h1", CAP * 8 // 10, *both[1:])
    late = [sqlite_store.budgets.warnings(both) for _ in range(2)]
    await put(sqlite_store, team(CAP - 1))
    changed = sqlite_store.budgets.warnings(both)

    assert early == ()
    assert late == [("budget 'team' has spent $0.0008 of $0.001",)] * 2
    assert changed == ("budget 'team' has spent $0.0008 of $0.000999999",)
    assert told == [*late[0], *changed]
    assert warned == [("team", 0), ("team", 0)]
    assert messages(caplog) == ["budget_warning", "budget_warning"]


async def test_a_warning_that_others_gave_is_not_told_again(
    sqlite_store: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    await put(sqlite_store)
    await spend(sqlite_store, "h1", CAP)
    sqlite_store.budgets.warned("team", 0)

    words = sqlite_store.budgets.warnings(("team",))

    assert len(words) == 1
    assert messages(caplog) == []


async def test_each_window_has_a_warning_of_its_own(
    sqlite_store: Opened, clock: WatchedClock, caplog: pytest.LogCaptureFixture
) -> None:
    await put(sqlite_store, team(period="day"))

    for day in range(2):
        await spend(sqlite_store, f"h{day}", CAP)
        sqlite_store.budgets.warnings(("team",))
        clock.advance(DAY_S)
        assert sqlite_store.budgets.warnings(("team",)) == ()

    assert messages(caplog) == ["budget_warning", "budget_warning"]


async def test_a_late_settlement_of_yesterday_does_not_hide_today(
    sqlite_store: Opened, clock: WatchedClock
) -> None:
    await put(sqlite_store, team(period="day"))
    await sqlite_store.budgets.reserve(hold("yesterday", 500))
    clock.advance(DAY_S)
    await sqlite_store.budgets.reserve(hold("today", 30))

    sqlite_store.budgets.settle("yesterday", usd_nanos=500)
    await sqlite_store.budgets.flush()

    assert sqlite_store.budgets.left(("team",)) == CAP - 30


@pytest.mark.parametrize("usd_nanos", [-1, -(10**9)])
async def test_money_is_never_negative(sqlite_store: Opened, usd_nanos: int) -> None:
    with pytest.raises(ValueError, match="a hold is never negative"):
        sqlite_store.budgets.take(hold("h1", usd_nanos))
    with pytest.raises(ValueError, match="spent is never negative"):
        sqlite_store.budgets.settle("h1", usd_nanos=usd_nanos)


async def test_a_hold_of_nothing_is_one(sqlite_store: Opened) -> None:
    await put(sqlite_store)

    await spend(sqlite_store, "h1", 0)

    assert await rows(
        sqlite_store,
        "SELECT hold_id AS a, bound_usd_nanos AS b, actual_usd_nanos AS c FROM reservations",
    ) == [("h1", 0, 0)]


async def test_the_dearest_hold_is_as_large_as_the_largest_budget(sqlite_store: Opened) -> None:
    await put(sqlite_store, team(USD_NANOS_MAX))

    with pytest.raises(BudgetExceeded, match="so much"):
        await sqlite_store.budgets.reserve(hold("h1", USD_NANOS_MAX + 1))
    await sqlite_store.budgets.reserve(hold("h2", USD_NANOS_MAX))

    assert await windows(sqlite_store) == [(0, USD_NANOS_MAX, 0)]


async def test_without_budgets_a_hold_is_taken_at_once_and_kept(sqlite_store: Opened) -> None:
    taken = sqlite_store.budgets.take(Hold("h1", "key-1", (), 3))
    await sqlite_store.budgets.flush()

    assert taken is True
    assert (await rows(sqlite_store, KEPT)) == [("h1", "[]", 3)]
    assert sqlite_store.budgets.admitted.by_leases == 0


async def test_only_leases_pay_at_once(sqlite_store: Opened) -> None:
    await put(sqlite_store)
    before = sqlite_store.budgets.take(hold("h1"))
    await leased(sqlite_store)

    after = [sqlite_store.budgets.take(hold(name)) for name in ("h2", "h2", "h3")]
    unknown = sqlite_store.budgets.take(hold("h4", BOUND, "team", "nobodys"))
    await sqlite_store.budgets.flush()

    assert (before, after, unknown) == (False, [True, False, True], False)
    kept = [row[0] for row in await rows(sqlite_store, KEPT)]
    assert kept == ["first", "h2", "h3", "second"]
    assert sqlite_store.budgets.admitted.by_leases == 2
    assert sqlite_store.budgets.admitted.by_database == 2


async def test_a_hold_that_leases_paid_is_known_when_it_is_reserved_again(
    sqlite_store: Opened,
) -> None:
    await put(sqlite_store)
    await leased(sqlite_store)
    await sqlite_store.budgets.reserve(hold("h1"))

    await sqlite_store.budgets.reserve(hold("h1"))
    with pytest.raises(Conflict):
        await sqlite_store.budgets.reserve(hold("h1", 2))

    assert await windows(sqlite_store) == [(0, BOUND, CHUNK - BOUND)]


async def test_a_hold_that_the_database_paid_is_not_paid_by_leases_again(
    sqlite_store: Opened,
) -> None:
    await put(sqlite_store)
    await leased(sqlite_store)

    again = sqlite_store.budgets.take(hold("first"))

    assert again is False


async def test_a_budget_that_another_process_made_is_found(
    sqlite_store: Opened, other: Opened
) -> None:
    await put(other)

    await sqlite_store.budgets.reserve(hold("h1"))

    assert sqlite_store.budgets.left(("team",)) == CAP - BOUND


async def test_a_budget_that_nobody_made_cannot_pay_and_is_named(sqlite_store: Opened) -> None:
    await put(sqlite_store)

    with pytest.raises(BudgetExceeded, match="budget 'nobodys' does not exist"):
        await sqlite_store.budgets.reserve(hold("h1", BOUND, "team", "nobodys"))

    assert await windows(sqlite_store) == []


async def test_a_budget_that_another_process_removed_just_now_refuses(
    sqlite_store: Opened, other: Opened
) -> None:
    await put(other, team(), replace(team(), budget_id="own"))
    await sqlite_store.budgets.load()
    await other.budgets.remove("team", actor="test")

    with pytest.raises(BudgetExceeded, match="was removed just now: ask again"):
        await sqlite_store.budgets.reserve(hold("h1", BOUND, "team", "own"))


async def test_the_refusal_names_the_tightest_of_those_that_may_refuse(
    sqlite_store: Opened,
) -> None:
    alert = replace(team(1, action="alert"), budget_id="alert", name="alert")
    await put(sqlite_store, team(50), alert, replace(team(70), budget_id="other", name="other"))
    names = ("alert", "other", "team")

    with pytest.raises(BudgetExceeded, match="budget 'team' cannot pay"):
        await sqlite_store.budgets.reserve(hold("h1", 100, *names))


async def test_settlements_and_leases_go_back_in_the_background(
    sqlite_store: Opened, clock: WatchedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_leases, "TEND_S", 0.001)
    await put(sqlite_store)

    async def until(wanted: Sequence[tuple[object, ...]]) -> None:
        async with asyncio.timeout(WAIT_S):
            while await windows(sqlite_store) != wanted:
                await asyncio.sleep(0.005)

    async with running(sqlite_store):
        await leased(sqlite_store)
        await sqlite_store.budgets.reserve(hold("h1"))
        sqlite_store.budgets.settle("h1", usd_nanos=4)
        await until([(4, 0, CHUNK - 4)])
        # It is looked after several times, and stays while its window is the current one.
        looks = clock.looks
        async with asyncio.timeout(WAIT_S):
            while clock.looks < looks + 20:
                await asyncio.sleep(0.001)
        still = sqlite_store.budgets.take(hold("h2"))
        sqlite_store.budgets.settle("h2", usd_nanos=0)
        clock.advance(2.0)
        await until([(4, 0, 0)])

    assert still is True


async def test_the_end_stores_everything_and_gives_leases_back(sqlite_store: Opened) -> None:
    await put(sqlite_store)
    await leased(sqlite_store)
    await sqlite_store.budgets.reserve(hold("h1"))
    sqlite_store.budgets.settle("h1", usd_nanos=6)

    await sqlite_store.budgets.end()

    assert await windows(sqlite_store) == [(6, 0, 0)]
    assert await rows(sqlite_store, "SELECT 1 AS a, 2 AS b, 3 AS c FROM budget_leases") == []


@pytest.mark.parametrize(("cap", "left"), [(BOUND + CHUNK, CHUNK), (BOUND + CHUNK - 1, 0)])
async def test_a_cap_below_what_is_set_aside_calls_leases_in(
    sqlite_store: Opened, cap: int, left: int
) -> None:
    await put(sqlite_store)
    await leased(sqlite_store)
    await sqlite_store.budgets.reserve(hold("h1", CHUNK))
    sqlite_store.budgets.settle("h1", usd_nanos=BOUND)
    await sqlite_store.budgets.flush()

    await put(sqlite_store, team(cap))

    assert await windows(sqlite_store) == [(BOUND, 0, left)]


async def test_a_bad_budget_is_refused_before_anything_is_stored(sqlite_store: Opened) -> None:
    with pytest.raises(BadRequest):
        await put(sqlite_store, team(-1))

    assert sqlite_store.budgets.all() == ()


async def test_what_the_dead_left_is_swept_and_counted(
    sqlite_store: Opened, other: Opened, clock: WatchedClock
) -> None:
    await put(sqlite_store)
    await other.budgets.load()
    await leased(other)
    for name in ("h1", "h2"):
        await other.budgets.reserve(hold(name, BOUND))
    await other.budgets.flush()
    none = await sqlite_store.budgets.sweep(clock.unix())
    await sqlite_store.database.write(
        Statement("UPDATE boots SET process = 'gone' WHERE boot_id = $1", (other.boot.boot_id,))
    )

    swept = await sqlite_store.budgets.sweep(clock.unix())

    assert (none, swept) == (0, 3)
    assert await windows(sqlite_store) == [(2 * BOUND + EXPOSED, 0, 0)]
    assert sqlite_store.budgets.left(("team",)) == CAP - 2 * BOUND


async def test_the_sweep_finds_strays_of_its_own(sqlite_store: Opened) -> None:
    await put(sqlite_store)
    await leased(sqlite_store)
    await sqlite_store.budgets.end()
    await sqlite_store.database.write(
        Statement(
            "INSERT INTO budget_leases (lease_id, boot_id, budget_id, window_start, "
            "leased_usd_nanos, until_unix_s, exposed_usd_nanos) "
            "VALUES ($1, $2, 'team', 0, 7, 0, 7)",
            (f"{sqlite_store.boot.boot_id}-0", sqlite_store.boot.boot_id),
        )
    )
    await sqlite_store.database.write(
        Statement("UPDATE budget_windows SET held_usd_nanos = 7, leased_usd_nanos = 7")
    )

    await sqlite_store.budgets.sweep(0.0)
    await sqlite_store.budgets.end()

    assert await windows(sqlite_store) == [(0, 0, 0)]


async def test_what_windows_hold_is_set_right(sqlite_store: Opened) -> None:
    await put(sqlite_store)
    await sqlite_store.budgets.reserve(hold("h1"))
    await sqlite_store.database.write(Statement("UPDATE budget_windows SET held_usd_nanos = 3"))

    corrected = [await sqlite_store.budgets.correct() for _ in range(2)]

    assert corrected == [1, 0]
    assert await windows(sqlite_store) == [(0, BOUND, 0)]


async def test_a_hold_of_a_silent_machine_is_swept_when_its_time_is_over(
    sqlite_store: Opened, clock: WatchedClock
) -> None:
    await put(sqlite_store)
    far = replace(new_boot("0.0.0-test", clock.unix()), machine="elsewhere")
    await register_boot(sqlite_store.database, far)
    there = Budgets(sqlite_store.database, sqlite_store.changes, clock, boot_id=far.boot_id)
    await there.load()
    await there.reserve(hold("h1"))

    clock.advance(LEASE_S)
    early = await sqlite_store.budgets.sweep(clock.unix())
    late = await sqlite_store.budgets.sweep(clock.unix() + 0.5)

    assert (early, late) == (0, 1)
