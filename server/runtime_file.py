"""`DATA_DIR/runtime/gateway.json`: which gateway runs on a data folder, and how to talk to it.

The gateway writes it once it listens and removes it when it ends; the command line and the
stdio relay read it. The token in it gives admin rights, so only its owner may read the file. A
gateway that was killed leaves the file behind: a reader therefore takes it for a claim to be
checked (is the process alive, does it answer), never for a fact.

Standard library only, as the relay imports it.
"""

import json
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE_BYTES_MAX = 64 * 1024
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that says it runs.

    Attributes:
        pid: its process.
        url: where this machine reaches it, without a slash at the end.
        token: presented as `Authorization: Bearer`, it gives admin rights.
        version: of OmniRoute.
        started_unix_s: when it began to listen.
    """

    pid: int
    url: str
    token: str = field(repr=False)
    version: str = ""
    started_unix_s: float = 0.0


def runtime_path(data_dir: Path) -> Path:
    """Give where the file of a data folder is."""
    return data_dir / "runtime" / "gateway.json"


def new_token() -> str:
    """Give a token for one run of a gateway."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def write_running(data_dir: Path, running: Running) -> None:
    """Say that a gateway runs. Readers see the old file or the new one, never a part.

    Raises:
        OSError: the folder cannot be made or written.
    """
    path = runtime_path(data_dir)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        part.unlink()
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(running), file)
    part.replace(path)


def remove_running(data_dir: Path, running: Running) -> None:
    """Take the file away when it is still this gateway's; another one may have taken over."""
    if read_running(data_dir) == running:
        with suppress(FileNotFoundError):
            runtime_path(data_dir).unlink()


def read_running(data_dir: Path) -> Running | None:
    """Give what the file says; None when there is none, or none that we wrote.

    A file that another user owns or may write is not believed: it could send our commands,
    and the secrets in them, to a process of theirs.
    """
    try:
        with runtime_path(data_dir).open("rb") as file:
            if not _is_ours(os.fstat(file.fileno())):
                return None
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError:
        return None
    return _parsed(data)


def process_lives(pid: int) -> bool:
    """Whether a process of that id runs and may be ours.

    On Windows there is no harmless way to ask with the standard library, so there the answer
    is yes and only the gateway's own answer counts.
    """
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError, OverflowError):
        return False
    return True


def _is_ours(found: os.stat_result) -> bool:
    if os.name == "nt":
        return True
    owner_is_us = found.st_uid == os.geteuid() or os.geteuid() == 0
    return owner_is_us and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _parsed(data: bytes) -> Running | None:
    try:
        found = json.loads(data)
        running = Running(
            pid=int(found["pid"]),
            url=str(found["url"]),
            token=str(found["token"]),
            version=str(found.get("version", "")),
            started_unix_s=float(found.get("started_unix_s", 0.0)),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return running if running.pid > 0 and running.url.startswith("http://") else None
