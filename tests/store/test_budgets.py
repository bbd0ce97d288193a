"""Budgets: exact under every interleaving, on both databases."""

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from omniroute.routing.errors import BudgetExceeded, Conflict
from omniroute.routing.ports import Hold
from omniroute.server.store.budget_rows import Budget
from omniroute.server.store.database import Statement
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store

DOLLAR = 1_000_000_000
DAY_S = 86_400


def hold(name: str, usd_nanos: int, *budget_ids: str) -> Hold:
    return Hold(name, "key-1", budget_ids, usd_nanos)


@pytest.mark.anyio
async def test_eight_writers_never_overspend_and_nobody_is_refused_who_could_pay(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    for name, cap in (("team", 40), ("key-a", 15), ("key-b", 15), ("key-c", 15)):
        await store.budgets.put(Budget(name, "key-1", name, cap * DOLLAR), actor="test")
    refused: list[Hold] = []

    async def spend(writer: int, mine: Opened) -> int:
        draw, paid = random.Random(writer), 0
        for number in range(40):
            ids = ["team", draw.choice(["key-a", "key-b", "key-c"])]
            draw.shuffle(ids)
            wanted = hold(f"{writer}-{number}", draw.randrange(DOLLAR // 2, DOLLAR), *ids)
            try:
                await mine.budgets.reserve(wanted)
            except BudgetExceeded:
                refused.append(wanted)
                continue
            actual = draw.randrange(wanted.usd_nanos + 1)
            mine.budgets.settle(wanted.hold_id, usd_nanos=actual)
            if number % 3 == 0:
                await mine.budgets.flush()
                mine.budgets.settle(wanted.hold_id, usd_nanos=actual // 2)
            paid += actual
        await mine.budgets.flush()
        return paid

    async with AsyncExitStack() as others:
        writers = [store]
        for _ in range(3):
            writers.append(
                await others.enter_async_context(open_store(database_url, tmp_path, clock))
            )
        paid = await asyncio.gather(
            *(spend(number, writers[number % len(writers)]) for number in range(8))
        )

    rows = await store.database.read(Statement("SELECT * FROM budget_windows"))
    print(refused.__len__(), sum(paid) / DOLLAR, [dict(r) for r in rows])
    assert all(row["spent_usd_nanos"] + row["held_usd_nanos"] <= row["cap_usd_nanos"] for row in rows)
    assert [row["held_usd_nanos"] for row in rows] == [0, 0, 0, 0]
    spent = {row["budget_id"]: row["spent_usd_nanos"] for row in rows}
    assert spent["team"] == sum(paid)
