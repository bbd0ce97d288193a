"""Clients' files written: whole or not at all, and never over what somebody wrote meanwhile."""

import os
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .plan import read_file

PRIVATE = 0o600


class Meanwhile(Exception):
    """A file was changed after it was read. Says which."""


def write_all(files: Sequence[tuple[Path, bytes | None, bytes | None]]) -> None:
    """Write several files, each as (path, before, after); where one fails, none is changed.

    Raises:
        Meanwhile: one is no more what was read.
        OSError: one cannot be written.
    """
    done: list[tuple[Path, bytes | None, bytes | None]] = []
    try:
        for path, before, after in files:
            write(path, before, after)
            done.append((path, before, after))
    except (Meanwhile, OSError):
        for path, before, after in reversed(done):
            write(path, after, before)
        raise


def write(path: Path, before: bytes | None, after: bytes | None) -> None:
    """Put a file's bytes in place of those that were read; None removes it.

    A new file is its owner's alone, as a key may stand in it; one that is there keeps its mode.
    A link stays a link: what it leads to is written.

    Raises:
        Meanwhile: it is no more what was read.
        OSError: it cannot be written.
    """
    if read_file(path) != before:
        raise Meanwhile(f"{path} was changed by another program meanwhile; run the command again")
    target = path.resolve()
    if after is None:
        target.unlink(missing_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = PRIVATE if before is None else stat.S_IMODE(target.stat().st_mode)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(after)
            file.flush()
            os.fsync(file.fileno())
        # Not by the descriptor: Windows has no such call.
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def readable_by_others(path: Path) -> bool:
    """Whether other users of this machine may read a file; never so where modes say nothing."""
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
