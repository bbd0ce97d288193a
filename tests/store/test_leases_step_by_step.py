"""The leases of one process, answer by answer: the database answers when the test says so."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest

from omniroute.routing.errors import StorageUnavailable
from omniroute.server.store import leases as of_leases
from omniroute.server.store.budget import Budget
from omniroute.server.store.budget_rows import Standing, open_windows, store_budget
from omniroute.server.store.database import Database, Statement, Steps, T, Unit, open_database
from omniroute.server.store.lease import Lease
from omniroute.server.store.lease_rows import call_back
from omniroute.server.store.leases import Leases
from omniroute.server.store.windows import Line
from tests.store.watched import WatchedClock

pytestmark = pytest.mark.anyio

DAY_S = 86_400
WAIT_S = 10.0
CAP = 100_000
TEAM, OTHER = Line("team", 0), Line("other", 0)
FREE = Standing("team", 0, CAP, 0, 0)
BOUND = 10
CHUNK = 16 * BOUND
EXPOSED = 4 * BOUND


@dataclass(slots=True)
class Patient:
    """A database that answers what is submitted to it one by one, when it is told to.

    Attributes:
        refuses: nothing can be submitted.
        fails: nothing can be read.
        reads: how often it was read.
    """

    database: Database
    kind: Literal["sqlite", "postgres"] = "sqlite"
    waiting: deque[tuple[Unit[Any], "asyncio.Future[Any]"]] = field(default_factory=deque)
    refuses: bool = False
    fails: bool = False
    reads: int = 0

    def submit(self, unit: Unit[T]) -> "asyncio.Future[T]":
        if self.refuses:
            raise StorageUnavailable("too much waits")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.waiting.append((unit, done))
        return done

    async def write(self, unit: Unit[T]) -> T:
        return await self.database.write(unit)

    async def read(self, unit: Unit[T]) -> T:
        self.reads += 1
        if self.fails:
            raise StorageUnavailable("gone")
        return await self.database.read(unit)

    async def answer(self, times: int = 1, *, is_lost: bool = False) -> None:
        """Do what was submitted first, and say so; or have the answer lost."""
        for _ in range(times):
            unit, done = self.waiting.popleft()
            result = await self.database.write(unit)
            if is_lost:
                done.set_exception(StorageUnavailable("the answer is lost"))
            else:
                done.set_result(result)
            await asyncio.sleep(0)


@dataclass(slots=True)
class Process:
    """The leases of a process, and what they know of the world."""

    leases: Leases
    database: Patient
    clock: WatchedClock
    starts: dict[str, int]
    seen: list[Standing]

    def pay(self, usd_nanos: int = BOUND, *lines: Line) -> tuple[Lease, ...]:
        return self.leases.pay(lines or (TEAM,), usd_nanos, self.clock.unix())

    def want(self, usd_nanos: int = BOUND, standing: Standing = FREE) -> None:
        line = Line(standing.budget_id, standing.window_start)
        self.leases.want(line, usd_nanos, standing)

    async def leased(self, standing: Standing = FREE, usd_nanos: int = BOUND) -> Lease:
        """Ask twice for a budget, and give the lease that comes of it."""
        self.want(usd_nanos, standing)
        self.want(usd_nanos, standing)
        await self.database.answer()
        (lease,) = self.pay(0, Line(standing.budget_id, standing.window_start))
        self.leases.recorded(lease, 1, 0, lost=False)
        return lease

    async def rows(self) -> list[tuple[str, int]]:
        """Give the leases that the database has."""
        rows = await self.database.database.read(
            Statement("SELECT lease_id, leased_usd_nanos FROM budget_leases ORDER BY lease_id")
        )
        return [(row["lease_id"], row["leased_usd_nanos"]) for row in rows]

    async def call_back(self) -> None:
        await self.database.write(call_back(TEAM, now_unix_s=self.clock.unix()))


@pytest.fixture
async def process(sqlite_url: str) -> AsyncIterator[Process]:
    """A process with two budgets of CAP nano-dollars, of which nothing is leased."""
    clock, seen, starts = WatchedClock(), list[Standing](), {"team": 0, "other": 0}
    async with open_database(sqlite_url) as opened:
        database = Patient(opened)
        await database.write(lambda: budgets_in(opened))
        leases = Leases(database, clock, boot_id="boot", start_of=starts.get, see=seen.extend)
        yield Process(leases, database, clock, starts, seen)


def budgets_in(database: Database) -> Steps[None]:
    """Make the budgets with their windows, of the team one for a day, too."""
    for line in (TEAM, OTHER):
        budget = Budget(line.budget_id, "key-1", line.budget_id, CAP)
        yield from store_budget(budget, 0, now_unix_s=0.0)
    yield from open_windows(database, (TEAM, OTHER, Line("team", DAY_S)))


@asynccontextmanager
async def running(process: Process, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Have the leases looked after, without a pause."""
    monkeypatch.setattr(of_leases, "TEND_S", 0)
    task = asyncio.create_task(process.leases.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=WAIT_S)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not is_so():
            await asyncio.sleep(0.001)


async def turns(number: int = 20) -> None:
    """Let everything go on that waits for nothing."""
    for _ in range(number):
        await asyncio.sleep(0)


def messages(caplog: pytest.LogCaptureFixture) -> Sequence[str]:
    return [one.message for one in caplog.records if one.levelno == logging.WARNING]


def test_the_figures_are_those_that_the_policy_names() -> None:
    assert (of_leases.IDLE_S, of_leases.TEND_S, of_leases.ASKED_MAX) == (2.0, 0.1, 4_096)


async def test_a_window_that_was_asked_for_twice_is_leased(process: Process) -> None:
    process.want()
    once = len(process.database.waiting)
    process.want()
    twice = len(process.database.waiting)
    before = process.pay()

    await process.database.answer()

    assert (once, twice, before) == (0, 1, ())
    assert await process.rows() == [("boot-0", CHUNK)]
    assert [one.leased_usd_nanos for one in process.seen] == [CHUNK]
    (lease,) = process.pay()
    assert (lease.line, lease.lease_id, lease.target_usd_nanos) == (TEAM, "boot-0", CHUNK)
    assert (lease.granted, lease.filling) == (True, False)
    assert (lease.stored_usd_nanos, lease.exposed_usd_nanos) == (CHUNK, EXPOSED)


async def test_leases_are_numbered(process: Process) -> None:
    await process.leased()

    await process.leased(replace(FREE, budget_id="other"))

    assert await process.rows() == [("boot-0", CHUNK), ("boot-1", CHUNK)]


@pytest.mark.parametrize(("after_s", "asked"), [(0.0, 1), (1.0, 1), (1.01, 0)])
async def test_a_window_is_leased_when_it_is_asked_for_twice_within_a_second(
    process: Process, after_s: float, asked: int
) -> None:
    process.want()
    process.clock.advance(after_s)

    process.want()

    assert len(process.database.waiting) == asked


async def test_what_costs_nothing_leases_nothing(process: Process) -> None:
    for _ in range(3):
        process.want(0)

    assert not process.database.waiting


async def test_the_least_bound_leases_for_sixteen_like_it(process: Process) -> None:
    lease = await process.leased(usd_nanos=1)

    assert lease.stored_usd_nanos == 16


@pytest.mark.parametrize(("free", "asked"), [(31, 0), (32, 1)])
async def test_a_window_is_not_leased_that_has_no_share_to_give(
    process: Process, free: int, asked: int
) -> None:
    for _ in range(2):
        process.want(1, replace(FREE, cap_usd_nanos=free))

    assert len(process.database.waiting) == asked


async def test_a_window_of_each_budget_is_leased_once(process: Process) -> None:
    lease = await process.leased()

    process.want()
    open_already = len(process.database.waiting)
    process.leases.close(lease)
    process.want()
    closing_still = len(process.database.waiting)
    process.want(standing=replace(FREE, budget_id="other"))
    process.want(standing=replace(FREE, budget_id="other"))

    assert (open_already, closing_still) == (0, 1)
    assert len(process.database.waiting) == 2


async def test_todays_window_is_leased_while_yesterdays_goes_back(process: Process) -> None:
    lease = await process.leased()
    process.leases.close(lease)

    for _ in range(2):
        process.want(standing=replace(FREE, window_start=DAY_S))
    await process.database.answer(2)

    assert await process.rows() == [("boot-1", CHUNK)]


@pytest.mark.parametrize(("others", "is_leased"), [(4_094, True), (4_095, False)])
async def test_what_was_asked_for_is_forgotten_when_it_becomes_too_much(
    process: Process, others: int, *, is_leased: bool
) -> None:
    process.want()
    for number in range(others):
        process.want(standing=replace(FREE, budget_id=f"b{number}"))
    process.want(standing=replace(FREE, budget_id="one more"))

    process.want()

    assert bool(process.database.waiting) is is_leased


async def test_a_lease_that_is_not_granted_is_forgotten(process: Process) -> None:
    # Somebody else has spent nearly all, which this process has not seen yet.
    await process.database.write(Statement("UPDATE budget_windows SET spent_usd_nanos = 99900"))
    process.want()
    process.want()

    await process.database.answer()
    refused = process.pay()
    process.want()

    assert refused == ()
    assert await process.rows() == []
    assert [one.spent_usd_nanos for one in process.seen] == [99_900]
    assert len(process.database.waiting) == 1


async def test_a_lease_pays_and_knows_what_it_paid(process: Process) -> None:
    lease = await process.leased()
    process.clock.advance(1.5)

    paid = process.pay(7)

    assert paid == (lease,)
    assert (lease.pending, lease.unrecorded_usd_nanos, lease.used_s) == (1, 7, 1_001.5)
    assert process.leases.unrecorded_usd_nanos("team") == 7
    assert not process.database.waiting


async def test_all_windows_pay_or_none(process: Process) -> None:
    lease = await process.leased()

    refused = process.pay(BOUND, TEAM, OTHER)
    other = await process.leased(replace(FREE, budget_id="other"))
    paid = process.pay(BOUND, TEAM, OTHER)

    assert refused == ()
    assert paid == (lease, other)
    assert [one.unrecorded_usd_nanos for one in paid] == [BOUND, BOUND]


@pytest.mark.parametrize(("usd_nanos", "pays"), [(EXPOSED, True), (EXPOSED + 1, False)])
async def test_holds_that_are_not_recorded_cost_no_more_than_is_exposed(
    process: Process, usd_nanos: int, *, pays: bool
) -> None:
    await process.leased()

    assert bool(process.pay(usd_nanos)) is pays


async def test_what_is_not_recorded_counts_against_what_is_exposed(process: Process) -> None:
    await process.leased()
    process.pay(EXPOSED - 1)

    assert not process.pay(2)
    assert process.pay(1)


async def test_a_lease_pays_no_more_than_it_has(process: Process) -> None:
    lease = await process.leased()
    lease.stored_usd_nanos = 25

    assert not process.pay(26)
    assert process.pay(25)


@pytest.mark.parametrize(("usd_nanos", "asked"), [(CHUNK // 4, 1), (CHUNK // 4 + 1, 0)])
async def test_a_hold_that_is_not_paid_asks_for_more_unless_it_is_too_large(
    process: Process, usd_nanos: int, asked: int
) -> None:
    lease = await process.leased()
    lease.exposed_usd_nanos = 0

    refused = process.pay(usd_nanos)

    assert refused == ()
    assert len(process.database.waiting) == asked
    assert lease.filling is (asked == 1)


@pytest.mark.parametrize(("stored", "asked"), [(CHUNK // 2 + 9, 1), (CHUNK // 2 + 10, 0)])
async def test_more_is_asked_for_when_half_is_gone(
    process: Process, stored: int, asked: int
) -> None:
    lease = await process.leased()
    lease.stored_usd_nanos = stored

    process.pay(BOUND)

    assert len(process.database.waiting) == asked


async def test_more_is_asked_for_once(process: Process) -> None:
    lease = await process.leased()
    lease.stored_usd_nanos = CHUNK // 2
    process.clock.advance(0.5)

    for _ in range(2):
        process.pay(BOUND)
    asked = len(process.database.waiting)
    await process.database.answer()

    # The first chunk was gone within half a second: the next is twice as large.
    assert asked == 1
    assert (lease.target_usd_nanos, lease.filling) == (2 * CHUNK, False)
    assert await process.rows() == [("boot-0", CHUNK + 2 * CHUNK - CHUNK // 2 + BOUND)]
    assert lease.asked_s == lease.filled_s == 1_000.5


async def test_a_lease_is_filled_up_again_and_again(process: Process) -> None:
    lease = await process.leased()
    for _ in range(2):
        lease.stored_usd_nanos = 0
        process.pay(BOUND)
        await process.database.answer()

    assert lease.stored_usd_nanos == 4 * CHUNK


async def test_a_lease_of_another_window_ends_and_does_not_pay(process: Process) -> None:
    await process.leased()

    refused = process.pay(BOUND, Line("team", DAY_S))
    await process.database.answer()

    assert refused == ()
    assert await process.rows() == []


async def test_a_lease_that_ran_out_ends_and_does_not_pay(process: Process) -> None:
    await process.leased()
    process.clock.advance(45.0)

    refused = process.pay()
    await process.database.answer()

    assert refused == ()
    assert await process.rows() == []


async def test_what_is_recorded_is_in_the_database_and_not_in_the_lease(process: Process) -> None:
    lease = await process.leased()
    for _ in range(3):
        process.pay(BOUND)

    process.leases.recorded(lease, 2, 15, lost=False)

    assert (lease.pending, lease.unrecorded_usd_nanos) == (1, 15)
    assert lease.stored_usd_nanos == CHUNK - 15
    process.leases.recorded(lease, 1, 15, lost=False)
    assert process.pay()
    assert not process.database.waiting


async def test_a_lease_that_the_database_lost_is_forgotten(process: Process) -> None:
    lease = await process.leased()
    process.pay(BOUND)

    process.leases.recorded(lease, 1, BOUND, lost=True)

    assert process.pay() == ()
    assert process.leases.unrecorded_usd_nanos("team") == 0
    assert not process.database.waiting


async def test_a_lease_that_others_wrote_off_is_forgotten_when_it_asks_for_more(
    process: Process,
) -> None:
    lease = await process.leased()
    lease.stored_usd_nanos = CHUNK // 2
    process.pay(BOUND)
    await process.database.write(Statement("DELETE FROM budget_leases"))

    await process.database.answer()

    assert process.pay() == ()
    assert not process.database.waiting


async def test_a_lease_ends_when_nothing_more_can_be_had(process: Process) -> None:
    lease = await process.leased()
    lease.stored_usd_nanos = CHUNK // 2
    process.pay(BOUND)
    await process.database.write(
        Statement("UPDATE budget_windows SET spent_usd_nanos = $1", (CAP - CHUNK,))
    )

    await process.database.answer()
    process.leases.recorded(lease, 1, BOUND, lost=False)
    await process.database.answer(len(process.database.waiting))
    await process.database.answer(len(process.database.waiting))

    assert process.pay() == ()
    assert await process.rows() == []


@pytest.mark.parametrize(("left", "target"), [(8 * 161, 161), (8 * 160, 160)])
async def test_a_lease_fills_up_to_its_share_to_the_last_nano_dollar(
    process: Process, left: int, target: int
) -> None:
    lease = await process.leased()
    lease.stored_usd_nanos = CHUNK // 2
    spent = CAP - left
    await process.database.write(
        Statement("UPDATE budget_windows SET spent_usd_nanos = $1", (spent,))
    )
    process.pay(BOUND)
    process.clock.advance(3.0)

    await process.database.answer()

    assert process.pay() == (lease,)
    assert lease.target_usd_nanos == target
    assert lease.stored_usd_nanos == CHUNK // 2 + target - CHUNK
    assert await process.rows() == [("boot-0", target)]
    assert lease.filled_s == 1_000.0


async def test_the_least_share_keeps_a_lease_open(process: Process) -> None:
    lease = await process.leased(usd_nanos=1)
    lease.stored_usd_nanos, lease.target_usd_nanos = 0, 0
    await process.database.write(
        Statement("UPDATE budget_windows SET spent_usd_nanos = $1", (CAP - 8 * 16,))
    )

    process.pay(0)
    lease.target_usd_nanos = 100
    process.pay(0)
    await process.database.answer()

    assert lease.target_usd_nanos == 16
    assert await process.rows() == [("boot-0", 16)]


async def test_a_chunk_that_may_have_been_granted_is_given_back(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    process.want()
    process.want()

    await process.database.answer(is_lost=True)
    between = await process.rows()
    refused = process.pay()
    await process.database.answer()

    assert between == [("boot-0", CHUNK)]
    assert refused == ()
    assert await process.rows() == []
    assert messages(caplog) == ["lease_unknown"]


async def test_a_chunk_that_is_granted_after_its_lease_ended_is_given_back(
    process: Process,
) -> None:
    process.want()
    process.want()
    process.leases.close_all()
    # Giving back was asked for second and is done first.
    process.database.waiting.reverse()

    await process.database.answer(2)
    between = await process.rows()
    process.database.waiting.popleft()[1].set_exception(StorageUnavailable("gone"))
    await turns()
    await process.leases.tend()
    await process.database.answer()

    assert between == [("boot-0", CHUNK)]
    assert await process.rows() == []
    assert not process.database.waiting


async def test_an_answer_that_is_cancelled_says_nothing(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    lease = await process.leased()
    lease.stored_usd_nanos = CHUNK // 2
    process.pay(BOUND)
    filling = process.database.waiting.pop()[1]
    filling.cancel()
    process.leases.close(lease)
    returning = process.database.waiting.pop()[1]
    returning.cancel()

    await turns()

    assert (lease.filling, lease.returning) == (False, None)
    assert lease.stored_usd_nanos == CHUNK // 2
    assert not process.database.waiting
    assert messages(caplog) == []


async def test_when_too_much_waits_a_lease_ends_and_goes_back_later(process: Process) -> None:
    lease = await process.leased()
    lease.stored_usd_nanos = CHUNK // 2
    process.database.refuses = True

    process.pay(BOUND)
    refused = process.pay(BOUND)
    process.leases.recorded(lease, 1, BOUND, lost=False)
    process.database.refuses = False
    await process.leases.tend()
    await process.database.answer()

    assert refused == ()
    assert await process.rows() == []
    assert (lease.filling, lease.asked_s) == (False, 1_000.0)


async def test_a_lease_that_ends_goes_back_but_for_what_is_not_recorded(process: Process) -> None:
    lease = await process.leased()
    process.pay(BOUND)

    process.leases.close(lease)
    refused = process.pay()
    await process.database.answer()
    kept = await process.rows()
    unrecorded = process.leases.unrecorded_usd_nanos("team")
    process.seen.clear()
    # Its answer cost nothing: what it took stays in the lease.
    lease.unrecorded_usd_nanos = 0
    process.leases.recorded(lease, 1, 0, lost=False)
    await process.database.answer()

    assert (refused, kept) == ((), [("boot-0", BOUND)])
    assert unrecorded == BOUND
    assert lease.stored_usd_nanos == 0
    assert await process.rows() == []
    assert [one.leased_usd_nanos for one in process.seen] == [0]
    assert process.leases.unrecorded_usd_nanos("team") == 0
    assert not process.database.waiting


async def test_a_lease_ends_once(process: Process) -> None:
    lease = await process.leased()
    process.leases.close(lease)
    await process.database.answer()

    process.leases.close(lease)

    assert not process.database.waiting


async def test_what_is_recorded_while_a_lease_goes_back_lets_it_end_after(
    process: Process,
) -> None:
    lease = await process.leased()
    process.pay(BOUND)
    process.leases.close(lease)

    process.leases.recorded(lease, 1, BOUND, lost=False)
    under_way = len(process.database.waiting)
    await process.database.answer()
    await process.database.answer()

    assert under_way == 1
    assert await process.rows() == []
    assert not process.database.waiting


async def test_unrecorded_holds_of_a_budget_are_those_of_all_its_leases(process: Process) -> None:
    yesterday = await process.leased()
    process.pay(5)
    process.leases.close(yesterday)
    await process.database.answer()
    await process.leased(replace(FREE, window_start=DAY_S))
    process.pay(7, Line("team", DAY_S))

    told = [process.leases.unrecorded_usd_nanos(name) for name in ("team", "other")]

    assert told == [12, 0]


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({"recalled_unix_s": 5.0}, True),
        ({}, False),
        ({"recalled_unix_s": 5.0, "window_start": DAY_S}, False),
        ({"window_start": DAY_S}, False),
        ({"recalled_unix_s": 5.0, "budget_id": "other"}, False),
    ],
)
async def test_a_lease_ends_when_its_window_is_seen_to_be_called_back(
    process: Process, changes: dict[str, Any], *, ends: bool
) -> None:
    lease = await process.leased()

    process.leases.seen([replace(FREE, **changes)])

    assert bool(process.database.waiting) is ends
    assert (process.pay() == (lease,)) is not ends


async def test_the_leases_of_some_windows_end_or_all(process: Process) -> None:
    await process.leased()
    other = await process.leased(replace(FREE, budget_id="other"))

    process.leases.close_all([TEAM])
    left = process.pay(BOUND, OTHER)
    process.leases.recorded(other, 1, 0, lost=False)
    process.leases.close_all()

    assert left == (other,)
    assert process.pay(BOUND, OTHER) == ()
    assert len(process.database.waiting) == 2


async def answering(process: Process, waits: Awaitable[None]) -> int:
    """Answer everything until what waits for it is done; give how many answers that took."""
    waiting, answers = asyncio.ensure_future(waits), 0
    await turns()
    while process.database.waiting and not waiting.done():
        await process.database.answer()
        answers += 1
        await turns()
    await asyncio.wait_for(waiting, WAIT_S)
    return answers


async def test_who_waits_for_leases_waits_until_they_are_back(process: Process) -> None:
    await process.leased()
    process.leases.close_all()

    # One was under way; it is asked again, for what was recorded meanwhile.
    answers = await answering(process, process.leases.returned())

    assert answers == 2
    assert await process.rows() == []


async def test_who_waits_for_some_windows_waits_for_no_others(process: Process) -> None:
    await process.leased()
    await process.leased(replace(FREE, budget_id="other"))
    process.leases.close_all()
    team, other = process.database.waiting

    none = await answering(process, process.leases.returned([Line("nobodys", 0)]))
    process.database.waiting.remove(team)
    some = await answering(process, process.leases.returned([OTHER]))

    assert (none, some) == (0, 2)
    assert other[1].done()
    assert not team[1].done()
    assert await process.rows() == [("boot-0", CHUNK)]


async def test_who_waits_while_too_much_waits_already_does_not_wait(process: Process) -> None:
    await process.leased()
    process.database.refuses = True
    process.leases.close_all()

    assert await answering(process, process.leases.returned()) == 0


@pytest.mark.parametrize(
    ("idle_s", "start", "ends"),
    [(1.99, 0, False), (2.0, 0, True), (2.5, 0, True), (0.0, DAY_S, True), (0.0, None, True)],
)
async def test_a_lease_ends_when_nothing_uses_it_or_its_window_is_over(
    process: Process, idle_s: float, start: int | None, *, ends: bool
) -> None:
    await process.leased()
    process.starts.pop("team")
    if start is not None:
        process.starts["team"] = start
    process.clock.advance(idle_s)

    await process.leases.tend()

    assert bool(process.database.waiting) is ends


async def test_a_lease_ends_when_it_ran_out_though_it_is_used(process: Process) -> None:
    lease = await process.leased()
    process.clock.advance(45.0)
    lease.used_s = process.clock.now()

    await process.leases.tend()

    assert len(process.database.waiting) == 1


async def test_a_lease_that_was_called_back_ends(process: Process) -> None:
    lease = await process.leased()
    await process.leases.tend()
    before = process.pay()

    await process.call_back()
    await process.leases.tend()
    after = process.pay()

    assert (before, after) == ((lease,), ())
    assert len(process.database.waiting) == 1


async def test_a_lease_that_is_being_granted_was_not_called_back(process: Process) -> None:
    process.want()
    process.want()

    await process.leases.tend()
    await process.database.answer()

    assert process.pay()


async def test_what_could_not_be_given_back_is_given_back_later(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    lease = await process.leased()
    process.leases.close(lease)

    process.database.waiting.popleft()[1].set_exception(StorageUnavailable("gone"))
    await turns()
    between = await process.rows()
    await process.leases.tend()
    await process.database.answer()

    assert messages(caplog) == ["lease_unknown"]
    assert between == [("boot-0", CHUNK)]
    assert await process.rows() == []


async def test_leases_that_nobody_knows_of_are_given_back(process: Process) -> None:
    lease = await process.leased()
    stray = await process.leased(replace(FREE, budget_id="other"))
    process.leases.recorded(stray, 0, 0, lost=True)
    process.want(standing=replace(FREE, window_start=DAY_S))

    await process.leases.find_strays()
    await process.leases.find_strays()
    asked = len(process.database.waiting)
    await process.database.answer()

    assert asked == 1
    assert await process.rows() == [("boot-0", CHUNK)]
    assert process.pay() == (lease,)


async def test_a_lease_that_goes_back_is_no_stray(process: Process) -> None:
    lease = await process.leased()
    process.leases.close(lease)

    await process.leases.find_strays()

    assert len(process.database.waiting) == 1


async def test_a_lease_that_was_made_while_strays_were_sought_is_none(process: Process) -> None:
    await process.leased()
    await process.database.write(
        Statement("UPDATE budget_leases SET lease_id = 'boot-1' WHERE lease_id = 'boot-0'")
    )

    await process.leases.find_strays()

    assert not process.database.waiting


async def test_while_there_are_leases_they_are_looked_after_and_then_it_rests(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(process, monkeypatch):
        await turns()
        before = process.clock.looks
        await process.leased()
        process.clock.advance(2.0)
        await until(lambda: len(process.database.waiting) == 1)
        await process.database.answer()
        await turns()
        done = process.clock.looks
        await turns()

    assert before == 0
    assert await process.rows() == []
    assert done == process.clock.looks


async def test_a_stray_whose_return_failed_is_tried_again(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    stray = await process.leased()
    process.leases.recorded(stray, 0, 0, lost=True)
    await process.leases.tend()
    async with running(process, monkeypatch):
        await process.leases.find_strays()
        process.database.waiting.popleft()[1].set_exception(StorageUnavailable("gone"))
        await until(lambda: len(process.database.waiting) == 1)
        await process.database.answer()

    assert await process.rows() == []


async def test_the_log_says_once_that_leases_wait_for_the_database(
    process: Process, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await process.leased()

    async def read_again(times: int) -> None:
        enough = process.database.reads + times
        await until(lambda: process.database.reads >= enough)

    async with running(process, monkeypatch):
        for fails in (True, False, True):
            process.database.fails = fails
            await read_again(4)
        process.database.fails = False
        await read_again(2)

    assert messages(caplog) == ["leases_wait", "leases_wait"]
