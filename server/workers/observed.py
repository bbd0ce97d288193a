"""What a process observes of providers and of sessions; with several workers, what all do."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from omniroute.routing.accounting.sessions import Sessions
from omniroute.routing.health.book import HealthBook
from omniroute.routing.health.key_rates import KeyRates
from omniroute.routing.health.loads import Loads

from ..storage import Storage
from .agreement import STORE
from .health import SharedBook
from .mail import Peers
from .place import Place
from .sessions import SharedSessions


@dataclass(frozen=True, slots=True)
class Observed:
    """What was observed, in memory.

    Attributes:
        started_s: monotonic time at which the gateway began.
        gather: brings in what others have measured and learned; None without others.
        processes: gives the ids of the gateway's processes; None for this one alone.
    """

    health: HealthBook
    loads: Loads
    sessions: Sessions
    rates: KeyRates
    started_s: float
    gather: Callable[[], Awaitable[None]] | None = None
    processes: Callable[[], Sequence[int]] | None = None


async def observe(storage: Storage, peers: Peers, place: Place | None) -> Observed:
    """Begin to observe, from what is stored and what the others know."""
    draw = random.SystemRandom().random
    if place is None:
        health = HealthBook(draw=draw)
        storage.limits.follow(health)
        return Observed(health, Loads(), Sessions(), KeyRates(), storage.clock.now())
    shared = SharedBook(peers, draw)
    storage.limits.follow(shared)
    await shared.join()

    async def gather() -> None:
        await peers.ask(STORE)
        await shared.gather()

    return Observed(
        shared,
        place.loads(),
        SharedSessions(peers),
        place.rates(),
        place.started_s,
        gather,
        place.processes,
    )
