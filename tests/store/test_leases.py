"""Leases of budgets: paid in memory, back when somebody needs them, never less than was spent."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.errors import BudgetExceeded, Conflict, StorageUnavailable
from omniroute.routing.ports import Hold
from omniroute.server.store import judging
from omniroute.server.store.budget import Budget
from omniroute.server.store.budget_rows import Standing
from omniroute.server.store.budgets import Admitted
from omniroute.server.store.database import Row, Statement
from omniroute.server.store.lease import FIRST_HOLDS
from omniroute.server.store.lease_rows import CHUNK_S, HOLDS_MIN, QUIET_S, SHARE, Wish, share_of
from omniroute.server.store.leases import IDLE_S
from omniroute.server.store.windows import Line
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store

pytestmark = pytest.mark.anyio

DOLLAR = 1_000_000_000
DAY_S = 86_400
WAIT_S = 20.0
CHUNK = FIRST_HOLDS * DOLLAR
EXPOSED = HOLDS_MIN * DOLLAR


def hold(name: str, dollars: float = 1, *budget_ids: str, key_id: str = "key-1") -> Hold:
    return Hold(name, key_id, budget_ids or ("team",), int(dollars * DOLLAR))


def team(dollars: int, **changes: object) -> Budget:
    made = Budget("team", "key-1", "team", dollars * DOLLAR)
    return replace(made, **changes)  # type: ignore[arg-type]


async def standing(store: Opened) -> tuple[int, int, int]:
    """Give what the budget has spent, holds for requests, and has leased, in whole dollars."""
    (row,) = await rows(
        store,
        "SELECT spent_usd_nanos AS spent, held_usd_nanos - leased_usd_nanos AS held, "
        "leased_usd_nanos AS leased FROM budget_windows WHERE budget_id = 'team'",
    )
    assert all(row[name] % DOLLAR == 0 for name in ("spent", "held", "leased"))
    return (row["spent"] // DOLLAR, row["held"] // DOLLAR, row["leased"] // DOLLAR)


async def rows(store: Opened, sql: str) -> Sequence[Row]:
    return await store.database.read(Statement(sql))


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await is_so():
            await asyncio.sleep(0.005)


async def leased(store: Opened, budget: Budget | None = None) -> None:
    """Put a budget, and ask for a dollar of it until it is leased; none of them is spent."""
    await store.budgets.put(budget or team(1_000), actor="test")
    tries = (f"{store.boot.boot_id}-{number}" for number in itertools.count())

    async def is_leased() -> bool:
        name = next(tries)
        await store.budgets.reserve(hold(name))
        store.budgets.settle(name, usd_nanos=0)
        return store.budgets.admitted.by_leases > 0

    await until(is_leased)
    await store.budgets.flush()
    store.budgets.admitted = Admitted()


@asynccontextmanager
async def running(store: Opened) -> AsyncIterator[None]:
    """Let the background of a process run."""
    task = asyncio.create_task(store.budgets.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=WAIT_S)


@pytest.fixture
async def other(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Opened]:
    """Another process on the same database."""
    async with open_store(database_url, tmp_path, clock) as other:
        yield other


def died(store: Opened) -> Statement:
    """Say that a process is gone; it is the test's own."""
    return Statement("UPDATE boots SET process = 'gone' WHERE boot_id = $1", (store.boot.boot_id,))


async def test_a_leased_budget_pays_without_waiting_for_anything(store: Opened) -> None:
    await leased(store)
    reserving = store.budgets.reserve(hold("h1"))

    with pytest.raises(StopIteration):
        reserving.send(None)
    left = store.budgets.left(("team",))
    store.budgets.settle("h1", usd_nanos=DOLLAR)
    await store.budgets.flush()

    assert (store.budgets.admitted.by_leases, store.budgets.admitted.by_database) == (1, 0)
    assert left == 999 * DOLLAR
    assert await standing(store) == (1, 0, FIRST_HOLDS - 1)


async def test_what_a_cheap_answer_leaves_stays_in_the_lease(store: Opened) -> None:
    await leased(store)
    for number in range(FIRST_HOLDS * 3):
        await store.budgets.reserve(hold(f"h{number}"))
        store.budgets.settle(f"h{number}", usd_nanos=0)

    await store.budgets.flush()

    assert store.budgets.admitted.by_leases == FIRST_HOLDS * 3
    assert await standing(store) == (0, 0, FIRST_HOLDS)


async def test_a_chunk_is_filled_up_before_it_is_gone_and_grows_when_it_is_soon_gone(
    store: Opened,
) -> None:
    await leased(store)
    for number in range(FIRST_HOLDS // 2 + 1):
        await store.budgets.reserve(hold(f"h{number}"))
        await store.budgets.flush()

    async def is_more() -> bool:
        return (await standing(store))[2] > FIRST_HOLDS

    await until(is_more)
    assert store.budgets.admitted.by_database == 0


async def test_a_hold_is_recorded_under_way_and_settled_later(store: Opened) -> None:
    await leased(store)
    await store.budgets.reserve(hold("h1"))
    await store.budgets.flush()
    under_way = await standing(store)

    store.budgets.settle("h1", usd_nanos=0)
    store.budgets.settle("h1", usd_nanos=DOLLAR)
    await store.budgets.flush()

    assert under_way == (0, 1, FIRST_HOLDS - 1)
    assert await standing(store) == (0, 0, FIRST_HOLDS - 1)


async def test_holds_that_are_settled_later_are_settled_together(store: Opened) -> None:
    await leased(store)
    await store.budgets.put(Budget("own", "key-1", "own", 1_000 * DOLLAR), actor="test")
    for name, *budget_ids in (("h1", "team"), ("h2", "team", "own"), ("h3", "own")):
        await store.budgets.reserve(hold(name, 2, *budget_ids))
    await store.budgets.flush()

    for name in ("h1", "h2", "h3", "unknown"):
        store.budgets.settle(name, usd_nanos=DOLLAR)
    await store.budgets.flush()

    own = await store.budgets.standing("own")
    assert own is not None
    assert (own.spent_usd_nanos, own.held_usd_nanos) == (2 * DOLLAR, 0)
    assert (await standing(store))[:2] == (2, 0)
    kept = await rows(store, "SELECT hold_id FROM reservations WHERE actual_usd_nanos IS NULL")
    assert not kept


async def test_a_hold_counts_once_though_a_settlement_beside_it_is_refused(store: Opened) -> None:
    await leased(store)
    await store.budgets.reserve(hold("h1"))
    store.budgets.settle("impossible", usd_nanos=2**80)
    await store.budgets.flush()
    under_way = await standing(store)

    store.budgets.settle("h1", usd_nanos=DOLLAR)
    await store.budgets.end()

    assert under_way == (0, 1, FIRST_HOLDS - 1)
    assert await standing(store) == (1, 0, 0)


async def test_a_budget_asked_for_seldom_is_never_leased(store: Opened, clock: FakeClock) -> None:
    await store.budgets.put(team(1_000), actor="test")

    for number in range(5):
        await store.budgets.reserve(hold(f"h{number}"))
        clock.advance(1.5)

    assert (await standing(store))[2] == 0
    assert store.budgets.admitted.by_database == 5


async def test_a_small_budget_is_judged_request_by_request(store: Opened) -> None:
    await store.budgets.put(team(SHARE * HOLDS_MIN), actor="test")

    for number in range(SHARE * HOLDS_MIN):
        await store.budgets.reserve(hold(f"h{number}"))
    with pytest.raises(BudgetExceeded):
        await store.budgets.reserve(hold("one more"))

    assert store.budgets.admitted.by_leases == 0


async def test_more_than_may_be_unrecorded_asks_the_database(store: Opened) -> None:
    await leased(store)

    for number in range(HOLDS_MIN + 2):
        await store.budgets.reserve(hold(f"h{number}"))

    assert store.budgets.admitted.by_leases == HOLDS_MIN
    assert store.budgets.admitted.by_database == 2


async def test_all_budgets_of_a_hold_are_leased_or_the_database_is_asked(store: Opened) -> None:
    await leased(store)
    await store.budgets.put(Budget("small", "key-1", "small", 2 * DOLLAR), actor="test")

    await store.budgets.reserve(hold("h1", 2, "team", "small"))
    with pytest.raises(BudgetExceeded, match="'small' cannot pay"):
        await store.budgets.reserve(hold("h2", 1, "small", "team"))

    assert store.budgets.admitted.by_leases == 0
    assert await standing(store) == (0, 2, FIRST_HOLDS)


async def test_nobody_is_refused_for_what_lies_in_another_process(
    store: Opened, other: Opened
) -> None:
    async with running(store), running(other):
        await leased(store)
        await leased(other)

        await other.budgets.reserve(hold("all", 1_000))
        with pytest.raises(BudgetExceeded, match=r"holds \$1000\.00"):
            await store.budgets.reserve(hold("h1"))

    assert await standing(store) == (0, 1_000, 0)


async def test_nobody_is_refused_for_what_the_own_process_leases(store: Opened) -> None:
    await leased(store)
    await store.budgets.reserve(hold("h1"))

    await store.budgets.reserve(hold("all", 999))

    assert await standing(store) == (0, 1_000, 0)


async def test_what_no_lease_could_pay_is_refused_at_once_and_calls_none_back(
    store: Opened, other: Opened
) -> None:
    await leased(store)

    with pytest.raises(BudgetExceeded, match=r"holds \$0\.00"):
        await other.budgets.reserve(hold("h1", 1_001))

    assert await standing(store) == (0, 0, FIRST_HOLDS)


async def test_after_leases_were_called_back_none_is_granted_for_a_while(
    store: Opened, clock: FakeClock
) -> None:
    await leased(store)
    await store.budgets.reserve(hold("most", 1_000))
    store.budgets.settle("most", usd_nanos=0)
    await store.budgets.flush()

    async def reserve_some(name: str) -> None:
        for number in range(3):
            await store.budgets.reserve(hold(f"{name}{number}"))
        await asyncio.sleep(0.05)

    await reserve_some("soon")
    quiet = await standing(store)
    clock.advance(QUIET_S)
    await reserve_some("late")

    assert quiet == (0, 3, 0)
    assert (await standing(store))[2] > 0


async def test_a_process_that_does_not_give_back_makes_no_refusal(
    store: Opened, other: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "RECALL_LOOKS", 3)
    await leased(store)

    with pytest.raises(StorageUnavailable, match="does not give it back"):
        await other.budgets.reserve(hold("all", 1_000))

    assert await standing(other) == (0, 0, FIRST_HOLDS)


async def test_a_dead_process_is_settled_at_what_it_may_have_spent(
    store: Opened, other: Opened
) -> None:
    await leased(other)
    await other.budgets.reserve(hold("recorded and settled", 1))
    other.budgets.settle("recorded and settled", usd_nanos=DOLLAR)
    await other.budgets.reserve(hold("recorded", 2))
    await other.budgets.flush()
    # The process can let these through before it dies, and nobody will know.
    for number in range(HOLDS_MIN):
        await other.budgets.reserve(hold(f"lost-{number}"))
    living = await store.budgets.sweep(0.0)
    await store.database.write(died(other))

    swept = await store.budgets.sweep(0.0)

    assert (living, swept) == (0, 2)
    assert other.budgets.admitted.by_database == 0
    assert await standing(store) == (1 + 2 + HOLDS_MIN, 0, 0)
    kept = await rows(store, "SELECT actual_usd_nanos FROM reservations WHERE abandoned")
    assert sorted(row["actual_usd_nanos"] for row in kept) == [2 * DOLLAR, EXPOSED]
    assert await store.budgets.sweep(0.0) == 0


async def test_who_needs_what_a_dead_process_leased_does_not_wait_for_the_sweep(
    store: Opened, other: Opened
) -> None:
    await leased(other)
    await store.database.write(died(other))

    await store.budgets.reserve(hold("all the rest", 1_000 - HOLDS_MIN))

    assert await standing(store) == (HOLDS_MIN, 1_000 - HOLDS_MIN, 0)


async def test_a_process_taken_for_dead_is_charged_once_when_it_wakes_up(
    store: Opened, other: Opened, clock: FakeClock
) -> None:
    await leased(other)
    await other.budgets.reserve(hold("before the sleep"))
    clock.advance(CHUNK_S + 1)
    swept = await store.budgets.sweep(clock.unix())

    other.budgets.settle("before the sleep", usd_nanos=DOLLAR)
    await other.budgets.flush()
    await other.budgets.reserve(hold("after it"))

    assert swept == 1
    assert other.budgets.admitted.by_leases == 1
    assert await standing(store) == (HOLDS_MIN, 1, 0)
    assert await store.budgets.correct() == 0


async def test_an_idle_lease_is_given_back(store: Opened, clock: FakeClock) -> None:
    async with running(store):
        await leased(store)
        before = await standing(store)
        clock.advance(IDLE_S)

        async def is_back() -> bool:
            return await standing(store) == (0, 0, 0)

        await until(is_back)

    assert before == (0, 0, FIRST_HOLDS)
    assert not await rows(store, "SELECT lease_id FROM budget_leases")


async def test_a_lease_of_yesterday_goes_back_to_yesterday(store: Opened, clock: FakeClock) -> None:
    await leased(store, team(1_000, period="day"))

    clock.advance(DAY_S)
    await store.budgets.reserve(hold("today"))
    await store.budgets.end()

    found = await rows(
        store,
        "SELECT held_usd_nanos, leased_usd_nanos, window_start FROM budget_windows "
        "ORDER BY window_start",
    )
    assert [(row["held_usd_nanos"], row["leased_usd_nanos"]) for row in found] == [
        (0, 0),
        (DOLLAR, 0),
    ]


async def test_the_end_gives_everything_back(store: Opened) -> None:
    await leased(store)
    await store.budgets.reserve(hold("h1"))
    store.budgets.settle("h1", usd_nanos=DOLLAR)

    await store.budgets.end()

    assert await standing(store) == (1, 0, 0)
    assert not await rows(store, "SELECT lease_id FROM budget_leases")


async def test_a_lowered_cap_holds_everywhere_once_it_is_set(store: Opened, other: Opened) -> None:
    async with running(other):
        await leased(other)
        await other.budgets.reserve(hold("h1"))

        await store.budgets.put(team(1), actor="test")
        with pytest.raises(BudgetExceeded, match=r"of \$1\.00 it has spent \$0\.00 and holds"):
            await other.budgets.reserve(hold("h2"))

    assert await standing(store) == (0, 1, 0)


async def test_a_removed_budget_takes_its_leases_along(store: Opened, other: Opened) -> None:
    await leased(other)
    await other.budgets.reserve(hold("h1"))

    await store.budgets.remove("team", actor="test")
    await store.budgets.put(team(5), actor="test")
    await other.budgets.flush()
    await other.budgets.load()
    await other.budgets.reserve(hold("h2", 5))

    assert await standing(store) == (0, 5, 0)
    kept = await rows(store, "SELECT lines FROM reservations WHERE hold_id = 'h1'")
    assert [row["lines"] for row in kept] == ["[]"]


async def test_a_leased_hold_counts_once_and_another_of_its_id_is_a_conflict(store: Opened) -> None:
    await leased(store)
    await store.budgets.reserve(hold("h1"))

    await store.budgets.reserve(hold("h1"))
    with pytest.raises(Conflict):
        await store.budgets.reserve(hold("h1", 2))
    store.budgets.settle("h1", usd_nanos=DOLLAR)
    with pytest.raises(Conflict):
        await store.budgets.reserve(hold("h1"))

    assert await standing(store) == (1, 0, FIRST_HOLDS - 1)


async def test_a_hold_whose_id_another_process_took_is_counted_beside_it(
    store: Opened, other: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    await leased(store)
    await leased(other)
    await other.budgets.reserve(hold("h1"))
    await other.budgets.flush()

    await store.budgets.reserve(hold("h1", 2))
    await store.budgets.flush()
    store.budgets.settle("h1", usd_nanos=DOLLAR)
    await store.budgets.flush()
    between = await standing(store)
    other.budgets.settle("h1", usd_nanos=DOLLAR)
    await other.budgets.flush()

    assert between[:2] == (1, 1)
    assert (await standing(store))[:2] == (2, 0)
    assert [one.message for one in caplog.records] == ["hold_conflict"]


async def test_a_grant_whose_answer_was_lost_is_found_and_given_back(store: Opened) -> None:
    await leased(store)
    await store.budgets.end()
    lease_id = f"{store.boot.boot_id}-0"
    await store.database.write(
        Statement(
            "INSERT INTO budget_leases (lease_id, boot_id, budget_id, window_start, "
            "leased_usd_nanos, until_unix_s, exposed_usd_nanos) "
            "VALUES ($1, $2, 'team', 0, 7, 0, 7)",
            (lease_id, store.boot.boot_id),
        )
    )
    await store.database.write(
        Statement("UPDATE budget_windows SET held_usd_nanos = 7, leased_usd_nanos = 7")
    )

    await store.budgets.sweep(0.0)
    await store.budgets.end()

    assert await standing(store) == (0, 0, 0)


async def test_holds_go_on_for_a_while_without_the_database(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as store:
        await leased(store)

    await store.budgets.reserve(hold("h1"))

    assert store.budgets.admitted.by_leases == 1
    with pytest.raises(StorageUnavailable):
        await store.budgets.flush()


async def test_what_windows_hold_is_set_right_and_the_log_says_so(
    store: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    await leased(store)
    await store.budgets.reserve(hold("h1", 3))
    await store.budgets.flush()
    in_order = await store.budgets.correct()
    await store.database.write(
        Statement(
            "UPDATE budget_windows SET held_usd_nanos = held_usd_nanos + 5, leased_usd_nanos = 9"
        )
    )

    corrected = [await store.budgets.correct(), await store.budgets.correct()]

    assert in_order == 0
    assert corrected == [1, 0]
    assert await standing(store) == (0, 3, FIRST_HOLDS - 3)
    (said,) = [one for one in caplog.records if one.message == "held_mismatch"]
    assert (said.__dict__["held_usd_nanos"], said.__dict__["held_usd_nanos_found"]) == (
        CHUNK + 5,
        CHUNK,
    )


@given(
    cap=st.integers(0, 10**12),
    used=st.integers(0, 10**12),
    bound=st.integers(1, 10**10),
    processes=st.lists(st.integers(0, 0), min_size=1, max_size=8),
)
def test_all_processes_together_lease_an_eighth_at_most(
    cap: int, used: int, bound: int, processes: list[int]
) -> None:
    wish = Wish(Line("b", 0), "l", True, 10**12, HOLDS_MIN * bound, 0)

    for number, own in enumerate(processes):
        standing = Standing("b", 0, cap, used, 0, sum(processes))
        processes[number] += share_of(
            standing, wish, own_usd_nanos=own, processes=len(processes), now_unix_s=QUIET_S
        )

    assert sum(processes) <= max(cap - used, 0) // SHARE
    assert all(one == 0 or one >= HOLDS_MIN * bound for one in processes)
