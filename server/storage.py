"""The store of one process, opened as a whole: the database and everything kept in it.

Opening brings the tables up to date, makes the key ring of a new data folder and reads the
configuration. While it is open, `poll` follows other processes and settles what dead ones
held. Closing stores what is queued.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from omniroute.routing.model import Config
from omniroute.routing.ports import Clock

from .settings import SECONDS_A_DAY, Settings
from .store.audit import Audit
from .store.backups import Backups, Where, note_restored
from .store.boots import (
    BEAT_S,
    beat,
    end_boot,
    gateways_at_work,
    new_boot,
    register_boot,
)
from .store.budgets import Budgets
from .store.changes import Changes
from .store.configs import ConfigStore
from .store.contents import StoredContents
from .store.counters import StoredCounters
from .store.data_folder import make_data_folder
from .store.database import Database, open_database
from .store.experience import StoredExperience
from .store.kept_answers import KeptAnswers
from .store.kept_responses import KeptResponses
from .store.keyring import RING_VARIABLE, KeyRing, is_given, open_key_ring
from .store.keys import Keys
from .store.learned_limits import StoredLimits
from .store.ledger import DECISION_CHAINS, StoredLedger
from .store.mismatches import Mismatches
from .store.passwords import Passwords
from .store.pushes import StoredPushes
from .store.retention import Retention
from .store.rings import Rings
from .store.sign_in_locks import Locks
from .store.sign_ins import SignIns
from .store.tasks import StoredTasks
from .store.tool_calls import ToolCalls
from .store.vault import Vault

SWEEP_S = 30.0
"""How often holds of dead processes and expired tasks are looked for."""
CORRECT_S = 60.0
"""How often it is checked that budgets hold what their rows say."""
LOOK_S = 1.0
"""How often other gateways are counted, while a key has limits that are shared with them."""
CLAIM_SLACK_S = 30.0
"""How long an idempotency key stays claimed beyond the longest time a request may take."""


def _nothing(count: int) -> None:
    """Do as a process does that shares nothing."""


@dataclass(slots=True)
class Storage:
    """Everything that is kept, for one process.

    Attributes:
        on_gateways: is told how many gateways share the database, while that matters.
    """

    database: Database
    vault: Vault
    boot_id: str
    keys: Keys
    configs: ConfigStore
    ledger: StoredLedger
    tool_calls: ToolCalls
    budgets: Budgets
    tasks: StoredTasks
    pushes: StoredPushes
    rings: Rings
    audit: Audit
    changes: Changes
    counters: StoredCounters
    limits: StoredLimits
    answers: KeptAnswers
    responses: KeptResponses
    contents: StoredContents
    learned: StoredExperience
    retention: Retention
    backups: Backups
    sign_ins: SignIns
    passwords: Passwords
    locks: Locks
    clock: Clock
    _beaten_s: float = 0.0
    _swept_s: float = 0.0
    _corrected_s: float = 0.0
    _looked_s: float = 0.0
    on_gateways: Callable[[int], None] = _nothing

    async def load(self) -> None:
        """Read what is kept for the first time."""
        for load in (self.configs.load, self.budgets.load, self.keys.load, self.passwords.load):
            await load()
        for load in (self.counters.load, self.limits.load, self.learned.load):
            await load()

    async def follow(self) -> None:
        """Take what other processes changed.

        Raises:
            StorageUnavailable: the database does not answer; what is in force stays.
        """
        await self.configs.poll()
        if self.keys.version != self.configs.current().version:
            # Budgets first: no key names one that is not known yet.
            await self.budgets.load()
            await self.keys.load()
        if self.passwords.version != self.configs.current().version:
            await self.passwords.load()

    async def fresh(self) -> int:
        """Have all of the configuration as it is stored now, or later; give its version now.

        Raises as `follow`.
        """
        await self.follow()
        version = self.configs.current().version
        # Their own look at them can be a change older than that of the keys.
        await self.budgets.load()
        return version

    def only_at(self, version: int) -> AbstractContextManager[None]:
        """Let changes made within raise Overtaken unless they are the next after this version."""
        return self.changes.only_at(version)

    async def poll(self) -> None:
        """Take what other processes changed, and do what is due. Raises as `follow`."""
        await self.follow()
        await self.budgets.poll()
        await self.counters.poll()
        await self.limits.poll()
        await self.learned.poll()
        await self.rings.poll()
        now, now_unix_s = self.clock.now(), self.clock.unix()
        if now - self._beaten_s >= BEAT_S:
            self._beaten_s = now
            await beat(self.database, self.boot_id, now_unix_s)
        if self.keys.are_limited and now - self._looked_s >= LOOK_S:
            self._looked_s = now
            self.on_gateways(await gateways_at_work(self.database, now_unix_s))
        if now - self._swept_s >= SWEEP_S:
            self._swept_s = now
            await self.budgets.sweep(now_unix_s)
            await self.tasks.prune(now_unix_s=now_unix_s)
            await self.answers.prune(now_unix_s=now_unix_s)
            await self.responses.prune(now_unix_s=now_unix_s)
            await self.sign_ins.prune(now_unix_s=now_unix_s)
            await self.locks.prune(now_unix_s=now_unix_s)
        if now - self._corrected_s >= CORRECT_S:
            self._corrected_s = now
            await self.budgets.correct()
        await self.retention.poll(now_s=now, now_unix_s=now_unix_s)

    async def flush(self) -> None:
        """Store everything that is queued."""
        await self.ledger.flush()
        await self.tool_calls.flush()
        await self.contents.flush()
        await self.budgets.flush()
        await self.counters.flush()
        await self.limits.flush()
        await self.learned.flush()


def key_ring(settings: Settings) -> KeyRing:
    """Give the key ring of a data folder as it is now, made where there is none.

    Raises:
        CannotOpenStore: it cannot be used.
    """
    return open_key_ring(settings.data_dir, _ring_environment(settings))


def backed_up(settings: Settings, *, version: str) -> Where:
    """Give what is backed up, and where to."""
    scheme, _, rest = settings.store_url.partition("://")
    path = Path(rest.removeprefix("/")) if scheme == "sqlite" else None
    return Where(settings.data_dir, path, version)


@asynccontextmanager
async def open_storage(
    settings: Settings,
    clock: Clock,
    *,
    version: str,
    overlay: Callable[[Config], Config],
    gateway: str | None = None,
) -> AsyncGenerator[Storage]:
    """Open the store of a data folder; it is closed, with nothing left queued, at the end.

    Args:
        settings: where it is.
        clock: the time.
        version: of this program.
        overlay: adds to the configuration what is not stored.
        gateway: whose process this is, the same for all of its workers; None serves nobody.

    Raises:
        CannotOpenStore: the folder, the database or the key ring cannot be used.
    """
    make_data_folder(settings.data_dir)
    ring, where = key_ring(settings), backed_up(settings, version=version)
    vault = Vault(ring, lambda: key_ring(settings))
    async with open_database(settings.store_url) as database:
        boot = new_boot(version, clock.unix(), gateway)
        await register_boot(database, boot)
        audit = Audit(database, ring, boot.boot_id)
        changes = Changes(database, audit, clock)
        storage = Storage(
            database=database,
            vault=vault,
            boot_id=boot.boot_id,
            keys=Keys(database, vault, changes, clock),
            configs=ConfigStore(database, vault, changes, overlay=overlay, proxy=settings.proxy),
            ledger=StoredLedger(database, ring, boot_id=boot.boot_id),
            tool_calls=_tool_calls(settings, database, ring, boot.boot_id),
            budgets=Budgets(database, changes, clock, boot_id=boot.boot_id),
            tasks=StoredTasks(database, boot.boot_id),
            pushes=StoredPushes(database, vault),
            rings=Rings(database, vault, changes, _ring_folder(settings)),
            audit=audit,
            changes=changes,
            counters=StoredCounters(database, clock),
            limits=StoredLimits(database, clock),
            answers=_answers(settings, database, changes, clock),
            responses=KeptResponses(database),
            contents=StoredContents(database, vault, clock),
            learned=StoredExperience(database, clock),
            retention=_retention(settings, database, ring),
            backups=_backups(settings, where, database, ring, changes),
            sign_ins=_sign_ins(settings, SignIns(database, ring, changes, clock)),
            passwords=Passwords(database, changes),
            locks=Locks(database, changes, clock),
            clock=clock,
        )
        await _begin(storage, where)
        async with _writing(storage):
            yield storage
        await _end(storage)


async def _end(storage: Storage) -> None:
    """Store everything that is queued, and leave."""
    await storage.flush()
    await storage.budgets.end()
    await end_boot(storage.database, storage.boot_id, storage.clock.unix())


def _tool_calls(settings: Settings, database: Database, ring: KeyRing, boot_id: str) -> ToolCalls:
    keeps = settings.mcp_audit_arguments
    return ToolCalls(database, ring, boot_id=boot_id, keeps_arguments=keeps)


async def _begin(storage: Storage, where: Where) -> None:
    storage.retention.stored = storage.configs.setting
    await storage.load()
    await note_restored(where, storage.changes)


@asynccontextmanager
async def _writing(storage: Storage) -> AsyncGenerator[None]:
    """Store what is queued, as it comes."""
    async with asyncio.TaskGroup() as group:
        writers = [
            group.create_task(storage.ledger.run()),
            group.create_task(storage.tool_calls.run()),
            group.create_task(storage.contents.run()),
            group.create_task(storage.budgets.run()),
        ]
        try:
            yield
        finally:
            for writer in writers:
                writer.cancel()


def _retention(settings: Settings, database: Database, ring: KeyRing) -> Retention:
    retention = Retention(
        database,
        ring,
        DECISION_CHAINS,
        days=settings.retention_days,
        requests_max=settings.retention_requests,
    )
    retention.bytes_max = settings.retention_bytes
    retention.audit_days = settings.audit_retention_days
    retention.content_bytes_max = settings.content_bytes
    return retention


def _ring_environment(settings: Settings) -> Mapping[str, str]:
    environment = dict(settings.environment)
    if settings.storage_encryption_key is not None:
        environment[RING_VARIABLE] = settings.storage_encryption_key
    return environment


def _ring_folder(settings: Settings) -> Path | None:
    """Give where the key ring's file is, None where the ring is a variable's."""
    return None if is_given(_ring_environment(settings)) else settings.data_dir


def _backups(
    settings: Settings, where: Where, database: Database, ring: KeyRing, changes: Changes
) -> Backups:
    backups = Backups(where, database, ring, changes)
    backups.every_days, backups.kept = settings.backup_days, settings.backups_kept
    return backups


def _sign_ins(settings: Settings, sign_ins: SignIns) -> SignIns:
    sign_ins.idle_s = settings.dashboard_idle_s
    sign_ins.lasts_s = settings.dashboard_days * SECONDS_A_DAY
    return sign_ins


def _answers(settings: Settings, database: Database, changes: Changes, clock: Clock) -> KeptAnswers:
    return KeptAnswers(
        database,
        clock,
        claim_s=settings.total_s + CLAIM_SLACK_S,
        mismatched=Mismatches(changes, clock).note,
    )
