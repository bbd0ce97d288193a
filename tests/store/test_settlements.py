"""Holds and settlements on their way to the database: each counts once, whatever happens."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal

import pytest

from omniroute.routing.errors import StorageUnavailable
from omniroute.routing.ports import Hold
from omniroute.server.store import settlements as of_settlements
from omniroute.server.store.budget import Budget
from omniroute.server.store.budget_rows import Standing, open_windows, store_budget
from omniroute.server.store.database import Database, Statement, Steps, T, Unit, open_database
from omniroute.server.store.lease import Lease
from omniroute.server.store.leases import Leases
from omniroute.server.store.outbox import Limits
from omniroute.server.store.settlements import Settlements
from omniroute.server.store.windows import Line
from tests.fakes import FakeClock

pytestmark = pytest.mark.anyio

TEAM = Line("team", 0)
BOUND = 100
CHUNK = 16 * BOUND


@dataclass(slots=True)
class Breaking:
    """A database that fails when it is told to, before or after it has stored what it was given.

    Attributes:
        failing: how each of the next writes fails; None is well.
        writes: how often something was to be written.
    """

    database: Database
    kind: Literal["sqlite", "postgres"] = "sqlite"
    failing: list[Literal["before", "after"] | None] = field(default_factory=list)
    writes: int = 0

    async def write(self, unit: Unit[T]) -> T:
        self.writes += 1
        how = self.failing.pop(0) if self.failing else None
        if how == "before":
            raise StorageUnavailable("gone")
        result = await self.database.write(unit)
        if how == "after":
            raise StorageUnavailable("the answer is lost")
        return result


@dataclass(slots=True)
class Process:
    """What waits to be stored in a process that has leased a chunk of a budget."""

    settlements: Settlements
    lease: Lease
    database: Breaking
    seen: list[Standing]

    def keep(self, name: str, usd_nanos: int, *, is_paid: bool = True) -> None:
        leases = (self.lease,) if is_paid else ()
        if is_paid:
            self.lease.pending += 1
            self.lease.unrecorded_usd_nanos += usd_nanos
        self.settlements.keep(Hold(name, "key-1", (), usd_nanos), leases, 5.0)

    async def kept(self) -> dict[str, int | None]:
        """Give what each hold cost that is in the database."""
        sql = "SELECT hold_id, actual_usd_nanos FROM reservations ORDER BY hold_id"
        rows = await self.database.database.read(Statement(sql))
        return {row["hold_id"]: row["actual_usd_nanos"] for row in rows}

    def pays(self) -> bool:
        """Whether the lease is there to pay."""
        return bool(self.settlements.leases.pay((TEAM,), 0, 0.0))

    async def taken(self, *names: str) -> None:
        """Have another process take the ids of holds."""
        for name in names:
            await self.database.database.write(
                Statement(
                    "INSERT INTO reservations (hold_id, key_id, lines, bound_usd_nanos, boot_id, "
                    "lease_until_unix_s, created_unix_s, abandoned) "
                    "VALUES ($1, 'key-2', '[]', 1, 'another', 0, 0, FALSE)",
                    (name,),
                )
            )


@pytest.fixture
async def process(sqlite_url: str) -> AsyncIterator[Process]:
    clock, seen = FakeClock(), list[Standing]()
    async with open_database(sqlite_url) as opened:
        database = Breaking(opened)
        await opened.write(lambda: one_budget(opened))
        leases = Leases(opened, clock, boot_id="boot", start_of=lambda _: 0, see=lambda _: None)
        for _ in range(2):
            leases.want(TEAM, BOUND, Standing("team", 0, 100 * CHUNK, 0, 0))
        # Units are begun in the order of their submission: the chunk is granted before this one.
        await opened.write(Statement("SELECT 1"))
        await asyncio.sleep(0)
        (lease,) = leases.pay((TEAM,), 0, clock.unix())
        leases.recorded(lease, 1, 0, lost=False)
        settlements = Settlements(
            database,  # type: ignore[arg-type]
            *(clock, leases),
            boot_id="boot",
            see=seen.extend,
        )
        yield Process(settlements, lease, database, seen)


def one_budget(database: Database) -> Steps[None]:
    """Make a budget with its window."""
    budget = Budget("team", "key-1", "team", 100 * CHUNK)
    yield from store_budget(budget, 0, now_unix_s=0.0)
    yield from open_windows(database, (TEAM,))


def test_the_bounds_are_those_that_were_weighed() -> None:
    limits = Limits(batch_max=1_000, spare_max=50_000, items_max=1_000_000, gather_s=0.05)
    assert limits == of_settlements.SETTLEMENTS
    assert of_settlements.ALIASES_MAX == 1_000


async def test_what_is_recorded_is_told_to_its_lease_and_seen(process: Process) -> None:
    process.keep("h1", 100)
    process.keep("h2", 7, is_paid=False)
    waiting = len(process.settlements)

    await process.settlements.flush()

    assert (waiting, len(process.settlements), process.database.writes) == (2, 0, 1)
    assert await process.kept() == {"h1": None, "h2": None}
    assert (process.lease.pending, process.lease.stored_usd_nanos) == (0, CHUNK - 100)
    assert [one.leased_usd_nanos for one in process.seen] == [CHUNK - 100]
    assert process.pays()


async def test_a_lease_that_the_database_lost_pays_no_more(process: Process) -> None:
    process.keep("h1", 100)
    await process.database.database.write(Statement("DELETE FROM budget_leases"))

    await process.settlements.flush()

    assert not process.pays()


async def test_what_waits_is_stored_in_the_background(process: Process) -> None:
    storing = asyncio.create_task(process.settlements.run())
    process.keep("h1", 100)

    async with asyncio.timeout(10):
        while len(process.settlements):
            await asyncio.sleep(0.005)
    storing.cancel()
    await asyncio.wait([storing], timeout=10)

    assert await process.kept() == {"h1": None}


async def test_a_hold_that_still_waits_is_settled_in_one_row(process: Process) -> None:
    process.keep("h1", 100)

    process.settlements.settle("h1", 30)
    process.settlements.settle("h1", 60)
    await process.settlements.flush()

    assert process.database.writes == 1
    assert await process.kept() == {"h1": 30}
    assert process.lease.stored_usd_nanos == CHUNK - 30


async def test_a_hold_is_settled_by_what_was_told_first(process: Process) -> None:
    process.keep("h1", 100)
    await process.settlements.flush()
    process.seen.clear()

    process.settlements.settle("h1", 30)
    process.settlements.settle("h1", 60)
    waiting = len(process.settlements)
    await process.settlements.flush()

    assert waiting == 1
    assert await process.kept() == {"h1": 30}
    assert [one.spent_usd_nanos for one in process.seen] == [30]


async def test_a_hold_counts_once_though_the_settlement_beside_it_fails(process: Process) -> None:
    await process.taken("other")
    process.keep("h1", 100)
    process.settlements.settle("other", 1)
    process.database.failing = [None, "before"]

    with pytest.raises(StorageUnavailable):
        await process.settlements.flush()
    await process.settlements.flush()

    # Recorded, settled in vain, settled: the hold is not recorded again.
    assert process.database.writes == 3
    assert await process.kept() == {"h1": None, "other": 1}
    assert (process.lease.pending, process.lease.stored_usd_nanos) == (0, CHUNK - 100)


async def test_an_earlier_try_that_was_stored_is_seen_at_once(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    process.keep("h1", 100)
    process.database.failing = ["after"]

    with pytest.raises(StorageUnavailable):
        await process.settlements.flush()
    await process.settlements.flush()

    assert process.database.writes == 2
    assert await process.kept() == {"h1": None}
    assert (process.lease.pending, process.lease.stored_usd_nanos) == (0, CHUNK - 100)
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


async def test_a_hold_whose_id_is_taken_is_recorded_and_settled_under_another(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    await process.taken("h1")
    process.keep("h1", 100)

    await process.settlements.flush()
    process.settlements.settle("h1", 30)
    await process.settlements.flush()

    assert await process.kept() == {"h1": None, "h1@boot": 30}
    (said,) = [one for one in caplog.records if one.message == "hold_conflict"]
    facts = (said.__dict__["hold_id"], said.__dict__["recorded_as"])
    assert (said.levelno, facts) == (logging.ERROR, ("h1", "h1@boot"))


async def test_so_many_other_ids_are_known_and_then_the_oldest_is_forgotten(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_settlements, "ALIASES_MAX", 2)
    names = ("h1", "h2", "h3")
    await process.taken(*names)
    for name in names:
        process.keep(name, 100)
        await process.settlements.flush()

    for name in names:
        process.settlements.settle(name, 30)
    await process.settlements.flush()

    settled = [name for name, usd_nanos in (await process.kept()).items() if usd_nanos == 30]
    assert settled == ["h1", "h2@boot", "h3@boot"]


async def test_what_no_budget_pays_for_is_given_up_first(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(batch_max=10, spare_max=2, items_max=10, gather_s=0.0)
    monkeypatch.setattr(of_settlements, "SETTLEMENTS", limits)
    full = Settlements(
        process.database,  # type: ignore[arg-type]
        *(FakeClock(), process.settlements.leases),
        boot_id="boot",
        see=process.seen.extend,
    )
    process.settlements = full

    process.keep("paid", 100)
    process.keep("unpaid", 1, is_paid=False)
    process.keep("paid too", 100)
    await full.flush()

    assert await process.kept() == {"paid": None, "paid too": None}
