"""Backups: of one moment, found whole or not made, and put back to the same rows."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from threading import Event

import pytest

from omniroute.routing.errors import Conflict, NotFound, StorageUnavailable
from omniroute.server.store import backup_copy
from omniroute.server.store import backups as backups_module
from omniroute.server.store.backup_copy import CopyStopped, copy_file
from omniroute.server.store.backup_file import NoBackup, check_backup, manifest_of
from omniroute.server.store.backups import lay_ready, note_restored
from omniroute.server.store.boots import beat
from omniroute.server.store.changes import Changes
from omniroute.server.store.database import CannotOpenStore, Statement, open_database
from omniroute.server.store.keyring import RING_FILE, KeyRing, open_key_ring
from omniroute.server.store.ledger import StoredLedger
from omniroute.server.store.restoring import refuse_while_used, restore_postgres
from omniroute.server.store.tool_calls import ToolCalls
from tests.fakes import FakeClock
from tests.store.backing_up import backups, fill, path_of, rows_of, where
from tests.store.opened import Opened, open_store
from tests.store.outcomes import SNAPSHOT, answered

pytestmark = pytest.mark.anyio

TRIES_MAX = 20
"""Backups until something was stored during one: a busy machine may not get to it at once."""


async def put_back(backup: Path, url: str, folder: Path, ring: KeyRing) -> None:
    """Put a backup into a database that nobody uses."""
    place = where(url, folder)
    if place.database_path is not None:
        await lay_ready(place, backup, ring, actor="maria")
    else:
        await restore_postgres(url, backup, manifest_of(backup))


@pytest.fixture(params=["sqlite", "postgres"])
def other_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of another database than the test's own: each is restored into both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/other.sqlite"
    return str(request.getfixturevalue("postgres_url"))


async def test_a_backup_is_restored_to_the_same_rows_also_into_the_other_database(
    store: Opened, database_url: str, other_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    await fill(store)
    maker = backups(database_url, tmp_path, store, clock)

    made, checked = await maker.make(reason="manual", actor="maria")
    before = await rows_of(store.database)
    await store.configs.put_alias("later", "duo", actor="maria")
    await put_back(made.path, other_url, tmp_path, store.ring)

    async with open_database(other_url) as restored:
        after = await rows_of(restored)
        calls = ToolCalls(restored, store.ring, boot_id="other")
        decisions = StoredLedger(restored, store.ring, boot_id="other")
        verified = [await decisions.verify(), await calls.verify()]
    assert (checked.missing_keys, checked.broken) == ((), ())
    assert after == before
    assert len([rows for rows in before.values() if rows]) > 12
    assert [(one.rows, one.faults) for one in verified] == [(20, ()), (20, ())]


async def test_a_restored_store_opens_its_secrets_and_goes_on(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    await fill(store)
    made, _ = await backups(database_url, tmp_path, store, clock).make(reason="manual", actor="m")
    url = f"sqlite:///{tmp_path}/other.sqlite"
    await put_back(made.path, url, tmp_path, store.ring)
    clock.advance(10)

    async with open_store(url, tmp_path, clock) as other:
        await note_restored(where(url, tmp_path), Changes(other.database, other.audit, clock))
        account = other.configs.current().accounts[0]
        await other.configs.put_alias("after", "duo", actor="maria")
        entries = await other.audit.recent(limit=3)
        verified = await other.audit.verify()

    assert account.credential == "sk-fake-credential"
    assert {one.action for one in entries[:2]} == {"alias.put", "backup.restored"}
    assert verified.faults == ()


async def test_a_backup_under_load_is_of_one_moment_and_nobody_waits_for_it(
    store: Opened,
    database_url: str,
    tmp_path: Path,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So small a database would be copied in one go.
    monkeypatch.setattr(backup_copy, "PAGES", 2)
    maker, stored = backups(database_url, tmp_path, store, clock), 0

    async def load() -> None:
        nonlocal stored
        for number in count():
            store.ledger.record(answered(f"r{number}"), SNAPSHOT)
            await store.configs.put_alias(f"a{number}", "duo", actor="maria")
            await store.ledger.flush()
            stored = number + 1

    async with asyncio.TaskGroup() as group:
        loading = group.create_task(load())
        while stored < 20:
            await asyncio.sleep(0)
        for tries in range(1, TRIES_MAX):
            made_in_all, acknowledged = tries, stored
            made, checked = await maker.make(reason="manual", actor="maria")
            if went_on := stored > acknowledged:
                break
        loading.cancel()

    rows = made.manifest.rows
    assert went_on
    assert checked.broken == ()
    assert acknowledged <= rows["aliases"]
    assert acknowledged <= rows["outcomes"] == rows["decisions"]
    # Request after request and alias after alias: of one moment, they are in step.
    assert abs(rows["aliases"] - rows["decisions"]) <= 1
    # One entry for each alias, and the one that each backup begins with.
    assert rows["audit"] == rows["aliases"] + made_in_all


async def test_a_copy_ends_when_its_process_does(
    sqlite_store: Opened, sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    await fill(sqlite_store)
    source, stop = path_of(sqlite_url), Event()
    assert source is not None
    stop.set()

    (tmp_path / "copy.sqlite").touch()
    with pytest.raises(CopyStopped):
        copy_file(source, tmp_path / "copy.sqlite", stop)

    maker = backups(sqlite_url, tmp_path, sqlite_store, clock)
    making = asyncio.create_task(maker.make(reason="manual", actor="maria"))
    while not list(tmp_path.glob("db_backups/*.part")):
        await asyncio.sleep(0)
    making.cancel()
    await asyncio.wait([making])

    assert making.cancelled()
    assert [path.name for path in maker.folder.iterdir()] == ["lock"]


async def test_what_damages_a_backup_is_found_before_it_is_put_back(
    sqlite_store: Opened, sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    await fill(sqlite_store)
    made, _ = await backups(sqlite_url, tmp_path, sqlite_store, clock).make(
        reason="manual", actor="maria"
    )

    def with_row(sql: str) -> Callable[[Path], None]:
        def damage(path: Path) -> None:
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(sql)

        return damage

    def cut(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-8192])

    def zeroed(path: Path) -> None:
        whole = path.read_bytes()
        path.write_bytes(whole[:8192] + bytes(len(whole) - 8192))

    said = {}
    for name, damage in {
        "cut": cut,
        "zeroed": zeroed,
        "text": lambda path: path.write_text("no database at all"),
        "fewer": with_row("DELETE FROM outcomes WHERE request_id = 'r3'"),
        "manifest": with_row("DROP TABLE omniroute_backup"),
        "newer": with_row(
            "UPDATE omniroute_backup SET manifest = "
            'replace(manifest, \'"revision":"\', \'"revision":"9\')'
        ),
        "gone": Path.unlink,
    }.items():
        copy = tmp_path / f"{name}.sqlite"
        copy.write_bytes(made.path.read_bytes())
        damage(copy)
        with pytest.raises(NoBackup) as refused:
            await lay_ready(where(sqlite_url, tmp_path), copy, sqlite_store.ring, actor="maria")
        said[name] = str(refused.value)

    assert "damaged" in said["cut"]
    assert "damaged" in said["zeroed"]
    assert "is no backup" in said["text"]
    assert "not whole: outcomes had other rows" in said["fewer"]
    assert "holds no backup of OmniRoute" in said["manifest"]
    assert "restore it with that version or a newer one" in said["newer"]
    assert "there is no file" in said["gone"]
    assert not Path(f"{path_of(sqlite_url)}.restore").exists()


async def test_a_tampered_log_is_backed_up_as_it_is_and_named(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    await fill(store)
    await store.database.write(Statement("UPDATE decisions SET key_id = 'other' WHERE seq = 7"))

    made, checked = await backups(database_url, tmp_path, store, clock).make(
        reason="manual", actor="maria"
    )

    assert made.path.exists()
    assert [(one.seq, one.reason) for one in checked.broken] == [(7, "the row was changed")]


async def test_a_backup_names_the_keys_of_the_ring_that_it_needs(
    sqlite_store: Opened, sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    await fill(sqlite_store)
    made, _ = await backups(sqlite_url, tmp_path, sqlite_store, clock).make(
        reason="manual", actor="maria"
    )
    other = open_key_ring(
        tmp_path, {"STORAGE_ENCRYPTION_KEY": "another-fake-text-of-32-characters"}
    )

    checked = await check_backup(made.path, other)

    assert made.manifest.key_ids == (sqlite_store.ring.newest.key_id,)
    assert checked.missing_keys == made.manifest.key_ids
    assert b"sk-fake-credential" not in made.path.read_bytes()
    assert (tmp_path / RING_FILE).read_bytes() not in made.path.read_bytes()
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert made.path.parent.stat().st_mode & 0o777 == 0o700


async def test_so_many_are_kept_and_only_after_the_next_was_found_whole(
    sqlite_store: Opened,
    sqlite_url: str,
    tmp_path: Path,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    maker = backups(sqlite_url, tmp_path, sqlite_store, clock)
    maker.kept = 2
    made = [(await maker.make(reason="manual", actor="maria"))[0] for _ in range(3)]
    monkeypatch.setattr(backups_module, "ROOM", 1e18)

    with pytest.raises(StorageUnavailable, match="bytes free and needs"):
        await maker.make(reason="manual", actor="maria")

    assert [one.backup_id for one in await maker.all()] == [
        made[2].backup_id,
        made[1].backup_id,
    ]
    assert sorted(path.suffix for path in maker.folder.iterdir()) == ["", ".sqlite", ".sqlite"]
    with pytest.raises(NotFound, match="omniroute backups"):
        await maker.find(made[0].backup_id)


async def test_one_is_due_so_many_days_after_the_newest_and_one_process_makes_it(
    sqlite_store: Opened, sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    one, other = (backups(sqlite_url, tmp_path, sqlite_store, clock) for _ in range(2))
    unset = one.due(clock.unix())
    one.every_days = 2.0
    first = one.due(clock.unix())

    results = await asyncio.gather(
        one.make(reason="scheduled", actor="schedule"),
        other.make(reason="scheduled", actor="schedule"),
        return_exceptions=True,
    )

    made = next(one[0] for one in results if isinstance(one, tuple))
    now = made.manifest.made_unix_s
    assert [type(one) for one in results if not isinstance(one, tuple)] == [Conflict]
    assert (unset, first) == (False, True)
    assert (one.due(now + 2 * 86_400 - 1), one.due(now + 2 * 86_400)) == (False, True)


async def test_a_damaged_database_is_not_backed_up_and_the_start_names_the_way_back(
    sqlite_store: Opened, sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    await fill(sqlite_store)
    maker = backups(sqlite_url, tmp_path, sqlite_store, clock)
    made, _ = await maker.make(reason="manual", actor="maria")
    path = path_of(sqlite_url)
    assert path is not None
    damaged = tmp_path / "damaged" / "storage.sqlite"
    damaged.parent.mkdir()
    maker.folder.rename(damaged.parent / "db_backups")
    damaged.write_bytes(b"certainly not a database" * 1000)

    with pytest.raises(CannotOpenStore) as refused:
        async with open_database(f"sqlite:///{damaged}"):
            pass

    command = str(refused.value).splitlines()[-1].split()
    assert command[:2] == ["omniroute", "restore"]
    assert Path(command[2]) == damaged.parent / "db_backups" / made.path.name
    assert command[3:] == ["--data-dir", str(damaged.parent)]


async def test_damage_in_the_middle_of_the_database_is_found_by_the_next_backup(
    sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    path = path_of(sqlite_url)
    assert path is not None
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_outcomes_at_unix_s'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)

    async with open_store(sqlite_url, tmp_path, clock) as store:
        maker = backups(sqlite_url, tmp_path, store, clock)
        with pytest.raises(StorageUnavailable, match="the database is damaged"):
            await maker.make(reason="manual", actor="maria")

    assert await maker.all() == []
    assert "the database's last copy was not whole" in maker.problem


async def test_postgres_is_not_restored_while_a_gateway_uses_it(
    migrated_postgres_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(migrated_postgres_url, tmp_path, clock) as store:
        await beat(store.database, store.boot.boot_id, clock.unix())
        with pytest.raises(Conflict, match="1 processes use the database"):
            await refuse_while_used(store.database, clock.unix())
        with pytest.raises(Conflict, match="stop them all"):
            await backups(migrated_postgres_url, tmp_path, store, clock).restore("x", actor="m")


async def test_a_database_of_others_tables_keeps_them(
    store: Opened, postgres_url: str, tmp_path: Path, clock: FakeClock, database_url: str
) -> None:
    made, _ = await backups(database_url, tmp_path, store, clock).make(reason="manual", actor="m")
    async with open_database(postgres_url) as database:
        await database.write(Statement("CREATE TABLE of_others (name TEXT)"))
        await database.write(Statement("INSERT INTO of_others VALUES ('theirs')"))

    await put_back(made.path, postgres_url, tmp_path, store.ring)

    async with open_database(postgres_url) as database:
        rows = await database.read(Statement("SELECT name FROM of_others"))
    assert [row["name"] for row in rows] == ["theirs"]
