"""News of tasks that run elsewhere: one question for everybody, under a clock of its own."""

import asyncio
from collections.abc import Mapping, Sequence

from omniroute.a2a.tasks import EventRow
from omniroute.a2a.watching import ASKED_MAX, LOOK_EVERY_S, Watch
from tests import virtual
from tests.a2a_door.door import MemoryTasks


class AskedTasks(MemoryTasks):
    """Notes how many tasks it was asked for, each time."""

    def __init__(self, count: int) -> None:
        super().__init__(logs={f"t-{n}": [EventRow(0, "begun")] for n in range(count)})
        self.asked: list[int] = []

    async def lengths(self, task_ids: Sequence[str]) -> Mapping[str, int]:
        self.asked.append(len(task_ids))
        return await super().lengths(task_ids)


def test_a_thousand_readers_of_a_task_ask_once_a_turn() -> None:
    async def run() -> None:
        store = AskedTasks(1)
        watch = Watch(store)
        running = asyncio.create_task(watch.run())
        readers = [asyncio.create_task(watch.news("t-0", 1)) for _ in range(1_000)]
        await asyncio.sleep(2.5 * LOOK_EVERY_S)
        assert store.asked == [1, 1]

        store.logs["t-0"].append(EventRow(1, "ended"))
        await asyncio.gather(*readers)
        assert asyncio.get_running_loop().time() == 3 * LOOK_EVERY_S
        running.cancel()

    virtual.run(run())


def test_many_tasks_are_asked_for_in_parts() -> None:
    async def run() -> None:
        count = 2 * ASKED_MAX + 1
        store = AskedTasks(count)
        watch = Watch(store)
        running = asyncio.create_task(watch.run())
        readers = [asyncio.create_task(watch.news(f"t-{n}", 1)) for n in range(count)]
        await asyncio.sleep(1.5 * LOOK_EVERY_S)

        assert store.asked == [ASKED_MAX, ASKED_MAX, 1]
        for one in (*readers, running):
            one.cancel()

    virtual.run(run())


def test_where_nobody_waits_nothing_is_asked() -> None:
    async def run() -> None:
        store = AskedTasks(1)
        watch = Watch(store)
        running = asyncio.create_task(watch.run())
        reader = asyncio.create_task(watch.news("t-0", 1))
        await asyncio.sleep(1.5 * LOOK_EVERY_S)
        reader.cancel()
        await asyncio.sleep(100 * LOOK_EVERY_S)

        assert store.asked == [1]
        running.cancel()

    virtual.run(run())


def test_who_waits_hears_of_a_task_that_is_gone_and_of_a_store_that_does_not_answer() -> None:
    async def run() -> None:
        store = AskedTasks(1)
        watch = Watch(store)
        running = asyncio.create_task(watch.run())
        await watch.news("never was", 1)
        waits = asyncio.create_task(watch.news("t-0", 1))
        await asyncio.sleep(1.5 * LOOK_EVERY_S)
        assert not waits.done()

        store.broken = True
        await waits
        running.cancel()

    virtual.run(run())
