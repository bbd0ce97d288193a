"""What setting a hold aside costs: in a lease, and in the database.

    python -m benchmarks.budgets [--rounds 5] [--requests 4000]

One request sets a hold aside in one budget, lets others run, and settles it at a third, on a
SQLite file, with everything that runs in the background running. Every round takes both ways and
both concurrencies in a shuffled order. The clock of dates stands still for the way through the
database, on a budget whose leases were called back just then: so none is ever granted.
"""

import argparse
import asyncio
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omniroute.routing.ports import Hold
from omniroute.server.store.audit import Audit
from omniroute.server.store.boots import new_boot, register_boot
from omniroute.server.store.budget import Budget
from omniroute.server.store.budgets import Budgets
from omniroute.server.store.changes import Changes
from omniroute.server.store.database import Statement, open_database
from omniroute.server.store.keyring import open_key_ring

CAP_USD_NANOS = 10**15
BOUND_USD_NANOS = 30_000_000
AT_ONCE = (1, 32)
WARM_UP = 200
WAYS = ("database", "lease")


@dataclass
class Clock:
    """The machine's clock, and a date that stands still."""

    unix_s: float

    def now(self) -> float:
        """Give monotonic seconds."""
        return time.monotonic()

    def unix(self) -> float:
        """Give seconds since 1970."""
        return self.unix_s


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run gave: requests a second, and how long a hold took."""

    per_s: float
    p50_us: float
    p99_us: float
    leased: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; give an exit status."""
    parser = argparse.ArgumentParser(description="What setting a hold aside costs.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=4000)
    wanted = parser.parse_args(arguments)
    found: dict[tuple[int, str], list[Figures]] = {}
    for seed in range(wanted.rounds):
        order = [(at_once, way) for at_once in AT_ONCE for way in WAYS]
        random.Random(seed).shuffle(order)
        for at_once, way in order:
            with tempfile.TemporaryDirectory() as folder:
                figures = asyncio.run(_run(Path(folder), way, at_once, wanted.requests))
            found.setdefault((at_once, way), []).append(figures)
    print(
        f"holds on SQLite, CPython {platform.python_version()}, {platform.machine()}, "
        f"medians of {wanted.rounds} rounds of {wanted.requests}"
    )
    for at_once in AT_ONCE:
        for way in WAYS:
            runs = found[(at_once, way)]
            print(
                f"  {at_once:>2} at once, {way:<8}  {_median(runs, 'per_s'):9.0f}/s   "
                f"p50 {_median(runs, 'p50_us'):8.1f} us   p99 {_median(runs, 'p99_us'):8.1f} us   "
                f"{_median(runs, 'leased'):4.0%} leased"
            )
        pairs = list(zip(found[(at_once, "lease")], found[(at_once, "database")], strict=True))
        faster = statistics.median(lease.per_s / asked.per_s for lease, asked in pairs)
        shorter = statistics.median(asked.p50_us / lease.p50_us for lease, asked in pairs)
        print(f"     lease / database: {faster:.1f} x the rate, p50 {shorter:.0f} x shorter")
    return 0


async def _run(folder: Path, way: str, at_once: int, requests: int) -> Figures:
    clock = Clock(time.time())
    ring = open_key_ring(folder, {})
    async with open_database(f"sqlite:///{folder}/storage.sqlite") as database:
        boot = new_boot("0.0.0-benchmark", clock.unix())
        await register_boot(database, boot)
        changes = Changes(database, Audit(database, ring, boot.boot_id), clock)
        budgets = Budgets(database, changes, clock, boot_id=boot.boot_id)
        await budgets.put(Budget("b", "key", "b", CAP_USD_NANOS), actor="benchmark")
        background = asyncio.create_task(budgets.run())
        await _request(budgets, "first")
        if way == "database":
            values = (clock.unix_s,)
            await database.write(
                Statement("UPDATE budget_windows SET recalled_unix_s = $1", values)
            )
        for number in range(WARM_UP):
            await _request(budgets, f"warm-up-{number}")
        before = budgets.admitted.by_leases
        began_s = time.perf_counter()
        tasks = [_requests(budgets, f"{task}", requests // at_once) for task in range(at_once)]
        took = sorted(one for each in await asyncio.gather(*tasks) for one in each)
        took_s = time.perf_counter() - began_s
        leased = (budgets.admitted.by_leases - before) / len(took)
        background.cancel()
        await asyncio.wait([background])
        await budgets.end()
    return Figures(
        len(took) / took_s, took[len(took) // 2] * 1e6, took[len(took) * 99 // 100] * 1e6, leased
    )


async def _requests(budgets: Budgets, name: str, count: int) -> list[float]:
    return [await _request(budgets, f"{name}-{number}") for number in range(count)]


async def _request(budgets: Budgets, name: str) -> float:
    """Give how long it took to set the hold aside, in seconds."""
    hold = Hold(name, "key", ("b",), BOUND_USD_NANOS)
    began_s = time.perf_counter()
    await budgets.reserve(hold)
    took_s = time.perf_counter() - began_s
    await asyncio.sleep(0)
    budgets.settle(name, usd_nanos=BOUND_USD_NANOS // 3)
    return took_s


def _median(runs: Sequence[Figures], name: str) -> float:
    return float(statistics.median(getattr(run, name) for run in runs))


if __name__ == "__main__":
    raise SystemExit(main())
