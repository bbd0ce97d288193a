"""Tasks: accepted means committed, an end is an end, and nobody sees another's."""

import asyncio
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omniroute.a2a.task import State
from omniroute.a2a.tasks import Entry, Hold, Listing, Place, Tally, TaskRow, TaskStore
from omniroute.server.store.database import RowRefused, Statement
from omniroute.server.store.tasks import SILENT_S, StoredTasks
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store

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


@pytest.mark.anyio
async def test_the_lengths_of_many_logs_are_told_at_once(tasks: TaskStore) -> None:
    await tasks.create(TASK, "created")
    await tasks.create(replace(TASK, task_id="task-2"), "created")
    await tasks.append([Entry("task-2", 1, "text"), Entry("task-2", 1, "more")])

    told = await tasks.lengths(["task-1", "task-2", "task-3"])

    assert told == {"task-1": 1, "task-2": 3}


@pytest.mark.anyio
async def test_a_task_may_be_kept_for_ever(tasks: TaskStore) -> None:
    kept = replace(TASK, expires_unix_s=math.inf)
    await tasks.create(kept, "created")

    assert await tasks.prune(now_unix_s=1e15) == 0
    assert await tasks.get("task-1", owner="key-1") == kept


def working(number: int, **more: Any) -> TaskRow:
    return replace(TASK, task_id=f"task-{number}", state="working", **more)


@pytest.mark.anyio
async def test_the_tasks_of_a_dead_process_are_found_and_taken_once(
    tasks: TaskStore, store: Opened
) -> None:
    dead = StoredTasks(store.database, "boot-that-never-was")
    await dead.create(working(1), "created")
    await tasks.create(working(2), "created")

    lost = await tasks.lost(now_unix_s=0.0)
    assert [one.task_id for one in lost] == ["task-1"]
    taken = await asyncio.gather(*(tasks.take(lost[0]) for _ in range(5)))

    assert [one for one in taken if one is not None] == [replace(lost[0], attempt=2)]
    assert await tasks.lost(now_unix_s=0.0) == []
    assert await tasks.held() == {"task-1": Hold("key-1", 2), "task-2": Hold("key-1", 1)}
    assert await dead.held() == {}


@pytest.mark.anyio
async def test_a_living_process_keeps_its_tasks_until_it_was_silent_for_long(
    tasks: TaskStore, store: Opened, database_url: str, tmp_path: Path
) -> None:
    async with open_store(database_url, tmp_path, FakeClock()) as other:
        await other.tasks.create(working(1), "created")
        machine = Statement("UPDATE boots SET machine = 'another', seen_unix_s = 100")
        await store.database.write(machine)

        soon = await tasks.lost(now_unix_s=100.0 + SILENT_S)
        late = await tasks.lost(now_unix_s=100.1 + SILENT_S)

    assert soon == []
    assert [one.task_id for one in late] == ["task-1"]


@pytest.mark.anyio
async def test_an_older_attempt_changes_nothing(tasks: TaskStore, store: Opened) -> None:
    dead = StoredTasks(store.database, "boot-that-never-was")
    await dead.create(working(1), "created")
    [row] = await tasks.lost(now_unix_s=0.0)
    await tasks.take(row)

    assert not await dead.move(replace(row, state="completed"), "late", attempt=1)
    await dead.append([Entry("task-1", 1, "late text")])
    await tasks.append([Entry("task-1", 2, "text"), Entry("task-9", 1, "of none")])
    assert await tasks.move(replace(row, state="completed"), "ended", attempt=2)
    await tasks.append([Entry("task-1", 2, "too late")])

    log = await tasks.events("task-1", owner="key-1")
    assert [(one.seq, one.payload) for one in log] == [(0, "created"), (1, "text"), (2, "ended")]
    assert await tasks.held() == {}


@pytest.mark.anyio
async def test_pages_go_through_all_tasks_of_an_owner_newest_first(tasks: TaskStore) -> None:
    for number in range(7):
        # Two at a time have the same moment.
        at = 100.0 + number // 2
        await tasks.create(working(number, updated_unix_s=at), "created")
    await tasks.create(working(8, owner="key-2"), "created")

    seen, after = [], None
    while rows := (page := await tasks.page("key-1", Listing(limit=2, after=after))).rows:
        seen += [one.task_id for one in rows]
        after = Place(rows[-1].updated_unix_s, rows[-1].task_id)
        assert page.total == 7

    assert seen == [f"task-{number}" for number in range(6, -1, -1)]
    assert (await tasks.page(None, Listing())).total == 8


@pytest.mark.anyio
async def test_a_task_that_waits_is_woken_once_in_its_next_attempt(tasks: TaskStore) -> None:
    waiting = replace(TASK, state="input-required", updated_unix_s=101.0)
    woken = replace(TASK, state="working", attempt=2, updated_unix_s=102.0, payload="answered")
    await tasks.create(replace(TASK, state="working"), "created")

    early = await tasks.wake(woken, "woken")
    await tasks.move(waiting, "asked", attempt=1)
    rests = await tasks.held()
    foreign = await tasks.wake(replace(woken, owner="key-2"), "woken")
    answers = [await tasks.wake(woken, "woken"), await tasks.wake(woken, "woken again")]

    assert (early, foreign, answers) == (False, False, [True, False])
    assert rests == {}
    assert await tasks.get("task-1", owner="key-1") == woken
    assert await tasks.held() == {"task-1": Hold("key-1", 2)}
    events = await tasks.events("task-1", owner="key-1")
    assert [(event.seq, event.payload) for event in events] == [
        (0, "created"),
        (1, "asked"),
        (2, "woken"),
    ]


@pytest.mark.anyio
async def test_a_task_that_was_woken_ends_in_its_new_attempt_alone(tasks: TaskStore) -> None:
    ended = replace(TASK, state="completed")
    await tasks.create(replace(TASK, state="working"), "created")
    await tasks.move(replace(TASK, state="input-required"), "asked", attempt=1)
    await tasks.wake(replace(TASK, state="working", attempt=2), "woken")

    stale = await tasks.move(ended, "ended", attempt=1)
    fresh = await tasks.move(ended, "ended", attempt=2)

    assert (stale, fresh) == (False, True)


async def _some(tasks: TaskStore) -> None:
    states: tuple[State, ...] = ("working", "failed", "rejected", "completed")
    for number, state in enumerate(states):
        at = 100.0 + number
        row = replace(TASK, task_id=f"t-{number}", state=state, updated_unix_s=at)
        await tasks.create(replace(row, created_unix_s=at), "created")
    await tasks.create(replace(TASK, task_id="t-x", owner="key-2", created_unix_s=900.0), "created")


@pytest.mark.anyio
async def test_a_list_may_be_of_several_states_and_leave_out_the_newest(tasks: TaskStore) -> None:
    await _some(tasks)

    bad = await tasks.page("key-1", Listing(states=frozenset({"failed", "rejected"})))
    rest = await tasks.page("key-1", Listing(offset=3))
    none = await tasks.page("key-1", Listing(states=frozenset({"canceled"})))

    assert [row.task_id for row in bad.rows] == ["t-2", "t-1"]
    assert bad.total == 2
    assert [row.task_id for row in rest.rows] == ["t-0"]
    assert rest.total == 4
    assert (none.rows, none.total) == ([], 0)


@pytest.mark.anyio
async def test_tasks_are_counted_by_state_for_an_owner_or_for_all(tasks: TaskStore) -> None:
    await _some(tasks)

    mine, every = await tasks.tally("key-1"), await tasks.tally(None)

    assert mine == Tally({"working": 1, "failed": 1, "rejected": 1, "completed": 1}, 103.0)
    assert every.counts["submitted"] == 1
    assert every.newest_unix_s == 900.0
    assert await tasks.tally("key-3") == Tally({}, None)


@pytest.mark.anyio
async def test_a_task_is_found_without_its_owner_when_none_is_named(tasks: TaskStore) -> None:
    await tasks.create(TASK, "created")

    assert await tasks.get("task-1", owner=None) == TASK
    assert await tasks.get("task-2", owner=None) is None
