"""Where we may connect: every address of a name is looked at before a byte goes to it.

A base URL is text that someone typed, and a name's addresses can change between two looks.
So a name is resolved once for each new connection, every address it gives is judged, and the
connection goes to one of the judged addresses, with the name kept only for TLS and Host.
There are no proxies from the environment and no redirects. An account's own proxy is judged
like a server, and resolves for us: of what lies behind it, an address is judged and a name is
the proxy's to judge.

Three zones. `never`: link-local and the cloud's metadata services (whoever reaches them gets
the machine's own credentials), and addresses that are no host's. `private`: this machine and
its networks, for accounts that may. `public`: the rest; only over TLS, unless the account
is marked local. IPv4 inside IPv6 is judged as the IPv4 address it leads to.

Source: the IANA special-purpose address registries (2025-10); metadata addresses from the
vendors' documentation. `ipaddress.is_global` is not enough: before Python 3.13 it calls
192.0.0.192, NAT64 and 6to4 forms of loopback global.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from ..errors import UpstreamFailure

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Zone = Literal["public", "private", "never"]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host, as text, best first; raises OSError when there are none."""

ADDRESSES_MAX = 16
"""Addresses of one name that are judged; a name with more is refused."""


def _networks(*texts: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


_NEVER = _networks(
    "0.0.0.0/8",  # "this host"; Linux connects it to loopback
    "100.100.100.200/32",  # metadata of Alibaba Cloud
    "168.63.129.16/32",  # the platform service of Azure
    "169.254.0.0/16",  # link-local, metadata of most clouds
    "192.0.0.0/24",  # IETF protocols; 192.0.0.192 is metadata of Oracle Cloud
    "192.0.2.0/24",  # documentation
    "192.88.99.0/24",  # retired 6to4 relays
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, broadcast
    "fd00:ec2::/32",  # metadata of AWS
    "fd20:ce::254/128",  # metadata of Google Cloud
    "2001::/23",  # IETF protocols, Teredo
    "2001:db8::/32",  # documentation
    "3fff::/20",  # documentation
)
_PRIVATE = _networks(
    "10.0.0.0/8",
    "100.64.0.0/10",  # carrier-grade NAT, also overlay networks
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",  # benchmarks, also local proxies with made-up addresses
    "::1/128",
    "fc00::/7",
)
_SCHEMES: dict[str, Literal["http", "https"]] = {"http": "http", "https": "https"}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,252})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Origin:
    """One server by name. `host` is without brackets, lower case, at most 253 characters."""

    scheme: Literal["http", "https", "socks5"]
    host: str
    port: int

    @property
    def authority(self) -> str:
        """What the Host header says: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Base:
    """A base URL, taken apart. `path` has no slash at its end; `query` no question mark."""

    origin: Origin
    path: str
    query: str


@dataclass(frozen=True, slots=True)
class Permit:
    """What one purpose may reach beside public servers over TLS."""

    private: bool = False
    plain_public: bool = False


@dataclass(frozen=True, slots=True)
class Egress:
    """Turns an origin into addresses that may be connected to.

    Args:
        own_addresses: where this gateway listens, so that no call comes back to it.
        resolve: the resolver, replaced in tests.
    """

    own_addresses: tuple[tuple[str, int], ...] = ()
    resolve: Resolve | None = None

    async def addresses(self, origin: Origin, permit: Permit) -> tuple[str, ...]:
        """Resolve once and judge every address.

        Raises:
            UpstreamFailure: kind "connect" when the name has no address, "egress_refused"
                when one of its addresses may not be reached.
        """
        try:
            found = await (self.resolve or _resolve)(origin.host, origin.port)
        except (OSError, UnicodeError) as error:
            raise UpstreamFailure(
                f"the name {origin.host!r} could not be resolved ({error}); check the base URL "
                "and this machine's DNS",
                kind="connect",
            ) from error
        addresses = tuple(dict.fromkeys(found))
        if not addresses or len(addresses) > ADDRESSES_MAX:
            raise _refused(f"{origin.host!r} has {len(addresses)} addresses")
        for address in addresses:
            self._judge(origin, address, permit)
        return addresses

    def behind_proxy(self, origin: Origin, permit: Permit) -> None:
        """Judge what can be told of an origin that a proxy will resolve.

        Raises:
            UpstreamFailure: kind "egress_refused".
        """
        address = _written_address(origin.host)
        if address is not None:
            self._judge(origin, address, permit)
        elif origin.scheme != "https" and not permit.plain_public:
            raise _refused(
                f"{origin} would be reached through a proxy without encryption: the credential "
                "would be readable on the way; use https, or mark the account as local"
            )

    def _judge(self, origin: Origin, address: str, permit: Permit) -> None:
        zone = zone_of(address)
        named = f"{origin} leads to {address}"
        if zone == "never":
            raise _refused(
                f"{named}, which is a metadata, link-local or reserved address that no account "
                "may reach; correct the base URL"
            )
        if zone == "private" and not permit.private:
            raise _refused(
                f"{named}, a private address, and this account may only reach public ones; "
                "mark the account as local if the server is yours"
            )
        if zone == "public" and origin.scheme != "https" and not permit.plain_public:
            raise _refused(
                f"{named}, a public address, without encryption: the credential would be "
                "readable on the way; use https, or mark the account as local"
            )
        if is_self(address, origin.port, self.own_addresses):
            raise _refused(f"{named}, which is this gateway itself; correct the base URL")


def parse_base_url(url: str) -> Base:
    """Take a base URL apart.

    Raises:
        UpstreamFailure: kind "egress_refused": not http or https, a user in it, a fragment,
            or no valid host or port.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _refused(
            "a base URL has characters that no URL may hold; write an international name in "
            "its ASCII form (xn--...)"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        # The error's own text quotes what it could not read, which may be a password.
        raise _refused("a base URL has no valid host and port; enter it again") from None
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None:
        raise _refused(f"a base URL begins with {parts.scheme[:16]!r}; it must be http or https")
    if "@" in parts.netloc:
        raise _refused("a base URL holds a user name or password; give the key to the account")
    if parts.fragment:
        raise _refused("a base URL has a fragment (#...), which no server sees; remove it")
    shown = f"[{host}]" if ":" in host else host
    plain = parts.netloc.lower() in (shown, f"{shown}:{port}")
    if not plain or not is_host(host) or port == 0:
        raise _refused(f"a base URL has no valid host and port: {host[:64]!r}")
    usual = 443 if scheme == "https" else 80
    # A dot at the end means the same name, but no certificate is made out to it.
    origin = Origin(scheme, host.removesuffix("."), port or usual)
    return Base(origin, parts.path.rstrip("/"), parts.query)


def zone_of(address: str) -> Zone:
    """Give the zone of an address; text that is no address is `never`."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "never"
    inner = _ipv4_inside(parsed)
    return _zone(parsed if inner is None else inner)


def is_self(host: str, port: int, own_addresses: Iterable[tuple[str, int]]) -> bool:
    """Whether a host and port are one of our own listeners.

    A listener on all interfaces (`0.0.0.0`, `::`) is reached by every loopback address and by
    its own name; its other interfaces count when they are listed in `own_addresses`.
    """
    asked = _plain(host)
    for own_host, own_port in own_addresses:
        if own_port != port:
            continue
        own = _plain(own_host)
        if asked == own or (_is_here(asked) and _is_here(own)):
            return True
    return False


def _zone(address: Address) -> Zone:
    if any(address in network for network in _NEVER):
        return "never"
    if any(address in network for network in _PRIVATE):
        return "private"
    # Beside the private ones, IPv6 has hosts in 2000::/3 and nowhere else.
    return "public" if address.version == 4 or address in _GLOBAL_V6 else "never"


def _ipv4_inside(address: Address) -> ipaddress.IPv4Address | None:
    """Give the IPv4 address that an IPv6 one leads to: mapped, NAT64 and 6to4."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _written_address(host: str) -> str | None:
    """Give the address that a host's text is, in the old spellings too (`127.1`), else None."""
    plain = _plain(host)
    if isinstance(plain, str) and _is_here(plain):
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None


def _plain(host: str) -> Address | str:
    name = host.strip("[]").rstrip(".").lower()
    try:
        parsed = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return name
    return _ipv4_inside(parsed) or parsed


def _is_here(host: Address | str) -> bool:
    if isinstance(host, str):
        return host == "localhost" or host.endswith(".localhost")
    return host.is_loopback or host.is_unspecified


def is_host(host: str) -> bool:
    """Whether the text is a host's name or address, as a URL gives it without brackets."""
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host).scope_id is None
        except ValueError:
            return False
    return _HOST.fullmatch(host) is not None


async def _resolve(host: str, port: int) -> Sequence[str]:
    try:
        return (str(ipaddress.ip_address(host)),)
    except ValueError:
        pass  # A name, or one of the old spellings of an address: the resolver knows.
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _refused(message: str) -> UpstreamFailure:
    return UpstreamFailure(message, kind="egress_refused")
