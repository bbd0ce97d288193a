"""What `/api/*` speaks: the bodies it takes and the answers it gives, as values.

The routes encode them, the command line decodes them. Money is nano-dollars, times are seconds
since 1970 unless a name says otherwise. No answer holds a provider's key. Keys and budgets have
theirs in management_keys.py.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from omniroute.routing.catalog.providers import provider_named
from omniroute.routing.model import Account, Outcome

MASKED_CHARS_MIN = 12
FINGERPRINT_BYTES = 8


@dataclass(frozen=True, slots=True)
class AccountJson:
    """One account; `key_from` is the variable its key was found in, "" when it was entered.

    `proxy` is shown without its user name and password. `fingerprint` is another one whenever the
    key, a header's value or the proxy's password is; it tells nothing of them.
    """

    account_id: str
    provider: str
    dialect: str
    base_url: str
    source: str
    name: str = ""
    enabled: bool = True
    simulated: bool = False
    local: bool = False
    proxy: str = ""
    proxy_shared: bool = False
    http2: bool = False
    key_masked: str | None = None
    key_from: str = ""
    models: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class AccountsJson:
    """Every account, found and entered ones."""

    providers: tuple[AccountJson, ...]


@dataclass(frozen=True, slots=True)
class AccountWish:
    """An account to add; None and "" leave it to the catalogue's row of the provider."""

    provider: str
    key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    dialect: str | None = None
    name: str = ""
    models: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    proxy: str | None = field(default=None, repr=False)
    http2: bool = False
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class TestJson:
    """How a short real call to an account went; a failed one is an answer, too."""

    ok: bool
    model: str = ""
    latency_ms: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class RequestJson:
    """One request on a line. `cost_usd_nanos` is None when the price is unknown."""

    request_id: str
    at_unix_s: float
    key_id: str
    door: str
    target: str
    status: str
    served_by: str | None
    attempts: int
    total_s: float
    cost_usd_nanos: int | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RequestsJson:
    """The newest requests first."""

    requests: tuple[RequestJson, ...]


@dataclass(frozen=True, slots=True)
class CircuitJson:
    """A circuit that is not closed; `model` is "" for the whole account's."""

    provider: str
    model: str
    state: str
    failures: int
    next_try_s: float | None = None


@dataclass(frozen=True, slots=True)
class CooldownJson:
    """An account or a model that rests."""

    provider: str
    model: str
    reason: str
    remaining_s: float


@dataclass(frozen=True, slots=True)
class HeldJson:
    """An account that refused for its rate, and how long it is held to the profile's still."""

    provider: str
    requests_per_minute: int
    remaining_s: float


@dataclass(frozen=True, slots=True)
class StatusJson:
    """How a running gateway is. `alerts` counts those it keeps that the caller may see.

    `workers` are the ids of the processes that answer; empty when that is the gateway's own alone.
    """

    version: str
    uptime_s: float
    config_version: int
    accounts: int
    simulated_only: bool
    needs_key: bool
    keys: int
    circuits: tuple[CircuitJson, ...] = ()
    cooldowns: tuple[CooldownJson, ...] = ()
    held: tuple[HeldJson, ...] = ()
    alerts: int = 0
    workers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SettingJson:
    """One setting in force, in words, and where it came from."""

    name: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class NoteJson:
    """A variable that was passed over, and why."""

    variable: str
    words: str


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """What only a gateway knows of itself: what `doctor` looks at beside the machine.

    `settings` are those in force in its process; another shell may have others. `ignored` are
    provider variables that were not taken, such as those that lead to ourselves. `problems` are
    stored accounts, combos and settings that cannot be used, in words. `has_password` is the
    dashboard's.
    """

    version: str
    needs_key: bool
    keys: int
    accounts: tuple[AccountJson, ...]
    ignored: tuple[NoteJson, ...] = ()
    settings: tuple[SettingJson, ...] = ()
    database: str = "sqlite"
    now_unix_s: float | None = None
    problems: tuple[str, ...] = ()
    has_password: bool = False


def account_json(
    account: Account, environment: Mapping[str, str], *, seed: bytes | None = None
) -> AccountJson:
    """Give an account without its secrets; its key may have come from `environment`.

    Args:
        account: what is shown.
        environment: of the process.
        seed: the key of its fingerprint, from the key ring; without there is none.
    """
    row = provider_named(account.provider) if account.source == "environment" else None
    variables = () if row is None else row.key_variables
    found = [one for one in variables if environment.get(one, "").strip() == account.credential]
    return AccountJson(
        account_id=account.account_id,
        provider=account.provider,
        dialect=account.dialect,
        base_url=account.base_url,
        source=account.source,
        name=account.name,
        enabled=account.enabled,
        simulated=account.simulated,
        local=account.local,
        proxy=shown_proxy(account),
        proxy_shared=not account.proxy and bool(account.shared_proxy),
        http2=account.http2,
        key_masked=masked(account.credential),
        key_from=found[0] if found else "",
        models=account.models,
        headers=tuple(name for name, _ in account.headers),
        fingerprint=None if seed is None else fingerprint(_secrets_of(account), seed),
    )


def shown_proxy(account: Account) -> str:
    """Give the proxy that an account goes through, "direct" where it shall go through none."""
    return without_user(account.proxy or account.shared_proxy or "")


def without_user(proxy: str) -> str:
    """Give a proxy's URL without its user name and password."""
    scheme, mark, rest = proxy.partition("://")
    return scheme + mark + rest.rpartition("@")[2]


def masked(secret: str | None) -> str | None:
    """Give the end of a secret, enough to tell two apart; nothing of a short one."""
    if not secret:
        return None
    return f"...{secret[-4:]}" if len(secret) >= MASKED_CHARS_MIN else "..."


def fingerprint(secrets: object, seed: bytes) -> str:
    """Give what is another one whenever the secrets are, and tells nothing of them."""
    # Under a key of its own, so that a password that is short cannot be found by trying.
    key = hashlib.blake2b(seed, person=b"fingerprint").digest()
    told = msgspec.json.encode(secrets)
    return hashlib.blake2b(told, key=key, digest_size=FINGERPRINT_BYTES).hexdigest()


def _secrets_of(account: Account) -> object:
    return account.credential, account.headers, account.proxy


def request_json(outcome: Outcome) -> RequestJson:
    """Give one line of the list of requests."""
    return RequestJson(
        request_id=outcome.request.request_id,
        at_unix_s=outcome.at_unix_s,
        key_id=outcome.key_id,
        door=outcome.request.door,
        target=outcome.request.target,
        status=outcome.status,
        served_by=None if outcome.winner is None else outcome.winner.name,
        attempts=len(outcome.attempts),
        total_s=outcome.total_s,
        cost_usd_nanos=outcome.cost_usd_nanos,
        error=outcome.error,
    )
