"""Which Host and Origin a request may name, whatever its route.

A web page in the user's browser cannot reach a gateway on loopback by a name of its own (DNS
rebinding) or by a cross-site request.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from .exchange import Header

# A name or an address and a port, and nothing that could be read as more of a URL.
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
HOSTS_KNOWN_MAX = 256
"""Hosts of which is remembered whether they are allowed."""


class Guard:
    """Which Host and Origin a request may name.

    Args:
        hosts: allowed host names and addresses, without a port.
        origins: allowed origins beyond those of the allowed hosts, such as "https://a.example".
    """

    def __init__(self, *, hosts: Iterable[str], origins: Iterable[str] = ()) -> None:
        self._hosts = frozenset(host.lower().encode() for host in hosts)
        self._origins = frozenset(origin.lower().encode() for origin in origins)
        self._allows = lru_cache(HOSTS_KNOWN_MAX)(self._judged)

    def refusal(self, headers: Iterable[Header]) -> tuple[int, str] | None:
        """Give the status and words of a refusal, None when the request may pass."""
        for name, value in headers:
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

    def _judged(self, value: bytes) -> bool:
        return bool(_HOST.fullmatch(value)) and host_name(value.lower()) in self._hosts

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
