"""Whether a request to the dashboard comes from a page of it, and over what kind of connection.

The whole gateway refuses foreign origins before (guard.py), with every port of an allowed host
allowed. Here the origin has to be this very one: a page of another program on the same machine
is another site. What a browser says of how a request began (Sec-Fetch-Site) is believed as well.

Source: MDN, "Sec-Fetch-Site header", read 2026-11-23.
"""

from urllib.parse import urlsplit

from omniroute.routing.errors import RoutingError

from ..auth import Authenticator, is_loopback
from ..exchange import Head
from ..guard import host_name
from .cookies import Jar

READS = frozenset({"GET", "HEAD"})
_OURS = frozenset({b"same-origin", b"none"})


class OtherSite(RoutingError):
    """A page of another site asks for what only a page of the dashboard may."""

    status = 403
    code = "other_site"


class Site:
    """What a connection is to the dashboard.

    Args:
        authenticator: knows which proxies are believed.
        public_url: where others reach the gateway.
        plain: whether people may sign in over plain HTTP from elsewhere.
    """

    def __init__(
        self, authenticator: Authenticator, public_url: str | None, *, plain: bool
    ) -> None:
        self._authenticator = authenticator
        parts = urlsplit(public_url or "")
        self._public = f"{parts.scheme}://{parts.netloc}".lower().encode()
        self._public_host = parts.netloc.lower().encode() if parts.scheme == "https" else b""
        self._plain = plain

    def check(self, head: Head) -> None:
        """Raise OtherSite for what no page of the dashboard, and no person, has begun."""
        origin = head.named.get(b"origin")
        if origin is not None and not self._is_ours(origin.lower(), head):
            raise OtherSite(
                f"origin {origin.decode('latin-1')!r} is no page of this dashboard: open it at "
                "one address, and name that with --public-url if it is a proxy's"
            )
        began = head.named.get(b"sec-fetch-site", b"none")
        if began in _OURS:
            return
        goes_there = head.named.get(b"sec-fetch-mode") == b"navigate"
        if head.method not in READS or not goes_there:
            raise OtherSite("a page of another site asked for this, not one of the dashboard")

    def is_confirmed(self, head: Head) -> bool:
        """Whether the browser itself says that a page of the dashboard sends this."""
        origin = head.named.get(b"origin", b"")
        return head.named.get(b"sec-fetch-site") == b"same-origin" or self._is_ours(origin, head)

    def jar(self, head: Head) -> Jar | None:
        """Give how cookies are set on a connection; None where one would be read on the way."""
        if self._is_https(head):
            return Jar(is_secure=True)
        if self._plain:
            return Jar(is_secure=False)
        host = host_name(head.named.get(b"host", b"").lower()).decode("latin-1")
        return Jar(is_secure=True) if is_loopback(host) else None

    def _is_https(self, head: Head) -> bool:
        host = head.named.get(b"host", b"").lower()
        return self._authenticator.is_https(head) or bool(host and host == self._public_host)

    def _is_ours(self, origin: bytes, head: Head) -> bool:
        host = head.named.get(b"host", b"").lower()
        return origin in (b"http://" + host, b"https://" + host, self._public)
