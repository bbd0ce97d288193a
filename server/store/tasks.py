"""A2A tasks and their events. Fulfils the agent's port TaskStore.

A task moves by compare-and-set: each change names the states it may come from, so of two that
end a task at once exactly one does. An event's number is counted in the task's own row in the
same transaction, so a log has no gaps and no doubles. Another owner's task is not found by the
same statement that does not find a missing one.
"""

from collections.abc import Sequence
from functools import partial

from omniroute.a2a.tasks import EventRow, TaskRow

from .database import Database, Row, Statement, Steps

EVENTS_MAX = 10_000
PRUNED_MAX = 1_000


class StoredTasks:
    """Tasks in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, task: TaskRow, event: str) -> None:
        """Store a new task and its event 0; both are committed when this returns.

        Raises:
            RowRefused: there is a task of that id.
        """
        await self._database.write(partial(_create, task, event))

    async def get(self, task_id: str, *, owner: str) -> TaskRow | None:
        """Give the task if it is this owner's; another owner's is None like a missing one."""
        rows = await self._database.read(
            Statement(
                "SELECT task_id, key_id, context_id, skill, state, created_unix_s, "
                "updated_unix_s, expires_unix_s, payload FROM tasks "
                "WHERE task_id = $1 AND key_id = $2",
                (task_id, owner),
            )
        )
        return _task(rows[0]) if rows else None

    async def move(self, task: TaskRow, event: str) -> bool:
        """Set state, times and payload and append the event, unless the task has ended."""
        return await self._database.write(partial(_move, task, event))

    async def events(self, task_id: str, *, owner: str, after: int = -1) -> Sequence[EventRow]:
        """Give the events with a `seq` above `after`, in order, EVENTS_MAX at most."""
        rows = await self._database.read(
            Statement(
                "SELECT seq, task_events.payload FROM task_events "
                "JOIN tasks ON tasks.task_id = task_events.task_id "
                "WHERE task_events.task_id = $1 AND key_id = $2 AND seq > $3 "
                "ORDER BY seq LIMIT $4",
                (task_id, owner, after, EVENTS_MAX),
            )
        )
        return [EventRow(int(row["seq"]), row["payload"]) for row in rows]

    async def prune(self, *, now_unix_s: float) -> int:
        """Delete tasks that expired before now, PRUNED_MAX at most; give how many."""
        rows = await self._database.write(
            Statement(
                "DELETE FROM tasks WHERE task_id IN (SELECT task_id FROM tasks "
                "WHERE expires_unix_s < $1 ORDER BY expires_unix_s LIMIT $2) RETURNING task_id",
                (now_unix_s, PRUNED_MAX),
            )
        )
        return len(rows)


def _create(task: TaskRow, event: str) -> Steps[None]:
    yield Statement(
        "INSERT INTO tasks (task_id, key_id, context_id, skill, state, created_unix_s, "
        "updated_unix_s, expires_unix_s, payload, events) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1)",
        (
            *(task.task_id, task.owner, task.context_id, task.skill, task.state),
            *(task.created_unix_s, task.updated_unix_s, task.expires_unix_s, task.payload),
        ),
    )
    yield _event(task.task_id, 0, event)


def _move(task: TaskRow, event: str) -> Steps[bool]:
    moved = yield Statement(
        "UPDATE tasks SET state = $3, updated_unix_s = $4, expires_unix_s = $5, payload = $6, "
        "events = events + 1 WHERE task_id = $1 AND key_id = $2 "
        "AND state NOT IN ('completed', 'failed', 'canceled', 'rejected') RETURNING events",
        (
            *(task.task_id, task.owner, task.state),
            *(task.updated_unix_s, task.expires_unix_s, task.payload),
        ),
    )
    if not moved:
        return False
    yield _event(task.task_id, int(moved[0]["events"]) - 1, event)
    return True


def _event(task_id: str, seq: int, payload: str) -> Statement:
    return Statement(
        "INSERT INTO task_events (task_id, seq, payload) VALUES ($1, $2, $3)",
        (task_id, seq, payload),
    )


def _task(row: Row) -> TaskRow:
    return TaskRow(
        task_id=row["task_id"],
        owner=row["key_id"],
        context_id=row["context_id"],
        skill=row["skill"],
        state=row["state"],
        created_unix_s=float(row["created_unix_s"]),
        updated_unix_s=float(row["updated_unix_s"]),
        expires_unix_s=float(row["expires_unix_s"]),
        payload=row["payload"],
    )
