"""Backups of the data folder's database: made, checked, listed, kept to a number, put back.

They are files of <data folder>/db_backups, named by the time they were made. One is made when
somebody asks, and by itself every so many days of a SQLite database (a server of PostgreSQL has
tools of its own for that, which do not read all of it through one process). Where several
processes share the folder, one of them makes it: whoever holds the lock beside the files.

Making one checks it (backup_file.py), so each also reads the database's file as a whole: damage
is found on the day, and not when the file is needed. Older ones are removed only after a newer
one was found whole, and none while that fails.

Putting one back is for a start: the file is laid beside the database, and the next process that
has the database for itself puts it in its place (sqlite_file.py). So no process ever sees rows
change under what it holds in memory, and budgets are not counted against two pasts.
"""

import asyncio
import logging
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import msgspec

from omniroute.routing.errors import Conflict, NotFound, StorageUnavailable

from .backup_copy import copy_file, copy_tables
from .backup_file import Checked, Manifest, NoBackup, check_backup, manifest_of, seal_file
from .changes import Changes, Told
from .data_folder import write_private
from .database import Database, Statement
from .keyring import KeyRing
from .sqlite_file import STAGED, backups_beside

if sys.platform != "win32":
    import fcntl

FOLDER = "db_backups"
RESTORED = "restored.json"
SUFFIX = ".sqlite"
LOOK_S = 60.0
"""How often it is looked whether a backup is due; the first time so long after the start."""
RETRY_S = 3_600.0
"""How long after a failure it is tried again."""
SECONDS_A_DAY = 86_400.0
_END_SESSIONS = "UPDATE dashboard_sessions SET ended_unix_s = $1 WHERE ended_unix_s IS NULL"
ROOM = 1.2
"""The free space that a copy needs, as a part of the database."""

log = logging.getLogger("omniroute")


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that is there; `backup_id` is its file's name without the ending."""

    backup_id: str
    path: Path
    size: int
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Where:
    """What is backed up, and where to.

    Attributes:
        database_path: of a SQLite database; None for PostgreSQL.
    """

    data_dir: Path
    database_path: Path | None
    version: str

    @property
    def folder(self) -> Path:
        """The folder of backups."""
        return self.data_dir / FOLDER

    @property
    def has_staged(self) -> bool:
        """Whether a backup waits to be put in the place of the database."""
        path = self.database_path
        return path is not None and Path(f"{path}{STAGED}").exists()


class _Restored(msgspec.Struct):
    """Who put which backup back, until it is in the audit log."""

    actor: str
    backup: str


class Backups:
    """Makes backups.

    Args:
        every_days: how often one is made by itself; None never does.
        kept: how many of those that are in the folder stay.

    Attributes:
        problem: why the last copy was not whole, in words; "" when it was.
    """

    def __init__(self, where: Where, database: Database, ring: KeyRing, changes: Changes) -> None:
        self.every_days: float | None = None
        self.kept = 7
        self.problem = ""
        self._where = where
        self._database = database
        self._ring = ring
        self._changes = changes

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self._where.folder

    @property
    def restore_pending(self) -> bool:
        """Whether a backup is put in the place of the database at the next start."""
        return self._where.has_staged

    async def make(self, *, reason: str, actor: str) -> tuple[Backup, Checked]:
        """Make a backup, check it, and remove the oldest beyond the number that is kept.

        Raises:
            Conflict: one is being made.
            StorageUnavailable: there is no room, or the copy is not whole: none was made.
        """
        async with self._alone():
            return await self._made(reason, actor)

    async def all(self) -> list[Backup]:
        """Give the backups that are there, the newest first; other files are passed over."""
        return await asyncio.to_thread(lambda: list(_found(self.folder)))

    async def find(self, backup_id: str) -> Backup:
        """Give one.

        Raises:
            NotFound: there is none of that id.
        """
        for one in await self.all():
            if one.backup_id == backup_id:
                return one
        raise NotFound(f"there is no backup {backup_id!r}: `omniroute backups` lists them")

    async def restore(self, backup_id: str, *, actor: str) -> Checked:
        """Check a backup and lay it ready for the next start.

        Raises:
            NotFound: there is none of that id.
            NoBackup: it is not whole.
            Conflict: the database is PostgreSQL.
        """
        if self._where.database_path is None:
            raise Conflict(
                "a PostgreSQL database is restored while no gateway uses it: stop them all, "
                "then run `omniroute restore`"
            )
        found = await self.find(backup_id)
        checked = await lay_ready(self._where, found.path, self._ring, actor=actor)
        await self._changes.note(Told(actor, "backup.restore", backup_id, {"at": "next start"}))
        return checked

    def due(self, now_unix_s: float) -> bool:
        """Whether it is time for the next one."""
        if self.every_days is None or self._where.database_path is None:
            return False
        newest = max((one.manifest.made_unix_s for one in _found(self.folder)), default=0.0)
        return now_unix_s - newest >= self.every_days * SECONDS_A_DAY

    async def keep_up(self) -> None:
        """Make backups when they are due, until cancelled."""
        wait_s = LOOK_S
        while True:
            await asyncio.sleep(wait_s)
            wait_s = LOOK_S
            try:
                if await asyncio.to_thread(self.due, time.time()):
                    await self._make_due()
            except Conflict:
                # Another process of this folder makes it.
                continue
            except (StorageUnavailable, NoBackup) as error:
                wait_s = RETRY_S
                log.error("backup_failed", extra={"reason": str(error)})

    async def _make_due(self) -> None:
        async with self._alone():
            # Another process may have made it since we looked.
            if await asyncio.to_thread(self.due, time.time()):
                backup, checked = await self._made("scheduled", "schedule")
                log.info("backup_made", extra=_facts(backup, checked))

    async def _made(self, reason: str, actor: str) -> tuple[Backup, Checked]:
        await self._changes.note(Told(actor, "backup.make", "database", {"reason": reason}))
        try:
            made = await self._make(reason)
        except (OSError, sqlite3.Error) as error:
            raise StorageUnavailable(
                f"no backup was made: {error}; see to the room and the rights of {self.folder}"
            ) from error
        for old in (await self.all())[self.kept :]:
            old.path.unlink(missing_ok=True)
        return made

    async def _make(self, reason: str) -> tuple[Backup, Checked]:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        number = f"{time.time_ns() // 1_000_000 % 1000:03}"
        path = self.folder / f"omniroute-{stamp}{number}Z-{reason}{SUFFIX}"
        for left in self.folder.glob("*.part*"):
            # Of a process that died: nobody else is at it, as we have the lock.
            left.unlink(missing_ok=True)
        draft = path.with_suffix(".part")
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        try:
            checked = await self._copied(draft, reason)
            draft.rename(path)
        finally:
            draft.unlink(missing_ok=True)
        return Backup(path.stem, path, path.stat().st_size, checked.manifest), checked

    async def _copied(self, draft: Path, reason: str) -> Checked:
        source, stop = self._where.database_path, Event()
        try:
            if source is None:
                await copy_tables(self._database, draft)
            else:
                _see_to_room(source, draft.parent)
                await asyncio.to_thread(copy_file, source, draft, stop)
            await asyncio.to_thread(
                seal_file,
                draft,
                version=self._where.version,
                kind=self._database.kind,
                reason=reason,
            )
            checked = await check_backup(draft, self._ring, stop)
        except asyncio.CancelledError:
            # Threads are not cancelled, and the process ends only when they have ended.
            stop.set()
            raise
        except NoBackup as error:
            self.problem = f"the database's last copy was not whole: {error}"
            raise StorageUnavailable(
                f"no backup was made, as the copy is not whole: {error}; if the disk has room, "
                "the database is damaged: `omniroute backups` lists what can be put back"
            ) from error
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        self.problem = ""
        return checked

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageUnavailable(f"cannot use {self.folder}: {error.strerror}") from error
        try:
            if sys.platform != "win32":
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise Conflict("a backup is being made: try again in a moment") from error
            yield
        finally:
            os.close(lock)


async def lay_ready(where: Where, path: Path, ring: KeyRing, *, actor: str) -> Checked:
    """Check a backup and lay it beside the SQLite database, for who opens that next alone.

    Raises:
        NoBackup: it is not whole.
    """
    checked = await check_backup(path, ring)
    await asyncio.to_thread(_stage, where, path, checked.manifest, actor)
    return checked


def write_restored(data_dir: Path, path: Path, *, actor: str) -> None:
    """Leave word for the audit log that a backup was put back."""
    write_private(data_dir / RESTORED, msgspec.json.encode(_Restored(actor, path.name)))


async def note_restored(where: Where, changes: Changes) -> None:
    """Put into the audit log that a backup was put back, once it is in its place."""
    word, taken = where.data_dir / RESTORED, where.data_dir / f"{RESTORED}.{os.getpid()}"
    if not word.exists() or where.has_staged:
        return
    with suppress(FileNotFoundError):
        # Of several processes that open at once, the one that gets it tells.
        word.rename(taken)
        told = msgspec.json.decode(taken.read_bytes(), type=_Restored)
        # Who was signed in then may have been signed out since.
        end = Statement(_END_SESSIONS, (changes.now(),))
        restored = Told(told.actor, "backup.restored", "database", {"from": told.backup})
        await changes.make(restored, end)
        taken.unlink()


def _stage(where: Where, path: Path, manifest: Manifest, actor: str) -> None:
    from .restoring import database_of_rows, strip_manifest  # noqa: PLC0415 - Alembic takes 0.3 s

    draft = Path(f"{where.database_path}{STAGED}.part")
    draft.unlink(missing_ok=True)
    if manifest.kind == "sqlite":
        shutil.copyfile(path, draft)
        draft.chmod(0o600)
        strip_manifest(draft)
    else:
        database_of_rows(path, draft, manifest)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    write_restored(where.data_dir, path, actor=actor)
    draft.rename(f"{where.database_path}{STAGED}")


def _found(folder: Path) -> Iterator[Backup]:
    for path in backups_beside(folder):
        with suppress(NoBackup, FileNotFoundError):
            yield Backup(path.stem, path, path.stat().st_size, manifest_of(path))


def _see_to_room(source: Path, folder: Path) -> None:
    wanted = source.stat().st_size * ROOM
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise StorageUnavailable(
            f"no backup was made: {folder} has {free:,} bytes free and needs {wanted:,.0f}"
        )


def _facts(backup: Backup, checked: Checked) -> dict[str, object]:
    return {"backup": backup.backup_id, "bytes": backup.size, "broken": len(checked.broken)}
