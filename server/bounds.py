"""How much one process takes at once: connections, of all and of one address, and bodies.

A request's own limits bound what one client can do with one request. These bound what many do
together: a flood of connections is turned away before anything is kept of it, and bodies that
are held until their last byte has come have one bound over all of them. Each worker has its own
bounds, and connections are shared evenly among workers.

Addresses of this machine and of trusted proxies stand for many clients: they have no bound of
their own. An address of IPv6 stands for its /64, as one client has all of that.
"""

import logging
import time
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address

from .edge_answers import TOO_MANY_CONNECTIONS, TOO_MANY_OF_ADDRESS, Refusal

try:
    import resource
except ImportError:  # Windows has no such bounds.
    resource = None  # type: ignore[assignment]

FILES_MAX = 65_536
"""So many files are asked for, where the system lets a process ask for more."""
FILES_KEPT = 128
"""Files that are not for connections: the database, logs, listeners."""
PER_ADDRESS_MAX = 1000
BODIES_AT_ONCE = 8
"""So many of the largest bodies may be held at once."""
TOLD_AGAIN_S = 10.0
"""How long between two log lines that connections are turned away."""

Network = IPv4Network | IPv6Network

log = logging.getLogger("omniroute")


class Bounds:
    """The bounds of one process, and how much of them is used.

    Args:
        connections_max: of all addresses together.
        per_address_max: of one address.
        bytes_max: of bodies that have come in part, or wait for their answer.
        proxies: networks whose addresses have no bound of their own.

    Attributes:
        connections: how many are open.
        held_bytes: of bodies that are larger than one read.
    """

    def __init__(
        self,
        *,
        connections_max: int = FILES_MAX,
        per_address_max: int = PER_ADDRESS_MAX,
        bytes_max: int = BODIES_AT_ONCE * 32 * 2**20,
        proxies: Iterable[Network] = (),
    ) -> None:
        self.connections = 0
        self.held_bytes = 0
        self._connections_max = connections_max
        self._per_address_max = per_address_max
        self._bytes_max = bytes_max
        self._proxies = tuple(proxies)
        self._by_address: dict[str, int] = {}
        self._told_s = -TOLD_AGAIN_S

    def enter(self, peer: tuple[str, int] | None) -> Refusal | None:
        """Count a connection; gives why it is turned away, and then it is not counted."""
        address = "" if peer is None else peer[0]
        if self.connections >= self._connections_max:
            return self._turned_away(TOO_MANY_CONNECTIONS)
        whose = _whose(address)
        count = self._by_address.get(whose, 0)
        if count >= self._per_address_max and not self._stands_for_many(address):
            return self._turned_away(TOO_MANY_OF_ADDRESS)
        self.connections += 1
        self._by_address[whose] = count + 1
        return None

    def leave(self, peer: tuple[str, int] | None) -> None:
        """Count one less."""
        self.connections -= 1
        whose = _whose("" if peer is None else peer[0])
        count = self._by_address[whose] - 1
        if count:
            self._by_address[whose] = count
        else:
            del self._by_address[whose]

    def hold(self, size: int) -> bool:
        """Count bytes of a body; gives whether they may be held. If not, they are not counted."""
        if self.held_bytes + size > self._bytes_max:
            return False
        self.held_bytes += size
        return True

    def let_go(self, size: int) -> None:
        """Count so many bytes less."""
        self.held_bytes -= size

    def _stands_for_many(self, address: str) -> bool:
        try:
            one = ip_address(address)
        except ValueError:
            return False
        mapped = getattr(one, "ipv4_mapped", None)
        one = one if mapped is None else mapped
        return one.is_loopback or any(one in network for network in self._proxies)

    def _turned_away(self, refusal: Refusal) -> Refusal:
        now_s = time.monotonic()
        if now_s - self._told_s >= TOLD_AGAIN_S:
            self._told_s = now_s
            log.warning(
                "connections_turned_away",
                extra={"status": refusal.status, "connections": self.connections},
            )
        return refusal


def _whose(address: str) -> str:
    """Give who is counted: an address, of IPv6 its first half."""
    if ":" not in address:
        return address
    try:
        one = ip_address(address)
    except ValueError:
        return address
    mapped = getattr(one, "ipv4_mapped", None)
    return str(mapped) if mapped is not None else f"{int(one) >> 64:x}::/64"


def connections_by_files() -> int:
    """Ask for as many files as may be had; gives how many connections they are enough for.

    Each may need a second file, for its provider. Where the system has no such bound, the
    number is half of FILES_MAX.
    """
    if resource is None:
        return FILES_MAX // 2
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(FILES_MAX, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = FILES_MAX if soft == resource.RLIM_INFINITY else soft
    return max((files - FILES_KEPT) // 2, 16)
