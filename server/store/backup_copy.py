"""The copying of a database into a file while it is used: one consistent view of all rows.

SQLite copies its pages in one go within a read transaction: writers go on meanwhile, and what
they store after it began is not in the copy. PostgreSQL is read in one transaction of isolation
`repeatable read`, table after table through cursors, so that memory holds a page of rows alone.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from .backup_file import quoted
from .database import Database, Statement, Steps

PAGE_ROWS = 200
"""Rows of PostgreSQL in one go: they are written in the event loop, a millisecond each time."""


def copy_file(source: Path, target: Path) -> None:
    """Copy a SQLite database that may be in use."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as one,
        closing(sqlite3.connect(target)) as other,
    ):
        one.backup(other, pages=-1)


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
