"""What `doctor` and `system-info` look at on this machine. Looking changes nothing.

The values come first, then one function for each that gathers it. What a running gateway knows
of itself is asked of it by the command (cli/doctor.py).
"""

import asyncio
import errno
import os
import socket
import sqlite3
import ssl
import stat
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .discovery import local_targets, probe_local
from .management import AccountJson, GatewayFacts
from .port_holder import holder_of
from .settings import Settings, Sources
from .store.database import CannotOpenStore
from .store.schema import HEAD, Found, needs_migration

ENTRIES_MAX = 500
"""How many entries of the data folder are looked at."""
A_DAY_S = 86_400.0
BUSY_S_MAX = 2.0


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """The data folder as it is on disk.

    Attributes:
        makeable: whether it could be made where it does not exist.
        open_to_others: entries in it, or itself as ".", that other users may read or change.
        future: an entry that was changed later than now, None when there is none.
    """

    path: Path
    exists: bool
    is_folder: bool = True
    usable: bool = True
    makeable: bool = True
    open_to_others: Sequence[str] = ()
    future: str | None = None


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """The database file. `problem` says why it cannot be used, in the words of the store."""

    kind: Literal["sqlite", "postgres"]
    exists: bool = False
    revision: str | None = None
    newest: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PortFacts:
    """The address to listen on: free, held by this data folder's gateway, or by another."""

    state: Literal["free", "ours", "other", "refused"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RunningFacts:
    """The gateway that runs on the data folder, or the file that a dead one has left.

    Attributes:
        answers: whether it answered; False with `stale` False: it lives and is silent.
        facts: what it said of itself.
        problem: why it did not.
    """

    pid: int
    url: str
    version: str = ""
    stale: bool = False
    answers: bool = True
    facts: GatewayFacts | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """Where certificates of authorities come from, and how many there are."""

    source: str
    authorities: int


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A model server that answered on this machine."""

    provider: str
    base_url: str
    models: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that findings are made of.

    Attributes:
        accounts: in force: the running gateway's, else those that a start would find.
        ignored: provider variables that were not taken, with the reason.
        keys: how many keys of ours there are, None when that is not known.
        now_unix_s: this machine's clock.
    """

    settings: Settings
    sources: Sources
    version: str
    python: str
    folder: FolderFacts
    database: DatabaseFacts
    port: PortFacts
    tls: TlsFacts
    now_unix_s: float
    running: RunningFacts | None = None
    accounts: Sequence[AccountJson] = ()
    ignored: Sequence[tuple[str, str]] = ()
    servers: Sequence[LocalServer] = ()
    keys: int | None = None
    problems: Sequence[str] = ()


def look_at_folder(path: Path, now_unix_s: float) -> FolderFacts:
    """Look at the data folder, its entries and those of its runtime folder."""
    if not os.path.exists(path):
        parent = next(one for one in path.parents if os.path.exists(one))
        makeable = parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)
        return FolderFacts(path, exists=False, makeable=makeable)
    if not path.is_dir():
        return FolderFacts(path, exists=True, is_folder=False)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return FolderFacts(path, exists=True, usable=False)
    closed = not path.stat().st_mode & (stat.S_IXGRP | stat.S_IXOTH)
    open_to_others: list[str] = []
    future = None
    for entry in (path, *_entries(path)):
        try:
            found = entry.lstat()
        except OSError:
            # It went away while we looked: a database's journal does.
            continue
        name = str(entry.relative_to(path))
        if not closed and _is_open(found.st_mode):
            open_to_others.append(name)
        if found.st_mtime > now_unix_s + A_DAY_S:
            future = name
    return FolderFacts(path, exists=True, open_to_others=open_to_others, future=future)


def look_at_database(settings: Settings) -> DatabaseFacts:
    """Look at the database's schema; a PostgreSQL server is not called."""
    scheme, _, rest = settings.store_url.partition("://")
    if scheme != "sqlite":
        return DatabaseFacts("postgres")
    path = Path(rest.removeprefix("/"))
    if not path.exists():
        return DatabaseFacts("sqlite", newest=HEAD)
    try:
        found = _read_schema(path)
        needs_migration(found, str(path))
    except CannotOpenStore as problem:
        return DatabaseFacts("sqlite", exists=True, newest=HEAD, problem=str(problem))
    except sqlite3.Error as error:
        return DatabaseFacts(
            "sqlite",
            exists=True,
            newest=HEAD,
            problem=f"the database {path} cannot be read ({error}): restore it from a copy, or "
            "move it away to begin with an empty one",
        )
    return DatabaseFacts("sqlite", exists=True, revision=found.revision, newest=HEAD)


def look_at_port(settings: Settings, own_port: int | None) -> PortFacts:
    """Try to bind the address, as a start would.

    Args:
        settings: host and port.
        own_port: where this data folder's gateway listens, None when none does.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((settings.host, settings.port))
            # Binding succeeds beside a listener in some cases; listening never does.
            one.listen(1)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return PortFacts("refused", error.strerror or str(error))
        if own_port == settings.port:
            return PortFacts("ours")
        return PortFacts("other", holder_of(settings.port))
    return PortFacts("free")


def look_at_tls() -> TlsFacts:
    """Count the authorities that https connections are checked against."""
    paths = ssl.get_default_verify_paths()
    count = ssl.create_default_context().cert_store_stats()["x509_ca"]
    folder = paths.capath
    if not count and folder is not None and os.path.isdir(folder):
        # Those of a folder are read when they are needed.
        count = len(os.listdir(folder))
    return TlsFacts(str(paths.cafile or folder or paths.openssl_cafile), count)


def look_for_servers(
    environment: Mapping[str, str], own_urls: Sequence[str]
) -> tuple[LocalServer, ...]:
    """Ask the usual ports of local model servers, all at once."""
    targets = local_targets(environment, own_urls=own_urls)
    found = asyncio.run(probe_local(targets))
    return tuple(LocalServer(one.provider, one.base_url, len(one.models)) for one in found)


def now_unix_s() -> float:
    """Give the machine's clock."""
    return time.time()


def is_root() -> bool:
    """Whether this user may do everything on the machine."""
    # Windows has no such user, and no such call.
    return getattr(os, "geteuid", lambda: 1)() == 0


def _is_open(mode: int) -> bool:
    """Whether others may change a folder, or read or change a file. Windows has no such modes."""
    if os.name == "nt":
        return False
    if stat.S_ISDIR(mode):
        return bool(mode & (stat.S_IWGRP | stat.S_IWOTH))
    return bool(mode & (stat.S_IRWXG | stat.S_IRWXO))


def _entries(path: Path) -> list[Path]:
    entries = sorted(path.iterdir())
    runtime = path / "runtime"
    if runtime.is_dir() and os.access(runtime, os.R_OK | os.X_OK):
        entries += sorted(runtime.iterdir())
    return entries[:ENTRIES_MAX]


def _read_schema(path: Path) -> Found:
    """Read which schema a file has, without writing beside it."""
    # A file without a journal is in nobody's hands; opened as such, SQLite makes no files.
    journal = path.with_name(f"{path.name}-wal").exists()
    how = "mode=ro" if journal else "immutable=1"
    uri = f"{path.absolute().as_uri()}?{how}"
    with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S_MAX)) as connection:
        names = {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        revision = None
        if "alembic_version" in names:
            for (value,) in connection.execute("SELECT version_num FROM alembic_version"):
                revision = str(value)
    return Found(revision, has_tables=bool(names))
