"""A way to a provider through an account's own proxy.

Every kind of proxy is asked for the same thing: a plain way through to the provider's host and
port. What goes over it afterwards (TLS to the provider, then HTTP) is what would go over a
connection of our own, so nothing else needs to know of proxies, and with TLS to the provider
a proxy sees its name and neither the credential nor the content. It resolves that name.

A proxy that will not or cannot let us through is a failed connect, with its reason in words.

Source: RFC 9110, section 9.3.6 (CONNECT); RFC 1928 and 1929 (SOCKS 5, user name and password).
"""

import asyncio
import base64
import ipaddress
import re
from dataclasses import dataclass, field
from typing import Literal, cast
from urllib.parse import unquote, urlsplit

from ..errors import UpstreamFailure
from ..model import Account
from .egress import Origin, is_host

DIRECT = "direct"
"""What an account or a provider says instead of a URL to go through none."""
HEAD_BYTES_MAX = 16 * 1024
PROXY_CHARS_MAX = 2_048
_PORTS: dict[str, int] = {"http": 80, "https": 443, "socks5": 1080}
_SCHEMES: dict[str, Literal["http", "https", "socks5"]] = {
    "http": "http",
    "https": "https",
    "socks5": "socks5",
    # The name that curl has for a proxy that resolves: ours always does.
    "socks5h": "socks5",
}
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_END = b"\r\n\r\n"
_REFUSALS = {
    1: "a failure of its own",
    2: "its rules do not allow it",
    3: "the network cannot be reached",
    4: "the host cannot be reached",
    5: "the connection was refused",
    6: "the way was too long",
    7: "it does not know the command",
    8: "it does not know the kind of address",
}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, taken apart. `user` and `password` are as they go to it, or both empty."""

    origin: Origin
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return str(self.origin)


def parse_proxy(url: str) -> Proxy:
    """Take a proxy's URL apart: `scheme://[user:password@]host[:port]`.

    Raises:
        UpstreamFailure: kind "egress_refused"; the message repeats nothing that may be secret.
    """
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > PROXY_CHARS_MAX:
        raise _refused("holds characters that no URL may hold; write others as %20 and the like")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        raise _refused("has no valid host and port") from None
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None:
        raise _refused("must begin with http://, https:// or socks5://")
    if not is_host(host) or port == 0:
        raise _refused("has no valid host and port")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise _refused("ends with its port: it has no path")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if scheme == "socks5" and max(len(user.encode()), len(password.encode())) > 255:
        raise _refused("has a user name or password over 255 bytes, the most that SOCKS 5 has")
    if scheme == "socks5" and bool(user) != bool(password):
        raise _refused("needs a user name and a password, or neither")
    return Proxy(Origin(scheme, host, port or _PORTS[scheme]), user, password)


def outbound(account: Account) -> str | None:
    """Give the URL of the proxy that an account's calls go through: its own, or one it shares."""
    return None if account.proxy == DIRECT else account.proxy or account.shared_proxy


def proxy_of(account: Account) -> Proxy | None:
    """Give the proxy that an account's calls go through.

    Raises:
        UpstreamFailure: as `parse_proxy`.
    """
    url = outbound(account)
    return parse_proxy(url) if url else None


class Tunnel(asyncio.Protocol):
    """Talks with a proxy until the way is free; then another protocol takes the transport over.

    Args:
        proxy: whom it talks with.
        target: where to.
    """

    def __init__(self, proxy: Proxy, target: Origin) -> None:
        self.transport = cast(asyncio.Transport, None)
        self._proxy = proxy
        self._target = target
        self._data = bytearray()
        self._ended = False
        self._news = asyncio.Event()

    async def open(self) -> None:
        """Have the way opened.

        Raises:
            UpstreamFailure: kind "connect": the proxy refuses, fails, or is none.
        """
        await (self._socks() if self._proxy.origin.scheme == "socks5" else self._connect())
        if self._data:
            raise self._failed("sent bytes that nobody asked for")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        self._news.set()

    def eof_received(self) -> None:
        self._ended = True
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._news.set()

    async def _connect(self) -> None:
        host = f"[{self._target.host}]" if ":" in self._target.host else self._target.host
        head = f"CONNECT {host}:{self._target.port} HTTP/1.1\r\nhost: {host}:{self._target.port}"
        if self._proxy.user or self._proxy.password:
            pair = f"{self._proxy.user}:{self._proxy.password}".encode()
            head += f"\r\nproxy-authorization: Basic {base64.b64encode(pair).decode()}"
        self.transport.write(head.encode() + _END)
        while (end := self._data.find(_END)) < 0:
            if len(self._data) > HEAD_BYTES_MAX:
                raise self._failed("did not answer in HTTP")
            await self._more()
        status = _STATUS.match(self._data)
        if status is None:
            raise self._failed("did not answer in HTTP")
        if status[1] == b"407":
            raise self._failed("answered 407: it wants another user name and password")
        if not status[1].startswith(b"2"):
            raise self._failed(f"answered {status[1].decode()} to CONNECT {host}")
        del self._data[: end + len(_END)]

    async def _socks(self) -> None:
        user, password = self._proxy.user.encode(), self._proxy.password.encode()
        self.transport.write(b"\x05\x02\x00\x02" if user else b"\x05\x01\x00")
        version, method = await self._take(2)
        if version != 5 or method not in ((0, 2) if user else (0,)):
            asks = "wants a user name and password" if method == 255 else "does not speak SOCKS 5"
            raise self._failed(asks)
        if method == 2:
            lengths = bytes([len(user)]), bytes([len(password)])
            self.transport.write(b"\x01" + lengths[0] + user + lengths[1] + password)
            _, refused = await self._take(2)
            if refused:
                raise self._failed("does not accept the user name and password")
        port = self._target.port.to_bytes(2, "big")
        self.transport.write(b"\x05\x01\x00" + _socks_address(self._target.host) + port)
        version, reply, _, kind = await self._take(4)
        if version != 5 or reply:
            why = _REFUSALS.get(reply, "no reason that is known")
            raise self._failed(f"has no way to {self._target.host}: {why}")
        size = {1: 4, 4: 16}.get(kind)
        if size is None:
            (size,) = await self._take(1)
        await self._take(size + 2)

    async def _take(self, size: int) -> bytes:
        while len(self._data) < size:
            await self._more()
        taken = bytes(self._data[:size])
        del self._data[:size]
        return taken

    async def _more(self) -> None:
        if self._ended:
            raise self._failed("closed the connection")
        self._news.clear()
        await self._news.wait()

    def _failed(self, what: str) -> UpstreamFailure:
        return UpstreamFailure(
            f"{self._target}: the account's proxy {self._proxy} {what}", kind="connect"
        )


def _socks_address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return b"\x03" + bytes([len(host)]) + host.encode()
    return (b"\x01" if address.version == 4 else b"\x04") + address.packed


def _refused(what: str) -> UpstreamFailure:
    return UpstreamFailure(f"an account's proxy {what}", kind="egress_refused")
