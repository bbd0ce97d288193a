"""Scopes: their names, aliases and presets, and the one place that checks them."""

from collections.abc import Iterable, Sequence

from .errors import BadRequest, NotAllowed
from .model import Caller

SCOPES = (
    "read:health",
    "read:combos",
    "write:combos",
    "read:quota",
    "write:route",
    "read:usage",
    "write:config",
    "read:models",
)
ADMIN = "admin"

LOCAL = "local"
"""The key id of whoever is at this machine and needs no key."""
LOCAL_CLI = "local-cli"
"""The key id of the command line, which presents the token of this user's own gateway."""
OWNER = "owner"
"""The key id of whoever signs in to the dashboard with its password."""

ALIASES = {
    "execute:completions": "write:route",
    "write:budget": "write:config",
    "write:resilience": "write:config",
}

_READS = ("read:health", "read:combos", "read:quota", "read:usage", "read:models")
PRESETS: dict[str, tuple[str, ...]] = {
    "readonly": _READS,
    "monitor": ("read:health", "read:quota", "read:usage"),
    "agent": (*_READS, "write:route"),
    "full": SCOPES,
}


def expand_scopes(names: Iterable[str]) -> frozenset[str]:
    """Give the scopes that names, aliases, presets and wildcards (`read:*`, `*`) stand for.

    `*` is every documented scope, not `admin`: management is always named.

    Raises:
        BadRequest: a name is none of these.
    """
    found: set[str] = set()
    for name in names:
        found.update(_expand_one(name.strip()))
    return frozenset(found)


def require_one(caller: Caller, scopes: Sequence[str]) -> None:
    """Raise NotAllowed for the last of the scopes unless the caller's key carries one of them."""
    if caller.scopes.isdisjoint(scopes):
        require(caller, scopes[-1])


def require(caller: Caller, scope: str) -> None:
    """Raise NotAllowed unless the caller's key carries the scope."""
    if scope not in caller.scopes and ADMIN not in caller.scopes:
        raise NotAllowed(
            f"key {caller.key_id} lacks scope {scope}; make a key that carries it with "
            f"`omniroute keys add --scope {scope}`",
            scope=scope,
        )


def _expand_one(name: str) -> Iterable[str]:
    if name in SCOPES or name == ADMIN:
        return (name,)
    if name in ALIASES:
        return (ALIASES[name],)
    if name in PRESETS:
        return PRESETS[name]
    if name.endswith("*"):
        matches = tuple(scope for scope in SCOPES if scope.startswith(name[:-1]))
        if matches:
            return matches
    known = ", ".join((*SCOPES, ADMIN, *ALIASES, *PRESETS))
    raise BadRequest(f"no scope is named {name!r}; known are {known}", field="scopes")


def bound_by(caller: Caller) -> str | None:
    """Give the key that bounds what its holder may make; None of who has no key and needs none."""
    return None if caller.key_id in (LOCAL, LOCAL_CLI, OWNER) else caller.key_id


def owner_of(key_id: str) -> str:
    """Give whose budgets pay for a key: command line and password are the local user's, too."""
    return LOCAL if key_id in (LOCAL_CLI, OWNER) else key_id
