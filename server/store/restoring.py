"""The putting back of a backup: into a file of SQLite, or into a database of PostgreSQL.

Rows go into tables of the schema that the backup was made with, which are then brought up to
date as at any start. A backup of one kind of database may be put into the other.

Imported only where something is put back: Alembic and SQLAlchemy take 0.3 s.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Boolean, Connection, LargeBinary, NullPool, inspect
from sqlalchemy.ext.asyncio import create_async_engine

from omniroute.routing.errors import Conflict

from .backup_file import MANIFEST, Manifest, opened, quoted, tables_of
from .boots import is_known_dead, is_silent
from .database import Database, Statement
from .migrate import migrate_sqlite, run_migrations

PAGE_ROWS = 500
SCHEMA_TABLE = "alembic_version"
"""Has the schema's number; the migrations write it."""


def strip_manifest(path: Path) -> None:
    """Leave only the database's own tables in a copy of a backup."""
    with opened(path, writes=True) as connection:
        connection.execute(f"DROP TABLE {MANIFEST}")


def database_of_rows(backup: Path, target: Path, manifest: Manifest) -> None:
    """Make a SQLite database of a backup that has rows alone."""
    migrate_sqlite(target, revision=manifest.revision)
    with opened(backup) as source, opened(target, writes=True) as connection:
        # Rows come table after table, so that one may name another that is not there yet.
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("BEGIN")
        for table in _data_tables(source, tables_of(connection)):
            connection.execute(f"DELETE FROM {quoted(table)}")  # noqa: S608 - a table of ours
            for columns, rows in _pages(source, table):
                names = ", ".join(map(quoted, columns))
                places = ", ".join("?" * len(columns))
                insert = f"INSERT INTO {quoted(table)} ({names}) VALUES ({places})"  # noqa: S608
                connection.executemany(insert, rows)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=DELETE")
    target.chmod(0o600)


async def refuse_while_used(database: Database, now_unix_s: float) -> None:
    """See to it that no gateway uses a database.

    Raises:
        Conflict: one does, or did a moment ago and has not ended well.
    """
    boots = await database.read(
        Statement("SELECT * FROM boots WHERE ended_unix_s IS NULL ORDER BY seen_unix_s DESC")
    )
    alive = [one for one in boots if not is_known_dead(one) and not is_silent(one, now_unix_s)]
    if alive:
        raise Conflict(
            f"{len(alive)} processes use the database, the first on machine "
            f"{alive[0]['machine']!r} with process {alive[0]['process_id']}: stop every gateway "
            "on it first; one that was killed counts as ended after a minute"
        )


async def restore_postgres(url: str, backup: Path, manifest: Manifest) -> None:
    """Put a backup in the place of all that a PostgreSQL database holds, or change nothing."""
    import asyncpg  # noqa: PLC0415 - for PostgreSQL alone

    engine = create_async_engine(
        "postgresql+asyncpg://", poolclass=NullPool, async_creator=lambda: asyncpg.connect(url)
    )
    now, then = _tables_at("head"), _tables_at(manifest.revision)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_replace_all, now, manifest.revision)
            await connection.run_sync(_fill, then, backup)
            await connection.run_sync(run_migrations)
    finally:
        await engine.dispose()


def _replace_all(connection: Connection, tables: Sequence[str], revision: str) -> None:
    """Make the tables of a backup's schema anew; tables of others in the schema stay."""
    for table in tables:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quoted(table)} CASCADE")
    run_migrations(connection, revision=revision)


def _fill(connection: Connection, tables: Sequence[str], backup: Path) -> None:
    with opened(backup) as source:
        for table in _in_order(connection, _data_tables(source, tables)):
            connection.exec_driver_sql(f"DELETE FROM {quoted(table)}")  # noqa: S608 - one of ours
            kinds = {
                str(one["name"]): one["type"] for one in inspect(connection).get_columns(table)
            }
            for columns, rows in _pages(source, table):
                names = ", ".join(map(quoted, columns))
                places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
                insert = f"INSERT INTO {quoted(table)} ({names}) VALUES ({places})"  # noqa: S608
                wanted = [kinds[name] for name in columns]
                connection.exec_driver_sql(
                    insert, [tuple(map(_as_kind, row, wanted)) for row in rows]
                )


def _tables_at(revision: str) -> list[str]:
    """Give the tables that are ours in a schema."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.sqlite"
        migrate_sqlite(path, revision=revision)
        with opened(path) as connection:
            return tables_of(connection)


def _in_order(connection: Connection, tables: Sequence[str]) -> list[str]:
    """Give the tables so that none comes before one that it refers to."""
    known = [name for name, _ in inspect(connection).get_sorted_table_and_fkc_names() if name]
    return sorted(tables, key=known.index)


def _data_tables(source: Any, tables: Sequence[str]) -> list[str]:
    """Give the tables of a backup that are ours, but for the one that the migrations write."""
    return [one for one in tables_of(source) if one in tables and one != SCHEMA_TABLE]


def _pages(source: Any, table: str) -> Iterator[tuple[list[str], list[tuple[Any, ...]]]]:
    cursor = source.execute(f"SELECT * FROM {quoted(table)}")  # noqa: S608 - a table of ours
    columns = [str(one[0]) for one in cursor.description]
    while rows := cursor.fetchmany(PAGE_ROWS):
        yield columns, [tuple(row) for row in rows]


def _as_kind(value: Any, kind: Any) -> Any:
    """Give a value as PostgreSQL's driver takes it for a column."""
    if value is None:
        return None
    if isinstance(kind, Boolean):
        return bool(value)
    return bytes(value) if isinstance(kind, LargeBinary) else value
