"""Where bytes arrive and leave: the web server's own protocol, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import uvicorn

from omniroute.server.cycle import LEFT
from omniroute.server.edge import GuardedProtocol

pytestmark = pytest.mark.anyio

WAIT_S = 5.0
OK_HEAD = {"type": "http.response.start", "status": 200}
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass
class App:
    """Answers by path; `told` is what it noticed."""

    told: list[str] = field(default_factory=list[str])
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        answer = getattr(self, "answer_" + scope["path"].strip("/"))
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
        scope[LEFT](self._leave)
        await self.gone.wait()

    def _leave(self) -> None:
        self.told.append("left")
        self.gone.set()

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


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    app = App()
    config = uvicorn.Config(
        cast(Any, app),
        http=GuardedProtocol,
        port=0,
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
    yield Served(app, server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    await running


def post(path: str, body: str = "", *headers: str, version: str = "1.1") -> str:
    named = "".join(f"{one}\r\n" for one in headers)
    length = f"content-length: {len(body)}\r\n"
    return f"POST /{path} HTTP/{version}\r\nhost: h\r\n{length}{named}\r\n{body}"


async def test_a_whole_answer_comes_back_and_the_connection_serves_the_next(
    served: Served,
) -> None:
    got = await served.ask(post("whole", "first"), post("whole", "2nd", "connection: close"))

    assert got == (
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst"
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\n2nd"
    )


async def test_a_stream_is_chunked_and_ends_once(served: Served) -> None:
    got = await served.ask(post("stream", "", "connection: close"))

    head, _, body = got.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert body == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


async def test_the_head_of_a_stream_does_not_wait_for_its_first_part(served: Served) -> None:
    got = await served.ask(post("late"), until=b"\r\n\r\n")

    assert got.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_whoever_answers_is_told_at_once_that_the_client_left(served: Served) -> None:
    await served.ask(post("late"), until=b"\r\n\r\n")

    await asyncio.wait_for(served.app.gone.wait(), WAIT_S)
    assert served.app.told == ["left"]


async def test_a_client_that_leaves_with_a_second_request_waiting_stops_the_first(
    served: Served,
) -> None:
    await served.ask(post("late"), post("whole", "x"), until=b"\r\n\r\n")

    await asyncio.wait_for(served.app.gone.wait(), WAIT_S)
    assert served.app.told == ["left"]


@pytest.mark.parametrize("path", ["injected", "short"])
async def test_an_answer_that_no_client_could_read_rightly_is_cut_off(
    served: Served, path: str
) -> None:
    got = await served.ask(post(path))

    assert b"stolen" not in got
    assert b"four" not in got


async def test_an_answer_is_not_sent_twice(served: Served) -> None:
    await served.ask(post("twice", "x", "connection: close"))

    assert served.app.told == ["http.response.body is due, not 'http.response.body'"]


async def test_a_head_request_gets_the_head_alone(served: Served) -> None:
    got = await served.ask("HEAD /whole HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")

    assert got == b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


async def test_a_connection_of_the_old_version_ends_after_its_answer(served: Served) -> None:
    got = await served.ask(post("whole", "old", version="1.0"))

    assert got.endswith(b"connection: close\r\n\r\nold")


@pytest.mark.parametrize(
    "request_head",
    [
        "POST /whole HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
        "POST /whole HTTP/1.1\r\nhost: a\r\nhost: b\r\ncontent-length: 0\r\n\r\n",
        "POST /whole HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n"
        "transfer-encoding: chunked\r\n\r\n",
        "nonsense\r\n\r\n",
    ],
    ids=["no host", "two hosts", "two lengths", "no request"],
)
async def test_what_two_servers_could_read_in_two_ways_is_refused(
    served: Served, request_head: str
) -> None:
    got = await served.ask(request_head)

    assert got.startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_a_head_that_is_too_large_is_refused(served: Served) -> None:
    got = await served.ask(post("whole", "", "x-long: " + "a" * 100_000))

    assert got.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
