"""The copying of a database into a file while it is used: one consistent view of all rows.

SQLite copies its pages within one read transaction: writers go on meanwhile, and what they store
after it began is not in the copy. Without that transaction the copy would begin anew with each
commit of theirs. PostgreSQL is read in one transaction of isolation
`repeatable read`, table after table through cursors, so that memory holds a page of rows alone.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Event
from urllib.parse import quote

from .backup_file import quoted
from .database import Database, Statement, Steps

PAGES = 2_000
"""Pages of a SQLite database that are copied in one go, 8 MiB: then it is seen whether to stop."""
PAGE_ROWS = 200
"""Rows of PostgreSQL in one go: they are written in the event loop, a millisecond each time."""


class CopyStopped(Exception):
    """The copy was ended before it was whole."""


def copy_file(source: Path, target: Path, stop: Event) -> None:
    """Copy a SQLite database that may be in use into a file that is there.

    Raises:
        CopyStopped: `stop` was set.
    """

    def look(status: int, left: int, pages: int) -> None:
        if stop.is_set():
            raise CopyStopped

    with closing(_connected(source, "ro")) as one, closing(_connected(target, "rw")) as other:
        # It is thrown away unless all of it is there, and synced before it is named.
        other.execute("PRAGMA journal_mode=OFF")
        other.execute("PRAGMA synchronous=OFF")
        one.execute("BEGIN")
        # Any read will do: the transaction sees from here on what is there now.
        one.execute("SELECT count(*) FROM sqlite_master").fetchone()
        one.backup(other, pages=PAGES, progress=look)


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    """Open a database that is there: a copy that was given up is never made anew."""
    uri = f"file:{quote(str(path))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None)


async def copy_tables(database: Database, target: Path) -> None:
    """Copy the rows of a PostgreSQL database into a file."""
    with closing(sqlite3.connect(target, isolation_level=None)) as file:
        # It is a new file, and thrown away unless all of it is there.
        file.execute("PRAGMA synchronous=OFF")
        file.execute("BEGIN")
        await database.read(lambda: _copy(file))
        file.execute("COMMIT")


def _copy(file: sqlite3.Connection) -> Steps[None]:
    for table, columns in (yield from _tables()).items():
        name, names = quoted(table), ", ".join(map(quoted, columns))
        places = ", ".join("?" * len(columns))
        # Names of our own tables and columns; values are bound.
        insert = f"INSERT INTO {name} VALUES ({places})"  # noqa: S608
        file.execute(f"CREATE TABLE {name} ({names})")
        cursor = quoted(f"backup_{table}")
        select = f"SELECT {names} FROM {name}"  # noqa: S608 - as above
        yield Statement(f"DECLARE {cursor} NO SCROLL CURSOR FOR {select}")
        while rows := (yield Statement(f"FETCH {PAGE_ROWS} FROM {cursor}")):
            file.executemany(insert, [tuple(row[one] for one in columns) for row in rows])
        yield Statement(f"CLOSE {cursor}")


def _tables() -> Steps[dict[str, list[str]]]:
    rows = yield Statement(
        "SELECT columns.table_name, columns.column_name FROM information_schema.columns "
        "JOIN information_schema.tables ON tables.table_schema = columns.table_schema "
        "AND tables.table_name = columns.table_name AND tables.table_type = 'BASE TABLE' "
        "WHERE columns.table_schema = current_schema() "
        "ORDER BY columns.table_name, columns.ordinal_position"
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(str(row["table_name"]), []).append(str(row["column_name"]))
    return found
