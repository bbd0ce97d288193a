"""What the documented routes on health speak, as values; see management.py.

The names are those that OmniRoute documents for `/api/monitoring/health`, `/api/rate-limits`,
`/api/policies`, `/api/token-health` and `/api/sessions`: in camel case, times in milliseconds
or as ISO 8601 in UTC. What is not known is null.
"""

import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from msgspec import Struct

from omniroute.routing.accounting.sessions import Seat
from omniroute.routing.model import Account
from omniroute.routing.quotas import LimitRow, QuotaRow
from omniroute.routing.views import CircuitRow, HealthView, LockoutRow

from .management_usage import moment

_WORST = ("CLOSED", "HALF_OPEN", "OPEN")
_STATM = Path("/proc/self/statm")


class MemoryJson(Struct, frozen=True):
    """What the process takes in bytes; null where the system does not tell."""

    rss: int | None


class SystemJson(Struct, frozen=True, rename="camel"):
    """The process that answers; `uptime` in seconds."""

    version: str
    python_version: str
    uptime: int
    memory_usage: MemoryJson
    pid: int
    platform: str


class ProviderHealthJson(Struct, frozen=True, rename="camel"):
    """The worst circuit of a provider's accounts and models."""

    state: str
    failures: int
    last_failure: str | None


class LockedModelJson(Struct, frozen=True, rename="camel"):
    """A model that its provider does not serve to this account."""

    provider: str
    connection_id: str
    model: str
    reason: str
    times: int
    remaining_ms: int


class KnownLimitJson(Struct, frozen=True, rename="camel"):
    """A limit that an account or one of its models is held to; null is unknown."""

    model: str
    dimension: str
    limit: int | None
    remaining: int | None
    reset_ms: int | None
    source: Literal["provider", "profile"]


class RateLimitJson(Struct, frozen=True, rename="camel"):
    """What one account is held to, and how many calls to it are under way."""

    provider: str
    running: int
    queued: int
    limits: tuple[KnownLimitJson, ...]


class MonitoringJson(Struct, frozen=True, rename="camel"):
    """How the gateway is: degraded while a circuit is open or an account or model rests."""

    status: Literal["healthy", "degraded"]
    timestamp: str
    system: SystemJson
    provider_health: dict[str, ProviderHealthJson]
    rate_limit_status: dict[str, RateLimitJson]
    lockouts: tuple[LockedModelJson, ...]
    setup_complete: bool


class ClosedJson(Struct, frozen=True, rename="camel"):
    """How many circuits, rests, lock-outs and spent limits were ended."""

    success: bool
    reset_count: int
    message: str


class LimitedAccountJson(Struct, frozen=True, rename="camel"):
    """How an account is kept within its provider's limits; that cannot be switched off.

    `active` says that one of its limits is spent; `queued` counts those of the process that
    answers, `running` the calls of all workers.
    """

    connection_id: str
    provider: str
    name: str
    rate_limit_protection: bool
    enabled: bool
    active: bool
    queued: int
    running: int


class RateLimitsJson(Struct, frozen=True, rename="camel"):
    """The accounts, what each is held to, and the models that are locked out."""

    connections: tuple[LimitedAccountJson, ...]
    overview: dict[str, RateLimitJson]
    lockouts: tuple[LockedModelJson, ...]


class PolicyCircuitJson(Struct, frozen=True, rename="camel"):
    """A circuit with a history; `name` is the account's id, and with a slash the model."""

    name: str
    provider: str
    state: str
    failure_count: int
    last_failure: str | None
    next_try_ms: int | None


class LockedJson(Struct, frozen=True, rename="camel"):
    """Who is not asked, why, and until when: an account's id, and with a slash the model."""

    identifier: str
    provider: str
    reason: str
    locked_until: str
    remaining_ms: int


class PoliciesJson(Struct, frozen=True, rename="camel"):
    """What stands in the way of accounts and models."""

    circuit_breakers: tuple[PolicyCircuitJson, ...]
    locked_identifiers: tuple[LockedJson, ...]


class UnlockWish(Struct, frozen=True):
    """Whom to ask again: an account's id, its name, its provider, or one of these/model."""

    action: Literal["unlock"]
    identifier: str


class TokenHealthJson(Struct, frozen=True, rename="camel"):
    """How the credentials of the enabled accounts are.

    `errored` were refused by their provider, of a `warning` one a short-lived token has ended
    and the next call fetches another. They are looked at by calls: `lastCheckAt` is null.
    """

    total: int
    healthy: int
    errored: int
    warning: int
    last_check_at: str | None
    status: Literal["healthy", "warning", "error"]


class SessionJson(Struct, frozen=True, rename="camel"):
    """Where a session's last request was answered, and how much is likely cached there."""

    session_id: str
    target: str
    connection_id: str
    provider: str | None
    model: str
    last_active_at: str
    cached_tokens: int


class SessionsJson(Struct, frozen=True):
    """How many sessions are remembered, and those used last."""

    count: int
    sessions: tuple[SessionJson, ...]


def system_json(version: str, uptime_s: float) -> SystemJson:
    """Give the process that answers."""
    return SystemJson(
        version=version,
        python_version=platform.python_version(),
        uptime=int(uptime_s),
        memory_usage=MemoryJson(_rss_bytes()),
        pid=os.getpid(),
        platform=sys.platform,
    )


def provider_health(
    accounts: Iterable[Account], circuits: Sequence[CircuitRow]
) -> dict[str, ProviderHealthJson]:
    """Give the worst circuit of every provider that has an account."""
    found: dict[str, ProviderHealthJson] = {}
    for provider in sorted({one.provider for one in accounts}):
        theirs = [one for one in circuits if one.provider == provider]
        worst = max(theirs, key=lambda one: (_place(one.state), one.failures), default=None)
        last = [one.last_failure_unix_s for one in theirs if one.last_failure_unix_s is not None]
        found[provider] = ProviderHealthJson(
            "CLOSED" if worst is None else worst.state,
            0 if worst is None else worst.failures,
            moment(max(last)) if last else None,
        )
    return found


def rate_limits(
    accounts: Iterable[Account], limits: Sequence[LimitRow], loads: Mapping[str, tuple[int, int]]
) -> dict[str, RateLimitJson]:
    """Give what each account is held to, by its id."""
    return {
        account.account_id: RateLimitJson(
            account.provider,
            *loads.get(account.account_id, (0, 0)),
            limits=tuple(_limit(one) for one in limits if one.account_id == account.account_id),
        )
        for account in accounts
    }


def locked_models(rows: Iterable[LockoutRow]) -> tuple[LockedModelJson, ...]:
    """Give the models that are locked out."""
    return tuple(
        LockedModelJson(
            *(one.provider, one.account_id, one.model, one.reason, one.times),
            remaining_ms=round(one.remaining_s * 1000),
        )
        for one in rows
    )


def limited_accounts(
    accounts: Iterable[Account], overview: Mapping[str, RateLimitJson]
) -> tuple[LimitedAccountJson, ...]:
    """Give how each account is kept within its limits."""
    return tuple(
        LimitedAccountJson(
            connection_id=one.account_id,
            provider=one.provider,
            name=one.name or one.provider,
            rate_limit_protection=True,
            enabled=one.enabled,
            active=any(limit.remaining == 0 for limit in overview[one.account_id].limits),
            queued=overview[one.account_id].queued,
            running=overview[one.account_id].running,
        )
        for one in accounts
    )


def policies_json(health: HealthView, now_unix_s: float) -> PoliciesJson:
    """Give circuits and rests, those locked out included."""
    return PoliciesJson(
        tuple(
            PolicyCircuitJson(
                name=_named(one.account_id, one.model),
                provider=one.provider,
                state=one.state,
                failure_count=one.failures,
                last_failure=None
                if one.last_failure_unix_s is None
                else moment(one.last_failure_unix_s),
                next_try_ms=None if one.next_try_s is None else round(one.next_try_s * 1000),
            )
            for one in health.circuits
        ),
        tuple(
            LockedJson(
                *(_named(one.account_id, one.model), one.provider, one.reason),
                locked_until=moment(now_unix_s + one.remaining_s),
                remaining_ms=round(one.remaining_s * 1000),
            )
            for one in health.cooldowns
        ),
    )


def token_health(rows: Iterable[QuotaRow], now_s: float) -> TokenHealthJson:
    """Give how the credentials of accounts are; simulated and disabled ones do not count."""
    asked = [one for one in rows if one.enabled and not one.simulated]
    errored = sum(one.refused for one in asked)
    ended = sum(
        not one.refused and one.token is not None and one.token.ends_s <= now_s for one in asked
    )
    return TokenHealthJson(
        total=len(asked),
        healthy=len(asked) - errored - ended,
        errored=errored,
        warning=ended,
        last_check_at=None,
        status="error" if errored else "warning" if ended else "healthy",
    )


def session_json(
    key: tuple[str, str], seat: Seat, providers: Mapping[str, str], to_unix_s: float
) -> SessionJson:
    """Give one session's seat; `to_unix_s` makes the engine's times seconds since 1970."""
    session_id, target = key
    return SessionJson(
        session_id=session_id,
        target=target,
        connection_id=seat.account_id,
        provider=providers.get(seat.account_id),
        model=seat.model,
        last_active_at=moment(seat.at_s + to_unix_s),
        cached_tokens=seat.tokens,
    )


def _limit(row: LimitRow) -> KnownLimitJson:
    return KnownLimitJson(
        *(row.model, row.dimension, row.limit, row.remaining),
        reset_ms=None if row.reset_s is None else round(row.reset_s * 1000),
        source=row.source,
    )


def _named(account_id: str, model: str) -> str:
    return f"{account_id}/{model}" if model else account_id


def _place(state: str) -> int:
    return _WORST.index(state) if state in _WORST else len(_WORST)


def _rss_bytes() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None
