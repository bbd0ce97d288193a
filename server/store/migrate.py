"""Brings a database's tables up to date with Alembic, all of it in one transaction.

Imported only when there is something to migrate: Alembic and SQLAlchemy take 0.3 s.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic.command import upgrade
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

from .database import CannotOpenStore

MIGRATIONS = Path(__file__).parent / "migrations"

POSTGRES_LOCK = 0x6F6D6E69
"""The number of the advisory lock that lets one process migrate at a time."""


def migrate_sqlite(path: Path, *, revision: str = "head") -> None:
    """Bring a file up to date, or to an older schema, while no other process is at it.

    Raises:
        CannotOpenStore: the tables cannot be made or changed; nothing was.
    """
    engine = create_engine(
        "sqlite://",
        poolclass=NullPool,
        creator=lambda: sqlite3.connect(path, isolation_level=None),
    )
    with _explained(str(path)), engine.connect() as connection:
        # Left to itself, the driver would commit before every change of a table.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        run_migrations(connection, revision=revision)
        connection.commit()
    engine.dispose()


async def migrate_postgres(connect: Callable[[], Awaitable[object]], where: str) -> None:
    """Bring a database up to date; of several processes one works and the others wait.

    Args:
        connect: opens a new asyncpg connection to it.
        where: its name in messages.

    Raises:
        CannotOpenStore: the tables cannot be made or changed; nothing was.
    """
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - SQLite needs none

    engine = create_async_engine("postgresql+asyncpg://", poolclass=NullPool, async_creator=connect)
    with _explained(where):
        async with engine.begin() as connection:
            await connection.execute(
                text("SELECT pg_advisory_xact_lock(:number)"), {"number": POSTGRES_LOCK}
            )
            await connection.run_sync(run_migrations)
    await engine.dispose()


def run_migrations(connection: Connection, *, revision: str = "head") -> None:
    """Bring the database of a connection to a schema, in the transaction it is in."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    upgrade(config, revision)


@contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise CannotOpenStore(
            f"cannot bring the tables of the database {where} up to date: {error.orig}; nothing "
            "was changed: see to the cause (rights, disk space), then start again"
        ) from error
