"""The gateway's application, put together in this process for one command.

It runs on an event loop in a thread of its own, entered and left by one task, and answers are
pulled from it step by step: a streamed answer is seen as it comes, and a slow reader slows the
application down instead of filling memory.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import Future
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.types import ASGIApp, Message, Scope

from ..settings import Settings, Sources
from .client import Answer
from .exits import UNAVAILABLE, Stop

MESSAGES_MAX = 16
"""Parts of an answer that may wait for their reader; the application waits beyond them."""
LEAVE_S_MAX = 10.0


class Composed(Protocol):
    """What compose gives: the application, and the token that gives admin rights in it."""

    @property
    def app(self) -> ASGIApp: ...

    @property
    def token(self) -> str: ...


@contextmanager
def composed_client(settings: Settings, sources: Sources) -> Iterator["AppClient"]:
    """Give a client of an application made for this command, and take it down at the end.

    Local model servers are looked for first, as a gateway that starts does.

    Raises:
        StorageUnavailable: the data folder's database cannot be used.
    """
    from ..compose import compose

    if settings.log_level != "debug":
        # What goes wrong is said once, by the command itself.
        logging.disable(logging.CRITICAL)

    @asynccontextmanager
    async def composing() -> AsyncGenerator[Composed]:
        async with compose(settings, sources) as composed:
            await composed.find_local()
            yield composed

    with composed_app(composing()) as client:
        yield client


@contextmanager
def composed_app(composing: AbstractAsyncContextManager[Composed]) -> Iterator["AppClient"]:
    """Run an application on a loop of its own and give a client of it."""
    failed: BaseException | None = None
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(composing) as composed,
    ):
        try:
            yield AppClient(portal, composed.app, composed.token)
        except BaseException as error:  # noqa: BLE001 - raised again below
            # A command that fails is no failure of the application: it is taken down as after
            # a good end, and everything queued is stored.
            failed = error
    if failed is not None:
        raise failed


class AppClient:
    """Calls an ASGI application from another thread than its loop's."""

    def __init__(self, portal: BlockingPortal, app: ASGIApp, token: str) -> None:
        self._portal = portal
        self._app = app
        self._token = token

    @contextmanager
    def open(
        self, method: str, path: str, body: bytes | None, *, timeout_s: float
    ) -> Iterator[Answer]:
        """Send a request and give its answer while it comes."""
        exchange = _Exchange(self._app, _scope(method, path, body, self._token), body or b"")
        running = self._portal.start_task_soon(exchange.run)
        try:
            status, headers = self._portal.call(exchange.head, timeout_s)
            yield Answer(status, headers, self._chunks(exchange, timeout_s))
        finally:
            self._portal.call(exchange.leave)
            _await_end(running)

    def _chunks(self, exchange: "_Exchange", timeout_s: float) -> Iterator[bytes]:
        while (chunk := self._portal.call(exchange.next_chunk, timeout_s)) is not None:
            yield chunk


class _Exchange:
    """One request through the application. Everything but its making runs on the loop."""

    def __init__(self, app: ASGIApp, scope: Scope, body: bytes) -> None:
        self._app = app
        self._scope = scope
        self._body: bytes | None = body
        self._left = asyncio.Event()
        self._ended = False
        self._to_us, self._messages = anyio.create_memory_object_stream[Message](MESSAGES_MAX)

    async def run(self) -> None:
        """Run the application to its end."""
        try:
            await self._app(self._scope, self._receive, self._send)
        finally:
            self._to_us.close()

    async def head(self, timeout_s: float) -> tuple[int, dict[str, str]]:
        """Give the answer's status and headers."""
        message = await self._next(timeout_s)
        if message is None:
            raise Stop("the gateway failed before it answered", UNAVAILABLE)
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in message.get("headers", ())
        }
        return int(message["status"]), headers

    async def next_chunk(self, timeout_s: float) -> bytes | None:
        """Give the next part of the body, None at its end."""
        if self._ended:
            return None
        message = await self._next(timeout_s)
        if message is None:
            raise Stop("the gateway broke off its answer", UNAVAILABLE)
        self._ended = not message.get("more_body", False)
        return bytes(message.get("body", b""))

    async def leave(self) -> None:
        """Tell the application that its client has gone."""
        self._left.set()
        self._messages.close()

    async def _next(self, timeout_s: float) -> Message | None:
        try:
            with anyio.fail_after(timeout_s):
                return await self._messages.receive()
        except anyio.EndOfStream:
            return None
        except TimeoutError:
            raise Stop(f"no answer within {timeout_s:g} s", UNAVAILABLE) from None

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        # A client that has gone reads nothing more: what is sent to it is dropped, as on a
        # closed connection.
        with suppress(anyio.BrokenResourceError):
            await self._to_us.send(message)


def _await_end(running: "Future[None]") -> None:
    """Wait until the application is done with a request, but not for ever.

    Its exception is not raised: the application has answered it with an error before.
    """
    try:
        running.exception(timeout=LEAVE_S_MAX)
    except TimeoutError:
        running.cancel()


def _scope(method: str, path: str, body: bytes | None, token: str) -> Scope:
    parts = urlsplit(path)
    headers = [
        (b"host", b"127.0.0.1"),
        (b"authorization", f"Bearer {token}".encode()),
        (b"accept", b"application/json, text/event-stream"),
    ]
    if body is not None:
        headers += [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(parts.path),
        "raw_path": quote(parts.path, safe="/%:@=+$!,~").encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": headers,
        "client": None,
        "server": ("127.0.0.1", 80),
        "state": {},
    }
