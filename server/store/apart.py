"""Migrates a database file in a process of its own, before a gateway that will run for long.

Alembic and SQLAlchemy are 24 MB of memory that a gateway would keep until it ends, for one use at
its first start. What goes wrong apart goes wrong here again a moment later, when the store is
opened, and is told then: so nothing is told twice, and nothing depends on this.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from .data_folder import make_data_folder
from .database import CannotOpenStore
from .schema import HEAD
from .sqlite_file import prepare_file

MIGRATE_S_MAX = 120.0
SQLITE = "sqlite:///"


@contextmanager
def migrating(url: str, data_dir: Path) -> Iterator[None]:
    """Bring the database file of a URL up to date, if it is a file and is not, meanwhile."""
    apart = None
    path = Path(url.removeprefix(SQLITE))
    if url.startswith(SQLITE) and not _is_current(path):
        with suppress(CannotOpenStore, OSError):
            make_data_folder(data_dir)
            apart = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", __name__, str(path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
    try:
        yield
        if apart is not None:
            with suppress(subprocess.TimeoutExpired):
                apart.wait(MIGRATE_S_MAX)
    finally:
        if apart is not None and apart.poll() is None:
            apart.kill()
            apart.wait()


def _is_current(path: Path) -> bool:
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        return found == [(HEAD,)]
    return False


if __name__ == "__main__":
    prepare_file(Path(sys.argv[1])).release()
