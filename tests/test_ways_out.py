"""Which module may open a connection, look a name up, or start a process: these, and no other.

Everything that a user, a client or an answer can name is reached through one place,
routing/upstream/pool.py, and looked up in one, egress.py. What else connects goes to a fixed
place of this gateway's own: its database, its own listener, a local model server on loopback.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.test_house import MODULES, ROOT

CONNECTING = {
    *("connect", "connect_ex", "connect_accepted_socket", "create_connection", "open_connection"),
    *("create_datagram_endpoint", "create_unix_connection", "open_unix_connection"),
    *("sock_connect", "sock_sendto", "sendto", "sendmsg", "start_tls", "create_pool"),
    *("getaddrinfo", "gethostbyname", "gethostbyname_ex", "getnameinfo", "create_async_engine"),
    *("HTTPConnection", "HTTPSConnection", "AsyncClient", "urlopen", "create_engine"),
}
"""Names of functions and classes of the standard library and others that lead out."""

NETWORK = {
    *("aiohttp", "asyncpg", "ftplib", "http.client", "httpcore", "httpx", "imaplib", "nntplib"),
    *(
        "poplib",
        "requests",
        "smtplib",
        "socket",
        "socketserver",
        "telnetlib",
        "sqlalchemy.ext.asyncio",
    ),
    *("urllib.request", "urllib3", "websockets", "xmlrpc"),
}
"""Modules that can open a connection."""

STARTING = {
    *("subprocess", "multiprocessing", "pty", "webbrowser", "runpy", "code", "codeop", "pickle"),
    *("marshal", "shelve", "ctypes", "concurrent.futures.process"),
}
"""Modules that start programs, or run what somebody else has written."""

RUNNING = {
    *("system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "startfile"),
    *("execl", "execle", "execlp", "execlpe", "execv", "execve", "execvp", "execvpe"),
    *("spawnl", "spawnle", "spawnlp", "spawnlpe", "spawnv", "spawnve", "spawnvp", "spawnvpe"),
    *("create_subprocess_exec", "create_subprocess_shell", "subprocess_exec", "subprocess_shell"),
}
BUILT_IN = {"eval", "exec", "compile", "__import__"}

WAYS_OUT: Mapping[str, set[str]] = {
    # The one place: an address that egress has judged.
    "routing/upstream/pool.py": {"socket", "connect", "create_connection", "start_tls"},
    # The one look-up.
    "routing/upstream/egress.py": {"socket", "getaddrinfo"},
    # Lanes of the pool.
    "routing/upstream/client.py": {"connect"},
    # The database that its owner named.
    "server/store/postgres.py": {"asyncpg", "connect", "create_pool"},
    "server/store/migrate.py": {
        *("sqlalchemy.ext.asyncio", "create_async_engine", "create_engine", "connect"),
    },
    "server/store/apart.py": {"connect"},
    "server/store/backup_copy.py": {"connect"},
    "server/store/backup_file.py": {"connect"},
    "server/store/restoring.py": {
        *("asyncpg", "connect", "sqlalchemy.ext.asyncio", "create_async_engine"),
    },
    "server/store/sqlite.py": {"connect"},
    "server/store/sqlite_file.py": {"connect"},
    "server/doctor_facts.py": {"socket", "connect"},
    # Local model servers on their usual ports, on loopback alone.
    "server/discovery.py": {"open_connection"},
    # Whether another gateway listens where its runtime file says.
    "server/serve.py": {"socket", "create_connection"},
    # Commands that call the gateway.
    "server/cli/client.py": {"http.client", "HTTPConnection"},
    "server/cli/relay.py": {"http.client"},
    "server/cli/relay_session.py": {"http.client"},
    "server/cli/relay_gateway.py": {"http.client", "HTTPConnection"},
    "server/cli/relay_http.py": {
        *("http.client", "socket", "connect", "HTTPConnection", "HTTPSConnection"),
    },
    # Its frames alone, on connections that clients have opened.
    "server/v1/sockets.py": {"websockets"},
    # What listens, and what workers tell each other.
    "server/listeners.py": {"socket"},
    "server/simulator/connection.py": {"socket"},
    "server/workers/acceptor.py": {"socket", "connect_accepted_socket"},
    "server/workers/mail.py": {"socket"},
    "server/workers/place.py": {"socket"},
    "server/workers/supervisor.py": {"socket"},
}

STARTERS: Mapping[str, set[str]] = {
    # Migrates in a process of its own: this interpreter, a module of ours.
    "server/store/apart.py": {"subprocess"},
    # `omniroute --mcp` starts the gateway of its data folder.
    "server/cli/relay_gateway.py": {"subprocess"},
    # `omniroute setup` asks what a client would start: our own command.
    "server/cli/setup_check.py": {"subprocess"},
    # Opens the page of this gateway for its owner.
    "server/serve.py": {"webbrowser"},
    # Workers.
    "server/workers/supervisor.py": {"fork"},
    # Tells the C library to keep memory.
    "server/heap.py": {"ctypes"},
}

ANSWERING = ("server/api/", "server/v1/", "tools/", "a2a/", "routing/")
"""What answers requests: it neither starts anything nor knows who does."""


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def names_used(path: Path, modules: set[str], calls: set[str]) -> set[str]:
    """Give what a module imports of `modules`, and which of `calls` it names."""
    used: set[str] = set()
    for node in nodes(path):
        imported: list[str] = []
        if isinstance(node, ast.Import):
            imported = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            imported = [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
            used |= {one.name for one in node.names if one.name in calls}
        elif isinstance(node, ast.Attribute) and node.attr in calls and not is_own(node):
            used.add(node.attr)
        used |= {name for name in modules for one in imported if is_in(one, name)}
    return used


def is_own(node: ast.Attribute) -> bool:
    """Whether it is a field of ours that has the name of a function of `os`."""
    return node.attr == "system" and not (
        isinstance(node.value, ast.Name) and node.value.id == "os"
    )


def is_in(imported: str, module: str) -> bool:
    return imported == module or imported.startswith(f"{module}.")


def found(modules: set[str], calls: set[str]) -> dict[str, set[str]]:
    """Give what each module of the product uses."""
    named = ((path.relative_to(ROOT).as_posix(), path) for path in MODULES)
    return {name: used for name, path in named if (used := names_used(path, modules, calls))}


def test_connections_are_opened_where_it_is_said_and_nowhere_else() -> None:
    assert found(NETWORK, CONNECTING) == WAYS_OUT


def test_programs_are_started_where_it_is_said_and_nowhere_else() -> None:
    assert found(STARTING, RUNNING) == STARTERS


def test_no_text_is_run_as_a_program() -> None:
    calls = {
        (path.name, node.func.id)
        for path in MODULES
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }

    assert {call for call in calls if call[1] in BUILT_IN} == set()


def test_what_answers_requests_knows_nobody_who_starts_programs() -> None:
    known = {path.relative_to(ROOT).as_posix(): path for path in MODULES}
    starting = {name for name, uses in STARTERS.items() if uses & {"subprocess", "webbrowser"}}
    reached = {name: closure(name, known) for name in known if name.startswith(ANSWERING)}

    assert {
        name: sorted(all_of & starting) for name, all_of in reached.items() if all_of & starting
    } == {}


@pytest.mark.parametrize(
    ("source", "uses"),
    [
        ("import socket", {"socket"}),
        ("from http import client", {"http.client"}),
        ("import urllib.request as r", {"urllib.request"}),
        ("async def f(loop):\n    await loop.create_connection(None)", {"create_connection"}),
        ("from asyncio import open_connection as o", {"open_connection"}),
        ("def f(one):\n    dial = one.getaddrinfo\n    dial('x')", {"getaddrinfo"}),
        (
            "from sqlalchemy.ext.asyncio import create_async_engine",
            {"sqlalchemy.ext.asyncio", "create_async_engine"},
        ),
        ("import json", set()),
    ],
)
def test_a_way_out_is_seen_however_it_is_written(
    tmp_path: Path, source: str, uses: set[str]
) -> None:
    path = tmp_path / "module.py"
    path.write_text(source)

    assert names_used(path, NETWORK, CONNECTING) == uses


def closure(name: str, known: Mapping[str, Path]) -> set[str]:
    """Give every module of ours that a module imports, and those that these import."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += [other for other in imports_of(one, known[one]) if other in known]
    return seen


@cache
def imports_of(name: str, path: Path) -> tuple[str, ...]:
    """Give the files that a module's imports may mean; not all of them exist."""
    return tuple(_imports_of(name, path))


def _imports_of(name: str, path: Path) -> Iterator[str]:
    folders = name.split("/")[:-1]
    for node in nodes(path):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = (node.module or "").split(".")
        if node.level:
            base = [*folders[: len(folders) - node.level + 1], *filter(None, module)]
        elif module[0] == "omniroute":
            base = module[1:]
        else:
            continue
        yield "/".join(base) + ".py"
        yield from ("/".join((*base, one.name)) + ".py" for one in node.names)
