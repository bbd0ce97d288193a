"""What workers tell each other so that their user sees one gateway.

A change of keys, budgets or the configuration is in force in all workers when it returns: the
one that made it has the others look at once. What one worker has answered the others find on
record: who looks has the others store what they have queued. A worker that does not answer in
time is not waited for; it sees changes with its next poll, as another process does.
"""

from ..storage import Storage
from .mail import Peers

CHANGED = "changed"
STORE = "store"


def agree(storage: Storage, peers: Peers) -> None:
    """Join the store of this worker with those of the others."""

    async def look(words: object) -> None:
        await storage.follow()

    async def store(words: object) -> None:
        await storage.ledger.flush()

    async def changed() -> None:
        await peers.ask(CHANGED)

    async def gather() -> None:
        await peers.ask(STORE)

    peers.on(CHANGED, look)
    peers.on(STORE, store)
    storage.changes.tell = changed
    storage.ledger.gather = gather
