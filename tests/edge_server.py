"""An application on connections of our own, and a client that sends it raw bytes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import uvicorn

from omniroute.routing.errors import TooLarge
from omniroute.server.bounds import Bounds
from omniroute.server.edge import Connection
from omniroute.server.exchange import Door, Exchange, Head
from omniroute.server.refused import Refused
from omniroute.server.turnstile import Turnstile

WAIT_S = 5.0
OK_HEAD = {"type": "http.response.start", "status": 200}
LONG = b"x" * 200_000
BODY_BYTES_MAX = 1_000_000
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass
class App:
    """Answers by path; `told` is what it noticed. What is not under /asgi/ is hot."""

    told: list[str] = field(default_factory=list[str])
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    heads: list[Head] = field(default_factory=list[Head])
    busy: int = 0
    last_s: float = 0.0
    turnstile: Turnstile = field(default_factory=Turnstile)
    bounds: Bounds = field(default_factory=Bounds)
    refused: Refused = field(default_factory=Refused)

    def hot_door(self, head: Head) -> Door | None:
        self.heads.append(head)
        return getattr(self, "hot_" + head.path.strip("/"), None)

    async def hot_whole(self, exchange: Exchange) -> None:
        body = exchange.body
        if body is None:
            self.told.append("unread")
            try:
                body = await exchange.read(BODY_BYTES_MAX)
            except TooLarge:
                exchange.whole(413, b"", b"too large")
                return
        exchange.whole(200, b"", body)

    async def hot_names(self, exchange: Exchange) -> None:
        await exchange.read(BODY_BYTES_MAX)
        exchange.whole(200, b"", b" ".join(name for name, _ in exchange.head.headers))

    async def hot_slow(self, exchange: Exchange) -> None:
        await self.opened.wait()
        await self.hot_whole(exchange)

    async def hot_stream(self, exchange: Exchange) -> None:
        exchange.start(200, b"x-a: b\r\n")
        for part in (b"one", b"", b"two"):
            exchange.write(part)
        exchange.end()

    async def hot_late(self, exchange: Exchange) -> None:
        """Send the head of a stream, then nothing until the client is gone."""
        exchange.start(200, b"")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.told.append("left")
            self.gone.set()
            raise

    async def hot_flood(self, exchange: Exchange) -> None:
        """Send more than a connection holds to a client that does not read."""
        exchange.start(200, b"")
        sent = 0
        while (wait := exchange.write(LONG)) is None:
            sent += len(LONG)
        self.told.append("waits" if sent < 50 * len(LONG) else "floods")
        self.opened.set()
        await wait
        exchange.end(b"end")

    async def hot_pages(self, exchange: Exchange) -> None:
        """Answer with more than a connection holds, at once."""
        exchange.whole(200, b"", 50 * LONG)

    async def hot_twice(self, exchange: Exchange) -> None:
        await self.hot_whole(exchange)
        try:
            await self.hot_whole(exchange)
        except RuntimeError as error:
            self.told.append(str(error))

    async def hot_silent(self, exchange: Exchange) -> None:
        """Give no answer."""

    async def hot_half(self, exchange: Exchange) -> None:
        exchange.start(200, b"")
        exchange.write(b"half")
        raise ValueError("a fault of ours")

    async def hot_faulty(self, exchange: Exchange) -> None:
        raise ValueError("a fault of ours")

    async def hot_refused(self, exchange: Exchange) -> None:
        """Refuse before the body is read."""
        exchange.whole(401, b"", b"no")

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        answer = getattr(self, "answer_" + scope["path"].removeprefix("/asgi/"))
        await answer(scope, receive, send)

    async def answer_whole(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        body = (await receive())["body"]
        await send({**OK_HEAD, "headers": [(b"Content-Length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    async def answer_stream(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        await send({**OK_HEAD, "headers": []})
        for part in (b"one", b"", b"two"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def answer_late(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        """Send the head of a stream, then nothing until the client is gone."""
        await send({**OK_HEAD, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass
        self.told.append("left")
        self.gone.set()

    async def answer_parts(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        """Answer with the length of what came, part by part."""
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
        body = b"%d" % size
        await send({**OK_HEAD, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    async def answer_flood(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        """Send more than a connection holds to a client that does not read."""
        await receive()
        await send({**OK_HEAD, "headers": []})
        for _ in range(50):
            self.opened.set()
            await send({"type": "http.response.body", "body": LONG, "more_body": True})
        self.told.append((await receive())["type"])
        self.gone.set()

    async def answer_names(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        """Answer with the names of the headers, once the body is here."""
        while (await receive())["more_body"]:
            pass
        body = b" ".join(name for name, _ in scope["headers"])
        await send({**OK_HEAD, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    async def answer_injected(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        await send({**OK_HEAD, "headers": [(b"x-words", b"a\r\nset-cookie: stolen=1")]})

    async def answer_short(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        await send({**OK_HEAD, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"four"})

    async def answer_twice(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        await self.answer_whole(scope, receive, send)
        try:
            await send({"type": "http.response.body", "body": b"again"})
        except RuntimeError as error:
            self.told.append(str(error))


@dataclass
class Served:
    app: App
    port: int
    server: uvicorn.Server

    async def ask(self, *requests: str, until: bytes | None = None) -> bytes:
        """Send requests in one piece and read until the connection ends, or `until` is there."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write("".join(requests).encode())
        try:
            async with asyncio.timeout(WAIT_S):
                return await (reader.read() if until is None else reader.readuntil(until))
        finally:
            writer.close()
            await writer.wait_closed()


@asynccontextmanager
async def serving(app: App, port: int = 0) -> AsyncIterator[Served]:
    """Serve an application on connections of our own, on a port of its own."""
    config = uvicorn.Config(
        cast(Any, app),
        http=Connection,
        port=port,
        lifespan="off",
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    async with asyncio.timeout(WAIT_S):
        while not server.started:
            await asyncio.sleep(0.01)
    try:
        yield Served(app, server.servers[0].sockets[0].getsockname()[1], server)
    finally:
        server.should_exit = True
        await running


def post(path: str, body: str = "", *headers: str, version: str = "1.1") -> str:
    named = "".join(f"{one}\r\n" for one in headers)
    length = f"content-length: {len(body)}\r\n"
    return f"POST /{path} HTTP/{version}\r\nhost: h\r\n{length}{named}\r\n{body}"


async def answer_of(reader: asyncio.StreamReader) -> bytes:
    """Give the body of the next answer, which has to be a 200."""
    async with asyncio.timeout(WAIT_S):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head
        return await reader.readexactly(length_in(head))


def length_in(head: bytes) -> int:
    return int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
