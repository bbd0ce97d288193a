"""Databases for the store's tests: a SQLite file and a PostgreSQL database, always both."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from omniroute.server.store.database import Database, open_database
from tests.fakes import FakeClock
from tests.services import Postgres, database_name, postgres, postgres_url, valkey_url
from tests.store.opened import Opened, open_store

__all__ = ["postgres", "postgres_url", "valkey_url"]


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with all tables and no rows, to be copied."""
    # Mutation testing starts these tests again and again.
    kept = os.environ.get("TESTS_MIGRATED_FOLDER")
    path = Path(kept or tmp_path_factory.mktemp("migrated")) / "storage.sqlite"
    if not path.exists():
        asyncio.run(_open_and_close(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def migrated_template(postgres: Postgres) -> str:
    """The name of a PostgreSQL database with all tables and no rows, to be copied."""
    url = postgres.create()
    asyncio.run(_open_and_close(url))
    return database_name(url)


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """The URL of a SQLite database of the test's own."""
    return f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'storage.sqlite')}"


@pytest.fixture
def migrated_postgres_url(postgres: Postgres, migrated_template: str) -> Iterator[str]:
    """The URL of a PostgreSQL database of the test's own, with all tables."""
    url = postgres.create(template=migrated_template)
    yield url
    postgres.drop(url)


@pytest.fixture(params=["sqlite_url", "migrated_postgres_url"], ids=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database with all tables: the test runs on both kinds."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture(params=["sqlite", "postgres"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that nobody has opened yet: the test runs on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/storage.sqlite"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database."""
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(database_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Opened]:
    """Everything that is kept, in an empty database."""
    async with open_store(database_url, tmp_path, clock) as store:
        yield store


@pytest.fixture(
    params=["", "sqlite_url", "migrated_postgres_url"], ids=["fake", "sqlite", "postgres"]
)
def any_url(request: pytest.FixtureRequest) -> str:
    """As database_url, and nothing: then a contract is tested on the fake of tests/fakes.py."""
    return str(request.getfixturevalue(request.param)) if request.param else ""


@pytest.fixture
async def sqlite_store(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Opened]:
    """As store, on SQLite alone: for what no database takes part in."""
    async with open_store(sqlite_url, tmp_path, clock) as store:
        yield store


async def _open_and_close(url: str) -> None:
    async with open_database(url):
        return
