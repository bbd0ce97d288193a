"""Connections by origin: the newest idle one first, a new one when there is none.

A lane holds the idle connections of one origin under one permit and by one way (directly or
through a proxy), so that a connection made for an account that may reach private addresses
never serves one that may not. Taking one out
and putting one back are O(1); the newest goes out first, so that a burst's surplus ages and
expires. The oldest is closed when more than IDLE_MAX are idle.
"""

import asyncio
import socket
import ssl
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import FailureKind, UpstreamFailure
from .connection import Connection
from .egress import Egress, Origin, Permit
from .exchange import Exchange
from .tls import HTTP2, reason_of
from .tunnel import Proxy, Tunnel

if TYPE_CHECKING:
    from .http2 import Negotiated

IDLE_MAX = 128
"""Idle connections kept for each lane."""

CONNECTIONS_MAX = 4096
"""Open connections of a pool, idle ones included."""

ADDRESSES_TRIED_MAX = 4
SHUTTING_DOWN = "this gateway is shutting down"


@dataclass(frozen=True, slots=True)
class Way:
    """Where connections lead, how, and by whose leave: what the connections of a lane share.

    Attributes:
        proxy: what they go through, None for nothing.
        http2: whether HTTP/2 is offered to the server.
    """

    origin: Origin
    permit: Permit
    proxy: Proxy | None = None
    http2: bool = False


class Lane:
    """The connections to one origin under one permit. Made by `Pool.lane`."""

    __slots__ = ("__weakref__", "_idle", "_pool", "http2", "name", "origin", "permit", "proxy")

    def __init__(self, pool: "Pool", way: "Way") -> None:
        self.name = str(way.origin)
        self.origin = way.origin
        self.permit = way.permit
        self.proxy = way.proxy
        # What is spoken is settled in the TLS handshake: without TLS it is HTTP/1.1.
        self.http2 = way.http2 and way.origin.scheme == "https"
        self._pool = pool
        # A dict keeps the order and drops any one of them in O(1).
        self._idle: dict[Exchange, None] = {}

    @property
    def idle(self) -> int:
        """How many connections wait for a request."""
        return len(self._idle)

    def checkout(self, now_s: float) -> Exchange | None:
        """Give the idle connection that was used last, None when there is none."""
        idle = self._idle
        while idle:
            connection, _ = idle.popitem()
            if connection.usable(now_s):
                return connection
            connection.abort()
        return None

    async def connect(self, *, timeout_s: float) -> Exchange:
        """Open a new connection to one of the origin's judged addresses.

        Raises:
            UpstreamFailure: kinds "connect", "timeout_connect", "tls", "egress_refused" and,
                when CONNECTIONS_MAX are open, "busy".
        """
        return await self._pool.connect(self, timeout_s=timeout_s)

    def take_back(self, connection: Exchange) -> None:
        self._idle[connection] = None
        if len(self._idle) > IDLE_MAX:
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            oldest.abort()

    def lost(self, connection: Exchange) -> None:
        self._idle.pop(connection, None)
        self._pool.forget(connection)


class Pool:
    """All lanes of one process.

    Args:
        egress: judges every address before it is connected to.
        tls: makes what verifies the servers: `verifying_context`, unless a test has its own.
    """

    def __init__(self, egress: Egress, tls: Callable[..., ssl.SSLContext]) -> None:
        self._closed = False
        self._egress = egress
        self._make_tls = tls
        self._tls = tls()
        self._tls_http2: ssl.SSLContext | None = None
        # A lane lives as long as an account or a connection needs it.
        self._lanes: weakref.WeakValueDictionary[Way, Lane] = weakref.WeakValueDictionary()
        self._open: set[Exchange] = set()
        self._connecting = 0

    @property
    def connections(self) -> int:
        """How many connections are open, idle ones included."""
        return len(self._open)

    def lane(self, way: Way) -> Lane:
        """Give the one lane of a way."""
        found = self._lanes.get(way)
        if found is None:
            found = self._lanes[way] = Lane(self, way)
        return found

    async def connect(self, lane: Lane, *, timeout_s: float) -> Exchange:
        """Open a connection for a lane; see `Lane.connect`."""
        if self._closed:
            raise _failed(lane, "connect", SHUTTING_DOWN)
        if len(self._open) + self._connecting >= CONNECTIONS_MAX:
            raise _failed(
                lane, "busy", f"{CONNECTIONS_MAX} provider connections are open; try again"
            )
        self._connecting += 1
        try:
            async with asyncio.timeout(timeout_s):
                addresses = await self._addresses(lane)
                connection = await self._connect_first(lane, addresses, timeout_s)
        except TimeoutError as error:
            raise _failed(
                lane, "timeout_connect", f"no connection within {round(timeout_s, 1)} s"
            ) from error
        finally:
            self._connecting -= 1
        if self._closed:
            connection.abort()
            raise _failed(lane, "connect", SHUTTING_DOWN)
        # It may be gone already, and then nobody would take it out again.
        if not connection.closing:
            self._open.add(connection)
        return connection

    def forget(self, connection: Exchange) -> None:
        """Stop counting a closed connection."""
        self._open.discard(connection)

    def close(self) -> None:
        """Cut every connection, also those in use, and open no more."""
        self._closed = True
        for connection in tuple(self._open):
            connection.abort()

    async def _addresses(self, lane: Lane) -> Sequence[str]:
        """Give the judged addresses to connect to: the server's, or its proxy's."""
        proxy, permit = lane.proxy, lane.permit
        if proxy is None:
            return await self._egress.addresses(lane.origin, permit)
        self._egress.behind_proxy(lane.origin, permit)
        if not proxy.password:
            # What goes to the provider is encrypted behind the proxy; only a password is not.
            permit = replace(permit, plain_public=True)
        try:
            return await self._egress.addresses(proxy.origin, permit)
        except UpstreamFailure as failure:
            raise UpstreamFailure(f"the account's proxy: {failure}", kind=failure.kind) from failure

    async def _connect_first(
        self, lane: Lane, addresses: Sequence[str], timeout_s: float
    ) -> Exchange:
        """Try the addresses in order; each but the last gets its share of the time."""
        tried = addresses[:ADDRESSES_TRIED_MAX]
        for address in tried[:-1]:
            try:
                async with asyncio.timeout(timeout_s / len(tried)):
                    return await self._connect_one(lane, address)
            except TimeoutError:
                continue
            except UpstreamFailure as failure:
                if failure.kind != "connect":
                    raise
        return await self._connect_one(lane, tried[-1])

    async def _connect_one(self, lane: Lane, address: str) -> Exchange:
        loop = asyncio.get_running_loop()
        proxy = lane.proxy
        first = lane.origin if proxy is None else proxy.origin
        context: ssl.SSLContext | None = None
        if first.scheme == "https":
            context = self._context(lane) if proxy is None else self._tls
        tunnel: Tunnel | None = None
        try:
            _, made = await loop.create_connection(
                (lambda: _receiver(lane))
                if proxy is None
                else (lambda: Tunnel(proxy, lane.origin)),
                address,
                first.port,
                ssl=context,
                # The certificate must be made out to the name that was asked for.
                server_hostname=None if context is None else first.host,
            )
            if isinstance(made, Tunnel):
                tunnel = made
                return await self._through(tunnel, lane)
            return made if isinstance(made, Exchange) else made.exchange
        except ssl.SSLError as error:
            whose = " of the proxy" if proxy is not None and tunnel is None else ""
            raise _failed(lane, "tls", reason_of(error, whose=whose)) from error
        except TimeoutError:
            # Also an OSError; it belongs to the deadline around it, or is the system's own.
            raise
        except OSError as error:
            what = error.strerror or type(error).__name__
            raise _failed(lane, "connect", f"cannot connect to {address} ({what})") from error

    async def _through(self, tunnel: Tunnel, lane: Lane) -> Exchange:
        """Have a proxy open the way, and put a connection to the server onto it."""
        receiver = _receiver(lane)
        transport: asyncio.BaseTransport | None = tunnel.transport
        wire: socket.socket = tunnel.transport.get_extra_info("socket")
        try:
            await tunnel.open()
            if lane.origin.scheme == "https":
                transport = await self._encrypt(tunnel.transport, receiver, lane)
            else:
                tunnel.transport.set_protocol(receiver)
        except BaseException:
            _cut(tunnel.transport, wire)
            raise
        if transport is None:
            raise _failed(lane, "connect", "the proxy closed the connection")
        receiver.connection_made(transport)
        return receiver if isinstance(receiver, Exchange) else receiver.exchange

    async def _encrypt(
        self, transport: asyncio.Transport, receiver: asyncio.BaseProtocol, lane: Lane
    ) -> asyncio.Transport | None:
        loop = asyncio.get_running_loop()
        try:
            return await loop.start_tls(
                transport, receiver, self._context(lane), server_hostname=lane.origin.host
            )
        except TypeError as error:
            # CPython 3.11 trips over its own clean-up after a handshake that failed inside
            # another encryption; what failed is the error's context.
            if isinstance(error.__context__, ssl.SSLError):
                raise error.__context__ from error
            raise

    def _context(self, lane: Lane) -> ssl.SSLContext:
        if not lane.http2:
            return self._tls
        if self._tls_http2 is None:
            self._tls_http2 = self._make_tls(*HTTP2)
        return self._tls_http2


def _cut(transport: asyncio.Transport, wire: socket.socket) -> None:
    try:
        transport.abort()
    except AttributeError:
        # CPython 3.11.2, which Debian 12 has, forgets the inner half of an encryption when a
        # handshake inside it has failed, and with it the way to the socket.
        with suppress(OSError):
            wire.shutdown(socket.SHUT_RDWR)


def _receiver(lane: Lane) -> "Exchange | Negotiated":
    """Make what receives a new transport to a lane's server."""
    loop = asyncio.get_running_loop()
    if not lane.http2:
        return Connection(loop, lane)
    from .http2 import Negotiated  # noqa: PLC0415 - 45 ms to import, and few accounts ask for it

    return Negotiated(loop, lane)


def _failed(lane: Lane, kind: FailureKind, what: str) -> UpstreamFailure:
    return UpstreamFailure(f"{lane.name}: {what}", kind=kind)
