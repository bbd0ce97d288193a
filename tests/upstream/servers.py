"""Loopback servers that do what a test says, byte by byte, and calls that go to them."""

import asyncio
import contextlib
import functools
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TypedDict, Unpack

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import (
    Account,
    Call,
    Candidate,
    Dialect,
    Features,
    Limits,
    Operation,
)
from omniroute.routing.ports import Answer
from omniroute.routing.upstream.egress import Resolve
from omniroute.routing.upstream.tls import verifying_context
from omniroute.routing.upstream.upstream import HttpUpstream

WAIT_S = 5.0
"""The most that any wait of a test takes before the test fails."""

LIMITS = Limits(connect_s=2.0, first_byte_s=3.0, idle_s=3.0, total_s=5.0)
BODY = b'{"model":"fast","messages":[{"role":"user","content":"hi"}]}'
STREAM_BODY = BODY[:-1] + b',"stream":true}'

EVENT = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    b'[{"index":0,"delta":{"role":"assistant","content":"hello"},"finish_reason":null}]}\n\n'
)
FINISH = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    b'[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
)
DONE = b"data: [DONE]\n\n"
EVENTS = EVENT + FINISH + DONE
ANSWER = (
    b'{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}'
)
SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def chunked(*parts: bytes) -> bytes:
    """Give the parts as chunks, without the last one."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


def whole(body: bytes = ANSWER, *, status: str = "200 OK", headers: bytes = b"") -> bytes:
    """Give a whole answer with its length."""
    kind = b"" if b"content-type" in headers else b"content-type: application/json\r\n"
    return b"HTTP/1.1 %s\r\n%s%scontent-length: %d\r\n\r\n%s" % (
        status.encode(),
        kind,
        headers,
        len(body),
        body,
    )


STREAM = SSE_HEAD + chunked(EVENT, FINISH, DONE) + b"0\r\n\r\n"


@dataclass
class Exchange:
    """One request that a server got, and how it can answer."""

    connection: int
    head: bytes
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def header(self, name: bytes) -> bytes | None:
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b": ")
            if key.lower() == name:
                return value
        return None

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            if self.writer.is_closing():
                raise ConnectionResetError("the client has left")
            self.writer.write(part)
            await self.writer.drain()

    def close(self) -> None:
        self.writer.close()

    def hang_up(self) -> None:
        """Close our direction of the socket as it is, without the farewell that TLS has."""
        made: socket.socket = self.writer.get_extra_info("socket")
        with socket.socket(fileno=os.dup(made.fileno())) as same:
            same.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection off, so that the peer sees a reset and no end."""
        made: socket.socket = self.writer.get_extra_info("socket")
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Exchange], Awaitable[None]]


@dataclass
class Server:
    """What a server saw. `gone` is set when a client has closed its connection."""

    port: int
    scheme: str = "http"
    connections: int = 0
    left: int = 0
    requests: list[Exchange] = field(default_factory=list[Exchange])
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/v1"


@contextlib.asynccontextmanager
async def serving(
    script: Script, *, tls: ssl.SSLContext | None = None, read_body: bool = True
) -> AsyncIterator[Server]:
    """Serve on a free port of loopback; the script answers each request."""
    seen = Server(0, "https" if tls else "http")
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        seen.connections += 1
        number = seen.connections
        try:
            while not writer.is_closing():
                exchange = await _next(number, reader, writer, read_body=read_body)
                seen.requests.append(exchange)
                await script(exchange)
        except (asyncio.IncompleteReadError, ConnectionError):
            seen.gone.set()
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            seen.left += 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _next(
    number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, read_body: bool
) -> Exchange:
    head = await reader.readuntil(b"\r\n\r\n")
    exchange = Exchange(number, head, b"", reader, writer)
    length = int(exchange.header(b"content-length") or b"0")
    return replace(exchange, body=await reader.readexactly(length)) if read_body else exchange


@dataclass
class FixedClock:
    """A clock that stands still."""

    unix_s: float = 1_700_000_000.0

    def now(self) -> float:
        return 0.0

    def unix(self) -> float:
        return self.unix_s


@functools.cache
def system_store(*protocols: str) -> ssl.SSLContext:
    """Give the context that is used without any options, read once for all tests."""
    return verifying_context(*protocols)


class Options(TypedDict, total=False):
    """The options of an HttpUpstream."""

    tls: Callable[..., ssl.SSLContext]
    own_addresses: tuple[tuple[str, int], ...]
    allow_private: Callable[[Account], bool]
    resolve: Resolve


@contextlib.asynccontextmanager
async def upstream(**options: Unpack[Options]) -> AsyncIterator[HttpUpstream]:
    """Give an upstream that is closed at the end, with all its connections."""
    options.setdefault("tls", system_store)
    made = HttpUpstream(FixedClock(), **options)
    try:
        yield made
    finally:
        made.close()
        await settle()


async def settle() -> None:
    """Let the loop finish what has been started."""
    for _ in range(10):
        await asyncio.sleep(0)


class Asked(TypedDict, total=False):
    """What a test may ask of `call_to` beside its URL."""

    stream: bool
    limits: Limits
    dialect: Dialect
    client: Dialect
    credential: str | None
    headers: tuple[tuple[str, str], ...]
    body: bytes
    model: str
    forward: bool


def call_to(url: str, **asked: Unpack[Asked]) -> Call:
    """Give a call to an account at that URL; `client` is the dialect of the body."""
    dialect = asked.get("dialect", "openai_chat")
    stream = asked.get("stream", False)
    account = Account(
        account_id=f"acc-{url}",
        provider="mock",
        dialect=dialect,
        base_url=url,
        credential=asked.get("credential", "sk-fake-upstream-credential"),
    )
    operation = Operation(
        kind="chat",
        dialect=asked.get("client", "openai_chat"),
        body=asked.get("body", STREAM_BODY if stream else BODY),
        features=Features(stream=stream),
        model_in_body="fast",
        forward=asked.get("forward", True),
    )
    return Call(
        request_id="req_1",
        attempt=1,
        candidate=Candidate(account.account_id, "mock", asked.get("model", "fast"), dialect),
        account=account,
        operation=operation,
        limits=asked.get("limits", LIMITS),
        headers=asked.get("headers", ()),
    )


async def read_all(answer: Answer) -> bytes:
    """Give all forwarded bytes, within WAIT_S, and close the answer."""
    try:
        async with asyncio.timeout(WAIT_S):
            return b"".join([piece.raw async for piece in answer])
    finally:
        answer.close()


async def ask(made: HttpUpstream, call: Call) -> bytes:
    """Open the call and give the whole answer."""
    async with asyncio.timeout(WAIT_S):
        answer = await made.open(call)
    return await read_all(answer)


async def failure_of(made: HttpUpstream, call: Call) -> UpstreamFailure:
    """Give the failure that the call ends in, at whatever stage."""
    try:
        answered = await ask(made, call)
    except UpstreamFailure as failure:
        return failure
    raise AssertionError(f"no failure, but {answered!r}")
