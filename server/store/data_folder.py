"""The data folder: made for this user alone, shared by any number of processes.

<folder>/storage.sqlite   the database, when it is SQLite
<folder>/keyring.json     the keys that secrets are sealed with, see keyring.py
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .database import CannotOpenStore

if sys.platform != "win32":
    import fcntl


def make_data_folder(folder: Path) -> None:
    """Make the folder, for this user alone, unless it is there.

    Raises:
        CannotOpenStore: it cannot be made, or cannot be read and written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error.strerror or str(error)) from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise _unusable(folder, "it is not readable and writable for this user")


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes out of the same block for this folder; waits for them."""
    descriptor = os.open(folder / "folder.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_private(path: Path, content: bytes) -> None:
    """Replace a file at once, readable for this user alone: a reader sees the old or the new."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _unusable(folder: Path, reason: str) -> CannotOpenStore:
    return CannotOpenStore(
        f"cannot use the data folder {folder}: {reason}; make it readable and writable for this "
        "user, or name another one with --data-dir or DATA_DIR"
    )
