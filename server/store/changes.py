"""Changes to what is configured: one transaction each, audited, and seen by every process.

A change first raises `config_version`. That is what other processes watch, and it makes
changes wait for one another: what a change reads after it is still so when it is stored.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from omniroute.routing.ports import Clock

from .audit import Audit, Entry, detail_of
from .database import Database, Statement, Steps, T


class NothingChanged(Exception):
    """There was nothing to change; raised by a change's steps, it undoes the whole change."""


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

    async def make(self, told: Told, steps: Callable[[], Steps[T]]) -> T:
        """Make a change: all that the steps do, with its audit entry, or nothing.

        Raises:
            NothingChanged: the steps found nothing to change.
            StorageUnavailable: the database does not answer.
            Whatever else the steps raise.
        """
        entry = Entry(self.now(), told.actor, told.action, told.target, detail_of(told.detail))

        def unit() -> Steps[T]:
            yield Statement("UPDATE config_version SET version = version + 1 WHERE only_row = 1")
            value = yield from steps()
            yield from self._audit.append(entry)
            return value

        value = await self._database.write(unit)
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
