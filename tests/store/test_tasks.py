"""Tasks: accepted means committed, an end is an end, and nobody sees another's."""

import asyncio
from dataclasses import replace

import pytest

from omniroute.a2a.tasks import TaskRow, TaskStore
from omniroute.server.store.database import RowRefused, Statement
from tests.store.opened import Opened

TASK = TaskRow(
    task_id="task-1",
    owner="key-1",
    context_id="context-1",
    skill="smart-routing",
    state="submitted",
    created_unix_s=100.25,
    updated_unix_s=100.25,
    expires_unix_s=400.25,
    payload='{"message": "a zero \\u0000 byte"}',
)


@pytest.fixture
def tasks(store: Opened) -> TaskStore:
    return store.tasks


@pytest.mark.anyio
async def test_a_task_comes_back_as_it_was_created(tasks: TaskStore) -> None:
    await tasks.create(TASK, "created")

    assert await tasks.get("task-1", owner="key-1") == TASK
    events = await tasks.events("task-1", owner="key-1")
    assert [(event.seq, event.payload) for event in events] == [(0, "created")]


@pytest.mark.anyio
async def test_another_keys_task_is_like_a_missing_one(tasks: TaskStore) -> None:
    await tasks.create(TASK, "created")

    assert await tasks.get("task-1", owner="key-2") is None
    assert await tasks.events("task-1", owner="key-2") == []
    assert not await tasks.move(replace(TASK, owner="key-2", state="canceled"), "canceled")
    assert await tasks.get("task-1", owner="key-1") == TASK


@pytest.mark.anyio
async def test_a_task_of_a_known_id_is_refused(tasks: TaskStore) -> None:
    await tasks.create(TASK, "created")

    with pytest.raises(RowRefused):
        await tasks.create(replace(TASK, owner="key-2"), "created")


@pytest.mark.anyio
async def test_moving_changes_what_a_move_may_and_logs_it(tasks: TaskStore) -> None:
    await tasks.create(TASK, "created")
    working = replace(
        TASK, state="working", updated_unix_s=101.5, expires_unix_s=500.0, payload="{}"
    )

    assert await tasks.move(working, "working")
    assert await tasks.move(replace(working, state="completed"), "completed")

    assert await tasks.get("task-1", owner="key-1") == replace(working, state="completed")
    events = await tasks.events("task-1", owner="key-1", after=0)
    assert [(event.seq, event.payload) for event in events] == [(1, "working"), (2, "completed")]


@pytest.mark.anyio
@pytest.mark.parametrize("end", ["completed", "failed", "canceled", "rejected"])
async def test_a_task_that_has_ended_stays_as_it_ended(tasks: TaskStore, end: str) -> None:
    ended = replace(TASK, state=end)  # type: ignore[arg-type]
    await tasks.create(TASK, "created")
    await tasks.move(ended, "ended")

    assert not await tasks.move(replace(TASK, state="working"), "again")

    assert await tasks.get("task-1", owner="key-1") == ended
    assert len(await tasks.events("task-1", owner="key-1")) == 2


@pytest.mark.anyio
async def test_of_many_that_end_a_task_exactly_one_is_told_so(tasks: TaskStore) -> None:
    await tasks.create(TASK, "created")

    told = await asyncio.gather(
        *(
            tasks.move(replace(TASK, state="completed", payload=str(number)), f"by {number}")
            for number in range(10)
        )
    )

    winner = told.index(True)
    stored = await tasks.get("task-1", owner="key-1")
    events = await tasks.events("task-1", owner="key-1")
    assert told.count(True) == 1
    assert stored is not None
    assert stored.payload == str(winner)
    assert [event.payload for event in events] == ["created", f"by {winner}"]


@pytest.mark.anyio
async def test_expired_tasks_go_with_their_events(tasks: TaskStore, store: Opened) -> None:
    for number in range(3):
        await tasks.create(
            replace(TASK, task_id=f"task-{number}", expires_unix_s=100.0 * number), "created"
        )

    assert await tasks.prune(now_unix_s=150.0) == 2
    assert await tasks.prune(now_unix_s=150.0) == 0

    assert await tasks.get("task-2", owner="key-1") is not None
    rows = await store.database.read(Statement("SELECT task_id FROM task_events"))
    assert [row["task_id"] for row in rows] == ["task-2"]
