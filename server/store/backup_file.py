"""A backup: one SQLite file with every row of the database, and a manifest that says what it is.

Of SQLite it is a copy page by page, of PostgreSQL the rows alone, without types or indexes: both
are one consistent view of the database. Secrets stay sealed and keys stay hashed in it, and the
key ring is not in it: with the backup alone nobody opens them.

A backup counts as one once it was checked: SQLite finds the file sound, every table has the rows
that the manifest counted, and every chain of records verifies.
"""

import asyncio
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from omniroute.routing.errors import BadRequest

from .audit import AUDIT_CHAINS
from .chain import ChainedTable, Fault, verify
from .database import CannotOpenStore, Many, Row, T, Unit
from .keyring import KeyRing
from .ledger import DECISION_CHAINS
from .ring_standing import ALL_RING_KEYS
from .rings import RING_KEYS, SEALED, heed
from .schema import REVISIONS
from .sqlite import own_words
from .tool_calls import CALL_CHAINS
from .vault import Vault, sealed_with

MANIFEST = "omniroute_backup"
FORMAT = 1
REST_S = 0.002
"""How long a check rests after each page of rows, so that what serves meanwhile goes on."""
LOOK_EVERY_STEPS = 100_000
"""Steps of SQLite's machine after which it is seen whether to stop."""
CHAINED: tuple[ChainedTable, ...] = (AUDIT_CHAINS, DECISION_CHAINS, CALL_CHAINS)


class NoBackup(BadRequest):
    """A file is no backup, or not a whole one."""


class Manifest(msgspec.Struct, frozen=True):
    """What a backup says of itself.

    Attributes:
        kind: the database that it was made of.
        revision: the schema of its tables.
        reason: manual, scheduled or before-restore.
        key_ids: the keys of the key ring that its secrets, keys and chains need.
        rows: how many each table has.
    """

    format: int
    made_unix_s: float
    version: str
    kind: Literal["sqlite", "postgres"]
    revision: str
    reason: str
    key_ids: tuple[str, ...]
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of a whole backup found.

    Attributes:
        missing_keys: ids of keys that it needs and this key ring lacks.
        broken: where chains do not verify; as they were in the database.
    """

    manifest: Manifest
    missing_keys: tuple[str, ...]
    broken: tuple[Fault, ...]


class FileReader:
    """Reads units from a file that nobody writes to, in a thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads, and rest."""
        value = await asyncio.to_thread(self._run, unit)
        await asyncio.sleep(REST_S)
        return value

    def _run(self, unit: Unit[T]) -> T:
        steps = unit()
        try:
            step = next(steps)
            while True:
                if isinstance(step, Many):
                    raise TypeError("a unit that only reads has no rows to store")
                rows: Sequence[Row] = self._connection.execute(
                    own_words(step.sql), step.values
                ).fetchall()
                step = steps.send(rows)
        except StopIteration as end:
            value: T = end.value
            return value


@contextmanager
def opened(path: Path, *, writes: bool = False) -> Iterator[sqlite3.Connection]:
    """Open a backup as a database of its own, by default for reading alone.

    Raises:
        NoBackup: it is no SQLite file, or a damaged one.
    """
    mode = "rw" if writes else "ro&immutable=1"
    try:
        with closing(
            sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode={mode}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
        ) as connection:
            connection.row_factory = sqlite3.Row
            yield connection
    except sqlite3.DatabaseError as error:
        raise NoBackup(f"{path} is no backup, or a damaged one: {error}") from error


def seal_file(
    path: Path, *, version: str, kind: Literal["sqlite", "postgres"], reason: str
) -> None:
    """Write the manifest into a copy, which from then on is one file without a log beside it."""
    with opened(path, writes=True) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        rows = _rows_of(connection)
        ((revision,),) = connection.execute("SELECT version_num FROM alembic_version")
        manifest = Manifest(
            format=FORMAT,
            made_unix_s=time.time(),
            version=version,
            kind=kind,
            revision=str(revision),
            reason=reason,
            key_ids=_key_ids(connection, rows),
            rows=rows,
        )
        connection.execute(f"CREATE TABLE {MANIFEST} (manifest TEXT NOT NULL)")
        connection.execute(
            f"INSERT INTO {MANIFEST} VALUES (?)",  # noqa: S608 - a constant
            (msgspec.json.encode(manifest).decode(),),
        )


def manifest_of(path: Path) -> Manifest:
    """Give what a backup says of itself, unchecked.

    Raises:
        NoBackup: it says nothing.
    """
    if not path.is_file():
        raise NoBackup(f"there is no file {path}")
    with opened(path) as connection:
        try:
            ((text,),) = connection.execute(f"SELECT manifest FROM {MANIFEST}")  # noqa: S608
            manifest = msgspec.json.decode(text, type=Manifest)
        except (sqlite3.OperationalError, ValueError, msgspec.MsgspecError) as error:
            raise NoBackup(f"{path} holds no backup of OmniRoute") from error
    if manifest.format > FORMAT or manifest.revision not in REVISIONS:
        raise NoBackup(
            f"{path} was made by OmniRoute {manifest.version} with schema {manifest.revision}, "
            f"and this one knows schemas up to {REVISIONS[-1]}: restore it with that version or "
            "a newer one"
        )
    return manifest


async def check_backup(path: Path, ring: KeyRing, stop: Event | None = None) -> Checked:
    """Read a whole backup.

    Args:
        path: its file.
        ring: with what chains are verified.
        stop: ends a long look at the file, once it is set.

    Raises:
        NoBackup: it is damaged, or not all of it is there.
    """
    manifest = await asyncio.to_thread(manifest_of, path)
    with opened(path) as connection:
        if stop is not None:
            connection.set_progress_handler(lambda: int(stop.is_set()), LOOK_EVERY_STEPS)
        await asyncio.to_thread(_check_rows, path, connection, manifest)
        reader = FileReader(connection)
        known = await _with_retired(reader, ring, manifest)
        missing = tuple(one for one in manifest.key_ids if known.find(one) is None)
        broken: list[Fault] = []
        for table in CHAINED:
            # Older schemas lack the newest of the chained tables.
            if table.kind in manifest.rows and not missing:
                broken += (await verify(reader, known, table)).faults
    return Checked(manifest, missing, tuple(broken))


async def _with_retired(reader: FileReader, ring: KeyRing, manifest: Manifest) -> KeyRing:
    """Give the ring as the backup leaves it: what is left of retired keys is sealed in there."""
    known = KeyRing((*ring.keys, *ring.leaving))
    if RING_KEYS in manifest.rows:
        # One that cannot be opened is missing, and one whose every key was retired lacks all.
        with suppress(CannotOpenStore):
            heed(Vault(known, lambda: known), await reader.read(ALL_RING_KEYS), [])
    return known


def _check_rows(path: Path, connection: sqlite3.Connection, manifest: Manifest) -> None:
    found = [str(line) for (line,) in connection.execute("PRAGMA integrity_check(1)")]
    if found != ["ok"]:
        raise NoBackup(f"{path} is damaged: {found[0]}")
    rows = _rows_of(connection)
    if rows != manifest.rows:
        other = sorted(
            name for name in rows | manifest.rows if rows.get(name) != manifest.rows.get(name)
        )
        raise NoBackup(f"{path} is not whole: {', '.join(other)} had other rows when it was made")


def tables_of(connection: sqlite3.Connection) -> list[str]:
    """Give the names of the tables, but for the manifest's."""
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
        "ORDER BY name"
    )
    return [str(name) for (name,) in names if name != MANIFEST]


def quoted(name: str) -> str:
    """Give a name of a table or a column as SQL of both databases takes it."""
    return '"' + name.replace('"', '""') + '"'


def _rows_of(connection: sqlite3.Connection) -> dict[str, int]:
    return {
        name: int(_one(connection, f"SELECT count(*) FROM {quoted(name)}"))  # noqa: S608 - a table
        for name in tables_of(connection)
    }


def _key_ids(connection: sqlite3.Connection, rows: Mapping[str, int]) -> tuple[str, ...]:
    found: set[str] = set()
    for sealed in SEALED:
        if sealed.table in rows:
            sql = f"SELECT secret FROM {sealed.table} WHERE secret IS NOT NULL"  # noqa: S608 - constants
            found |= {sealed_with(bytes(secret)) for (secret,) in connection.execute(sql)}
    for sql in (
        "SELECT DISTINCT pepper_id FROM keys",
        "SELECT DISTINCT mac_key_id FROM chains",
    ):
        found |= {str(key_id) for (key_id,) in connection.execute(sql)}
    return tuple(sorted(found))


def _one(connection: sqlite3.Connection, sql: str) -> Any:
    ((value,),) = connection.execute(sql)
    return value
