"""The one place where concrete parts are chosen and joined.

`compose` gives a whole gateway for one process: the doors over the engine over the store.
Serving it on a socket is serve.py's work; a command of the CLI that finds no gateway running
composes one for itself and calls its routes in process.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version as version_of
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from omniroute.a2a.routes import Door as A2ADoor
from omniroute.routing.catalog.simulated import SIMULATED_ACCOUNT
from omniroute.routing.controls import Controls
from omniroute.routing.engine import Engine
from omniroute.routing.errors import StorageUnavailable
from omniroute.routing.gateway import Gateway
from omniroute.routing.health.book import HealthBook
from omniroute.routing.ports import Upstream
from omniroute.routing.prepare import Preparer
from omniroute.routing.simulator.upstream import SimulatedUpstream
from omniroute.routing.upstream.upstream import HttpUpstream, Upstreams
from omniroute.routing.views import Views

from .api import combos, keys, providers, requests, status
from .api.openapi import document
from .api.rows import Row, routes_of
from .app import Front, build_app, health_routes, home_route
from .auth import Authenticator
from .discovery import accounts_from_environment, local_targets, probe_local
from .edge import Guard
from .facts import Facts
from .home import page
from .layers import Layers
from .mcp_door import McpDoor, build_mcp
from .runtime_file import new_token
from .settings import Settings, Sources
from .storage import Storage, open_storage
from .v1.chat import ChatDoor
from .v1.models import ModelsDoor

POLL_S = 0.25
"""How often changes of other processes are looked for."""
PROBE_EVERY_S = 60.0
"""How often local model servers are looked for."""
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")

log = logging.getLogger("omniroute")


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        """Give monotonic seconds."""
        return time.monotonic()

    def unix(self) -> float:
        """Give seconds since 1970."""
        return time.time()


@dataclass(frozen=True, slots=True)
class Composed:
    """A gateway that is joined and open.

    Attributes:
        front: the ASGI application.
        token: presented as a key, it gives admin rights; for commands of this user.
    """

    settings: Settings
    version: str
    gateway: Gateway
    front: Front
    token: str
    storage: Storage
    authenticator: Authenticator
    facts: Facts
    layers: Layers

    @property
    def app(self) -> Front:
        """What a web server or a command calls."""
        return self.front

    async def keep_up(self) -> None:
        """Follow what changes outside of this process, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll())
            group.create_task(self._probe())

    async def _poll(self) -> None:
        while True:
            try:
                await self.storage.poll()
            except StorageUnavailable as error:
                log.warning("poll_failed", extra={"reason": str(error)})
            await asyncio.sleep(POLL_S)

    async def _probe(self) -> None:
        targets = local_targets(self.settings.environment, own_urls=_own_urls(self.settings))
        while True:
            if self.layers.found(await probe_local(targets)):
                await self.storage.configs.load()
            await asyncio.sleep(PROBE_EVERY_S)


@asynccontextmanager
async def compose(settings: Settings, sources: Sources | None = None) -> AsyncGenerator[Composed]:
    """Join a gateway, open while the context is.

    Raises:
        CannotOpenStore: the data folder or its database cannot be used; says what to do.
    """
    clock, version = SystemClock(), version_of("omniroute")
    own_urls = _own_urls(settings)
    found, notes = accounts_from_environment(settings.environment, own_urls=own_urls)
    layers = Layers(found, (SIMULATED_ACCOUNT,))
    async with AsyncExitStack() as opened:
        storage = await opened.enter_async_context(
            open_storage(settings, clock, version=version, overlay=layers.over)
        )
        upstream = Upstreams(
            simulated=SimulatedUpstream(clock),
            http=(http := HttpUpstream(clock, own_addresses=((settings.host, settings.port),))),
        )
        opened.callback(http.close)
        gateway = _gateway(settings, storage, upstream, clock, version)
        token = new_token()
        authenticator = Authenticator(
            check=storage.keys.check,
            has_keys=lambda: len(storage.keys) > 0,
            keyless=settings.on_loopback and settings.require_key == "auto",
            token=token,
        )
        facts = Facts(settings, sources, notes, storage, authenticator, version)
        mcp = build_mcp(
            gateway,
            authenticate=authenticator.caller,
            allowed_hosts=_hosts(settings),
            allowed_origins=settings.allowed_origins,
            stateless=False,
        )
        a2a = A2ADoor(
            gateway=gateway,
            tasks=storage.tasks,
            authenticate=lambda request: authenticator.caller(request.scope),
            public_url=lambda: _public_url(settings),
            keys_required=authenticator.needs_key,
            clock=clock,
        )
        await opened.enter_async_context(mcp.run())
        await opened.enter_async_context(a2a.lifespan())
        rows = (
            *keys.rows(storage.keys),
            *providers.rows(gateway, upstream, environment=settings.environment, own_urls=own_urls),
            *combos.rows(gateway),
            *requests.rows(gateway),
            *status.rows(gateway, authenticator, storage.keys, facts.now),
        )
        front = Front(
            Guard(hosts=_hosts(settings), origins=settings.allowed_origins),
            {
                "/v1/chat/completions": ChatDoor(
                    gateway,
                    authenticator,
                    "openai_chat",
                    settings.first_byte_hold_s,
                    settings.body_bytes_max,
                )
            },
        )
        front.app = build_app(
            [
                *health_routes(front.not_ready),
                *_v1(gateway, authenticator),
                *routes_of(rows, authenticator),
                *a2a.routes(),
                *_mcp(mcp),
                Route("/openapi.json", _openapi(rows, version), methods=["GET"]),
                home_route(lambda: _home(settings, gateway, authenticator, version)),
            ]
        )
        yield Composed(
            settings,
            version,
            gateway,
            front,
            token,
            storage,
            authenticator,
            facts,
            layers,
        )


def _gateway(
    settings: Settings, storage: Storage, upstream: Upstream, clock: SystemClock, version: str
) -> Gateway:
    health = HealthBook()
    engine = Engine(
        configs=storage.configs,
        preparer=Preparer(health, limits=settings.limits),
        upstream=upstream,
        ledger=storage.ledger,
        budgets=storage.budgets,
        health=health,
        clock=clock,
        instance_id=storage.boot_id,
    )
    views = Views(storage.configs, health, storage.ledger, clock, version, clock.now())
    controls = Controls(storage.configs, storage.configs, health)
    return Gateway(route=engine, view=views, control=controls)


def _v1(gateway: Gateway, authenticator: Authenticator) -> list[BaseRoute]:
    models = ModelsDoor(gateway, authenticator)
    return [
        Route("/v1/models", models.list_all, methods=["GET"]),
        Route("/v1/models/{model:path}", models.get_one, methods=["GET"]),
    ]


def _mcp(mcp: McpDoor) -> list[BaseRoute]:
    return [Mount(path, app=mcp.app) for path in ("/mcp", "/api/mcp/stream")]


def _openapi(rows: tuple[Row, ...], version: str) -> Callable[[Request], Awaitable[Response]]:
    made = document(rows, version=version)

    async def openapi(request: Request) -> Response:
        return JSONResponse(made)

    return openapi


def _home(settings: Settings, gateway: Gateway, authenticator: Authenticator, version: str) -> str:
    accounts = gateway.view.configs.current().accounts
    return page(
        version=version,
        url=_public_url(settings),
        providers=sorted({one.provider for one in accounts if one.enabled and not one.simulated}),
        key_needed=authenticator.needs_key(),
    )


def _hosts(settings: Settings) -> tuple[str, ...]:
    """Give the hosts that requests may name: this machine's, the bound one, the public one."""
    public = [] if settings.public_url is None else [urlsplit(settings.public_url).hostname or ""]
    return (*LOCAL_HOSTS, settings.host, *public, *settings.allowed_hosts)


def _public_url(settings: Settings) -> str:
    return settings.public_url or settings.local_url


def _own_urls(settings: Settings) -> tuple[str, ...]:
    public = () if settings.public_url is None else (settings.public_url,)
    return (settings.local_url, *public)
