"""A task that ends and is canceled at the same moment, here and from another process."""

import asyncio
import random
from collections import Counter
from typing import Any, cast

import pytest

from omniroute.a2a.record import read_event
from omniroute.a2a.task import TERMINAL
from omniroute.server.store.database import Statement
from omniroute.server.store.tasks import StoredTasks
from tests.a2a_door.door import HeldUpstream, MemoryTasks, Served, serving, v03_message
from tests.store.opened import Opened

pytestmark = pytest.mark.anyio

BATCH = 25
LIMITS = (60.0, BATCH)
TURNS_MAX = 40
"""How many turns of the loop one of the two may be ahead of the other, at most."""
LATER = {"message": v03_message(), "configuration": {"blocking": False}}


async def test_a_thousand_cancels_that_race_the_end_leave_one_state_each(store: Opened) -> None:
    assert (await raced(store, 1_000, seed=1)).total() == 1_000


@pytest.mark.long
async def test_ten_thousand_cancels_that_race_the_end_leave_one_state_each(store: Opened) -> None:
    assert (await raced(store, 10_000, seed=2)).total() == 10_000


async def raced(store: Opened, count: int, *, seed: int) -> Counter[str]:
    """Race so many tasks, hold each to what its client was told; gives how many ended how."""
    draw, told = random.Random(seed), dict[str, str]()
    for _ in range(count // BATCH):
        told |= await batch(store, draw)
    rows = await store.database.read(
        Statement(
            "SELECT tasks.task_id, state, seq, task_events.payload FROM tasks "
            "JOIN task_events ON task_events.task_id = tasks.task_id ORDER BY seq"
        )
    )
    stored = {row["task_id"]: row["state"] for row in rows}
    ends = Counter(row["task_id"] for row in rows if read_event(row["payload"]).state in TERMINAL)
    assert stored == told
    assert set(ends.values()) == {1}
    assert set(stored.values()) == {"completed", "canceled"}
    return Counter(stored.values())


async def batch(store: Opened, draw: random.Random) -> dict[str, str]:
    """Let all answers go on while their tasks are canceled; gives what the cancels said."""
    held = HeldUpstream()
    other = cast(MemoryTasks, StoredTasks(store.database, "boot-2"))
    async with (
        serving(upstream=held, store=cast(MemoryTasks, store.tasks), limits=LIMITS) as here,
        serving(store=other, limits=LIMITS) as there,
    ):
        sent = [here.result("message/send", LATER) for _ in range(BATCH)]
        ids = [one["id"] for one in await asyncio.gather(*sent)]
        go = asyncio.create_task(after(draw.randrange(TURNS_MAX), held))
        answers = await asyncio.gather(
            *(cancel(draw.choice((here, there)), one, draw.randrange(TURNS_MAX)) for one in ids)
        )
        await go
    return dict(zip(ids, answers, strict=True))


async def after(turns: int, held: HeldUpstream) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    held.go.set()


async def cancel(door: Served, task_id: str, turns: int) -> str:
    """Give the state that a cancel says the task ended in."""
    for _ in range(turns):
        await asyncio.sleep(0)
    answer: Any = await door.call("tasks/cancel", {"id": task_id})
    if "result" in answer:
        state: str = answer["result"]["status"]["state"]
        return state
    assert answer["error"]["code"] == -32002, answer
    return "completed"
