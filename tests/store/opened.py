"""A store as one process has it; opening a second one on the same database is another process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from omniroute.routing.ports import Clock
from omniroute.server.store.audit import Audit
from omniroute.server.store.boots import Boot, new_boot, register_boot
from omniroute.server.store.budgets import Budgets
from omniroute.server.store.changes import Changes
from omniroute.server.store.configs import ConfigStore
from omniroute.server.store.counters import StoredCounters
from omniroute.server.store.database import Database, open_database
from omniroute.server.store.experience import StoredExperience
from omniroute.server.store.keyring import KeyRing, open_key_ring
from omniroute.server.store.keys import Keys
from omniroute.server.store.learned_limits import StoredLimits
from omniroute.server.store.ledger import StoredLedger
from omniroute.server.store.pushes import StoredPushes
from omniroute.server.store.rings import Rings
from omniroute.server.store.tasks import StoredTasks
from omniroute.server.store.tool_calls import ToolCalls
from omniroute.server.store.vault import Vault


@dataclass(frozen=True, slots=True)
class Opened:
    """Everything that is kept, for one process."""

    database: Database
    boot: Boot
    ring: KeyRing
    vault: Vault
    audit: Audit
    changes: Changes
    configs: ConfigStore
    keys: Keys
    ledger: StoredLedger
    tool_calls: ToolCalls
    budgets: Budgets
    tasks: StoredTasks
    pushes: StoredPushes
    rings: Rings
    counters: StoredCounters
    limits: StoredLimits
    learned: StoredExperience


@asynccontextmanager
async def open_store(url: str, folder: Path, clock: Clock) -> AsyncIterator[Opened]:
    """Open a store whose key ring is in the folder. Nothing runs in the background."""
    ring = open_key_ring(folder, {})
    vault = Vault(ring, lambda: open_key_ring(folder, {}))
    async with open_database(url) as database:
        boot = new_boot("0.0.0-test", clock.unix())
        await register_boot(database, boot)
        audit = Audit(database, ring, boot.boot_id)
        changes = Changes(database, audit, clock)
        store = Opened(
            database=database,
            boot=boot,
            ring=ring,
            vault=vault,
            audit=audit,
            changes=changes,
            configs=ConfigStore(database, vault, changes),
            keys=Keys(database, vault, changes, clock),
            ledger=StoredLedger(database, ring, boot_id=boot.boot_id),
            tool_calls=ToolCalls(database, ring, boot_id=boot.boot_id),
            budgets=Budgets(database, changes, clock, boot_id=boot.boot_id),
            tasks=StoredTasks(database, boot.boot_id),
            pushes=StoredPushes(database, vault),
            rings=Rings(database, vault, changes, folder, grace_s=0.0),
            counters=StoredCounters(database, clock),
            limits=StoredLimits(database, clock),
            learned=StoredExperience(database, clock),
        )
        await store.configs.load()
        await store.keys.load()
        await store.budgets.load()
        await store.counters.load()
        await store.limits.load()
        await store.learned.load()
        yield store
