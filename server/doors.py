"""Every door of the gateway, opened and mounted, on one screen."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from omniroute.a2a.card import ENDPOINT
from omniroute.a2a.routes import Door as A2ADoor
from omniroute.routing.model import Dialect
from omniroute.tools.audit import Trail

from .api import (
    aliases,
    audit,
    autos,
    backups,
    budgets,
    clients,
    combos,
    documented,
    fitness,
    guards,
    keyring,
    keys,
    lab,
    live,
    mcp,
    metrics,
    overview,
    providers,
    proxies,
    requests,
    resilience,
    retention,
    shaping,
    sign_in,
    simulate,
    status,
    tasks,
    translate,
    usage,
)
from .api.calls import Calls
from .api.departed import departed_rows
from .api.openapi import document
from .api.rows import Row, rights_of, routes_of
from .app import Front, build_app, health_routes, hello_routes, home_route
from .bounds import BODIES_AT_ONCE, Bounds, connections_by_files
from .card_key import open_card_key
from .dashboard.all_pages import dashboard
from .exchange import Door
from .feed import Feed
from .gate import Gate
from .guard import Guard
from .home import page
from .mcp_door import McpDoor, build_mcp
from .parts import Parts
from .repeats import Repeats
from .rights import BELOW, RIGHTS
from .settings import Settings
from .store.decisions import Decisions
from .telemetry.shared import Live, SharedFigures, cpu_s, descriptors, resident_bytes
from .v1 import beside, scoped
from .v1.chat import ChatDoor
from .v1.counting import CountDoor
from .v1.gemini import GeminiDoor
from .v1.services import ServiceDoors
from .webhooks import Webhooks

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
CANCELED = "a2a_task_canceled"
"""What workers tell each other of a task that was canceled where it does not run."""
CHATS: dict[str, Dialect] = {
    "/v1/chat/completions": "openai_chat",
    "/v1/messages": "anthropic",
    "/v1/responses": "openai_responses",
}
"""Where each dialect's chats are answered; Gemini's are below a path."""
GEMINI = "/v1beta/models/"
GEMINI_ANSWERS = ("generateContent", "streamGenerateContent")
MCP_SHOWN = ("/mcp", "/api/mcp/stream")
MCP_PATHS = (*MCP_SHOWN, "/mcp/")
A2A_PATHS = (ENDPOINT, f"{ENDPOINT}/")


@asynccontextmanager
async def open_doors(parts: Parts) -> AsyncGenerator[Front]:
    """Give the application of all doors, open while the context is."""
    settings, authenticator = parts.settings, parts.authenticator
    hosts, repeats = _hosts(settings), Repeats(parts.storage.answers)
    mcp_door = _mcp(parts, hosts, repeats)
    webhooks = Webhooks(
        private=settings.a2a_private_webhooks, own_addresses=((settings.host, settings.port),)
    )
    a2a = _a2a(parts, repeats, webhooks)
    services = _services(parts)
    # The figures of the front, which is made of what the rows need.
    feed = live.feed_of(parts)
    own = (*tasks.rows(a2a), *live.rows(feed))
    rows = (*_management(parts), *own, *_metrics(parts, lambda: front))
    departed, below = departed_rows({(one.method, one.path) for one in rows})
    served = (*departed, *rows, *below)
    pages = dashboard(parts, Calls(rows, parts.storage), lambda: front)
    gate = Gate(
        authenticator,
        (*RIGHTS, *rights_of(served), *pages.rights()),
        dict.fromkeys(MCP_PATHS, mcp_door.refusal) | dict.fromkeys(A2A_PATHS, a2a.refusal),
        pages.entrance,
    )
    hot = _hot(parts) | services.hot()
    hot |= beside.vectors(parts, hot)
    by_provider = beside.scoped(parts, hot)
    front = Front(
        Guard(hosts=hosts, origins=settings.allowed_origins),
        gate,
        hot={
            **hot,
            GEMINI + BELOW: GeminiDoor(_gemini_methods(parts, services)),
            scoped.PREFIX + BELOW: by_provider,
        },
        doors=dict.fromkeys(MCP_PATHS, mcp_door.app),
        sockets=beside.sockets(parts, hot),
    )
    _end_in_order(front, mcp_door, a2a, feed)
    front.logs = front.refused.tells_all = settings.access_log
    front.bounds, front.pressure = _bounds(settings), parts.gateway.route.pressure
    front.app = build_app(
        [
            # They are looked at in turn, and none of these is asked for as often.
            *a2a.routes(),
            *health_routes(front.not_ready),
            *beside.routes(parts),
            *services.routes(),
            *routes_of(served, authenticator, parts.storage),
            Route("/openapi.json", _openapi(rows, parts.version), methods=["GET"]),
            *pages.routes(),
            home_route(lambda: _home(parts)),
            *hello_routes(),
        ],
        gate,
        front,
    )
    with closing(webhooks):
        async with mcp_door.run(), a2a.lifespan():
            yield front


def _end_in_order(front: Front, mcp_door: McpDoor, a2a: A2ADoor, feed: Feed) -> None:
    def close() -> None:
        mcp_door.drain()
        feed.end()

    def cut() -> None:
        mcp_door.cut()
        a2a.stop()

    front.closing = close
    front.cutting = cut


def _mcp(parts: Parts, hosts: Sequence[str], repeats: Repeats) -> McpDoor:
    door = build_mcp(
        parts.gateway,
        authenticate=parts.authenticator.caller,
        allowed_hosts=hosts,
        allowed_origins=parts.settings.allowed_origins,
        stateless=parts.settings.workers > 1,
    )
    door.once = repeats
    door.trail = Trail(parts.storage.tool_calls, parts.clock)
    return door


def _a2a(parts: Parts, repeats: Repeats, webhooks: Webhooks) -> A2ADoor:
    settings, authenticator = parts.settings, parts.authenticator
    door = A2ADoor(
        gateway=parts.gateway,
        tasks=parts.storage.tasks,
        authenticate=lambda request: authenticator.caller(request.scope),
        public_url=lambda: _public_url(settings),
        keys_required=authenticator.needs_key,
        clock=parts.clock,
        task_s_max=settings.a2a_task_s,
        kept_s=settings.a2a_kept_s,
        once=repeats,
        canceled=lambda task_id, owner: parts.peers.tell(CANCELED, (task_id, owner)),
        callers=authenticator.caller_named,
        pushes=parts.storage.pushes,
        outgoing=webhooks,
        signer=None if settings.a2a_card_key is None else open_card_key(settings.a2a_card_key),
    )

    async def cancel(words: Sequence[str]) -> None:
        door.cancel(*words)

    parts.peers.on(CANCELED, cancel)
    return door


def _hot(parts: Parts) -> dict[str, Door]:
    chats: dict[str, Door] = {path: _chat(parts, dialect) for path, dialect in CHATS.items()}
    chats |= beside.responses(parts, chats["/v1/responses"])
    counts: dict[str, Door] = {
        "/v1/messages/count_tokens": _count(parts, "anthropic"),
        "/v1/responses/input_tokens": _count(parts, "openai_responses"),
    }
    return chats | counts | beside.hot(parts)


def _count(parts: Parts, dialect: Dialect) -> CountDoor:
    limit = parts.settings.body_bytes_max
    return CountDoor(parts.gateway, parts.authenticator, dialect, parts.http, limit)


def _chat(parts: Parts, dialect: Dialect) -> ChatDoor:
    settings = parts.settings
    return ChatDoor(
        parts.gateway,
        parts.authenticator,
        dialect,
        settings.first_byte_hold_s,
        settings.body_bytes_max,
        parts.storage.answers,
        parts.response_cache,
        settings.response_cache_s or 0.0,
    )


def _services(parts: Parts) -> ServiceDoors:
    bytes_max, answers = parts.settings.body_bytes_max, parts.storage.answers
    return ServiceDoors(parts.gateway, parts.authenticator, bytes_max, answers)


def _gemini_methods(parts: Parts, services: ServiceDoors) -> dict[str, Door]:
    chats: dict[str, Door] = dict.fromkeys(GEMINI_ANSWERS, _chat(parts, "gemini"))
    chats["countTokens"] = _count(parts, "gemini")
    return chats | services.methods()


def _management(parts: Parts) -> tuple[Row, ...]:
    settings, gateway, stored = parts.settings, parts.gateway, parts.storage.keys
    return (
        *keys.rows(stored, parts.storage.budgets),
        *keyring.rows(parts.storage.rings),
        *budgets.rows(stored, parts.storage.budgets, parts.storage.configs),
        *providers.rows(
            gateway,
            parts.upstream,
            environment=settings.environment,
            own_urls=settings.own_urls,
        ),
        *proxies.rows(gateway, parts.storage.configs, own_urls=settings.own_urls),
        *usage.rows(gateway),
        *overview.rows(gateway, parts.storage),
        # Before those of all combos, which may have any name.
        *autos.rows(gateway),
        *combos.rows(gateway),
        *aliases.rows(gateway),
        *requests.rows(gateway),
        *resilience.rows(gateway),
        *fitness.rows(gateway),
        *shaping.rows(gateway),
        *guards.rows(parts.storage.configs, gateway.route.guards),
        *simulate.rows(gateway),
        *translate.rows(),
        *clients.rows(gateway, parts.authenticator, _public_url(settings)),
        *lab.rows(gateway),
        *audit.rows(gateway, parts.storage.ledger, Decisions(parts.storage.database)),
        *audit.log_rows(parts.storage.audit),
        *audit.verify_rows(parts.storage.audit, parts.storage.ledger, parts.storage.tool_calls),
        *mcp.rows(parts, MCP_SHOWN, _public_url(settings)),
        *backups.rows(parts.storage.backups),
        *sign_in.password_rows(parts.storage.passwords, parts.checker),
        *sign_in.session_rows(parts.storage.sign_ins, parts.authenticator.caller_named),
        *retention.rows(parts.storage.retention, parts.storage.changes),
        *documented.rows(parts),
        *status.rows(gateway, parts.authenticator, stored, parts.facts),
    )


def _metrics(parts: Parts, made: Callable[[], Front]) -> tuple[Row, ...]:
    ledger = parts.storage.ledger

    def live() -> Live:
        front = made()
        return Live(
            process_id=os.getpid(),
            busy=front.busy,
            streams=front.turnstile.streams,
            waiting=ledger.waiting,
            given_up=ledger.given_up,
            cpu_s=cpu_s(),
            resident_bytes=resident_bytes(),
            descriptors=descriptors(),
            is_short=front.pressure.why is not None,
        )

    telemetry = parts.telemetry
    shared = SharedFigures(parts.peers, telemetry, run=parts.storage.boot_id, live=live)
    telemetry.tell = shared.tell
    return metrics.rows(parts.gateway, shared)


def _openapi(rows: tuple[Row, ...], version: str) -> Callable[[Request], Awaitable[Response]]:
    @cache
    def made() -> dict[str, Any]:
        # Its schemas are made of every type there is, which no start should wait for.
        return document(rows, version=version)

    async def openapi(request: Request) -> Response:
        return JSONResponse(made())

    return openapi


def _home(parts: Parts) -> str:
    accounts = parts.gateway.view.configs.current().accounts
    return page(
        version=parts.version,
        url=_public_url(parts.settings),
        providers=sorted({one.provider for one in accounts if one.enabled and not one.simulated}),
        key_needed=parts.authenticator.needs_key(),
    )


def _bounds(settings: Settings) -> Bounds:
    return Bounds(
        connections_max=connections_by_files(),
        per_address_max=settings.connections_per_address_max,
        bytes_max=BODIES_AT_ONCE * settings.body_bytes_max,
        proxies=settings.trusted_proxies,
    )


def _hosts(settings: Settings) -> tuple[str, ...]:
    """Give the hosts that requests may name: this machine's, the bound one, the public one."""
    public = [] if settings.public_url is None else [urlsplit(settings.public_url).hostname or ""]
    return (*LOCAL_HOSTS, settings.host, *public, *settings.allowed_hosts)


def _public_url(settings: Settings) -> str:
    return settings.public_url or settings.local_url
