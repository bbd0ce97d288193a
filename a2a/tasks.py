"""Where tasks are kept, as this door needs it.

A task is one row and a log of events. `create` commits before the client hears of the task,
so an accepted task is never lost. Every later change goes through `move`, which is a
compare-and-set: a task that has ended stays as it ended, whoever comes second. What the
columns do not say is JSON text that only this room reads and writes (see `record.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .task import State


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A stored task.

    Attributes:
        owner: id of the key that sent it; only this key ever sees it.
        created_unix_s: when it was accepted.
        updated_unix_s: when it reached its state.
        expires_unix_s: when the row and its events may be deleted.
        payload: JSON text with everything else.
    """

    task_id: str
    owner: str
    context_id: str
    skill: str
    state: State
    created_unix_s: float
    updated_unix_s: float
    expires_unix_s: float
    payload: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """One entry of a task's log. `seq` counts from 0 within the task, without gaps."""

    seq: int
    payload: str


class TaskStore(Protocol):
    """Keeps tasks and their events.

    Raises:
        StorageUnavailable: from every method, when the database does not answer.
    """

    async def create(self, task: TaskRow, event: str) -> None:
        """Store a new task and its event 0; both are committed when this returns."""
        ...

    async def get(self, task_id: str, *, owner: str) -> TaskRow | None:
        """Give the task if it is this owner's; another owner's is None like a missing one."""
        ...

    async def move(self, task: TaskRow, event: str) -> bool:
        """Set state, times and payload and append the event, in one transaction.

        Acts only on a row of the same `task_id` and `owner` whose stored state is not in
        `task.TERMINAL`: else it changes nothing, appends nothing and gives False. So of two
        that end a task at once exactly one is told True.
        """
        ...

    async def events(self, task_id: str, *, owner: str, after: int = -1) -> Sequence[EventRow]:
        """Give the events with a `seq` above `after`, in order; empty for another owner."""
        ...

    async def prune(self, *, now_unix_s: float) -> int:
        """Delete the tasks that expired before now, with their events; give how many."""
        ...
