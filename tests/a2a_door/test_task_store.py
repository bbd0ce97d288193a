"""What the door expects of a task store: the fake of these tests and the real one both do it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from omniroute.a2a.tasks import Listing, Tally, TaskRow, TaskStore
from omniroute.server.store.database import open_database
from omniroute.server.store.tasks import StoredTasks
from tests.a2a_door.door import MemoryTasks

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("kind", ["memory", "sqlite"])]

ROW = TaskRow("t-1", "key-a", "c-1", "smart-routing", "working", 10.0, 10.0, 20.0, '{"a": 1}')


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncGenerator[TaskStore]:
    if kind == "memory":
        yield MemoryTasks()
        return
    async with open_database(f"sqlite:///{folder}/storage.sqlite") as database:
        yield StoredTasks(database, "boot-1")


async def test_a_created_task_is_its_owner_s_and_nobody_else_s(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as store:
        await store.create(ROW, "zero")

        assert await store.get("t-1", owner="key-a") == ROW
        assert await store.get("t-1", owner="key-b") is None
        assert await store.get("t-2", owner="key-a") is None
        assert [one.payload for one in await store.events("t-1", owner="key-a")] == ["zero"]
        assert list(await store.events("t-1", owner="key-b")) == []


async def test_a_move_changes_the_row_and_its_log(kind: str, tmp_path: Path) -> None:
    ended = replace(ROW, state="completed", updated_unix_s=11.0, expires_unix_s=30.0, payload="{}")
    async with opened(kind, tmp_path) as store:
        await store.create(ROW, "zero")

        assert await store.move(ended, "one") is True
        assert await store.get("t-1", owner="key-a") == ended
        log = await store.events("t-1", owner="key-a")
        assert [(one.seq, one.payload) for one in log] == [(0, "zero"), (1, "one")]
        assert [one.seq for one in await store.events("t-1", owner="key-a", after=0)] == [1]


async def test_a_task_that_has_ended_does_not_move(kind: str, tmp_path: Path) -> None:
    canceled = replace(ROW, state="canceled")
    async with opened(kind, tmp_path) as store:
        await store.create(ROW, "zero")
        await store.move(canceled, "one")

        assert await store.move(replace(ROW, state="completed"), "two") is False
        assert await store.get("t-1", owner="key-a") == canceled
        assert len(await store.events("t-1", owner="key-a")) == 2


async def test_a_foreign_or_missing_task_does_not_move(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as store:
        await store.create(ROW, "zero")

        assert await store.move(replace(ROW, owner="key-b", state="failed"), "x") is False
        assert await store.move(replace(ROW, task_id="t-2", state="failed"), "x") is False
        assert await store.get("t-1", owner="key-a") == ROW


async def test_of_two_that_end_a_task_at_once_one_does(kind: str, tmp_path: Path) -> None:
    won: list[bool] = []
    async with opened(kind, tmp_path) as store:
        await store.create(ROW, "zero")

        async def end(row: TaskRow) -> None:
            won.append(await store.move(row, row.state))

        async with anyio.create_task_group() as group:
            group.start_soon(end, replace(ROW, state="completed"))
            group.start_soon(end, replace(ROW, state="canceled"))

        assert sorted(won) == [False, True]
        assert len(await store.events("t-1", owner="key-a")) == 2


async def test_lengths_of_logs_are_told_of_the_tasks_that_are_there(
    kind: str, tmp_path: Path
) -> None:
    async with opened(kind, tmp_path) as store:
        await store.create(ROW, "zero")
        await store.create(replace(ROW, task_id="t-2"), "zero")
        await store.move(replace(ROW, state="completed"), "one")

        assert await store.lengths(["t-1", "t-2", "t-3"]) == {"t-1": 2, "t-2": 1}
        assert await store.lengths([]) == {}


async def test_pruning_deletes_what_expired_before_now(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as store:
        await store.create(ROW, "zero")
        await store.create(replace(ROW, task_id="t-2", expires_unix_s=40.0), "zero")

        assert await store.prune(now_unix_s=20.0) == 0
        assert await store.prune(now_unix_s=30.0) == 1
        assert await store.get("t-1", owner="key-a") is None
        assert list(await store.events("t-1", owner="key-a")) == []
        assert await store.get("t-2", owner="key-a") is not None


async def test_tasks_are_counted_and_found_for_whoever_may_see_all(
    kind: str, tmp_path: Path
) -> None:
    async with opened(kind, tmp_path) as store:
        await store.create(ROW, "zero")
        await store.create(replace(ROW, task_id="t-2", owner="key-b", state="failed"), "zero")

        assert await store.tally("key-b") == Tally({"failed": 1}, 10.0)
        assert (await store.tally(None)).counts == {"working": 1, "failed": 1}
        assert await store.get("t-2", owner=None) is not None
        page = await store.page(None, Listing(states=frozenset({"failed", "working"}), offset=1))
        assert ([row.task_id for row in page.rows], page.total) == (["t-1"], 2)
