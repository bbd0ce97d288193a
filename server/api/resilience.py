"""Resilience: the profile in force, what stands in the way, and how fast models answer."""

from starlette.requests import Request

from omniroute.routing.gateway import Gateway
from omniroute.routing.health.profiles import profile_named
from omniroute.routing.model import Caller

from ..management_health import (
    AlertsJson,
    ResetJson,
    ResetWish,
    ResilienceJson,
    ResilienceWish,
    TimingsJson,
    alert_json,
    resilience_json,
    timing_json,
)
from .editing import Thing
from .pages import Lists
from .queries import Query
from .rows import Row, body_as

PATH = "/api/resilience"
WHOSE = (
    Query("provider", str, "only those of this provider"),
    Query("model", str, "only those of this model"),
)
ALERTS = Lists(
    "alerts",
    lambda one: (one.name, one.provider, one.account_id, one.model, one.at_unix_s, one.detail),
    (Query("name", str, "only alerts of this name"), *WHOSE),
)
TIMINGS = Lists("timings", lambda one: (one.provider, one.account_id, one.model), WHOSE)


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""

    async def show(request: Request, caller: Caller) -> ResilienceJson:
        return resilience_json(gateway.view.resilience(caller), gateway.view.health(caller))

    async def put(request: Request, caller: Caller) -> ResilienceJson:
        wish = await body_as(request, ResilienceWish)
        profile = await gateway.control.set_resilience_profile(wish.profile, caller)
        # What stands in the way is not this scope's to read.
        return resilience_json(profile, None)

    async def reset(request: Request, caller: Caller) -> ResetJson:
        wish = await body_as(request, ResetWish)
        ended = gateway.control.reset_health(caller, account=wish.account, model=wish.model)
        return ResetJson(ended)

    async def timings(request: Request, caller: Caller) -> TimingsJson:
        await gateway.view.gather()
        return TimingsJson(tuple(map(timing_json, gateway.view.timings(caller))))

    async def alerts(request: Request, caller: Caller) -> AlertsJson:
        return AlertsJson(tuple(map(alert_json, gateway.view.alerts(caller))))

    async def in_force(request: Request, caller: Caller) -> ResilienceJson:
        profile = gateway.view.configs.current().resilience
        return resilience_json(profile_named(profile), None)

    thing = Thing(in_force, edited=lambda shown: shown.profile)
    return (
        Row("GET", "/api/alerts", "read:health", "What happened of late", alerts, lists=ALERTS),
        Row("GET", "/api/timings", "read:health", "How fast models answer", timings, lists=TIMINGS),
        Row(
            *("GET", PATH, "read:health", "The profile in force, and what is in the way", show),
            thing=thing,
        ),
        Row(
            *("PUT", PATH, "write:config", "Put a resilience profile in force", put),
            body=ResilienceWish,
            thing=thing,
        ),
        Row(
            *("POST", f"{PATH}/reset", "write:config", "Close circuits and end rests", reset),
            body=ResetWish,
        ),
    )
