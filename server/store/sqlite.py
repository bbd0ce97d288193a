"""Units on SQLite: one writer thread that commits many units at once, and a few readers.

SQLite allows one writer at a time and makes every commit wait for the disk. So all writes of
this process go through one thread on the standard sqlite3: it takes whatever units are waiting,
runs them in one `BEGIN IMMEDIATE` transaction with a savepoint around each, commits once and
hands every caller its own result. A unit that fails is rolled back to its savepoint and spoils
no other. Other processes may write to the same file; they wait for each other BUSY_MS at most.

`synchronous=FULL` for everything: a commit that was reported survives a power cut, not only a
crash of the process. Money, tasks and audit need it, and as commits are shared it is one disk
wait a batch. A read runs on a connection of its own and never waits for the writer (WAL).
"""

import asyncio
import re
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Literal

from omniroute.routing.errors import StorageUnavailable

from .database import WAITING_MAX, Many, RowRefused, Rows, Statement, Step, T, Unit
from .sqlite_file import FileInUse, prepare_file
from .sqlite_turn import begin_writing, look_ourselves

BATCH_MAX = 500
BUSY_MS = 5_000
READERS = 2
CLOSE_S_MAX = 30.0
STATEMENTS_CACHED = 256
MERGED = (64, 16, 4)
"""Rows of merged statements: far below SQLite's 32,766 bound values at our widest table."""
_PLACE = re.compile(r"\$(\d+)")


@asynccontextmanager
async def open_sqlite(path: Path) -> AsyncIterator["SqliteDatabase"]:
    """Give the database of a file, which is created when there is none.

    Raises:
        CannotOpenStore: the file cannot be used; the message says why and what to do.
    """
    _register_adapters()
    in_use = await asyncio.to_thread(prepare_file, path)
    database = SqliteDatabase(path, in_use)
    try:
        yield database
    finally:
        database.close()


@dataclass(frozen=True, slots=True)
class _Job:
    unit: Unit[Any]
    done: "asyncio.Future[Any]"


@dataclass(frozen=True, slots=True)
class _Result:
    job: _Job
    value: object = None
    error: Exception | None = None


class SqliteDatabase:
    """A file that is open. Made by `open_sqlite`, on the event loop that will use it."""

    kind: Literal["sqlite", "postgres"] = "sqlite"

    def __init__(self, path: Path, in_use: FileInUse) -> None:
        self._path = path
        self._in_use = in_use
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._waiting = 0
        self._open = True
        self._writer = _connect(path, read_only=False)
        look_ourselves(self._writer)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._reader = threading.local()
        self._reading: list[sqlite3.Connection] = []
        self._thread = threading.Thread(target=self._write, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, unit: Unit[T]) -> "asyncio.Future[T]":
        """Queue a unit; see Database."""
        if not self._open:
            raise StorageUnavailable("the database is closed: the gateway is shutting down")
        if self._waiting >= WAITING_MAX:
            raise StorageUnavailable(
                f"{WAITING_MAX} writes already wait for the database; try again in a moment"
            )
        done: asyncio.Future[T] = self._loop.create_future()
        self._waiting += 1
        self._queue.put(_Job(unit, done))
        return done

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit; see Database."""
        return await self.submit(unit)

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads; see Database."""
        if not self._open:
            raise StorageUnavailable("the database is closed: the gateway is shutting down")
        return await self._loop.run_in_executor(self._readers, self._read, unit)

    def close(self) -> None:
        """Commit what is queued, then let the file go. Waits for both; further calls do nothing."""
        if not self._open:
            return
        self._open = False
        self._queue.put(None)
        self._thread.join(CLOSE_S_MAX)
        self._readers.shutdown(wait=True)
        for connection in self._reading:
            connection.close()
        self._writer.close()
        self._in_use.release()

    def _read(self, unit: Unit[T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._reader, "connection", None)
        try:
            if connection is None:
                connection = self._reader.connection = _connect(self._path, read_only=True)
                self._reading.append(connection)
            try:
                return _read_with(connection, unit)
            except sqlite3.OperationalError as error:
                if _code_of(error) is not None:
                    raise
            # A text that is not UTF-8, as no program of ours stores it. It is given with signs
            # in its place, so that who verifies the rows can name the one that was changed.
            connection.text_factory = partial(str, encoding="utf-8", errors="replace")
            try:
                return _read_with(connection, unit)
            finally:
                connection.text_factory = str
        except sqlite3.Error as error:
            translated = _translated(error)
            if translated is error:
                raise
            raise translated from error

    def _write(self) -> None:
        """Be the writer thread: run batches until told to stop and nothing is left."""
        going_on = True
        while going_on:
            jobs, going_on = self._take()
            results = _commit(self._writer, jobs)
            try:
                self._loop.call_soon_threadsafe(self._deliver, len(jobs), results)
            except RuntimeError:
                # The event loop is gone, and with it whoever waited for these results.
                continue

    def _take(self) -> tuple[list[_Job], bool]:
        """Give what waits, at least one job unless it is time to stop."""
        jobs: list[_Job] = []
        job = self._queue.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == BATCH_MAX:
                return jobs, True
            try:
                job = self._queue.get_nowait()
            except Empty:
                return jobs, True
        return jobs, False

    def _deliver(self, taken: int, results: Sequence[_Result]) -> None:
        self._waiting -= taken
        for result in results:
            done = result.job.done
            if done.done():
                continue
            if result.error is not None:
                done.set_exception(result.error)
            else:
                done.set_result(result.value)


def _register_adapters() -> None:
    """Have the driver bind None, truth and bytes as cheaply as numbers and text.

    It asks each such value for an adapter of its own (PEP 246) unless one is registered; that
    costs up to ten times as much as binding it. These adapters change nothing.
    """
    sqlite3.register_adapter(type(None), {None: None}.get)
    sqlite3.register_adapter(bool, int)
    sqlite3.register_adapter(bytes, bytes)


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    # A reader does not make the file anew when it is gone: that would be an empty database.
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={'rw' if read_only else 'rwc'}",
        uri=True,
        timeout=BUSY_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENTS_CACHED,
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    if read_only:
        connection.execute("PRAGMA query_only=ON")
    return connection


def _read_with(connection: sqlite3.Connection, unit: Unit[T]) -> T:
    is_single = isinstance(unit, Statement)
    if is_single:
        return _run(connection, unit)
    connection.execute("BEGIN")
    try:
        return _run(connection, unit)
    finally:
        connection.execute("ROLLBACK")


def _code_of(error: sqlite3.Error) -> int | None:
    """Give SQLite's own code of an error, None of one that the driver found."""
    return getattr(error, "sqlite_errorcode", None)


def _commit(connection: sqlite3.Connection, jobs: Sequence[_Job]) -> list[_Result]:
    """Run a batch in one transaction and give every job's own result."""
    results: list[_Result] = []
    try:
        begin_writing(connection, wait_s=BUSY_MS / 1000)
        for job in jobs:
            if job.done.cancelled():
                continue
            results.append(_run_in_savepoint(connection, job))
            if not connection.in_transaction:
                # A full disk or an I/O error made SQLite roll the whole batch back.
                return [_Result(one, error=results[-1].error) for one in jobs]
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        failure = _translated(error)
        return [_Result(job, error=failure) for job in jobs]
    return results


def _run_in_savepoint(connection: sqlite3.Connection, job: _Job) -> _Result:
    connection.execute("SAVEPOINT unit")
    try:
        value = _run(connection, job.unit)
    except Exception as error:  # noqa: BLE001 - whatever a unit raises is its caller's to see
        if connection.in_transaction:
            connection.execute("ROLLBACK TO unit")
            connection.execute("RELEASE unit")
        return _Result(job, error=_translated(error))
    connection.execute("RELEASE unit")
    return _Result(job, value)


def _run(connection: sqlite3.Connection, unit: Unit[T]) -> T:
    steps = unit()
    try:
        step = next(steps)
        while True:
            step = steps.send(_execute(connection, step))
    except StopIteration as end:
        value: T = end.value
        return value


def _execute(connection: sqlite3.Connection, step: Step) -> Rows:
    if isinstance(step, Many):
        _execute_many(connection, step)
        return ()
    return connection.execute(own_words(step.sql), step.values).fetchall()


def _execute_many(connection: sqlite3.Connection, step: Many) -> None:
    """Run a statement for every row, many of them at a time where they can be merged.

    The driver lets go of the interpreter's lock for each statement and has to win it back from
    a busy event loop: many rows in one statement win it back once.
    """
    rows, done = step.rows, 0
    for size in MERGED:
        if len(rows) - done < size:
            continue
        merged = _merged(step.sql, len(rows[0]), size)
        if merged is None:
            break
        while len(rows) - done >= size:
            values = tuple(chain.from_iterable(rows[done : done + size]))
            connection.execute(merged, values)
            done += size
    if done < len(rows):
        connection.executemany(own_words(step.sql), rows[done:])


@lru_cache(maxsize=STATEMENTS_CACHED)
def _merged(sql: str, width: int, size: int) -> str | None:
    """Give the statement for so many rows at once; None when its rows are not plain values."""
    before, values, after = sql.partition("VALUES (")
    row, closed, rest = after.partition(")")
    if not values or not closed or "(" in row or "$" in rest:
        return None
    if _are_in_order(row):
        rows = [f"({_PLACE.sub('?', row)})"] * size
    else:
        rows = [_numbered(row, number * width) for number in range(size)]
    return f"{before}VALUES {', '.join(rows)}{rest}"


@lru_cache(maxsize=STATEMENTS_CACHED)
def own_words(sql: str) -> str:
    """Give the statement with SQLite's own places for values in place of `$1`."""
    return _PLACE.sub("?" if _are_in_order(sql) else r"?\1", sql)


def _are_in_order(sql: str) -> bool:
    """Whether each value has one place, in the order of the values.

    Then the places need no numbers. From Python 3.12 on the driver asks SQLite for the name of
    every place, which looks through the list of all that have a number: most of what a statement
    with two thousand of them costs.
    """
    numbers = _PLACE.findall(sql)
    return numbers == [str(number) for number in range(1, len(numbers) + 1)]


def _numbered(row: str, first: int) -> str:
    """Give one row's places in brackets, counted on from `first`."""
    return "(" + _PLACE.sub(lambda place: f"?{first + int(place[1])}", row) + ")"


def _translated(error: Exception) -> Exception:
    """Give the error that callers know for a driver's own; a mistake in a statement stays one."""
    match error:
        case sqlite3.IntegrityError() | OverflowError() | UnicodeEncodeError():
            return RowRefused(f"the database refused a row: {error}")
        case sqlite3.OperationalError() if _code_of(error) is None:
            # The driver's own words quote the text.
            return StorageUnavailable("the database holds a text that is not UTF-8")
        case sqlite3.DatabaseError() if _code_of(error) != sqlite3.SQLITE_ERROR:
            return StorageUnavailable(f"the database does not work: {error}")
        case _:
            return error
