"""Resilience: the profile in force, and how fast models answer."""

from starlette.requests import Request

from omniroute.routing.gateway import Gateway
from omniroute.routing.health.profiles import PROFILES, Profile
from omniroute.routing.model import Caller

from ..management_health import (
    ResilienceJson,
    ResilienceWish,
    TimingsJson,
    profile_json,
    timing_json,
)
from .rows import Row, body_as

PATH = "/api/resilience"


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""

    async def show(request: Request, caller: Caller) -> ResilienceJson:
        return _with(gateway.view.resilience(caller))

    async def put(request: Request, caller: Caller) -> ResilienceJson:
        wish = await body_as(request, ResilienceWish)
        return _with(await gateway.control.set_resilience_profile(wish.profile, caller))

    async def timings(request: Request, caller: Caller) -> TimingsJson:
        return TimingsJson(tuple(map(timing_json, gateway.view.timings(caller))))

    return (
        Row("GET", "/api/timings", "read:health", "How fast models answer", timings),
        Row("GET", PATH, "read:health", "The resilience profile in force", show),
        Row("PUT", PATH, "write:config", "Put a resilience profile in force", put),
    )


def _with(in_force: Profile) -> ResilienceJson:
    return ResilienceJson(in_force.name, tuple(map(profile_json, PROFILES)))
