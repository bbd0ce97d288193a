"""Opening a database: made, migrated, shared by processes, or refused with the next step."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, Engine, NullPool, create_engine, inspect
from sqlalchemy.ext.asyncio import create_async_engine

from omniroute.routing.model import Attempt, Candidate
from omniroute.server.store import migrate, sqlite_file
from omniroute.server.store.boots import new_boot, register_boot
from omniroute.server.store.budget_tables import BudgetRow
from omniroute.server.store.checkpoints_table import CheckpointRow
from omniroute.server.store.contents_table import ContentRow
from omniroute.server.store.database import CannotOpenStore, Statement, open_database
from omniroute.server.store.experience_table import ExperienceRow
from omniroute.server.store.kept_answers_table import KeptAnswerRow
from omniroute.server.store.kept_responses_table import KeptResponseRow
from omniroute.server.store.learned_limits_table import LearnedLimitRow
from omniroute.server.store.push_tables import PushOutboxRow
from omniroute.server.store.ring_tables import RingKeyRow, SharedProxyRow
from omniroute.server.store.schema import HEAD, REVISIONS
from omniroute.server.store.sign_in_tables import DashboardSessionRow
from omniroute.server.store.table import Table
from omniroute.server.store.tables import TaskRow
from omniroute.server.store.tool_calls_table import ToolCallRow
from tests.fakes import FakeClock
from tests.store.opened import open_store

FIRST = Candidate("acc-1", "one", "m", "openai_chat")
SECOND = Candidate("acc-2", "two", "org/m", "anthropic")
_OUTCOME = (
    "INSERT INTO outcomes (request_id, key_id, door, at_unix_s, kind, target, stream, status, "
    "error_detail, account_id, model, simulated, attempts, total_s, input_tokens, output_tokens, "
    "cached_input_tokens, cache_write_tokens, reasoning_tokens, usage_source, reserved_usd_nanos, "
    "request) VALUES ($1, 'k', 'v1', 1, 'chat', 't', FALSE, 'answered', '', 'acc-2', 'org/m', "
    "FALSE, 0, 1, 0, 0, 0, 0, 0, 'none', 0, $2)"
)
_ATTEMPT = (
    "INSERT INTO attempts (request_id, number, key_id, provider, account_id, model, dialect, "
    "started_s, ended_s, first_byte_s, failure, detail, provider_status, model_served, swapped) "
    "VALUES ('tried', $1, 'k', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
)
_REQUEST = (
    '{"request_id":"r","target":"t","operation":{"kind":"chat","dialect":"openai_chat",'
    '"body":"","features":{}},"at_s":1.0}'
)
_BEFORE_0016 = (
    Statement(_OUTCOME, ("tried", _REQUEST)),
    Statement(_OUTCOME, ("untried", _REQUEST)),
    Statement(
        _ATTEMPT,
        (
            *(2, "two", "acc-2", "org/m", "anthropic", 2.5, 4.0, 0.125, None, "", None),
            *("m-2026", True),
        ),
    ),
    Statement(
        _ATTEMPT,
        (
            *(1, "one", "acc-1", "m", "openai_chat", 1.5, 2.25, None, "timeout", 'a "detail"', 504),
            *(None, False),
        ),
    ),
)
"""What a request left behind when its attempts were in a table of their own."""

PROCESS = Path(__file__).parent / "process.py"
PROCESS_S_MAX = 30
KILLS = 5
ROWS_BEFORE_A_KILL = 20


def differences(connection: Connection) -> list[object]:
    """Give what Alembic would change, and the checks and keys that it does not compare."""
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    # Declared in modules of their own: importing them is what puts them among the tables.
    kept = (KeptAnswerRow, KeptResponseRow)
    learned = (LearnedLimitRow, ExperienceRow)
    others = (
        *kept,
        *learned,
        BudgetRow,
        CheckpointRow,
        DashboardSessionRow,
        ContentRow,
        TaskRow,
        ToolCallRow,
        PushOutboxRow,
        RingKeyRow,
        SharedProxyRow,
    )
    for row in others:
        assert row.metadata is Table.metadata
    seen, tables = inspect(connection), Table.metadata.tables.values()
    stored = {
        (table.name, str(check["name"]))
        for table in tables
        for check in seen.get_check_constraints(table.name)
    } | {
        (table.name, *seen.get_pk_constraint(table.name)["constrained_columns"]) for table in tables
    }
    declared = {
        (table.name, str(constraint.name))
        for table in tables
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    } | {(table.name, *(column.name for column in table.primary_key.columns)) for table in tables}
    return [*compare_metadata(context, TaskRow.metadata), *(declared ^ stored)]


def sqlite_engine(path: Path) -> Engine:
    return create_engine(f"sqlite:///{path}", poolclass=NullPool)


def run_processes(task: str, url: str, count: int) -> Sequence[str]:
    """Run that many processes at once and give what each printed."""
    running = [
        subprocess.Popen([sys.executable, PROCESS, task, url], stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    return [process.communicate(timeout=PROCESS_S_MAX)[0].strip() for process in running]


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@pytest.mark.anyio
async def test_migrations_make_the_declared_tables(fresh_url: str) -> None:
    async with open_database(fresh_url) as database:
        kind = database.kind

    if kind == "sqlite":
        with sqlite_engine(path_of(fresh_url)).connect() as connection:
            found = differences(connection)
    else:
        address = fresh_url.replace("postgresql://", "postgresql+asyncpg://")
        engine = create_async_engine(address, poolclass=NullPool)
        async with engine.connect() as opened:
            found = await opened.run_sync(differences)
        await engine.dispose()
    assert found == []


def test_every_migration_is_known_and_the_last_is_the_head() -> None:
    folder = Path(sqlite_file.__file__).parent / "migrations" / "versions"

    found = sorted(path.stem.partition("_")[0] for path in folder.glob("*.py"))

    assert found == list(REVISIONS)
    assert found[-1] == HEAD


@pytest.mark.anyio
async def test_a_newer_database_is_refused_with_its_version_and_left_alone(fresh_url: str) -> None:
    async with open_database(fresh_url) as database:
        await register_boot(database, new_boot("9.8.7", 1_700_000_000.0))
        await database.write(Statement("UPDATE alembic_version SET version_num = '0999'"))

    with pytest.raises(CannotOpenStore) as refusal:
        async with open_database(fresh_url):
            pass

    message = str(refusal.value)
    assert "schema 0999 (last opened by OmniRoute 9.8.7)" in message
    assert f"up to {HEAD}" in message
    assert "--data-dir" in message


@pytest.mark.anyio
async def test_a_database_of_another_program_is_refused(fresh_url: str) -> None:
    async with open_database(fresh_url) as database:
        await database.write(Statement("DROP TABLE alembic_version"))

    with pytest.raises(CannotOpenStore, match="belongs to another program"):
        async with open_database(fresh_url):
            pass


def test_processes_that_open_one_fresh_database_at_once_all_succeed(fresh_url: str) -> None:
    printed = run_processes("open", fresh_url, 3)

    assert [line.split()[0] for line in printed] == ["1", "1", "1"]


def test_a_file_that_is_up_to_date_opens_without_heavy_modules(sqlite_url: str) -> None:
    assert run_processes("open", sqlite_url, 1) == ["1"]


@pytest.mark.anyio
async def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    async with open_database(f"sqlite:///{tmp_path}/storage.sqlite") as database:
        await database.write(Statement("UPDATE config_version SET version = 2"))

        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}

    assert set(modes) >= {"storage.sqlite", "storage.sqlite-wal", "storage.sqlite.lock"}
    assert set(modes.values()) == {0o600}


@pytest.mark.anyio
async def test_a_folder_that_is_not_there_is_refused_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(CannotOpenStore, match=r"No such file or directory.*--data-dir"):
        async with open_database(f"sqlite:///{tmp_path}/missing/storage.sqlite"):
            pass


@pytest.mark.anyio
async def test_a_file_that_may_not_be_read_is_refused_with_the_next_step(sqlite_url: str) -> None:
    path = path_of(sqlite_url)
    path.unlink()
    path.mkdir()

    with pytest.raises(CannotOpenStore, match=r"cannot use the database .*readable and writable"):
        async with open_database(sqlite_url):
            pass


@pytest.mark.anyio
async def test_a_file_that_is_no_database_is_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "storage.sqlite"
    path.write_bytes(b"certainly not a database" * 1000)

    with pytest.raises(CannotOpenStore, match=r"is damaged .*backup"):
        async with open_database(f"sqlite:///{path}"):
            pass

    assert path.read_bytes().startswith(b"certainly not")


@pytest.mark.anyio
async def test_damage_is_found_when_the_file_was_not_closed_well(sqlite_url: str) -> None:
    path = path_of(sqlite_url)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE INDEX extra ON aliases (target)")
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'extra'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute("PRAGMA journal_mode=DELETE")
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    Path(f"{path}-wal").write_bytes(b"a log that a dead process left")

    with pytest.raises(CannotOpenStore, match="is damaged"):
        async with open_database(sqlite_url):
            pass


@pytest.mark.anyio
async def test_a_postgres_that_does_not_answer_is_named_without_its_password(
    tmp_path: Path,
) -> None:
    url = f"postgresql://owner:a-fake-password@/gateway?host={tmp_path}"

    with pytest.raises(CannotOpenStore) as refusal:
        async with open_database(url):
            pass

    assert "/gateway" in str(refusal.value)
    assert "check that it runs" in str(refusal.value)
    assert "a-fake-password" not in str(refusal.value)


@pytest.mark.anyio
async def test_an_unknown_kind_of_url_is_refused() -> None:
    with pytest.raises(CannotOpenStore, match=r"sqlite:/// or postgresql://, not with 'mysql'"):
        async with open_database("mysql://somewhere/gateway"):
            pass


@pytest.mark.anyio
async def test_an_older_file_in_use_is_not_changed_under_its_user(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "OLDER_S_MAX", 0.05)
    async with open_database(sqlite_url) as database:
        await database.write(Statement("DELETE FROM alembic_version"))
        await database.write(Statement("INSERT INTO alembic_version VALUES ('0000')"))
        monkeypatch.setattr("omniroute.server.store.schema.REVISIONS", ("0000", *REVISIONS))

        with pytest.raises(CannotOpenStore, match=r"older schema 0000 .*stop that one first"):
            async with open_database(sqlite_url):
                pass


@pytest.mark.anyio
async def test_a_migration_that_fails_leaves_nothing_behind(
    fresh_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    migrations = tmp_path / "migrations"
    (migrations / "versions").mkdir(parents=True)
    original = Path(sqlite_file.__file__).parent / "migrations"
    (migrations / "env.py").write_text((original / "env.py").read_text())
    (migrations / "versions" / "0001_first.py").write_text(
        "from alembic import op\n"
        "revision, down_revision = '0001', None\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE half_made (name TEXT)')\n"
        "    op.execute('CREATE NONSENSE')\n"
    )
    with monkeypatch.context() as broken:
        broken.setattr("omniroute.server.store.migrate.MIGRATIONS", migrations)
        with pytest.raises(CannotOpenStore, match="nothing was changed"):
            async with open_database(fresh_url):
                pass

    async with open_database(fresh_url) as database:
        with pytest.raises(Exception, match="half_made"):
            await database.read(Statement("SELECT name FROM half_made"))


@pytest.mark.anyio
async def test_requests_of_before_keep_their_attempts(
    fresh_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as before:
        before.setattr(migrate, "upgrade", lambda config, _: upgrade(config, "0015"))
        async with open_database(fresh_url) as database:
            for statement in _BEFORE_0016:
                await database.write(statement)

    async with open_store(fresh_url, tmp_path, FakeClock()) as store:
        tried = await store.ledger.find("tried", key_id=None)
        untried = await store.ledger.find("untried", key_id=None)

    assert tried is not None
    assert untried is not None
    assert tried.outcome.attempts == (
        Attempt(1, FIRST, 1.5, 2.25, failure="timeout", detail='a "detail"', provider_status=504),
        Attempt(2, SECOND, 2.5, 4.0, first_byte_s=0.125, model_served="m-2026", swapped=True),
    )
    assert tried.outcome.winner == SECOND
    assert untried.outcome.attempts == ()


@pytest.mark.parametrize("url_fixture", ["sqlite_url", "migrated_postgres_url"])
def test_a_killed_writer_loses_no_row_that_was_acknowledged(
    url_fixture: str, request: pytest.FixtureRequest
) -> None:
    url = str(request.getfixturevalue(url_fixture))
    acknowledged: set[str] = set()
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, PROCESS, "write", url], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(ROWS_BEFORE_A_KILL):
                acknowledged.add(writer.stdout.readline().strip())
            os.kill(writer.pid, signal.SIGKILL)
            acknowledged |= {line.strip() for line in writer.stdout if line.endswith("\n")}
        stored = asyncio.run(_names(url))
        assert acknowledged <= stored
        asyncio.run(_forget(url))
        acknowledged.clear()


async def _names(url: str) -> set[str]:
    async with open_database(url) as database:
        return {row["name"] for row in await database.read(Statement("SELECT name FROM aliases"))}


async def _forget(url: str) -> None:
    async with open_database(url) as database:
        await database.write(Statement("DELETE FROM aliases"))
