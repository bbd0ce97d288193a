"""Where bytes from outside arrive: what is refused before any door sees it.

A `Connection` reads HTTP/1.1 under bounds: a deadline and a cap for the head of a request,
exactly one Host, no ambiguous length, so many requests waiting on one connection. A request to
a hot door is answered by it without anything in between (own_exchange.py), in a task that is
cancelled when the client leaves; all others are put to the ASGI application (cycle.py).

Source for what the usual server does: measured, reference "reliability", 0.3; what its cycle
costs: reference "performance", 2.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn import Config
from uvicorn.server import ServerState

from omniroute.routing.errors import Interrupted

from .application import Application
from .cycle import Cycle
from .edge_answers import AMBIGUOUS, BODY_TOO_SLOW, HEAD_TOO_LARGE, HEAD_TOO_SLOW, Refusal
from .exchange import Head, Header
from .heads import HEAD_BYTES_MAX, address_of, path_of, refusal_of
from .own_exchange import READ_SLACK_BYTES, OwnExchange
from .pace import NEVER_S, Pace
from .remembered import Remembered, remember

PIPELINED_MAX = 8
"""So many requests may wait on one connection; then no more is read."""

log = logging.getLogger("omniroute")


class Connection(asyncio.Protocol):
    """HTTP/1.1 on one connection, its requests answered one after the other.

    Attributes:
        peer, here: addresses and ports of the other side and of ours.
        tunnel: takes all bytes of a connection that went over to another protocol.
        writable: None; while the client does not take what was sent, set when it has.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        app: Any = config.app
        self.app: Application = app
        self.loop = _loop or asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.peer: tuple[str, int] | None = None
        self.here: tuple[str, int] | None = None
        self.writable: asyncio.Event | None = None
        self.tunnel: Callable[[bytes], None] | None = None
        self._pace: Pace
        self._is_counted = False
        self._keep_alive_s = config.timeout_keep_alive
        self._state = server_state
        self._parser: Any = httptools.HttpRequestParser(self)
        # What follows a request that ends the connection must not keep it from being answered.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._is_deaf = self._is_ending = False
        self._is_read = True
        self._in_head = True
        self._head_bytes = 0
        self._url = b""
        self._headers: list[Header] = []
        # Of the requests whose head was read.
        self._remembered: Remembered | None = None
        self._arriving: OwnExchange | None = None
        self._unparsed_bytes = 0
        self._answering: OwnExchange | None = None
        self._latest: OwnExchange | None = None
        self._waiting: list[OwnExchange] = []

    # What the transport calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline of the first head, unless no more connections are taken."""
        self.transport = transport
        self.here = address_of(transport.get_extra_info("sockname"))
        self.peer = address_of(transport.get_extra_info("peername"))
        self._state.connections.add(self)  # type: ignore[arg-type]
        self._pace = Pace(self.loop, self._overdue, transport.abort)
        refusal = self.app.bounds.enter(self.peer)
        if refusal is not None:
            self._refuse(refusal)
            return
        self._is_counted = True
        self._pace.head_due()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop whoever answers, and forget what waits."""
        self._state.connections.discard(self)
        if self._is_counted:
            self.app.bounds.leave(self.peer)
        self._is_deaf, self.tunnel = True, None
        self._forget_waiting()
        self._pace.stop()
        answering, self._answering = self._answering, None
        if answering is not None:
            answering.leave()
        self.resume_writing()
        # The parser holds this connection, and so does a request that has not come in full.
        self._parser = self._arriving = None

    def pause_writing(self) -> None:
        """Have whoever answers wait: the client does not take what was sent."""
        self.writable = asyncio.Event()
        self._pace.not_taken()

    def resume_writing(self) -> None:
        """Let whoever answers go on, or the next request begin."""
        writable, self.writable = self.writable, None
        self._pace.taken()
        if self.transport.is_closing():
            self._pace.not_taken()
        if writable is not None:
            writable.set()
            self._next()

    def data_received(self, data: bytes) -> None:
        """Read what came: a request that is whole and like the last one, or part of any."""
        if self._is_deaf:
            if self.tunnel is not None:
                self.tunnel(data)
            return
        remembered = self._remembered
        if remembered is not None and self._arriving is None and not self._in_head:
            body = remembered.body_of(data)
            if body is not None:
                exchange = OwnExchange(self, remembered.head, remembered.door)
                exchange.body = body
                self._take(exchange)
                return
        self._parse(data)

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Begin to read the next head."""
        self._url, self._headers = b"", []
        if not self._in_head:
            self._in_head, self._head_bytes, self._pace.due_s = True, 0, NEVER_S

    def on_url(self, url: bytes) -> None:
        """Take a part of the request's target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes after a body in parts is none."""
        if self._in_head:
            # The parser has left out what stands before a value, and not what stands after it,
            # which belongs to it as little. Source: RFC 9110, section 5.5.
            self._headers.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Refuse what two servers could read in two ways."""
        self._in_head, self._pace.due_s = False, NEVER_S
        parser = self._parser
        refusal = refusal_of(self._headers, self._url, parser.get_http_version())
        if refusal is not None:
            self._refuse(refusal)
        elif parser.should_upgrade() and b"transfer-encoding" in dict(self._headers):
            self._refuse(AMBIGUOUS)
        elif not self._is_deaf:
            self._arriving = self._exchange()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if self._arriving is not None:
            self._arriving.take(body)

    def on_message_complete(self) -> None:
        """Have the request answered, unless that began when only its head was there."""
        if self._unparsed_bytes:
            return
        exchange, self._arriving = self._arriving, None
        if exchange is not None:
            exchange.finish()
            if not exchange.was_taken:
                self._latest = exchange
                self._take(exchange)
            else:
                self._pace.due_in(self._keep_alive_s if exchange.is_answered else NEVER_S)

    # What exchanges call.

    def answered(self, exchange: OwnExchange) -> None:
        """Go on with the next request, after the answer to one is sent."""
        self._answering = None
        self._state.total_requests += 1
        if self._is_deaf or not exchange.keeps_alive:
            self.close()
            return
        if not self._is_read:
            self.resume_reading()
        if self._waiting:
            self._next()
        elif not self._in_head:
            self._pace.due_in(self._keep_alive_s)

    def ended(self, task: "asyncio.Task[None] | None") -> None:
        """Forget the task that has answered."""
        if task is not None:
            self._state.tasks.discard(task)

    def close(self) -> None:
        """End the connection when all that was written is sent."""
        self._is_deaf, self._answering = True, None
        self._forget_waiting()
        self._pace.due_s = NEVER_S
        if self.transport.get_write_buffer_size():
            self._pace.not_taken()
        self.transport.close()

    def give_up(self, exchange: OwnExchange, refusal: Refusal) -> None:
        """End a request whose body will not come in full, and its connection."""
        if exchange is self._answering:
            exchange.fail(refusal)
            exchange.leave()
        else:
            self._refuse(refusal)

    def pause_reading(self) -> None:
        """Read no more for now."""
        if self._is_read:
            self._is_read = False
            self._pace.due_s = NEVER_S
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again, unless so many requests wait that no more are read."""
        if not self._is_read and len(self._waiting) < PIPELINED_MAX:
            self._is_read = True
            self.transport.resume_reading()
            if self._arriving is not None:
                self._pace.body_due()

    # What the server calls.

    def shutdown(self) -> None:
        """End after the request that is being answered, or is under way to us."""
        if self._is_ending:
            return
        self._is_ending, self._remembered = True, None
        if self._answering is not None:
            self._answering.be_last()
        elif not (self._head_bytes if self._in_head else self._arriving):
            self._pace.ending_due()

    def cut(self, reason: Interrupted, *, hot: bool) -> None:
        """End the answer that is being given; if `hot`, only that of a hot door."""
        if self._answering is None:
            self.close()
        else:
            self._answering.cut(reason, hot=hot)

    def _parse(self, data: bytes) -> None:
        if self._unparsed_bytes:
            self._take_unparsed(data)
            return
        begins = self._arriving is None and not self._in_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as wish:
            self._take_unparsed(data[wish.args[0] :])
        except httptools.HttpParserError as error:
            if isinstance(error, httptools.HttpParserCallbackError):
                log.exception("unexpected_error")
            self._refuse(AMBIGUOUS)
        if self._is_deaf:
            return
        if self._in_head:
            self._measure(len(data))
            return
        exchange, (latest, self._latest) = self._arriving, (self._latest, None)
        if exchange is not None and not exchange.was_taken:
            self._take(exchange)
        elif begins and latest is not None and latest.door is not None:
            self._remembered = remember(data, latest, latest.door) or self._remembered
        if exchange is not None:
            self._await_body(exchange, len(data))

    def _take_unparsed(self, data: bytes) -> None:
        """Take the body of a request that wishes for another protocol: the parser stops at it.

        No other is spoken here, and what comes after the body may be one.
        """
        exchange, due = self._arriving, self._unparsed_bytes
        if exchange is not None and due and data:
            exchange.take(data[:due])
            self._unparsed_bytes = max(due - len(data), 0)
            self._await_body(exchange, len(data))
        if not self._unparsed_bytes:
            self.on_message_complete()
            self._is_deaf = True

    def _measure(self, size: int) -> None:
        """Bound the head that has come in part."""
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES_MAX + READ_SLACK_BYTES:
            self._refuse(HEAD_TOO_LARGE)
        elif self._pace.due_s == NEVER_S:
            self._pace.head_due()

    def _await_body(self, exchange: OwnExchange, size: int) -> None:
        """Bound how slowly a body comes, and what comes around its parts."""
        if not exchange.is_framed_within(size):
            self.give_up(exchange, AMBIGUOUS)
        elif self._is_read and not self._is_deaf:
            self._pace.body_came(size, is_first=exchange.read_bytes == size)

    def _exchange(self) -> OwnExchange | None:
        """Give the request whose head is complete, None when its target is not one."""
        parser, version = self._parser, self._parser.get_http_version()
        url, path = path_of(self._url)
        if path is None:
            self._refuse(AMBIGUOUS)
            return None
        peer, here = self.peer or (None, 0), self.here or ("", None)
        method = parser.get_method().decode("ascii")
        head = Head(method, path, self._headers, peer=peer[0], port=here[1])
        head.query = url.query or b""
        exchange = OwnExchange(self, head, self.app.hot_door(head))
        exchange.url, exchange.version = url, version
        keeps_alive = version != "1.0" and parser.should_keep_alive()
        exchange.keeps_alive = keeps_alive and not self._is_ending
        if parser.should_upgrade():
            exchange.keeps_alive = False
            self._unparsed_bytes = int(head.named.get(b"content-length", b"0"))
        exchange.awaits_continue = head.named.get(b"expect", b"").lower() == b"100-continue"
        return exchange

    def _take(self, exchange: OwnExchange) -> None:
        exchange.was_taken = True
        self._pace.due_s = NEVER_S
        if self._answering is None and self.writable is None:
            self._begin(exchange)
            return
        self._waiting.append(exchange)
        # What is not read cannot show that the client left.
        if len(self._waiting) >= PIPELINED_MAX:
            self.pause_reading()

    def _next(self) -> None:
        if self._waiting and self._answering is None and self.writable is None:
            self._begin(self._waiting.pop(0))

    def _begin(self, exchange: OwnExchange) -> None:
        self._answering = exchange
        self.app.turnstile.enter(self._start, self.loop)

    def _start(self) -> None:
        exchange = self._answering
        if exchange is None:  # The client left before its turn came.
            return
        answering = exchange.run() if exchange.door is not None else Cycle(exchange).run()
        exchange.task = task = self.loop.create_task(answering)
        self._state.tasks.add(task)

    def _refuse(self, refusal: Refusal) -> None:
        """Read no more, and say why unless that would cut another answer in two."""
        if self._is_deaf:
            return
        exchange, answering = self._arriving, self._answering
        if exchange is not None and exchange is answering:
            self.give_up(exchange, refusal)
            return
        self._is_deaf = True
        self._forget_waiting()
        self._arriving = None
        if answering is not None:
            answering.keeps_alive = False
            return
        if exchange is None or not exchange.is_answered:
            self.transport.write(self.app.refused.answer(refusal, self.peer and self.peer[0]))
        self.close()

    def _forget_waiting(self) -> None:
        for exchange in (*self._waiting, self._arriving):
            if exchange is not None:
                exchange.let_go()
        self._waiting.clear()

    def _overdue(self) -> None:
        """Let the connection go: what was due has not come."""
        if self._in_head and not (self._is_ending and not self._head_bytes):
            self._refuse(HEAD_TOO_SLOW)
        elif self._arriving is not None:
            self.give_up(self._arriving, BODY_TOO_SLOW)
        else:
            self.close()
