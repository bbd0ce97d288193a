"""One small interface over SQLite and PostgreSQL: units of plain SQL, written once for both.

A unit is a generator that yields statements and is sent their rows; it does no input or output
of its own. Each unit is one transaction: all of it is stored, or nothing is. SQLite runs units
on one writer thread, many to a commit (sqlite.py); PostgreSQL runs them on a pool of connections
(postgres.py). A unit may be run again when the database asks for it, so it must have no effect
besides its statements. Nothing that is kept outside the database may change before the unit's
result has come back.

SQL is written with PostgreSQL's `$1`; every statement is a constant, values are always bound.
"""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from omniroute.routing.errors import Conflict, StorageUnavailable

T = TypeVar("T")
Value = str | int | float | bytes | bool | list[str] | list[int] | None

WAITING_MAX = 10_000
"""Units that may wait for their turn; more are refused at once."""


class Row(Protocol):
    """A row of an answer; a value is read by its column's name."""

    def __getitem__(self, key: str, /) -> Any: ...


Rows = Sequence[Row]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. It is a unit of its own, too: its result is its rows."""

    sql: str
    values: tuple[Value, ...] = ()

    def __call__(self) -> Generator["Step", Rows, Rows]:
        return (yield self)


@dataclass(frozen=True, slots=True)
class Many:
    """One statement for each row of values; it gives no rows."""

    sql: str
    rows: Sequence[tuple[Value, ...]]


Step = Statement | Many
Steps = Generator[Step, Rows, T]
Unit = Callable[[], Generator[Step, Rows, T]]


class RowRefused(Conflict):
    """The database refused a row: it exists already, breaks a check, or does not fit its column."""


class CannotOpenStore(StorageUnavailable):
    """The database cannot be used; the message names the next step."""


class Database(Protocol):
    """Where units run. Belongs to the event loop it was opened on.

    Raises:
        StorageUnavailable: the database does not answer, is locked too long, or is full;
            nothing of the unit was stored, as far as anybody can know.
        RowRefused: a row breaks a constraint; nothing of the unit was stored.
        Whatever the unit itself raises; nothing of it was stored.
    """

    kind: Literal["sqlite", "postgres"]

    def submit(self, unit: Unit[T]) -> "asyncio.Future[T]":
        """Queue a unit now; the future has its result once it is committed.

        Units are begun in the order of their submission. A future that is cancelled before its
        unit began takes the unit with it; after that the unit runs to its end.
        """
        ...

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit and give its result once it is committed."""
        ...

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads, on one consistent view of the data."""
        ...


def open_database(url: str) -> AbstractAsyncContextManager[Database]:
    """Open the database of a URL, bring its tables up to date, and close it at the end.

    Args:
        url: `sqlite:///relative/file`, `sqlite:////absolute/file`, or
            `postgresql://user:password@host:port/name`.

    Raises:
        CannotOpenStore: on entering; the message says why and what to do.
    """
    scheme, _, rest = url.partition("://")
    match scheme:
        case "sqlite":
            from .sqlite import open_sqlite  # noqa: PLC0415

            return open_sqlite(Path(rest.removeprefix("/")))
        case "postgresql" | "postgres" | "postgresql+asyncpg":
            # The driver takes 70 ms to import and is for PostgreSQL alone.
            from .postgres import open_postgres  # noqa: PLC0415

            return open_postgres(f"postgresql://{rest}")
        case _:
            raise CannotOpenStore(
                f"a database URL begins with sqlite:/// or postgresql://, not with {scheme!r}"
            )
