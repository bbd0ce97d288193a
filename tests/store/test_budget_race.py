"""Many writers on the same budgets: never over the cap, nobody refused who could pay, no drift."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from omniroute.routing.errors import BudgetExceeded
from omniroute.routing.ports import Hold
from omniroute.server.store.budget import Budget
from omniroute.server.store.database import Statement
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store

DOLLAR = 1_000_000_000
WRITERS = 8
REQUESTS = 40


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
