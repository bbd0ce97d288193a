"""Who calls: from a request's headers to a Caller, the same way for every door.

A key comes as `Authorization: Bearer`, `x-api-key`, `x-goog-api-key` or `api-key`, and below
/v1beta as `?key=` as well, as Gemini's clients send it. Two different ones are refused: nobody
could tell whose request it is. Without a key only
the keyless mode lets anyone in: bound to loopback, no key exists, the peer is on loopback and
no header says that the request was forwarded. In that mode a credential that a client sends
anyway is ignored, as SDKs insist on sending one.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import count
from urllib.parse import unquote_to_bytes

from msgspec import structs
from starlette.types import Scope

from omniroute.routing.access import ADMIN, LOCAL, LOCAL_CLI, OWNER, SCOPES, require_one
from omniroute.routing.errors import NotAuthenticated
from omniroute.routing.model import Caller

from .asgi import head_of
from .exchange import Head
from .paths import meant

Network = IPv4Network | IPv6Network

KEYLESS = Caller(LOCAL, frozenset((*SCOPES, ADMIN)))
"""The caller of keyless mode: whoever is at this machine."""
CLI = Caller(LOCAL_CLI, frozenset((*SCOPES, ADMIN)))
"""The caller that presents the token of the runtime file, which only this user can read."""
BY_PASSWORD = Caller(OWNER, frozenset((*SCOPES, ADMIN)))
"""The caller who has signed in to the dashboard with its password."""

FORWARDED = frozenset(
    {
        *(b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"),
        *(b"x-forwarded-port", b"x-forwarded-server", b"x-original-forwarded-for", b"x-real-ip"),
        *(b"via", b"cdn-loop", b"cf-connecting-ip", b"cf-ray", b"true-client-ip", b"x-client-ip"),
        *(b"x-cluster-client-ip", b"fly-client-ip", b"x-envoy-external-address"),
        *(b"x-azure-clientip", b"x-appengine-user-ip", b"tailscale-user-login"),
    }
)
"""By each of these a proxy says that the request began elsewhere."""
_KEY_HEADERS = frozenset({b"x-api-key", b"x-goog-api-key", b"api-key"})
_KEY_IN_QUERY = "/v1beta/"
"""Where the query may hold a key: what stands in a query is easily logged on the way."""
HOSTS_KNOWN_MAX = 256
"""Peers whose kind of address is remembered."""


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """What an Authenticator asks about keys.

    Attributes:
        check: gives the Caller of a presented key, None when it is not ours.
        has_keys: whether any key exists.
        local_budgets: gives the budgets of whoever needs no key, the command line included.
        generation: gives a number that is another one whenever anything of that may be.
        lasts: whether the key of that id is valid until the generation ends.
        caller_of: gives the Caller of a key's id, None when the key is no more.
        has_password: whether one can sign in with a password.
    """

    check: Callable[[str], Caller | None]
    has_keys: Callable[[], bool]
    local_budgets: Callable[[], tuple[str, ...]] = tuple
    generation: Callable[[], int] = count().__next__
    lasts: Callable[[str], bool] = bool
    caller_of: Callable[[str], Caller | None] = lambda key_id: None
    has_password: Callable[[], bool] = bool


class Authenticator:
    """Gives the Caller of a request.

    Args:
        keys: what is known of keys.
        keyless: whether keyless mode may be on at all: the bind is loopback, not switched off.
        token: the runtime file's token, None where there is no such file.
        trusted_proxies: peers whose forwarded headers are believed.
    """

    def __init__(
        self,
        *,
        keys: KnownKeys,
        keyless: bool,
        token: str | None,
        trusted_proxies: tuple[Network, ...] = (),
    ) -> None:
        self._keys = keys
        self._keyless = keyless
        self._token = None if token is None else token.encode()
        self._proxies = trusted_proxies

    def caller(self, scope: Scope) -> Caller:
        """Give who sends this request to an ASGI application. Raises as `caller_of`."""
        return self.caller_of(head_of(scope))

    def caller_of(self, head: Head) -> Caller:
        """Give who sends this request, and may have what its route needs.

        Who sent the same head before is known as long as nothing of the keys has changed.

        Raises:
            NotAuthenticated: no key where one is needed, or one that is not ours.
            NotAllowed: the key carries none of the scopes that the route needs.
        """
        generation = self._keys.generation()
        caller = head.caller
        if caller is None or head.generation != generation:
            caller = self._find(head)
            if head.needs:
                require_one(caller, head.needs)
            if self._keys.lasts(caller.key_id):
                head.caller, head.generation = caller, generation
        return caller

    def vouch(self, head: Head, caller: Caller, needs: tuple[str, ...]) -> None:
        """Say whose a request is that this process makes for a caller who was let in before.

        Raises:
            NotAllowed: the caller has none of the scopes that the request's route needs.
        """
        if needs:
            require_one(caller, needs)
        head.caller, head.generation = caller, self._keys.generation()

    def caller_named(self, key_id: str) -> Caller | None:
        """Give who had this key id when a request was accepted; None when that key is no more."""
        if key_id == LOCAL_CLI:
            return self._paying(CLI)
        if key_id == LOCAL:
            return None if self.needs_key() else self._paying(KEYLESS)
        if key_id == OWNER:
            return self._paying(BY_PASSWORD) if self._keys.has_password() else None
        return self._keys.caller_of(key_id)

    def _find(self, head: Head) -> Caller:
        found = _presented(head)
        presented = found[0][1] if found else None
        conflicting = len({key for _, key in found}) > 1
        if presented is not None and not conflicting and self._is_token(presented):
            return self._paying(CLI)
        if self._keyless and not self._keys.has_keys() and self.is_local(head):
            return self._paying(KEYLESS)
        if conflicting:
            raise NotAuthenticated(
                "different keys were sent in "
                f"{' and '.join(sorted({where for where, _ in found}))}: send one alone"
            )
        if presented is None:
            raise NotAuthenticated(
                "this gateway needs a key: send it as `Authorization: Bearer sk-omni-...`; "
                "make one with `omniroute keys add`"
            )
        caller = self._keys.check(presented)
        if caller is None:
            raise NotAuthenticated(
                "the key is not one of this gateway's, or it was revoked or has expired; "
                "make one with `omniroute keys add`"
            )
        return caller

    def _paying(self, caller: Caller) -> Caller:
        budget_ids = self._keys.local_budgets()
        return structs.replace(caller, budget_ids=budget_ids) if budget_ids else caller

    def caller_by_key(self, text: str) -> Caller | None:
        """Give whom a key belongs to; None when it is none of ours, or no more valid."""
        return self._keys.check(text)

    def needs_sign_in(self) -> bool:
        """Whether the dashboard needs one from this machine, too."""
        return self.needs_key() or self._keys.has_password()

    def needs_key(self) -> bool:
        """Whether a request from this machine would need a key now."""
        return not self._keyless or self._keys.has_keys()

    def is_local(self, head: Head) -> bool:
        """Whether the request began on this machine; in-process calls have no peer.

        A forwarded one did only if a trusted proxy says so: the last address that no trusted
        proxy stands for is its client (X-Forwarded-For, each proxy adds its peer at the end).
        """
        if FORWARDED.isdisjoint(head.named):
            return head.peer is None or is_loopback(head.peer)
        if not self._hops(head):
            return False
        return is_loopback(self.address_of(head))

    def address_of(self, head: Head) -> str:
        """Give where a request began, as far as who is trusted says; "" in this process."""
        hops = self._hops(head)
        if not hops:
            return head.peer or ""
        return next((hop for hop in reversed(hops) if not self._trusts(hop)), hops[0])

    def is_https(self, head: Head) -> bool:
        """Whether a proxy that is trusted says that the client's connection is encrypted."""
        told = head.named.get(b"x-forwarded-proto", b"")
        return told.strip().lower() == b"https" and self._is_from_proxy(head)

    def _hops(self, head: Head) -> list[str]:
        """Give the addresses that a forwarded request came by, none where that is not believed."""
        if not self._is_from_proxy(head):
            return []
        return [
            hop.strip()
            for name, value in head.headers
            if name == b"x-forwarded-for"
            for hop in value.decode("latin-1").split(",")
        ]

    def _is_from_proxy(self, head: Head) -> bool:
        return head.peer is not None and self._trusts(head.peer)

    def _trusts(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)

    def _is_token(self, presented: str) -> bool:
        return self._token is not None and hmac.compare_digest(presented.encode(), self._token)


def presents_key(head: Head) -> bool:
    """Whether a request presents a key in any of the ways that one can."""
    return bool(_presented(head))


def _presented(head: Head) -> list[tuple[str, str]]:
    """Give the credentials that a request presents, each with where it stands."""
    found: list[tuple[str, bytes]] = []
    for name, value in head.headers:
        if name == b"authorization":
            kind, _, bearer = value.partition(b" ")
            if kind.lower() == b"bearer":
                found.append(("authorization", bearer))
        elif name in _KEY_HEADERS:
            found.append((name.decode(), value))
    if head.query and meant(head.path).startswith(_KEY_IN_QUERY):
        for field in head.query.split(b"&"):
            name, _, value = field.partition(b"=")
            if name == b"key":
                found.append(("?key=", unquote_to_bytes(value)))
    told = [(where, value.strip().decode("latin-1")) for where, value in found]
    return [(where, key) for where, key in told if key]


@lru_cache(HOSTS_KNOWN_MAX)
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
