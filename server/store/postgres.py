"""Units on PostgreSQL: a pool of connections, one transaction a unit.

Writers take units from one queue in the order they came, so that a caller who gives up takes
nothing with it that had begun. A single statement is its own transaction and costs one round
trip. Units are not batched: a transaction that touched many budgets would hold their rows, and
lock them in an order that another process may have reversed. A unit that PostgreSQL picks as
the victim of a deadlock or a serialisation conflict is run again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import asyncpg

from omniroute.routing.errors import StorageUnavailable

from .database import WAITING_MAX, CannotOpenStore, Many, RowRefused, Rows, Statement, Step, T, Unit
from .schema import Found, needs_migration

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

WRITERS = 8
READERS = 4
RUNS_MAX = 5
CONNECT_S_MAX = 5.0
COMMAND_S_MAX = 15.0
CLOSE_S_MAX = 10.0
STATEMENTS_CACHED = 256

# The driver reports some connections that the server dropped as an internal error of its own.
_DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


@asynccontextmanager
async def open_postgres(url: str) -> AsyncIterator["PostgresDatabase"]:
    """Give the database of a URL, with its tables up to date.

    Raises:
        CannotOpenStore: it does not answer or cannot be used; the message says what to do.
    """
    where = _without_password(url)
    try:
        await _prepare(url, where)
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=WRITERS + READERS,
            timeout=CONNECT_S_MAX,
            command_timeout=COMMAND_S_MAX,
            statement_cache_size=STATEMENTS_CACHED,
            reset=_leave_as_it_is,
        )
    except (*_DRIVER_ERRORS, ValueError) as error:
        raise CannotOpenStore(
            f"cannot use the database {where}: {type(error).__name__}: {error}; check that it "
            "runs, that this user may create tables in it, and the URL's host, name and password"
        ) from error
    database = PostgresDatabase(pool)
    # Not a task group: that would wrap the errors of the block it surrounds.
    writers = [asyncio.create_task(database.work()) for _ in range(WRITERS)]
    try:
        yield database
    finally:
        database.stop(writers=WRITERS)
        _, late = await asyncio.wait(writers, timeout=CLOSE_S_MAX)
        for writer in late:
            writer.cancel()
        try:
            await asyncio.wait_for(pool.close(), CLOSE_S_MAX)
        finally:
            pool.terminate()


@dataclass(frozen=True, slots=True)
class _Job:
    unit: Unit[Any]
    done: "asyncio.Future[Any]"


class PostgresDatabase:
    """A database that is open. Made by `open_postgres`, on the event loop that will use it."""

    kind: Literal["sqlite", "postgres"] = "postgres"

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._queue: asyncio.Queue[_Job | None] = asyncio.Queue()
        self._open = True

    def submit(self, unit: Unit[T]) -> "asyncio.Future[T]":
        """Queue a unit; see Database."""
        if not self._open:
            raise StorageUnavailable("the database is closed: the gateway is shutting down")
        if self._queue.qsize() >= WAITING_MAX:
            raise StorageUnavailable(
                f"{WAITING_MAX} writes already wait for the database; try again in a moment"
            )
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Job(unit, done))
        return done

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit; see Database."""
        return await self.submit(unit)

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads; see Database."""
        if not self._open:
            raise StorageUnavailable("the database is closed: the gateway is shutting down")
        is_single = isinstance(unit, Statement)
        try:
            async with self._pool.acquire(timeout=CONNECT_S_MAX) as connection:
                if is_single:
                    return await _run(connection, unit)
                async with connection.transaction(isolation="repeatable_read", readonly=True):
                    return await _run(connection, unit)
        except _DRIVER_ERRORS as error:
            translated = _translated(error)
            if translated is error:
                raise
            raise translated from error

    async def work(self) -> None:
        """Be one of the writers: run units until told to stop and nothing is left."""
        while (job := await self._queue.get()) is not None:
            if job.done.cancelled():
                continue
            try:
                value = await self._commit(job.unit)
            except Exception as error:  # noqa: BLE001 - whatever a unit raises is its caller's to see
                if not job.done.done():
                    job.done.set_exception(_translated(error))
            else:
                if not job.done.done():
                    job.done.set_result(value)

    def stop(self, *, writers: int) -> None:
        """Take no more units; the writers end once the queued ones are done."""
        self._open = False
        for _ in range(writers):
            self._queue.put_nowait(None)

    async def _commit(self, unit: Unit[T]) -> T:
        is_single = isinstance(unit, Statement)
        runs_left = RUNS_MAX
        while True:
            try:
                async with self._pool.acquire(timeout=CONNECT_S_MAX) as connection:
                    if is_single:
                        return await _run(connection, unit)
                    async with connection.transaction():
                        return await _run(connection, unit)
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
                runs_left -= 1
                if runs_left == 0:
                    raise


async def _run(connection: "PoolConnectionProxy[asyncpg.Record]", unit: Unit[T]) -> T:
    steps = unit()
    try:
        step = next(steps)
        while True:
            step = steps.send(await _execute(connection, step))
    except StopIteration as end:
        value: T = end.value
        return value


async def _execute(connection: "PoolConnectionProxy[asyncpg.Record]", step: Step) -> Rows:
    if isinstance(step, Many):
        await connection.executemany(step.sql, step.rows)
        return ()
    return await connection.fetch(step.sql, *step.values)


async def _prepare(url: str, where: str) -> None:
    connection = await asyncpg.connect(url, timeout=CONNECT_S_MAX)
    try:
        found = await _look(connection)
    finally:
        await connection.close(timeout=CLOSE_S_MAX)
    if needs_migration(found, where):
        from .migrate import migrate_postgres  # noqa: PLC0415 - 0.4 s to import, used once

        await migrate_postgres(lambda: asyncpg.connect(url, timeout=CONNECT_S_MAX), where)


async def _look(connection: "asyncpg.Connection[asyncpg.Record]") -> Found:
    """Give what is in the schema that this user's tables go to."""
    rows = await connection.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
    )
    names = {str(row["table_name"]) for row in rows}
    if "alembic_version" not in names:
        return Found(None, has_tables=bool(names))
    revision = await connection.fetchval("SELECT version_num FROM alembic_version")
    try:
        written_by = await connection.fetchval(
            "SELECT version FROM boots ORDER BY started_unix_s DESC LIMIT 1"
        )
    except asyncpg.PostgresError:
        # A newer schema may keep this elsewhere; it only makes the message better.
        written_by = None
    return Found(revision, has_tables=True, written_by=written_by)


async def _leave_as_it_is(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Reset nothing: units set nothing in a session, and a reset costs a round trip."""


def _translated(error: Exception) -> Exception:
    """Give the error that callers know for a driver's own; a mistake in a statement stays one.

    Values never get into the message.
    """
    match error:
        case asyncpg.IntegrityConstraintViolationError():
            # Only the first line: what follows it quotes the row.
            return RowRefused(f"the database refused a row: {error.args[0]}")
        case asyncpg.SyntaxOrAccessError() if not isinstance(
            error, asyncpg.InsufficientPrivilegeError
        ):
            return error
        case asyncpg.DataError() | UnicodeEncodeError() | OverflowError():
            return RowRefused(f"the database refused a value: {type(error).__name__}")
        case _ if isinstance(error, _DRIVER_ERRORS):
            return StorageUnavailable(
                f"the database does not work: {type(error).__name__}: {error.args[:1]}"
            )
        case _:
            return error


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or "(local socket)"
    return f"{host}{parts.path}"
