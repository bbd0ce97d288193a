"""A whole gateway whose gate tells what it let in, and a client that sends any bytes.

Everything is real up to the gate: connections, paths, Host and Origin, stored keys, the table.
Behind it every door and route answers 299 and notes that it was entered, so that all of them can
be asked with any method without anything being done.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from omniroute.routing.access import ADMIN, SCOPES
from omniroute.server import doors
from omniroute.server.auth import Authenticator
from omniroute.server.compose import Composed, compose
from omniroute.server.exchange import Door, Exchange, Head
from omniroute.server.gate import Entrance, Gate, Words
from omniroute.server.rights import BELOW, EVERY, SOCKET, Needs, Right
from omniroute.server.settings import load_settings
from omniroute.server.store.key_terms import KeyTerms
from tests.v1.mounted import listening

WAIT_S = 120.0
"""Nothing here takes long; a machine that does much else at the same time does."""
ENTERED = 299
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
ALL = (*SCOPES, ADMIN)


@dataclass
class World:
    """A served gateway.

    Attributes:
        rights: every row of the table.
        asked: of which rows the gateway has asked what they need, to serve them.
        entered: what was entered, since this was last cleared: what it needs, and who did.
        keys: by what a key carries: `admin`, a scope, `-scope` for all but it, `none`.
    """

    composed: Composed
    port: int
    rights: tuple[Right, ...]
    asked: set[tuple[str, str]]
    entered: list[tuple[Needs, str]]
    keys: dict[str, str] = field(default_factory=dict[str, str])

    async def ask(self, *requests: bytes) -> list[int]:
        """Send each request on a connection of its own, some at a time; give the statuses."""
        gate = asyncio.Semaphore(16)

        async def one(request: bytes) -> int:
            async with gate:
                return await status_of(self.port, request)

        async with asyncio.timeout(WAIT_S * 5):
            return list(await asyncio.gather(*map(one, requests)))


@asynccontextmanager
async def line(port: int) -> AsyncIterator[Callable[[bytes], Awaitable[int]]]:
    """Open a connection; give what sends a request over it and gives the status, 0 for none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def send(request: bytes) -> int:
        try:
            writer.write(request)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        told = _LENGTH.search(head)
        if told is not None and not request.startswith(b"HEAD "):
            await asyncio.wait_for(reader.readexactly(int(told[1])), WAIT_S)
        return int(head.split(b" ", 2)[1])

    try:
        yield send
    finally:
        writer.close()


async def status_of(port: int, request: bytes) -> int:
    """Send one request on a connection of its own."""
    async with line(port) as send:
        return await send(request)


def request(
    method: str,
    path: str,
    key: str | None = None,
    *more: str,
    host: str = "127.0.0.1",
    body: bytes = b"{}",
) -> bytes:
    """Give the bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}", f"content-length: {len(body)}", *more]
    if key is not None:
        lines.append(f"authorization: Bearer {key}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def row_request(right: Right, key: str | None) -> bytes:
    """Give a request that a row's route answers."""
    method, path, more = asked_as(right)
    return request(method, path, key, *more)


def asked_as(right: Right) -> tuple[str, str, tuple[str, ...]]:
    """Give a method, a path and headers by which a row's route is asked for."""
    path = right.path.replace("{model:path}", "some/model").removesuffix(BELOW)
    if right.path.endswith(BELOW):
        path += "sim/fast:generateContent" if "v1beta" in path else "sim/chat/completions"
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + "one" + rest.partition("}")[2]
    if right.method == SOCKET:
        return "GET", path, ("upgrade: websocket", "connection: upgrade")
    return ("POST" if right.method == EVERY else right.method), path, ()


@asynccontextmanager
async def whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch, **variables: str
) -> AsyncIterator[World]:
    """Serve a gateway with keys of every kind."""
    told: list[tuple[Needs, str]] = []
    asked: set[tuple[str, str]] = set()
    declared: list[Right] = []

    class Watched(Gate):
        """The gate as it is, with nothing behind it but a note."""

        def __init__(
            self,
            authenticator: Authenticator,
            rights: Iterable[Right],
            words: Mapping[str, Words],
            entrance: Entrance | None,
        ) -> None:
            declared.extend(rights)
            super().__init__(authenticator, declared, words, entrance)
            self._who = authenticator

        def needs(self, method: str, path: str) -> Needs:
            found = super().needs(method, path)
            asked.add((method, path))
            return found

        def door(self, door: Door, needs: Needs, head: Head) -> Door:
            async def watched(exchange: Exchange) -> None:
                told.append((needs, key_of(exchange.head.headers)))
                wait = exchange.whole(ENTERED, b"", b"")
                if wait is not None:
                    await wait

            return super().door(watched, needs, head)

        def app(
            self, app: ASGIApp, needs: Mapping[str, Needs] | Needs, *, is_page: bool = False
        ) -> ASGIApp:
            async def watched(scope: Scope, receive: Receive, send: Send) -> None:
                needed = needs[scope["method"]] if isinstance(needs, Mapping) else needs
                told.append((needed, key_of(scope["headers"])))
                headers = [(b"content-length", b"0")]
                await send({"type": "http.response.start", "status": ENTERED, "headers": headers})
                await send({"type": "http.response.body", "body": b""})

            return super().app(watched, needs, is_page=is_page)

    monkeypatch.setattr(doors, "Gate", Watched)
    environment = {"HOME": str(folder), "OMNIROUTE_DATA_DIR": str(folder / "data"), **variables}
    settings, sources = load_settings({}, environment, folder)
    async with compose(settings, sources) as composed, listening(composed) as port:
        world = World(composed, port, tuple(declared), asked, told)
        carried = {
            **{scope: (scope,) for scope in ALL},
            **{f"-{scope}": tuple(one for one in SCOPES if one != scope) for scope in SCOPES},
            "-admin": SCOPES,
        }
        for name, scopes in carried.items():
            terms = KeyTerms(name=name, scopes=scopes)
            made = await composed.parts.storage.keys.create(terms, actor="test")
            world.keys[name] = made.text
        yield world


def key_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Give the key that a request presents, "" for none."""
    named = dict(headers)
    return named.get(b"authorization", b"").decode("latin-1").removeprefix("Bearer ")
