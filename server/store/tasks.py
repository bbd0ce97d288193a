"""A2A tasks and their events. Fulfils the agent's port TaskStore.

A task moves by compare-and-set: each change names the states it may come from and the attempt
it belongs to, so of two that end a task at once exactly one does. An event's number is counted
in the task's own row in the same transaction, so a log has no gaps and no doubles. Another
owner's task is not found by the same statement that does not find a missing one.

Who works on a task is a boot (boots.py): its beat is the lease of all its tasks. When it is
known dead, or silent for SILENT_S, its tasks are lost and whoever finds them first takes them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import orjson

from omniroute.a2a.push import SubscriptionRow
from omniroute.a2a.tasks import (
    LISTED_MAX,
    Entry,
    EventRow,
    Hold,
    Listing,
    Page,
    Tally,
    TaskRow,
)

from .boots import is_known_dead
from .database import Database, Row, Statement, Steps, Value
from .push_rows import owed, subscribed

EVENTS_MAX = 10_000
PRUNED_MAX = 1_000
LOST_MAX = 100
"""How many lost tasks are found at a time; the next search finds the others."""
SILENT_S = 30.0
"""How long a process of another machine may be silent. One that was only slow loses its tasks,
and nothing worse: what it writes later is of an older attempt."""

_COLUMNS = (
    "task_id, key_id, context_id, skill, state, created_unix_s, updated_unix_s, "
    "expires_unix_s, payload, attempt"
)
TASK_COLUMNS = (
    "tasks.task_id, key_id, context_id, skill, state, tasks.created_unix_s, updated_unix_s, "
    "expires_unix_s, payload, attempt"
)
"""The columns of a task beside those of other tables."""
_ENDED = "('completed', 'failed', 'canceled', 'rejected')"
# A list comes as one JSON text, which both databases take apart.
_LENGTHS = {
    "sqlite": "SELECT task_id, events FROM tasks "
    "WHERE task_id IN (SELECT value FROM json_each($1))",
    "postgres": "SELECT task_id, events FROM tasks "
    "WHERE task_id IN (SELECT json_array_elements_text(CAST($1 AS JSON)))",
}
_LISTED = (
    "(CAST($1 AS TEXT) IS NULL OR key_id = $1) "
    "AND (CAST($2 AS TEXT) IS NULL OR context_id = $2) "
    "AND (CAST($3 AS TEXT) IS NULL OR $3 LIKE '%,' || state || ',%') "
    "AND (CAST($4 AS TEXT) IS NULL OR skill = $4) "
    "AND (CAST($5 AS DOUBLE PRECISION) IS NULL OR updated_unix_s >= $5)"
)


def _unfollowed(task: TaskRow) -> None:
    """Do as tasks do that nobody follows."""


class StoredTasks:
    """Tasks in the database.

    Args:
        boot_id: the run of this process.

    Attributes:
        follow: is told each task as it comes to its end, or waits for its client.
    """

    def __init__(self, database: Database, boot_id: str) -> None:
        self.follow: Callable[[TaskRow], None] = _unfollowed
        self._database = database
        self._boot_id = boot_id

    async def create(
        self, task: TaskRow, event: str, *, push: SubscriptionRow | None = None
    ) -> None:
        """Store a new task, its event 0 and who is told of it; committed when this returns.

        Raises:
            RowRefused: there is a task of that id.
        """
        await self._database.write(partial(_create, task, event, self._boot_id, push))

    async def get(self, task_id: str, *, owner: str | None) -> TaskRow | None:
        """Give the task if it is this owner's, or anyone's for None."""
        rows = await self._database.read(
            Statement(
                f"SELECT {_COLUMNS} FROM tasks WHERE task_id = $1 "  # noqa: S608
                "AND (CAST($2 AS TEXT) IS NULL OR key_id = $2)",
                (task_id, owner),
            )
        )
        return task_of_row(rows[0]) if rows else None

    async def move(self, task: TaskRow, event: str, *, attempt: int | None = None) -> bool:
        """Set state, times and payload and append the event, unless the task has ended."""
        moved = await self._database.write(partial(_move, task, event, attempt))
        if moved:
            self.follow(task)
        return moved

    async def wake(self, task: TaskRow, event: str) -> bool:
        """Begin the next attempt at a task that waits for its client, as this process's own."""
        return await self._database.write(partial(_wake, task, event, self._boot_id))

    async def append(self, entries: Sequence[Entry]) -> None:
        """Append events to the logs of tasks that these attempts still work on."""
        await self._database.write(partial(_append, entries))

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

    async def lengths(self, task_ids: Sequence[str]) -> Mapping[str, int]:
        """Give how many events the logs of tasks have; not of missing ones."""
        asked = orjson.dumps(list(task_ids)).decode()
        rows = await self._database.read(Statement(_LENGTHS[self._database.kind], (asked,)))
        return {row["task_id"]: int(row["events"]) for row in rows}

    async def page(self, owner: str | None, listing: Listing) -> Page:
        """Give tasks of an owner, of all for None, newest first."""
        return await self._database.read(partial(_page, owner, listing))

    async def tally(self, owner: str | None) -> Tally:
        """Count the tasks of an owner, of all for None."""
        rows = await self._database.read(
            Statement(
                "SELECT state, count(*) AS tasks, max(created_unix_s) AS newest FROM tasks "
                "WHERE CAST($1 AS TEXT) IS NULL OR key_id = $1 GROUP BY state",
                (owner,),
            )
        )
        newest = max((float(row["newest"]) for row in rows), default=None)
        return Tally({row["state"]: int(row["tasks"]) for row in rows}, newest)

    async def held(self) -> Mapping[str, Hold]:
        """Give the tasks that are this process's, by their id."""
        rows = await self._database.read(
            Statement(
                "SELECT task_id, key_id, attempt FROM tasks WHERE boot_id = $1", (self._boot_id,)
            )
        )
        return {row["task_id"]: Hold(row["key_id"], int(row["attempt"])) for row in rows}

    async def lost(self, *, now_unix_s: float) -> Sequence[TaskRow]:
        """Give unfinished tasks of dead processes, LOST_MAX at most."""
        return await self._database.read(partial(_lost, self._boot_id, now_unix_s))

    async def take(self, task: TaskRow) -> TaskRow | None:
        """Take over a lost task, unless another process was faster, or it has ended."""
        rows = await self._database.write(
            Statement(
                "UPDATE tasks SET boot_id = $3, attempt = attempt + 1 "  # noqa: S608
                "WHERE task_id = $1 AND attempt = $2 AND boot_id IS NOT NULL "
                f"RETURNING {_COLUMNS}",
                (task.task_id, task.attempt, self._boot_id),
            )
        )
        return task_of_row(rows[0]) if rows else None

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


def _create(task: TaskRow, event: str, boot_id: str, push: SubscriptionRow | None) -> Steps[None]:
    yield Statement(
        "INSERT INTO tasks (task_id, key_id, context_id, skill, state, created_unix_s, "
        "updated_unix_s, expires_unix_s, payload, attempt, boot_id, events, subscriptions) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12)",
        (
            *(task.task_id, task.owner, task.context_id, task.skill, task.state),
            *(task.created_unix_s, task.updated_unix_s, task.expires_unix_s, task.payload),
            *(task.attempt, boot_id, 0 if push is None else 1),
        ),
    )
    yield _event(task.task_id, 0, event)
    if push is not None:
        yield subscribed(push, task.created_unix_s)


def _move(task: TaskRow, event: str, attempt: int | None) -> Steps[bool]:
    moved = yield Statement(
        "UPDATE tasks SET state = $3, updated_unix_s = $4, expires_unix_s = $5, payload = $6, "  # noqa: S608
        "boot_id = CASE WHEN $3 IN ('submitted', 'working') THEN boot_id END, "
        "events = events + 1 WHERE task_id = $1 AND key_id = $2 "
        "AND (CAST($7 AS BIGINT) IS NULL OR attempt = $7) "
        f"AND state NOT IN {_ENDED} RETURNING events, subscriptions",
        (
            *(task.task_id, task.owner, task.state),
            *(task.updated_unix_s, task.expires_unix_s, task.payload, attempt),
        ),
    )
    if not moved:
        return False
    seq = int(moved[0]["events"]) - 1
    yield _event(task.task_id, seq, event)
    if moved[0]["subscriptions"]:
        yield owed(task.task_id, seq, task.updated_unix_s)
    return True


def _wake(task: TaskRow, event: str, boot_id: str) -> Steps[bool]:
    woken = yield Statement(
        "UPDATE tasks SET state = $3, updated_unix_s = $4, expires_unix_s = $5, payload = $6, "
        "boot_id = $7, attempt = $8, events = events + 1 WHERE task_id = $1 AND key_id = $2 "
        "AND attempt = $8 - 1 AND state = 'input-required' RETURNING events",
        (
            *(task.task_id, task.owner, task.state),
            *(task.updated_unix_s, task.expires_unix_s, task.payload),
            *(boot_id, task.attempt),
        ),
    )
    if not woken:
        return False
    yield _event(task.task_id, int(woken[0]["events"]) - 1, event)
    return True


def _append(entries: Sequence[Entry]) -> Steps[None]:
    for entry in entries:
        counted = yield Statement(
            "UPDATE tasks SET events = events + 1 WHERE task_id = $1 AND attempt = $2 "
            "AND boot_id IS NOT NULL RETURNING events",
            (entry.task_id, entry.attempt),
        )
        if counted:
            yield _event(entry.task_id, int(counted[0]["events"]) - 1, entry.payload)


def _event(task_id: str, seq: int, payload: str) -> Statement:
    return Statement(
        "INSERT INTO task_events (task_id, seq, payload) VALUES ($1, $2, $3)",
        (task_id, seq, payload),
    )


def _page(owner: str | None, listing: Listing) -> Steps[Page]:
    chosen: tuple[Value, ...] = (
        *(owner, listing.context_id, _states(listing), listing.skill),
        listing.updated_after_unix_s,
    )
    [counted] = yield Statement(
        f"SELECT count(*) AS total FROM tasks WHERE {_LISTED}",  # noqa: S608
        chosen,
    )
    after = listing.after
    rows = yield Statement(
        f"SELECT {_COLUMNS} FROM tasks WHERE {_LISTED} "  # noqa: S608
        "AND (CAST($6 AS DOUBLE PRECISION) IS NULL OR updated_unix_s < $6 "
        "OR (updated_unix_s = $6 AND task_id < $7)) "
        "ORDER BY updated_unix_s DESC, task_id DESC LIMIT $8 OFFSET $9",
        (
            *chosen,
            None if after is None else after.updated_unix_s,
            "" if after is None else after.task_id,
            min(listing.limit, LISTED_MAX),
            listing.offset,
        ),
    )
    return Page([task_of_row(row) for row in rows], int(counted["total"]))


def _states(listing: Listing) -> str | None:
    """Give the states as one text, each between commas, None for every one."""
    return f",{','.join(sorted(listing.states))}," if listing.states else None


def _lost(own_boot_id: str, now_unix_s: float) -> Steps[Sequence[TaskRow]]:
    boots = yield Statement(
        "SELECT held.boot_id, machine, process_id, process, seen_unix_s, ended_unix_s FROM "
        "(SELECT DISTINCT boot_id FROM tasks WHERE boot_id IS NOT NULL AND boot_id <> $1) AS held "
        "LEFT JOIN boots ON boots.boot_id = held.boot_id",
        (own_boot_id,),
    )
    found: list[TaskRow] = []
    for boot in boots:
        if _is_gone(boot, now_unix_s):
            rows = yield Statement(
                f"SELECT {_COLUMNS} FROM tasks WHERE boot_id = $1 "  # noqa: S608
                "ORDER BY task_id LIMIT $2",
                (boot["boot_id"], LOST_MAX - len(found)),
            )
            found += map(task_of_row, rows)
    return found


def _is_gone(boot: Row, now_unix_s: float) -> bool:
    # Old boots are forgotten in the end.
    if boot["machine"] is None or is_known_dead(boot):
        return True
    return bool(now_unix_s - boot["seen_unix_s"] > SILENT_S)


def task_of_row(row: Row) -> TaskRow:
    """Give the task of a row with _COLUMNS or TASK_COLUMNS."""
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
        attempt=int(row["attempt"]),
    )
