"""Who calls: from a request's headers to a Caller, the same way for every door.

A key comes as `Authorization: Bearer`, `x-api-key` or `x-goog-api-key`. Without a key only
the keyless mode lets anyone in: bound to loopback, no key exists, the peer is on loopback and
no header says that the request was forwarded. In that mode a credential that a client sends
anyway is ignored, as SDKs insist on sending one.
"""

import hmac
from collections.abc import Callable
from ipaddress import ip_address

from starlette.types import Scope

from omniroute.routing.access import ADMIN, SCOPES
from omniroute.routing.errors import NotAuthenticated
from omniroute.routing.model import Caller

LOCAL = Caller("local", frozenset((*SCOPES, ADMIN)))
"""The caller of keyless mode: whoever is at this machine."""
CLI = Caller("local-cli", frozenset((*SCOPES, ADMIN)))
"""The caller that presents the token of the runtime file, which only this user can read."""

FORWARDED = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"}
)
_KEY_HEADERS = frozenset({b"x-api-key", b"x-goog-api-key"})


class Authenticator:
    """Gives the Caller of a request.

    Args:
        check: gives the Caller of a presented key, None when it is not ours.
        has_keys: whether any key exists.
        keyless: whether keyless mode may be on at all: the bind is loopback, not switched off.
        token: the runtime file's token, None where there is no such file.
    """

    def __init__(
        self,
        *,
        check: Callable[[str], Caller | None],
        has_keys: Callable[[], bool],
        keyless: bool,
        token: str | None,
    ) -> None:
        self._check = check
        self._has_keys = has_keys
        self._keyless = keyless
        self._token = None if token is None else token.encode()

    def caller(self, scope: Scope) -> Caller:
        """Give who sends this request.

        Raises:
            NotAuthenticated: no key where one is needed, or one that is not ours.
        """
        presented, forwarded = _read(scope)
        if presented is not None and self._is_token(presented):
            return CLI
        if self._keyless and not forwarded and not self._has_keys() and _from_loopback(scope):
            return LOCAL
        if presented is None:
            raise NotAuthenticated(
                "this gateway needs a key: send it as `Authorization: Bearer sk-omni-...`; "
                "make one with `omniroute keys add`"
            )
        caller = self._check(presented)
        if caller is None:
            raise NotAuthenticated(
                "the key is not one of this gateway's, or it was revoked or has expired; "
                "make one with `omniroute keys add`"
            )
        return caller

    def needs_key(self) -> bool:
        """Whether a request from this machine would need a key now."""
        return not self._keyless or self._has_keys()

    def _is_token(self, presented: str) -> bool:
        return self._token is not None and hmac.compare_digest(presented.encode(), self._token)


def _read(scope: Scope) -> tuple[str | None, bool]:
    """Give the presented credential and whether the request was forwarded."""
    presented: str | None = None
    forwarded = False
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, credential = value.partition(b" ")
            if kind.lower() == b"bearer":
                presented = credential.strip().decode("latin-1")
        elif name in _KEY_HEADERS:
            presented = presented or value.strip().decode("latin-1")
        elif name in FORWARDED:
            forwarded = True
    return presented or None, forwarded


def _from_loopback(scope: Scope) -> bool:
    """Whether the peer is on loopback. In-process calls have no peer and are our own."""
    client = scope.get("client")
    return client is None or is_loopback(client[0])


def is_loopback(host: str) -> bool:
    """Whether a host or an address means this machine alone."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
