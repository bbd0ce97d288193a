"""Units of work: the same promises on SQLite and on PostgreSQL."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from omniroute.routing.errors import StorageUnavailable
from omniroute.server.store import sqlite
from omniroute.server.store.database import (
    Database,
    Many,
    RowRefused,
    Statement,
    Steps,
    open_database,
)

WAIT_S = 10


def put(name: str, target: str = "somewhere") -> Statement:
    return Statement(
        "INSERT INTO aliases (name, target, changed_unix_s, changed_by) "
        "VALUES ($1, $2, 0.0, 'test')",
        (name, target),
    )


ALL = Statement("SELECT name FROM aliases ORDER BY name")


async def names(database: Database) -> list[str]:
    return [row["name"] for row in await database.read(ALL)]


@pytest.mark.anyio
async def test_a_unit_gives_what_it_returns_and_sees_its_own_rows(database: Database) -> None:
    def unit() -> Steps[int]:
        yield put("one")
        yield Many(put("").sql, [("two", "there"), ("three", "there")])
        rows = yield ALL
        return len(rows)

    assert await database.write(unit) == 3
    assert await names(database) == ["one", "three", "two"]


@pytest.mark.anyio
async def test_a_unit_that_fails_stores_nothing_and_its_caller_gets_the_error(
    database: Database,
) -> None:
    def unit() -> Steps[None]:
        yield put("one")
        raise ValueError("on second thoughts")

    with pytest.raises(ValueError, match="on second thoughts"):
        await database.write(unit)
    assert await names(database) == []


@pytest.mark.anyio
async def test_a_failure_in_a_batch_spoils_no_other_unit(database: Database) -> None:
    def doubtful() -> Steps[None]:
        yield put("doubtful")
        yield put("taken")

    await database.write(put("taken"))
    units = [database.submit(put(str(number))) for number in range(10)]
    failing = database.submit(doubtful)
    units += [database.submit(put(str(number))) for number in range(10, 20)]

    results = await asyncio.wait_for(asyncio.gather(*units), WAIT_S)

    with pytest.raises(RowRefused):
        await failing
    assert len(results) == 20
    assert "doubtful" not in await names(database)
    assert len(await names(database)) == 21


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("INSERT INTO config_version (only_row, version) VALUES (2, $1)", 1),
        ("INSERT INTO config_version (only_row, version) VALUES (1, $1)", 1),
        ("UPDATE config_version SET version = $1", 2**70),
        ("UPDATE aliases SET name = $1", "half a character: \ud800"),
    ],
    ids=["check", "unique", "too large", "not text"],
)
async def test_a_row_that_does_not_fit_is_refused_and_the_next_is_stored(
    database: Database, sql: str, value: int | str
) -> None:
    await database.write(put("before"))

    with pytest.raises(RowRefused):
        await database.write(Statement(sql, (value,)))

    await database.write(put("after"))
    assert await names(database) == ["after", "before"]


@pytest.mark.anyio
async def test_a_unit_whose_caller_gave_up_before_it_began_is_not_run(database: Database) -> None:
    given_up = database.submit(put("given up"))
    given_up.cancel()
    await database.write(put("kept"))

    assert await names(database) == ["kept"]


@pytest.mark.anyio
async def test_units_of_one_caller_are_stored_in_their_order(database: Database) -> None:
    await database.write(put("counter", ""))

    def add(number: int) -> Statement:
        return Statement("UPDATE aliases SET target = target || $1", (f"{number},",))

    for number in range(20):
        await database.write(add(number))

    rows = await database.read(Statement("SELECT target FROM aliases"))
    assert rows[0]["target"] == "".join(f"{number}," for number in range(20))


@pytest.mark.anyio
async def test_a_read_sees_one_moment(database: Database) -> None:
    loop = asyncio.get_running_loop()

    def unit() -> Steps[tuple[int, int]]:
        before = yield ALL
        # A row that comes between two statements of a reader must not show in the second.
        asyncio.run_coroutine_threadsafe(database.write(put("between")), loop)
        pause = yield Statement("SELECT name FROM settings")
        assert len(pause) == 0
        after = yield ALL
        return len(before), len(after)

    assert await asyncio.wait_for(database.read(unit), WAIT_S) == (0, 0)


@pytest.mark.anyio
async def test_a_closed_database_says_so(database_url: str) -> None:
    async with open_database(database_url) as database:
        pass

    with pytest.raises(StorageUnavailable, match="closed"):
        database.submit(ALL)
    with pytest.raises(StorageUnavailable, match="closed"):
        await database.read(ALL)


@pytest.mark.anyio
async def test_what_was_queued_before_closing_is_stored(database_url: str) -> None:
    async with open_database(database_url) as database:
        for number in range(100):
            database.submit(put(f"{number:03}"))

    async with open_database(database_url) as database:
        assert len(await names(database)) == 100


@pytest.mark.anyio
async def test_more_units_than_may_wait_are_refused_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"omniroute.server.store.{database.kind}.WAITING_MAX", 3)
    waiting = [database.submit(put(str(number))) for number in range(3)]

    with pytest.raises(StorageUnavailable, match="3 writes already wait"):
        database.submit(put("one too many"))

    await asyncio.wait_for(asyncio.gather(*waiting), WAIT_S)
    await database.write(put("later"))


@pytest.mark.anyio
async def test_a_full_disk_fails_what_does_not_fit_and_the_rest_goes_on(sqlite_url: str) -> None:
    async with open_database(sqlite_url) as database:
        (row,) = await database.write(Statement("PRAGMA page_count"))
        await database.write(Statement(f"PRAGMA max_page_count = {row['page_count'] + 2}"))

        with pytest.raises(StorageUnavailable, match="full"):
            await database.write(put("large", "x" * 100_000))

        await database.write(put("small"))
        assert await names(database) == ["small"]


@pytest.mark.anyio
async def test_a_file_that_another_process_keeps_locked_is_given_up_in_time(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_MS", 20)
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    async with open_database(sqlite_url) as database:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageUnavailable, match="locked"):
                await database.write(put("too early"))
            assert await names(database) == []
            other.execute("COMMIT")

        await database.write(put("now"))
        assert await names(database) == ["now"]


@pytest.mark.anyio
async def test_connections_that_postgres_drops_are_replaced(migrated_postgres_url: str) -> None:
    async with open_database(migrated_postgres_url) as database:
        await asyncio.gather(*(database.write(put(str(number))) for number in range(8)))
        other = await asyncpg.connect(migrated_postgres_url)
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await other.close()

        stored = 0
        async with asyncio.timeout(WAIT_S):
            while stored < 8:
                try:
                    await database.write(put(f"again {stored}"))
                except StorageUnavailable:
                    continue
                stored += 1

        assert len(await names(database)) == 16
