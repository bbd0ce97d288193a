"""How the gateway is, and what it knows of itself for `doctor`."""

import asyncio

from starlette.requests import Request

from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller

from ..auth import Authenticator
from ..doctor_here import ReportJson, report
from ..facts import Facts
from ..management import CircuitJson, CooldownJson, GatewayFacts, HeldJson, StatusJson
from ..store.keys import Keys
from .keys import key_json
from .rows import Row


def rows(
    gateway: Gateway,
    authenticator: Authenticator,
    keys: Keys,
    own: Facts,
) -> tuple[Row, ...]:
    """Give the routes."""

    async def status(request: Request, caller: Caller) -> StatusJson:
        health = gateway.view.health(caller)
        return StatusJson(
            version=health.version,
            uptime_s=health.uptime_s,
            config_version=health.config_version,
            accounts=health.accounts,
            simulated_only=health.simulated_only,
            needs_key=authenticator.needs_key(),
            keys=len(keys),
            circuits=tuple(
                CircuitJson(one.provider, one.model, one.state, one.failures, one.next_try_s)
                for one in health.circuits
                if one.state != "CLOSED"
            ),
            cooldowns=tuple(
                CooldownJson(one.provider, one.model, one.reason, one.remaining_s)
                for one in health.cooldowns
            ),
            held=tuple(
                HeldJson(one.provider, one.limit or 0, one.expires_s)
                for one in health.limits
                if one.source == "profile"
            ),
            alerts=len(gateway.view.alerts(caller)),
            workers=tuple(gateway.view.processes()[1:]),
        )

    async def doctor(request: Request, caller: Caller) -> GatewayFacts:
        return own.now()

    async def look(request: Request, caller: Caller) -> ReportJson:
        shown = tuple(map(key_json, keys.all()))
        return await asyncio.to_thread(report, own, own.now(), shown)

    return (
        Row("GET", "/api/status", "read:health", "How the gateway is", status),
        Row("GET", "/api/doctor", "admin", "What the gateway knows of itself", doctor),
        Row("GET", "/api/doctor/report", "admin", "What is wrong, and what to do", look),
    )
