"""Where tasks are kept, as this door needs it.

A task is one row and a log of events. `create` commits before the client hears of the task,
so an accepted task is never lost. The process that accepted it works on it; when that process
dies, another one finds the task (`lost`) and takes it over (`take`), which counts its attempt
up. Every later change names the attempt it belongs to: what a process writes that was thought
dead, and is not, changes nothing. A change is a compare-and-set besides: a task that has ended
stays as it ended, whoever comes second. What the columns do not say is JSON text that only
this room reads and writes (see `record.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from .task import State

if TYPE_CHECKING:
    from .push import SubscriptionRow

LISTED_MAX = 200
"""Tasks of one page."""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A stored task.

    Attributes:
        owner: id of the key that sent it; only this key ever sees it.
        created_unix_s: when it was accepted.
        updated_unix_s: when it reached its state.
        expires_unix_s: when the row and its events may be deleted.
        payload: JSON text with everything else.
        attempt: counts the processes that worked on it, from 1.
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
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class EventRow:
    """One entry of a task's log. `seq` counts from 0 within the task, without gaps."""

    seq: int
    payload: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An event for the log of a task that an attempt works on."""

    task_id: str
    attempt: int
    payload: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Whose task a process works on, and in which attempt."""

    owner: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of a list ended: its last task."""

    updated_unix_s: float
    task_id: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Which tasks of an owner are listed; None allows all.

    Attributes:
        states: empty allows every one.
        updated_after_unix_s: only tasks that reached their state at this time or later.
        after: only what comes after it; the newest come first.
        offset: so many of the newest are left out.
        limit: at most so many, up to LISTED_MAX.
    """

    context_id: str | None = None
    states: frozenset[State] = frozenset()
    skill: str | None = None
    updated_after_unix_s: float | None = None
    after: Place | None = None
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Tasks of a list, newest first; `total` counts those on all pages."""

    rows: Sequence[TaskRow]
    total: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How many tasks there are in each state, and when the newest was accepted."""

    counts: Mapping[State, int]
    newest_unix_s: float | None


class TaskStore(Protocol):
    """Keeps tasks and their events.

    Raises:
        StorageUnavailable: from every method, when the database does not answer.
    """

    async def create(
        self, task: TaskRow, event: str, *, push: "SubscriptionRow | None" = None
    ) -> None:
        """Store a new task and its event 0, this process's own; committed when this returns.

        With it, who is told of its changes: see push.py. Every `move` then owes a notification.
        """
        ...

    async def get(self, task_id: str, *, owner: str | None) -> TaskRow | None:
        """Give the task if it is this owner's, or anyone's for None.

        Another owner's is None like a missing one.
        """
        ...

    async def move(self, task: TaskRow, event: str, *, attempt: int | None = None) -> bool:
        """Set state, times and payload and append the event, in one transaction.

        Acts only on a row of the same `task_id` and `owner` whose stored state is not in
        `task.TERMINAL`, and of the attempt unless that is None: else it changes nothing,
        appends nothing and gives False. So of two that end a task at once exactly one is told
        True. A task that has ended, or waits for its client, is nobody's any more.
        """
        ...

    async def wake(self, task: TaskRow, event: str) -> bool:
        """Begin the next attempt at a task that waits for its client, as this process's own.

        Sets state, times and payload and appends the event, in one transaction, where the task
        waits (`task.WAITING`) in the attempt before `task.attempt`: else it changes nothing and
        gives False. So of two answers to one question exactly one is taken.
        """
        ...

    async def append(self, entries: Sequence[Entry]) -> None:
        """Append events to logs; those of ended tasks and of older attempts are left out."""
        ...

    async def events(self, task_id: str, *, owner: str, after: int = -1) -> Sequence[EventRow]:
        """Give the events with a `seq` above `after`, in order; empty for another owner."""
        ...

    async def lengths(self, task_ids: Sequence[str]) -> Mapping[str, int]:
        """Give how many events the logs of tasks have, whoever owns them; not of missing ones."""
        ...

    async def page(self, owner: str | None, listing: Listing) -> Page:
        """Give tasks of an owner, of all for None."""
        ...

    async def tally(self, owner: str | None) -> Tally:
        """Count the tasks of an owner, of all for None."""
        ...

    async def held(self) -> Mapping[str, Hold]:
        """Give the tasks that this process works on, as far as the store knows, by their id."""
        ...

    async def lost(self, *, now_unix_s: float) -> Sequence[TaskRow]:
        """Give unfinished tasks whose process is dead or was silent for long."""
        ...

    async def take(self, task: TaskRow) -> TaskRow | None:
        """Take over a lost task, in its next attempt; None when another one was faster."""
        ...

    async def prune(self, *, now_unix_s: float) -> int:
        """Delete the tasks that expired before now, with their events; give how many."""
        ...
