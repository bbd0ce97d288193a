"""What must be true of the stored tasks and of the money, whatever died on the way."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from omniroute.a2a.record import read_event, task_of
from omniroute.a2a.task import TERMINAL, Task
from omniroute.a2a.tasks import TaskRow
from omniroute.server.store.database import Database, Statement
from tests.a2a_crashes.clients import Told

_COLUMNS = (
    "task_id, key_id, context_id, skill, state, created_unix_s, updated_unix_s, "
    "expires_unix_s, payload, attempt"
)


async def tasks_of(database: Database) -> dict[str, Task]:
    """Give all tasks."""
    rows = await database.read(Statement(f"SELECT {_COLUMNS} FROM tasks"))
    names = _COLUMNS.replace("key_id", "owner").split(", ")
    columns = _COLUMNS.split(", ")
    made = [
        TaskRow(**{name: row[column] for name, column in zip(names, columns, strict=True)})
        for row in rows
    ]
    return {one.task_id: task_of(one) for one in made}


async def logs_of(database: Database) -> dict[str, list[tuple[int, str]]]:
    """Give the log of each task: each event's number and state."""
    rows = await database.read(
        Statement("SELECT task_id, seq, payload FROM task_events ORDER BY task_id, seq")
    )
    logs: dict[str, list[tuple[int, str]]] = {}
    for row in rows:
        event = read_event(row["payload"])
        logs.setdefault(row["task_id"], []).append((int(row["seq"]), event.state))
    return logs


def lost(told: Told, tasks: Mapping[str, Task]) -> list[str]:
    """Give the acknowledged tasks that are gone, have not ended, or ended otherwise than told."""
    found = []
    for task_id, state in told.states.items():
        task = tasks.get(task_id)
        if task is None or not task.ended or (state in TERMINAL and state != task.state):
            found.append(task_id)
    return found


def ended_twice(tasks: Mapping[str, Task], logs: Mapping[str, list[tuple[int, str]]]) -> list[str]:
    """Give the tasks whose log has a gap, or not exactly one end, as its last event."""
    found = []
    for task_id, task in tasks.items():
        log = logs[task_id]
        ends = [seq for seq, state in log if state in TERMINAL]
        whole = [seq for seq, _ in log] == list(range(len(log)))
        if not whole or ends != [len(log) - 1] or log[-1][1] != task.state:
            found.append(task_id)
    return found


async def charged_twice(
    database: Database, tasks: Mapping[str, Task], calls: Counter[str], told: Told
) -> list[str]:
    """Give the jobs that a provider was asked for, or a budget paid for, more than once.

    One that may be done again is paid for once by each of its attempts. What an attempt paid is
    what its task says, or its bound, where the process died before it could write that down.
    """
    rows = await database.read(
        Statement("SELECT hold_id, bound_usd_nanos, actual_usd_nanos FROM reservations")
    )
    paid: dict[str, list[tuple[int, int | None]]] = {}
    for row in rows:
        figures = (int(row["bound_usd_nanos"]), row["actual_usd_nanos"])
        paid.setdefault(row["hold_id"].partition(":")[0], []).append(figures)
    found = []
    for task in tasks.values():
        job = task.history[0].message_id
        attempts = [replace(task, attempt=n) for n in range(1, task.attempt + 1)]
        allowed = len(attempts) if job in told.replayed else 1
        booked = [paid.get(one.request_id, []) for one in attempts]
        doubled = sum(map(len, booked)) > allowed or any(len(one) > 1 for one in booked)
        if calls[job] > allowed or doubled or _is_mispaid(task, booked[-1]):
            found.append(job)
    return found


def _is_mispaid(task: Task, booked: Sequence[tuple[int, int | None]]) -> bool:
    cost = None if task.routing is None else task.routing.actual_usd_nanos
    return any(actual not in (None, cost, bound) for bound, actual in booked if cost is not None)


async def unbalanced(database: Database) -> dict[str, tuple[int, int]]:
    """Give the budgets that spent something else than what was paid from them, with both sums."""
    rows = await database.read(Statement("SELECT lines, actual_usd_nanos FROM reservations"))
    windows = await database.read(
        Statement("SELECT budget_id, sum(spent_usd_nanos) AS spent FROM budget_windows GROUP BY 1")
    )
    sums = Counter[str]()
    for row in rows:
        for budget_id, _ in json.loads(row["lines"]):
            sums[budget_id] += row["actual_usd_nanos"] or 0
    spent = {row["budget_id"]: int(row["spent"]) for row in windows}
    return {one: (spent[one], sums[one]) for one in spent if spent[one] != sums[one]}
