"""A request that is not hot, put to the ASGI application.

It differs from what the usual server does in two things. The head of an answer leaves in one
write with the first part of its body, or as soon as the event loop turns where none comes. And
headers are checked in one look instead of one for each name and value.
"""

import asyncio
import logging

from starlette.types import Message, Scope

from omniroute.routing.errors import interruption

from .edge_answers import FAULT, STOPPING, Refusal
from .exchange import Header, headers_of
from .own_exchange import CHUNKED, CLOSE, LAST_CHUNK, STATUS_LINES, OwnExchange
from .request_ids import request_id_of

ASGI = {"version": "3.0", "spec_version": "2.3"}
EXCHANGE = "omniroute.exchange"
"""Where a scope holds what is asked and answered on a connection of ours."""
_NO_BODY = frozenset({204, 304})
_NOTED = frozenset({b"content-length", b"transfer-encoding", b"connection"})

log = logging.getLogger("omniroute")


class Cycle:
    """One request and its answer under ASGI, on a connection that may carry more of them."""

    def __init__(self, exchange: OwnExchange) -> None:
        self._exchange = exchange
        self._changed = asyncio.Event()
        self._head: bytes | None = None
        self._is_chunked: bool | None = None
        self._bytes_due = 0
        if exchange.has_come():
            self._changed.set()
        exchange.on_part = exchange.on_left = self._changed.set

    async def run(self) -> None:
        """Have the application answer."""
        exchange = self._exchange
        connection = exchange.connection
        scope = self._scope()
        try:
            await connection.app(scope, self.receive, self.send)
            if not exchange.is_answered and not exchange.has_left:
                log.error("no_answer", extra={"request_id": request_id_of(scope)})
                self._fail(request_id_of(scope))
        except asyncio.CancelledError as cancelled:
            refusal = STOPPING if interruption(cancelled) is not None else FAULT
            if not exchange.has_left and not exchange.is_started:
                connection.app.refused.note(refusal, request_id_of(scope), exchange.head.peer)
            self._fail(request_id_of(scope), refusal)
            raise
        except BaseException as error:
            log.error(
                "unexpected_error", exc_info=error, extra={"request_id": request_id_of(scope)}
            )
            self._fail(request_id_of(scope))
            if not isinstance(error, Exception):
                raise
        finally:
            # They hold each other.
            exchange.on_part = exchange.on_left = None
            exchange.let_go()
            connection.ended(exchange.task)

    async def receive(self) -> Message:
        """Give the next part of the body, or that the client has left."""
        exchange = self._exchange
        if not (exchange.has_left or exchange.is_answered):
            exchange.tell_to_continue()
            await self._changed.wait()
            self._changed.clear()
        if exchange.has_left or exchange.is_answered:
            return {"type": "http.disconnect"}
        body = exchange.taken()
        return {"type": "http.request", "body": body, "more_body": not exchange.is_here}

    async def send(self, message: Message) -> None:
        """Send one message of an answer; waits while the client does not take what was sent.

        Raises:
            RuntimeError: the message is not the one that is due, or a header is none.
        """
        exchange = self._exchange
        writable = exchange.connection.writable
        if writable is not None:
            await writable.wait()
        if exchange.has_left:
            return
        due = "body" if exchange.is_started else "start"
        if exchange.is_answered or message["type"] != f"http.response.{due}":
            raise RuntimeError(f"http.response.{due} is due, not {message['type']!r}")
        if exchange.is_started:
            self._send_body(message.get("body", b""), more_body=message.get("more_body", False))
        else:
            self._start(message["status"], message.get("headers", ()))

    def _scope(self) -> Scope:
        exchange = self._exchange
        head, url, connection = exchange.head, exchange.url, exchange.connection
        return {
            "type": "http",
            "asgi": ASGI,
            "http_version": exchange.version,
            "server": connection.here,
            "client": connection.peer,
            "scheme": "http",
            "root_path": "",
            "method": head.method,
            "path": head.path,
            "raw_path": url.path,
            "query_string": url.query or b"",
            "headers": head.headers,
            "state": {},
            EXCHANGE: exchange,
        }

    def _fail(self, request_id: str, refusal: Refusal = FAULT) -> None:
        exchange = self._exchange
        if exchange.has_left or exchange.is_answered:
            return
        if exchange.is_started:
            exchange.connection.close()
            return
        named = refusal.named(request_id)
        length = (b"content-length", b"%d" % len(named.body))
        headers = [*headers_of(named.lines), length, (b"connection", b"close")]
        self._start(named.status, headers)
        self._send_body(named.body, more_body=False)

    def _start(self, status: int, headers: list[Header]) -> None:
        exchange = self._exchange
        exchange.begin()
        lines = [STATUS_LINES[status]]
        says_close = False
        for any_name, value in headers:
            name = any_name.lower()
            lines.append(b"%b: %b\r\n" % (name, value))
            if name in _NOTED:
                says_close = self._note(name, value) or says_close
        if not exchange.keeps_alive and not says_close:
            lines.append(CLOSE)
        if self._is_chunked is None and not self._has_no_body(status):
            self._is_chunked = True
            lines.append(CHUNKED)
        lines.append(b"\r\n")
        head = b"".join(lines)
        # Every line ends once, so a header that holds a line's end shows in the count.
        if not head.count(b"\r") == head.count(b"\n") == len(lines) or b"\0" in head:
            raise RuntimeError("an answer's header holds what no header may")
        self._head = head
        if self._is_chunked:
            # The first part of a stream may be long in coming.
            exchange.connection.loop.call_soon(self._flush)

    def _note(self, name: bytes, value: bytes) -> bool:
        """See what a header says of the answer's length; gives whether it ends the connection."""
        if name == b"content-length" and self._is_chunked is None:
            self._bytes_due = int(value)
            self._is_chunked = False
        elif name == b"transfer-encoding" and value.lower() == b"chunked":
            self._bytes_due = 0
            self._is_chunked = True
        elif name == b"connection" and b"close" in value.lower():
            self._exchange.keeps_alive = False
            return True
        return False

    def _has_no_body(self, status: int) -> bool:
        return status in _NO_BODY or self._exchange.head.method == "HEAD"

    def _send_body(self, body: bytes, *, more_body: bool) -> None:
        if self._exchange.head.method == "HEAD":
            self._bytes_due = 0
            body = b""
        elif self._is_chunked:
            if body:
                body = b"%x\r\n%b\r\n" % (len(body), body)
            if not more_body:
                body += LAST_CHUNK
        else:
            self._bytes_due -= len(body)
            if self._bytes_due < 0 or (self._bytes_due and not more_body):
                raise RuntimeError("the answer's body is not as long as its content-length says")
        self._flush(body)
        if not more_body:
            self._exchange.is_answered = True
            self._changed.set()
            self._exchange.connection.answered(self._exchange)

    def _flush(self, body: bytes = b"") -> None:
        head, self._head = self._head, None
        if head is not None:
            body = head + body
        transport = self._exchange.connection.transport
        if body and not transport.is_closing():
            transport.write(body)
