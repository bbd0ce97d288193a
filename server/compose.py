"""The one place where concrete parts are chosen and joined.

`compose` gives a whole gateway for one process: the doors over the engine over the store.
Serving it on a socket is serve.py's work; a command of the CLI that finds no gateway running
composes one for itself and calls its routes in process.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version as version_of

from omniroute.routing.access import LOCAL
from omniroute.routing.catalog.simulated import SIMULATED_ACCOUNT
from omniroute.routing.controls import Controls
from omniroute.routing.engine import Engine
from omniroute.routing.errors import StorageUnavailable
from omniroute.routing.gateway import Gateway
from omniroute.routing.guarding.pii import PiiGuard
from omniroute.routing.ports import Upstream
from omniroute.routing.prepare import Preparer
from omniroute.routing.quotas import TokenOf
from omniroute.routing.simulator.upstream import SimulatedUpstream
from omniroute.routing.upstream.upstream import HttpUpstream, Upstreams
from omniroute.routing.views import Views

from .alerts import BudgetAlerts, log_alert
from .app import Front
from .auth import Authenticator, KnownKeys
from .discovery import accounts_from_environment, local_targets, probe_local
from .doors import open_doors
from .facts import Facts
from .layers import Layers
from .memory import watch_of
from .parts import Parts
from .passwords import checking
from .runtime_file import Running, new_token
from .settings import Settings, Sources
from .storage import Storage, open_storage
from .store.guards import StoredGuards
from .store.processes import this_machine
from .telemetry.following import followed
from .tokens import TokenExchange
from .workers.agreement import agree
from .workers.mail import Peers
from .workers.observed import Observed, observe
from .workers.place import Place

POLL_S = 0.25
"""How often changes of other processes are looked for."""
LOCAL_CHANGED = "local_changed"
PROBE_EVERY_S = 60.0
"""How often local model servers are looked for."""

log = logging.getLogger("omniroute")


class SystemClock:
    """The machine's clocks."""

    # As they are: a request asks a dozen times, and a call in between costs more than the answer.
    now = staticmethod(time.monotonic)
    unix = staticmethod(time.time)


@dataclass(frozen=True, slots=True)
class Composed:
    """A gateway that is joined and open.

    Attributes:
        app: the ASGI application: what a web server or a command calls.
    """

    parts: Parts
    app: Front
    layers: Layers

    @property
    def token(self) -> str:
        """What gives admin rights, presented as a key: for commands of this user."""
        return self.parts.token

    async def keep_up(self) -> None:
        """Follow what changes outside of this process, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll())
            group.create_task(self._probe())
            group.create_task(self.parts.telemetry.run())
            group.create_task(self.parts.storage.backups.keep_up())
            watch = watch_of(self.parts)
            if watch is not None:
                group.create_task(watch.run())

    async def _poll(self) -> None:
        while True:
            try:
                await self.parts.storage.poll()
            except StorageUnavailable as error:
                log.warning("poll_failed", extra={"reason": str(error)})
            await asyncio.sleep(POLL_S)

    async def find_local(self) -> bool:
        """Look for local model servers once, and say whether others are there than before."""
        settings = self.parts.settings
        targets = local_targets(settings.environment, own_urls=settings.own_urls)
        if not self.layers.found(await probe_local(targets)):
            return False
        await self.parts.storage.configs.load()
        return True

    async def _probe(self) -> None:
        async def look(words: object) -> None:
            await self.find_local()

        self.parts.peers.on(LOCAL_CHANGED, look)
        while True:
            if await self.find_local():
                # Else the others would find it up to PROBE_EVERY_S later.
                self.parts.peers.tell(LOCAL_CHANGED)
            await asyncio.sleep(PROBE_EVERY_S)


@asynccontextmanager
async def compose(
    settings: Settings,
    sources: Sources | None = None,
    *,
    running: Running | None = None,
    place: Place | None = None,
) -> AsyncGenerator[Composed]:
    """Join a gateway, open while the context is.

    Args:
        settings: what the process was told.
        sources: where the settings came from.
        running: what names the gateway, where it is known already.
        place: this process's place among several workers.

    Raises:
        CannotOpenStore: the data folder or its database cannot be used; says what to do.
    """
    clock, version = SystemClock(), version_of("omniroute")
    found, notes = accounts_from_environment(
        settings.environment, own_urls=settings.own_urls, from_file=settings.from_file
    )
    layers = Layers(found, (SIMULATED_ACCOUNT,))
    peers = Peers() if place is None else place.peers()
    gateway = None if running is None else f"{this_machine()}/{running.pid}"
    async with AsyncExitStack() as opened:
        storage = await opened.enter_async_context(
            open_storage(settings, clock, version=version, overlay=layers.over, gateway=gateway)
        )
        peers.open()
        opened.push_async_callback(peers.close)
        agree(storage, peers)
        http = HttpUpstream(clock, own_addresses=((settings.host, settings.port),))
        http.tokens = tokens = TokenExchange(clock)
        opened.callback(http.close)
        upstream = Upstreams(simulated=SimulatedUpstream(clock), http=http)
        observed = await observe(storage, peers, place)
        token = new_token() if running is None else running.token
        authenticator = _authenticator(settings, storage, token)
        parts = Parts(
            settings=settings,
            version=version,
            clock=clock,
            gateway=_gateway(settings, storage, upstream, observed, tokens.standing),
            upstream=upstream,
            http=http,
            storage=storage,
            authenticator=authenticator,
            facts=Facts(settings, sources, notes, storage, authenticator, version),
            token=token,
            peers=peers,
        )
        await opened.enter_async_context(
            checking(parts.checker, settings.initial_password, storage.passwords)
        )
        front = await opened.enter_async_context(open_doors(parts))
        await opened.enter_async_context(followed(parts, front))
        yield Composed(parts, front, layers)


def _authenticator(settings: Settings, storage: Storage, token: str) -> Authenticator:
    keys = storage.keys
    keyless = settings.on_loopback and settings.require_key == "auto"
    keys.required = lambda left: left > 0 or not keyless
    return Authenticator(
        keys=KnownKeys(
            check=keys.check,
            has_keys=lambda: len(keys) > 0,
            local_budgets=lambda: keys.budgets_of(LOCAL),
            generation=lambda: keys.generation,
            lasts=keys.lasts,
            caller_of=keys.caller_of,
            has_password=lambda: storage.passwords.stored is not None,
        ),
        keyless=keyless,
        token=token,
        trusted_proxies=settings.trusted_proxies,
    )


def _gateway(
    settings: Settings, storage: Storage, upstream: Upstream, observed: Observed, token_of: TokenOf
) -> Gateway:
    clock, health = storage.clock, observed.health
    health.alerts.listener = log_alert
    storage.on_gateways = observed.rates.share
    storage.budgets.on_warning = BudgetAlerts(health.alerts, clock)
    engine = Engine(
        configs=storage.configs,
        preparer=Preparer(health, limits=settings.limits, experience=storage.learned.experience),
        upstream=upstream,
        ledger=storage.ledger,
        budgets=storage.budgets,
        health=health,
        clock=clock,
        loads=observed.loads,
        sessions=observed.sessions,
        rates=observed.rates,
        instance_id=storage.boot_id,
        tallies=storage.counters.tallies,
        guards={"pii": PiiGuard()},
        contents=storage.contents,
    )
    guards = StoredGuards(storage.budgets, storage.keys)
    views = Views(
        storage.configs,
        health,
        storage.ledger,
        clock,
        version_of("omniroute"),
        observed.started_s,
        experience=storage.learned.experience,
        token_of=token_of,
        standings=guards.standings,
    )
    if observed.gather is not None and observed.processes is not None:
        views = replace(views, gather=observed.gather, processes=observed.processes)
    controls = Controls(storage.configs, storage.configs, health, guards)
    return Gateway(route=engine, view=views, control=controls)
