"""Where bytes from outside arrive: what is refused before any door sees it.

Two parts. `GuardedProtocol` is the web server's own protocol with the bounds that it lacks: a
deadline for the head of a request, a cap on its size, exactly one Host, no ambiguous length.
`Guard` looks at the Host and Origin of every request, whatever its route, so that a web page
in the user's browser cannot reach a gateway on loopback by a name of its own (DNS rebinding)
or by a cross-site request.

Source for what the default server does: measured, reference "reliability", 0.3.
"""

import asyncio
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

import httptools
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from .cycle import Cycle

HEAD_S_MAX = 5.0
HEAD_BYTES_MAX = 64 * 1024
PIPELINED_MAX = 8
"""How many requests may wait on one connection before no more are read."""
READ_SLACK_BYTES = 256 * 1024
"""How much of a body may arrive in the same read as the end of the head."""


class GuardedProtocol(HttpToolsProtocol):
    """HTTP/1.1 with a deadline and a cap on the head, one Host and one length."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline of the first head."""
        super().connection_made(transport)
        self._head_bytes = 0
        self._head_done = False
        self._answered: RequestResponseCycle | None = None
        self._deadline = self.loop.call_later(HEAD_S_MAX, self._late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the deadline, and tell whoever answers."""
        self._deadline.cancel()
        # The server forgets its keep-alive timer when a connection breaks off, and with it the
        # connection stays in memory until the timer is over.
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        # The server tells only the newest request, which with pipelining is not the one that is
        # being answered.
        answered = self._answered
        if isinstance(answered, Cycle) and not answered.response_complete:
            answered.disconnected = True
            answered.message_event.set()
            answered.left()

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head that is not complete."""
        if not self._head_done:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX + READ_SLACK_BYTES:
                self._refuse(b"431 Request Header Fields Too Large")
                return
        if not self.transport.is_closing():
            super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin to measure the next head on the connection."""
        super().on_message_begin()
        if self._head_done:
            self._head_done, self._head_bytes = False, 0
            self._deadline = self.loop.call_later(HEAD_S_MAX, self._late)

    def on_headers_complete(self) -> None:
        """Refuse what two servers could read in two ways."""
        self._head_done = True
        self._deadline.cancel()
        names = [name for name, _ in self.headers]
        size = sum(len(name) + len(value) for name, value in self.headers)
        if size > HEAD_BYTES_MAX:
            self._refuse(b"431 Request Header Fields Too Large")
        elif (
            names.count(b"host") != 1
            or names.count(b"content-length") > 1
            or (b"content-length" in names and b"transfer-encoding" in names)
        ):
            self._refuse(b"400 Bad Request")
        else:
            self._begin()

    def _begin(self) -> None:
        """Answer the request whose head is complete, after those that came before it."""
        version, scope = self.parser.get_http_version(), self.scope
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = version
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = url.path
        scope["query_string"] = url.query or b""
        before, self.cycle = (
            self.cycle,
            Cycle(
                scope=scope,
                transport=self.transport,
                flow=self.flow,
                logger=self.logger,
                access_logger=self.access_logger,
                access_log=False,
                default_headers=[],
                message_event=asyncio.Event(),
                expect_100_continue=self.expect_100_continue,
                keep_alive=version != "1.0" and self.parser.should_keep_alive(),
                on_response=self.on_response_complete,
            ),
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.pipeline.appendleft((self.cycle, self.app))
            # What is not read cannot show that the client left.
            if len(self.pipeline) >= PIPELINED_MAX:
                self.flow.pause_reading()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def _late(self) -> None:
        """A connection that has sent nothing yet, or only part of a head, is let go."""
        if not self._head_done and not self.transport.is_closing():
            self._refuse(b"408 Request Timeout")

    def _refuse(self, status: bytes) -> None:
        self.transport.write(
            b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        )
        self.transport.close()


class Guard:
    """Which Host and Origin a request may name.

    Args:
        hosts: allowed host names and addresses, without a port.
        origins: allowed origins beyond those of the allowed hosts, such as "https://a.example".
    """

    def __init__(self, *, hosts: Iterable[str], origins: Iterable[str] = ()) -> None:
        self._hosts = frozenset(host.lower().encode() for host in hosts)
        self._origins = frozenset(origin.lower().encode() for origin in origins)
        self._known: dict[bytes, bool] = {}

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Give the status and words of a refusal, None when the request may pass."""
        for name, value in scope["headers"]:
            if name == b"host" and not self._allows(value):
                return 421, (
                    f"this gateway does not answer for host {value.decode('latin-1')!r}; "
                    "allow it with --allowed-host or OMNIROUTE_ALLOWED_HOSTS"
                )
            if name == b"origin" and not self._allows_origin(value.lower()):
                return 403, (
                    f"origin {value.decode('latin-1')!r} may not call this gateway; "
                    "allow it with --allowed-origin or OMNIROUTE_ALLOWED_ORIGINS"
                )
        return None

    def _allows(self, value: bytes) -> bool:
        known = self._known.get(value)
        if known is None:
            known = host_name(value.lower()) in self._hosts
            if len(self._known) < 256:
                self._known[value] = known
        return known

    def _allows_origin(self, origin: bytes) -> bool:
        if origin in self._origins:
            return True
        scheme, separator, rest = origin.partition(b"://")
        return bool(separator) and scheme in (b"http", b"https") and self._allows(rest)


def host_name(value: bytes) -> bytes:
    """Give the name or address of a Host header without its port and brackets."""
    if value.startswith(b"["):
        return value[1:].partition(b"]")[0]
    return value.partition(b":")[0]
