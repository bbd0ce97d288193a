"""What workers tell each other so that their user sees one gateway.

A change of keys, budgets or the configuration is in force in all workers when it returns: the
one that made it has the others look at once. What one worker has answered the others find on
record: who looks has the others store what they have queued. What one has counted of combos and
learned of models the others count, too, once it is stored. A budget's warning is given by one. A
worker that does not answer in time
is not waited for; it sees changes with its next poll, as another process does.
"""

import msgspec

from omniroute.routing.health.experience import Seen
from omniroute.routing.health.tallies import Count

from ..storage import Storage
from .mail import Peers

CHANGED = "changed"
STORE = "store"
WARNED = "warned"
COUNTED = "counted"
LEARNED = "learned"


def agree(storage: Storage, peers: Peers) -> None:
    """Join the store of this worker with those of the others."""
    _agree_on_changes(storage, peers)
    _agree_on_figures(storage, peers)

    async def store(words: object) -> None:
        await storage.ledger.flush()
        await storage.tool_calls.flush()
        await storage.contents.flush()
        await storage.counters.flush()
        await storage.learned.flush()

    async def gather() -> None:
        await peers.ask(STORE)

    peers.on(STORE, store)
    storage.ledger.gather = gather
    storage.tool_calls.gather = gather


def _agree_on_changes(storage: Storage, peers: Peers) -> None:
    async def look(words: object) -> None:
        await storage.follow()

    async def changed() -> None:
        await peers.ask(CHANGED)

    async def warned(words: tuple[str, int]) -> None:
        storage.budgets.warned(*words)

    peers.on(CHANGED, look)
    peers.on(WARNED, warned)
    storage.changes.tell = changed
    storage.budgets.on_warned = lambda *words: peers.tell(WARNED, words)


def _agree_on_figures(storage: Storage, peers: Peers) -> None:
    async def counted(words: object) -> None:
        storage.counters.tallies.heard(msgspec.convert(words, list[Count]))

    async def learned(words: object) -> None:
        storage.learned.experience.heard(msgspec.convert(words, list[Seen]))

    peers.on(COUNTED, counted)
    peers.on(LEARNED, learned)
    storage.counters.told = lambda news: peers.tell(COUNTED, news)
    storage.learned.told = lambda news: peers.tell(LEARNED, news)
