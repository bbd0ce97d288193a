"""A task as a stored row, and back.

The payload is the task itself as JSON. A key that keeps no content leaves neither messages
nor artifacts behind: its row tells that a task was there, how it ended and what it cost.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

from .task import State, Task
from .tasks import TaskRow

_TASK = msgspec.json.Decoder(Task)


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a task's log: which state it reached, and when.

    Attributes:
        text: what was added to the answer; then the state is as it was.
    """

    state: State
    at_unix_s: float
    said: str | None = None
    text: str = ""


_EVENT = msgspec.json.Decoder(Event)


def row_of(task: Task, *, keep_content: bool) -> TaskRow:
    """Give the row of a task."""
    kept = task if keep_content else _without_content(task)
    return TaskRow(
        task_id=task.task_id,
        owner=task.owner,
        context_id=task.context_id,
        skill=task.skill,
        state=task.state,
        created_unix_s=task.created_unix_s,
        updated_unix_s=task.at_unix_s,
        expires_unix_s=task.expires_unix_s,
        payload=msgspec.json.encode(kept).decode(),
        attempt=task.attempt,
    )


def task_of(row: TaskRow) -> Task:
    """Give the task of a row. The columns win where both say the same."""
    task = _TASK.decode(row.payload)
    return replace(task, state=row.state, at_unix_s=row.updated_unix_s, attempt=row.attempt)


def event_of(task: Task) -> str:
    """Give the log entry for the state that a task has just reached."""
    return msgspec.json.encode(Event(task.state, task.at_unix_s, task.said)).decode()


def event_of_text(text: str, at_unix_s: float) -> str:
    """Give the log entry for text that was added to a task's answer."""
    return msgspec.json.encode(Event("working", at_unix_s, text=text)).decode()


def read_event(payload: str) -> Event:
    """Give a log entry as it was written."""
    return _EVENT.decode(payload)


def written_of(events: Iterable[Event]) -> str:
    """Give what a log says was written of the answer."""
    return "".join(event.text for event in events)


def _without_content(task: Task) -> Task:
    options = replace(task.options, turns=())
    return replace(task, history=(), artifacts=(), options=options)
