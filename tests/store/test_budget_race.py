"""Many writers on the same budgets: never over the cap, nobody refused who could pay, no drift."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from omniroute.routing.errors import BudgetExceeded
from omniroute.routing.ports import Hold
from omniroute.server.store import lease_rows
from omniroute.server.store.budget import Budget
from omniroute.server.store.database import Statement
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store
from tests.store.spender import RealClock, could_pay

DOLLAR = 1_000_000_000
WRITERS = 8
REQUESTS = 40
DEEP = 20_000 * DOLLAR


@pytest.fixture
async def processes(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[Sequence[Opened]]:
    """Four processes on one database, with five budgets."""
    for name, dollars in (("team", 40), ("a", 15), ("b", 15), ("c", 15), ("exact", WRITERS)):
        await store.budgets.put(Budget(name, "key-1", name, dollars * DOLLAR), actor="test")
    async with AsyncExitStack() as stack:
        others = [
            await stack.enter_async_context(open_store(database_url, tmp_path, clock))
            for _ in range(3)
        ]
        yield [store, *others]


@pytest.fixture
async def lively_processes(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Sequence[Opened]]:
    """Four processes in real time, which are granted leases again soon after a recall."""
    monkeypatch.setattr(lease_rows, "QUIET_S", 0.05)
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(open_store(database_url, tmp_path, RealClock()))
            for _ in range(4)
        ]


@pytest.mark.anyio
async def test_racing_writers_never_overspend_and_every_cent_is_found_again(
    processes: Sequence[Opened],
) -> None:
    store, spent_by, most = processes[0], {"team": 0, "a": 0, "b": 0, "c": 0}, []
    racing = asyncio.Event()

    async def spend(writer: int) -> None:
        mine, draw = processes[writer % len(processes)], random.Random(writer)
        for number in range(REQUESTS):
            ids = ["team", draw.choice("abc")]
            draw.shuffle(ids)
            bound = draw.randrange(DOLLAR // 2, DOLLAR)
            wanted = Hold(f"{writer}-{number}", "key-1", tuple(ids), bound)
            try:
                await mine.budgets.reserve(wanted)
            except BudgetExceeded:
                continue
            actual = draw.randrange(bound + 1)
            for one in ids:
                spent_by[one] += actual
            mine.budgets.settle(wanted.hold_id, usd_nanos=actual)
            if number % 3 == 0:
                await mine.budgets.flush()
                mine.budgets.settle(wanted.hold_id, usd_nanos=bound)
        await mine.budgets.flush()

    async def watch() -> None:
        while not racing.is_set():
            (row,) = await store.database.read(
                Statement(
                    "SELECT max(spent_usd_nanos + held_usd_nanos - cap_usd_nanos) AS over, "
                    "max(CASE WHEN cap_passed THEN 1 ELSE 0 END) AS passed FROM budget_windows"
                )
            )
            most.append((row["over"] or 0, row["passed"] or 0))

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        await asyncio.gather(*(spend(writer) for writer in range(WRITERS)))
        racing.set()

    rows = await store.database.read(
        Statement("SELECT budget_id, spent_usd_nanos, held_usd_nanos FROM budget_windows")
    )
    found = {row["budget_id"]: (row["spent_usd_nanos"], row["held_usd_nanos"]) for row in rows}
    assert max(most) <= (0, 0)
    assert found == {name: (spent, 0) for name, spent in spent_by.items()}
    assert spent_by["team"] > 35 * DOLLAR


@pytest.mark.anyio
async def test_leases_that_come_and_go_neither_overspend_nor_refuse_falsely(
    lively_processes: Sequence[Opened],
) -> None:
    processes, most = lively_processes, list[int]()
    store = processes[0]
    await store.budgets.put(Budget("deep", "key-1", "deep", DEEP), actor="test")

    async def spend(writer: int) -> tuple[int, int, int]:
        mine, draw = processes[writer % len(processes)], random.Random(writer)
        spent, refused, falsely = 0, 0, 0
        for number in range(REQUESTS * 2):
            # Mostly small ones, and now and then one that only what others leased can pay.
            bound = int(DEEP * draw.choice((0.0002, 0.0002, 0.0004, 0.001, 0.05, 0.4)))
            wanted = Hold(f"deep-{writer}-{number}", "key-1", ("deep",), bound)
            try:
                await mine.budgets.reserve(wanted)
            except BudgetExceeded as refusal:
                refused += 1
                falsely += could_pay(str(refusal))
                continue
            if draw.random() < 0.5:
                await asyncio.sleep(0)
            actual = draw.randrange(bound // 8 + 1)
            spent += actual
            mine.budgets.settle(wanted.hold_id, usd_nanos=actual)
        return spent, refused, falsely

    async def watch() -> None:
        while True:
            (row,) = await store.database.read(
                Statement(
                    "SELECT spent_usd_nanos + held_usd_nanos - cap_usd_nanos AS over "
                    "FROM budget_windows WHERE budget_id = 'deep'"
                )
            )
            most.append(row["over"])

    await store.budgets.reserve(Hold("deep-first", "key-1", ("deep",), 0))
    async with asyncio.TaskGroup() as group:
        background = [group.create_task(one.budgets.run()) for one in processes]
        background.append(group.create_task(watch()))
        told = await asyncio.gather(*(spend(writer) for writer in range(WRITERS)))
        for task in background:
            task.cancel()
    for one in processes:
        await one.budgets.end()

    standing = await store.budgets.standing("deep")
    assert standing is not None
    assert max(most) <= 0
    assert sum(refused for _, refused, _ in told) > 0
    assert sum(falsely for _, _, falsely in told) == 0
    assert (standing.held_usd_nanos, standing.leased_usd_nanos) == (0, 0)
    assert standing.spent_usd_nanos == sum(spent for spent, _, _ in told)
    assert sum(one.budgets.admitted.by_leases for one in processes) > 0
    assert await store.budgets.correct() == 0


@pytest.mark.anyio
async def test_nobody_is_refused_while_the_budget_can_pay(processes: Sequence[Opened]) -> None:
    async def spend(writer: int) -> None:
        mine = processes[writer % len(processes)]
        for number in range(REQUESTS):
            # Each writer holds a dollar at a time, and the cap is a dollar for each of them.
            await mine.budgets.reserve(Hold(f"{writer}-{number}", "key-1", ("exact",), DOLLAR))
            mine.budgets.settle(f"{writer}-{number}", usd_nanos=0)
            await mine.budgets.flush()

    await asyncio.gather(*(spend(writer) for writer in range(WRITERS)))

    assert await processes[0].budgets.sweep(0.0) == 0
    standing = await processes[0].budgets.standing("exact")
    assert standing is not None
    assert (standing.spent_usd_nanos, standing.held_usd_nanos) == (0, 0)


@pytest.mark.anyio
async def test_exactly_as_many_are_let_through_as_the_cap_pays_for(
    processes: Sequence[Opened],
) -> None:
    async def spend(writer: int) -> int:
        mine, paid = processes[writer % len(processes)], 0
        for number in range(REQUESTS):
            wanted = Hold(f"{writer}-{number}", "key-1", ("exact",), DOLLAR // 10)
            try:
                await mine.budgets.reserve(wanted)
            except BudgetExceeded:
                continue
            paid += 1
        return paid

    paid = await asyncio.gather(*(spend(writer) for writer in range(WRITERS)))

    assert sum(paid) == WRITERS * 10
