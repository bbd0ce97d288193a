"""The database file before it is used: made, checked and brought up to date, by one process.

Whoever opens the file holds a lock beside it for as long as it is open. The first to come holds
it alone while it makes the tables, migrates them, or checks a file that was not closed well;
then it shares. So any number of processes may open one fresh folder at once, and a migration
never changes tables under a running gateway. A process that dies lets go, whatever killed it.

A file that is up to date needs plain sqlite3 only: neither Alembic nor SQLAlchemy is imported.
"""

import os
import sqlite3
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

from .database import CannotOpenStore
from .schema import Found, needs_migration

if sys.platform != "win32":
    import fcntl

LOCK_S_MAX = 60.0
OLDER_S_MAX = 2.0
TRY_EVERY_S = 0.01
CHECK_BYTES_MAX = 64 * 2**20
"""A file larger than this is not read through at start after a crash: `check_file` does it."""


STAGED = ".restore"
"""What a restored database beside the one it replaces ends in."""
REPLACED = ".before-restore"
BACKUPS = "db_backups"


class FileInUse:
    """Our claim on the file: shared with other processes that have it open."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Let the file go."""
        os.close(self._descriptor)


def prepare_file(path: Path) -> FileInUse:
    """Make the file usable and claim it, waiting for another process that is preparing it.

    Raises:
        CannotOpenStore: the file is unreadable, damaged, of a newer version, or no such file
            can be made; the message says what to do.
    """
    try:
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _prepare_alone_or_share(path, lock)
        except BaseException:
            os.close(lock)
            raise
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) in (
            sqlite3.SQLITE_CORRUPT,
            sqlite3.SQLITE_NOTADB,
        ):
            raise _damaged(path, str(error)) from error
        raise _unusable(path, str(error)) from error
    return FileInUse(lock)


def check_file(path: Path) -> tuple[str, ...]:
    """Read the whole file and give what is wrong with it, nothing when it is sound."""
    with closing(sqlite3.connect(path)) as connection:
        found = [str(line) for (line,) in connection.execute("PRAGMA quick_check")]
    return tuple(line for line in found if line != "ok")


def _prepare_alone_or_share(path: Path, lock: int) -> None:
    limit_s = time.monotonic() + OLDER_S_MAX
    while True:
        alone = _claim(path, lock)
        if alone:
            _put_in_place(path)
        found = _checked(path, alone=alone)
        if not needs_migration(found, str(path)):
            break
        if alone:
            from .migrate import migrate_sqlite  # noqa: PLC0415 - 0.3 s to import, used once

            migrate_sqlite(path)
            break
        if time.monotonic() > limit_s:
            raise CannotOpenStore(
                f"the database {path} has the older schema {found.revision} and another "
                "OmniRoute is using it: stop that one first, then start this one again"
            )
        # Whoever prepared the file may have died halfway: then one of us takes over.
        _release(lock)
        time.sleep(TRY_EVERY_S)
    _share(lock)


def backups_beside(folder: Path) -> list[Path]:
    """Give the files of a folder of backups, the newest first."""
    # Their names begin with the time they were made.
    return sorted(folder.glob("omniroute-*.sqlite"), reverse=True)


def _put_in_place(path: Path) -> None:
    """Put a database that was restored in the place of this one, which is kept beside it.

    Whoever is stopped halfway is gone on from by the next: nothing is removed before the name
    that it is found by has changed.
    """
    staged = Path(f"{path}{STAGED}")
    if not staged.exists():
        return
    if path.exists():
        # What the log of the old one holds belongs to it, and never to the new one.
        for ending in ("-wal", ""):
            with suppress(FileNotFoundError):
                Path(f"{path}{ending}").replace(f"{path}{REPLACED}{ending}")
    for ending in ("-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)
    staged.replace(path)


def _checked(path: Path, *, alone: bool) -> Found:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    unclean = alone and _size(f"{path}-wal") > 0
    if unclean and _size(path) <= CHECK_BYTES_MAX and (problems := check_file(path)):
        raise _damaged(path, problems[0])
    return _look(path)


def _look(path: Path) -> Found:
    """Give what is in the file. An empty file is an empty database."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        names = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        revision = written_by = None
        if "alembic_version" in names:
            for (value,) in connection.execute("SELECT version_num FROM alembic_version"):
                revision = str(value)
            with suppress(sqlite3.OperationalError):
                # A newer schema may keep this elsewhere; it only makes the message better.
                for (value,) in connection.execute(
                    "SELECT version FROM boots ORDER BY started_unix_s DESC LIMIT 1"
                ):
                    written_by = str(value)
    return Found(revision, has_tables=bool(names), written_by=written_by)


def _claim(path: Path, lock: int) -> bool:
    """Claim the file, and say whether no other process has it open."""
    if sys.platform == "win32":
        # There is no such lock: there, one process at a time may use a data folder.
        return True
    limit_s = time.monotonic() + LOCK_S_MAX
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    while time.monotonic() < limit_s:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
        time.sleep(TRY_EVERY_S)
    raise CannotOpenStore(
        f"another process has been preparing the database {path} for {LOCK_S_MAX:.0f} s: "
        "wait until it is done, or end it, then start again"
    )


def _share(lock: int) -> None:
    if sys.platform != "win32":
        fcntl.flock(lock, fcntl.LOCK_SH)


def _release(lock: int) -> None:
    if sys.platform != "win32":
        fcntl.flock(lock, fcntl.LOCK_UN)


def _unusable(path: Path, reason: str) -> CannotOpenStore:
    return CannotOpenStore(
        f"cannot use the database {path}: {reason}; make its folder readable and writable for "
        "this user, or name another one with --data-dir or DATA_DIR"
    )


def _damaged(path: Path, reason: str) -> CannotOpenStore:
    return CannotOpenStore(f"the database {path} is damaged ({reason}): {_way_out(path)}")


def _way_out(path: Path) -> str:
    """Give in words what to do about a damaged database."""
    found = backups_beside(path.parent / BACKUPS)
    if found:
        return (
            "put the newest backup in its place with\n"
            f"  omniroute restore {found[0]} --data-dir {path.parent}"
        )
    return (
        "move it and the files beside it whose names begin the same to another folder and put a "
        "backup in its place; without one, starting again makes an empty database"
    )


def _size(path: Path | str) -> int:
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return 0
