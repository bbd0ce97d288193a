"""Health in the documented shapes: the gateway's, its accounts' and their credentials'."""

from starlette.requests import Request

from omniroute.routing.access import require
from omniroute.routing.accounting.sessions import place_of
from omniroute.routing.errors import NotFound
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.views import HealthView

from ..management_usage import moment
from ..monitoring_json import (
    ClosedJson,
    MonitoringJson,
    PoliciesJson,
    RateLimitJson,
    RateLimitsJson,
    SessionsJson,
    TokenHealthJson,
    UnlockWish,
    limited_accounts,
    locked_models,
    policies_json,
    provider_health,
    rate_limits,
    session_json,
    system_json,
    token_health,
)
from .pages import CURSOR, cursor_of, tell_next
from .queries import Query, count
from .rows import Row, body_as, number

HEALTH = "/api/monitoring/health"
SESSIONS = 100
SESSIONS_MAX = 1_000


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""
    return (*_health_rows(gateway), *_lock_rows(gateway), *_session_rows(gateway))


def _health_rows(gateway: Gateway) -> tuple[Row, ...]:
    view = gateway.view

    async def monitoring(request: Request, caller: Caller) -> MonitoringJson:
        health, accounts = view.health(caller), view.configs.current().accounts
        is_open = any(one.state != "CLOSED" for one in health.circuits)
        return MonitoringJson(
            status="degraded" if is_open or health.cooldowns else "healthy",
            timestamp=moment(view.clock.unix()),
            system=system_json(health.version, health.uptime_s),
            provider_health=provider_health(accounts, health.circuits),
            rate_limit_status=_overview(gateway, health),
            lockouts=locked_models(health.lockouts),
            setup_complete=not health.simulated_only,
        )

    async def close(request: Request, caller: Caller) -> ClosedJson:
        return _closed(gateway.control.reset_health(caller))

    async def limits(request: Request, caller: Caller) -> RateLimitsJson:
        health = view.health(caller)
        found = _overview(gateway, health)
        return RateLimitsJson(
            connections=limited_accounts(view.configs.current().accounts, found),
            overview=found,
            lockouts=locked_models(health.lockouts),
        )

    async def tokens(request: Request, caller: Caller) -> TokenHealthJson:
        return token_health(view.quotas(caller), view.clock.now())

    return (
        Row("GET", HEALTH, "read:health", "How the gateway and its providers are", monitoring),
        Row("DELETE", HEALTH, "write:config", "Close all circuits and end all rests", close),
        Row("GET", "/api/rate-limits", "read:health", "What accounts are held to", limits),
        Row("GET", "/api/token-health", "read:quota", "How credentials are", tokens),
    )


def _lock_rows(gateway: Gateway) -> tuple[Row, ...]:
    view = gateway.view

    async def policies(request: Request, caller: Caller) -> PoliciesJson:
        return policies_json(view.health(caller), view.clock.unix())

    async def unlock(request: Request, caller: Caller) -> ClosedJson:
        wish = await body_as(request, UnlockWish)
        return _closed(_unlocked(gateway, caller, wish.identifier))

    return (
        Row("GET", "/api/policies", "read:health", "Circuits, and who is not asked", policies),
        Row(
            *("POST", "/api/policies", "write:config", "Ask an account or a model again", unlock),
            body=UnlockWish,
        ),
    )


def _session_rows(gateway: Gateway) -> tuple[Row, ...]:
    view = gateway.view

    async def sessions(request: Request, caller: Caller) -> SessionsJson:
        known = gateway.route.sessions
        limit = number(request, "limit", SESSIONS, least=1, most=SESSIONS_MAX)
        providers = {one.account_id: one.provider for one in view.configs.current().accounts}
        to_unix_s = view.clock.unix() - view.clock.now()
        # A session that is used meanwhile is among the newest, so before the pages that follow.
        found = known.newest(limit + 1, cursor_of(request, tuple[float, str, str]))
        if len(found) > limit:
            tell_next(request, place_of(*found[limit - 1]))
        shown = (session_json(*one, providers, to_unix_s) for one in found[:limit])
        return SessionsJson(len(known), tuple(shown))

    return (
        Row(
            *("GET", "/api/sessions", "admin", "Sessions, and who answered them last", sessions),
            query=(
                Query(
                    "limit", count(1, SESSIONS_MAX), f"how many are listed, {SESSIONS} unless said"
                ),
                CURSOR,
            ),
        ),
    )


def _overview(gateway: Gateway, health: HealthView) -> dict[str, RateLimitJson]:
    accounts = gateway.view.configs.current().accounts
    return rate_limits(accounts, health.limits, gateway.route.loads.by_account())


def _unlocked(gateway: Gateway, caller: Caller, identifier: str) -> int:
    """End what stands in the way of an account, or of a model at one; give how much that was.

    Raises:
        NotFound: neither goes by that.
    """
    require(caller, "write:config")
    try:
        return gateway.control.reset_health(caller, account=identifier)
    except NotFound:
        account, _, model = identifier.partition("/")
        if not model:
            raise
        return gateway.control.reset_health(caller, account=account, model=model)


def _closed(ended: int) -> ClosedJson:
    return ClosedJson(True, ended, f"{ended} circuits, rests, lock-outs and limits were ended")
