"""Changes to what is configured: one transaction each, audited, and seen by every process.

A change first raises `config_version`. That is what other processes watch, and it makes
changes wait for one another: what a change reads after it is still so when it is stored.

A change can be bound to the version that somebody looked at (`only_at`). Every change raises the
version, so nothing of what was seen there can have changed if it is still that one.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from omniroute.routing.ports import Clock

from .audit import Audit, Entry, detail_of
from .database import Database, Statement, Steps, T

_RAISE = Statement(
    "UPDATE config_version SET version = version + 1 WHERE only_row = 1 RETURNING version"
)


class NothingChanged(Exception):
    """There was nothing to change; raised by a change's steps, it undoes the whole change."""


class Overtaken(Exception):
    """Another change was stored first; nothing of the one that was bound to a version was."""


@dataclass(slots=True)
class _Seen:
    """The version that the changes of a task are bound to; each of them raises it."""

    version: int


# What binds a change stands around the call of a route, several calls above the change itself.
_SEEN: ContextVar[_Seen | None] = ContextVar("seen", default=None)


@dataclass(frozen=True, slots=True)
class Told:
    """What the audit says of a change. `detail` holds no secret."""

    actor: str
    action: str
    target: str
    detail: Mapping[str, Any]


async def _told_nobody() -> None:
    """Do as a process does that has no others to tell."""


class Changes:
    """Makes changes.

    Attributes:
        tell: is awaited after each change, before it returns: has other processes look at once.
    """

    def __init__(self, database: Database, audit: Audit, clock: Clock) -> None:
        self.tell: Callable[[], Awaitable[None]] = _told_nobody
        self._database = database
        self._audit = audit
        self._clock = clock

    def now(self) -> float:
        """Give the time of a change, in seconds since 1970."""
        return self._clock.unix()

    @contextmanager
    def only_at(self, version: int) -> Iterator[None]:
        """Let the changes made within be stored only while the configuration has this version.

        Raises:
            Overtaken: from a change, when it has another one.
        """
        before = _SEEN.set(_Seen(version))
        try:
            yield
        finally:
            _SEEN.reset(before)

    async def make(self, told: Told, steps: Callable[[], Steps[T]]) -> T:
        """Make a change: all that the steps do, with its audit entry, or nothing.

        Raises:
            NothingChanged: the steps found nothing to change.
            Overtaken: it is bound to a version that is no more.
            StorageUnavailable: the database does not answer.
            Whatever else the steps raise.
        """
        seen = _SEEN.get()
        entry = Entry(self.now(), told.actor, told.action, told.target, detail_of(told.detail))

        def unit() -> Steps[T]:
            (row,) = yield _RAISE
            if seen is not None and row["version"] != seen.version + 1:
                raise Overtaken
            value = yield from steps()
            yield from self._audit.append(entry)
            return value

        value = await self._database.write(unit)
        if seen is not None:
            seen.version += 1
        await self.tell()
        return value

    async def note(self, told: Told) -> None:
        """Put on record what is no change of rows, or one that takes many transactions."""
        await self.make(told, _nothing)


def _nothing() -> Steps[None]:
    """Change nothing that is configured."""
    yield from ()


def removal(sql: str, row_id: str) -> Callable[[], Steps[None]]:
    """Give the steps that remove one row; `sql` ends in RETURNING.

    Raises:
        NothingChanged: from the steps, when there is no such row.
    """

    def steps() -> Steps[None]:
        if not (yield Statement(sql, (row_id,))):
            raise NothingChanged

    return steps


def versioned(steps: Callable[[], Steps[T]]) -> Callable[[], Steps[tuple[T, int]]]:
    """Give steps that tell the `config_version` of their change, too."""

    def unit() -> Steps[tuple[T, int]]:
        made = yield from steps()
        (row,) = yield Statement("SELECT version FROM config_version")
        return made, int(row["version"])

    return unit
