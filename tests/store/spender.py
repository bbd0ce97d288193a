"""A process that spends: `python -m tests.store.spender URL FOLDER NAME TASKS REQUESTS`.

Each of its tasks reserves and settles that many times, some settlements twice. At its end it
prints what it knows: how many holds were paid for (and by leases) and refused, what they cost in
all, and how many refusals were false by their own figures.
"""

import asyncio
import json
import random
import re
import sys
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from omniroute.routing.errors import BudgetExceeded
from omniroute.routing.ports import Hold
from tests.store.opened import Opened, open_store

CENT = 10_000_000
AGAIN = 0.1
"""How many settlements are told twice."""
_STANDING = re.compile(
    r"may cost \$([\d.]+): of \$([\d.]+) it has spent \$([\d.]+) and holds \$([\d.]+) "
)


class RealClock:
    """The machine's own: how long chunks last and when they are granted again goes by it."""

    def now(self) -> float:
        return time.monotonic()

    def unix(self) -> float:
        return time.time()


@dataclass
class Told:
    """What one process did."""

    paid: int = 0
    refused: int = 0
    refused_falsely: int = 0
    spent_usd_nanos: int = 0
    leased: int = 0


async def spend(store: Opened, name: str, requests: int, told: Told) -> None:
    draw = random.Random(name)
    for number in range(requests):
        ids = ["team", draw.choice("abc")]
        draw.shuffle(ids)
        hold = Hold(f"{name}-{number}", "key-1", tuple(ids), draw.randrange(CENT // 2, CENT))
        try:
            await store.budgets.reserve(hold)
        except BudgetExceeded as refusal:
            told.refused += 1
            told.refused_falsely += could_pay(str(refusal))
            continue
        actual = draw.randrange(hold.usd_nanos + 1)
        told.paid += 1
        told.spent_usd_nanos += actual
        store.budgets.settle(hold.hold_id, usd_nanos=actual)
        if draw.random() < AGAIN:
            await store.budgets.flush()
            store.budgets.settle(hold.hold_id, usd_nanos=hold.usd_nanos)


def could_pay(refusal: str) -> bool:
    """Whether a refusal's own figures say that the budget had the money."""
    found = _STANDING.search(refusal)
    assert found is not None, refusal
    wanted, cap, spent, held = map(Decimal, found.groups())
    return spent + held + wanted <= cap


async def main(url: str, folder: Path, name: str, *, tasks: int, requests: int) -> None:
    told = Told()
    async with open_store(url, folder, RealClock()) as store:
        writer = asyncio.create_task(store.budgets.run())
        await asyncio.gather(
            *(spend(store, f"{name}-{task}", requests, told) for task in range(tasks))
        )
        writer.cancel()
        await store.budgets.end()
        told.leased = store.budgets.admitted.by_leases
    print(json.dumps(vars(told)), flush=True)


if __name__ == "__main__":
    asyncio.run(
        main(
            *(sys.argv[1], Path(sys.argv[2]), sys.argv[3]),
            tasks=int(sys.argv[4]),
            requests=int(sys.argv[5]),
        )
    )
