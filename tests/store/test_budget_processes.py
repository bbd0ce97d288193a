"""Four processes on the same budgets, with duplicates and kill -9: exact to the last nano."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from omniroute.server.store.budget import Budget
from omniroute.server.store.database import Row, Statement
from tests.store.opened import Opened
from tests.store.spender import CENT

ROOT = Path(__file__).parents[2]
PROCESSES, TASKS, KILLS = 4, 8, 2
WAIT_S_MAX = 1_800
LEASED_SHARE = 0.2
"""How much of what is paid for never asked the database, at least."""
LOOK_S = 0.05
SPENT_SHARE = 0.75
"""How much of what would be spent the caps let through."""


@dataclass
class Spenders:
    """The processes that spend, by name; `killed` are those that did not end well."""

    url: str
    folder: Path
    requests: int
    running: dict[str, "subprocess.Popen[str]"] = field(
        default_factory=dict[str, "subprocess.Popen[str]"]
    )
    killed: list[str] = field(default_factory=list[str])

    def start(self) -> None:
        name = f"p{len(self.running) + len(self.killed)}"
        words = [self.url, str(self.folder), name, str(TASKS), str(self.requests)]
        self.running[name] = subprocess.Popen(
            [sys.executable, "-m", "tests.store.spender", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )

    def kill_one(self) -> None:
        name = next(name for name, one in self.running.items() if one.poll() is None)
        process = self.running.pop(name)
        process.kill()
        process.communicate()
        self.killed.append(name)

    def told(self) -> dict[str, dict[str, int]]:
        return {name: json.loads(one.communicate()[0]) for name, one in self.running.items()}


@contextmanager
def spenders(url: str, folder: Path, requests: int) -> Iterator[Spenders]:
    started = Spenders(url, folder, requests)
    try:
        for _ in range(PROCESSES):
            started.start()
        yield started
    finally:
        for process in started.running.values():
            process.kill()
            process.wait()


async def most_over(store: Opened) -> int:
    """Give by how much the fullest budget is over its cap."""
    (row,) = await store.database.read(
        Statement(
            "SELECT max(spent_usd_nanos + held_usd_nanos - cap_usd_nanos) AS over "
            "FROM budget_windows"
        )
    )
    return int(row["over"] or -1)


async def paid(store: Opened) -> int:
    (row,) = await store.database.read(Statement("SELECT count(*) AS rows FROM reservations"))
    return int(row["rows"])


async def watch(store: Opened, there: Spenders, admissions: int) -> int:
    """Kill two on the way, start others, and give the most that a budget was ever over."""
    most, kill_at = -1, [admissions // 4, admissions // 10]
    while any(one.poll() is None for one in there.running.values()):
        most = max(most, await most_over(store))
        if kill_at and await paid(store) >= kill_at[-1]:
            kill_at.pop()
            there.kill_one()
            there.start()
        await asyncio.sleep(LOOK_S)
    assert kill_at == []
    return most


async def race(store: Opened, url: str, folder: Path, admissions: int) -> int:
    """Spend, hold the books to each other, and give the most that a budget was ever over."""
    expected = int(admissions * CENT * 0.375 * SPENT_SHARE)
    for name, share in (("team", 1.0), ("a", 0.35), ("b", 0.35), ("c", 0.35)):
        cap = int(expected * share)
        await store.budgets.put(Budget(name, "key-1", name, cap), actor="test")

    with spenders(url, folder, admissions // (PROCESSES * TASKS)) as there:
        async with asyncio.timeout(WAIT_S_MAX):
            most = await watch(store, there, admissions)
        told = there.told()
    abandoned = [await store.budgets.sweep(0.0), await store.budgets.sweep(0.0)]

    rows = await store.database.read(
        Statement("SELECT hold_id, lines, bound_usd_nanos, actual_usd_nanos FROM reservations")
    )
    windows = await store.database.read(
        Statement("SELECT budget_id, spent_usd_nanos, held_usd_nanos FROM budget_windows")
    )
    counters = {
        row["budget_id"]: (row["spent_usd_nanos"], row["held_usd_nanos"]) for row in windows
    }
    assert len(there.killed) == KILLS
    assert abandoned[1] == 0
    assert counters == {name: (spent, 0) for name, spent in ledger_sums(rows).items()}
    assert sum(one["refused_falsely"] for one in told.values()) == 0
    assert sum(one["refused"] for one in told.values()) > 0
    assert sum(one["leased"] for one in told.values()) > LEASED_SHARE * sum(
        one["paid"] for one in told.values()
    )
    assert await store.budgets.correct() == 0
    for name, one in told.items():
        own = [row["actual_usd_nanos"] for row in rows if row["hold_id"].startswith(f"{name}-")]
        assert (len(own), sum(own)) == (one["paid"], one["spent_usd_nanos"])
    return most


def ledger_sums(rows: Sequence[Row]) -> dict[str, int]:
    """Add up what each budget's reservations cost; every one is settled."""
    sums: dict[str, int] = {}
    for row in rows:
        for budget_id, _ in json.loads(row["lines"]):
            sums[budget_id] = sums.get(budget_id, 0) + row["actual_usd_nanos"]
    return sums


@pytest.mark.anyio
async def test_four_processes_with_kills_neither_overspend_nor_refuse_falsely(
    store: Opened, database_url: str, tmp_path: Path
) -> None:
    assert await race(store, database_url, tmp_path, 5_120) <= 0


@pytest.mark.long
@pytest.mark.anyio
async def test_a_hundred_thousand_admissions_add_up(
    store: Opened, database_url: str, tmp_path: Path
) -> None:
    assert await race(store, database_url, tmp_path, 100_000) <= 0
