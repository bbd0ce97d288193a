"""Holds and settlements on their way to the database, which nobody waits for.

A hold that leases pay, or no budget at all, is recorded from here; settling one that still
waits makes it one row, written once. All other settlements are stored here, too. They are tried
until they are stored (see outbox.py).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from omniroute.routing.ports import Clock, Hold

from .budget_rows import Standing
from .database import Database, RowRefused
from .lease import Lease
from .leases import Leases
from .outbox import Limits, Outbox
from .recording import Held, Recorded, record, record_with_care
from .settling import settle_all

SETTLEMENTS = Limits(batch_max=1_000, spare_max=50_000, items_max=1_000_000, gather_s=0.05)
ALIASES_MAX = 1_000
"""How many holds are known that had to be recorded under another id; there should be none."""

log = logging.getLogger("omniroute")


@dataclass(frozen=True, slots=True)
class _Settled:
    hold_id: str
    usd_nanos: int


_Waiting = _Settled | Held


class Settlements:
    """What waits to be stored.

    Args:
        see: takes how windows stand once something was stored.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        leases: Leases,
        *,
        boot_id: str,
        see: Callable[[Sequence[Standing]], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self.leases = leases
        self._boot_id = boot_id
        self._see = see
        self._aliases: dict[str, str] = {}
        self._outbox: Outbox[_Waiting] = Outbox("settlements", self._write, limits=SETTLEMENTS)

    def __len__(self) -> int:
        return len(self._outbox)

    def keep(self, hold: Hold, leases: tuple[Lease, ...], now_unix_s: float) -> None:
        """Take a hold that these leases have paid, or that no budget pays for."""
        held = Held(hold, leases, now_unix_s, hold.usd_nanos)
        self._outbox.put(hold.hold_id, held, is_spare=not leases)

    def settle(self, hold_id: str, usd_nanos: int) -> None:
        """Turn a hold into what was really spent; the first call for a hold counts."""
        waiting = self._outbox.waiting(hold_id)
        if isinstance(waiting, Held):
            waiting.settle(usd_nanos)
            return
        settled_id = f"{hold_id}/settled"
        if self._outbox.find(settled_id) is None:
            self._outbox.put(settled_id, _Settled(hold_id, usd_nanos))

    async def run(self) -> None:
        """Store things as they come, until cancelled."""
        await self._outbox.run()

    async def flush(self) -> None:
        """Store everything so far."""
        await self._outbox.flush()

    async def _write(self, items: Sequence[_Waiting], *, again: bool) -> None:
        """Store a batch. Each statement changes nothing the second time."""
        held = [item for item in items if isinstance(item, Held) and not item.is_recorded]
        if held:
            await self._record(held, again=again)
        settled = [
            (self._aliases.get(item.hold_id, item.hold_id), item.usd_nanos)
            for item in items
            if isinstance(item, _Settled)
        ]
        if settled:
            now_unix_s, kind = self._clock.unix(), self._database.kind
            unit = partial(settle_all, settled, kind, now_unix_s=now_unix_s)
            self._see(await self._database.write(unit))

    async def _record(self, items: Sequence[Held], *, again: bool) -> None:
        recorded = await self._recorded(items, again=again)
        for item in items:
            item.is_recorded = True
        for leases, sums in recorded.summed.items():
            for lease in leases:
                lost = lease.lease_id not in recorded.living
                self.leases.recorded(lease, sums.holds, sums.taken_usd_nanos, lost=lost)
        for hold_id, alias in recorded.aliases.items():
            log.error("hold_conflict", extra={"hold_id": hold_id, "recorded_as": alias})
            if len(self._aliases) >= ALIASES_MAX:
                del self._aliases[next(iter(self._aliases))]
            self._aliases[hold_id] = alias
        self._see(recorded.standings)

    async def _recorded(self, items: Sequence[Held], *, again: bool) -> Recorded:
        kind, boot_id, now_unix_s = self._database.kind, self._boot_id, self._clock.unix()
        if not again:
            plain = partial(record, items, kind, boot_id=boot_id, now_unix_s=now_unix_s)
            try:
                return await self._database.write(plain)
            except RowRefused:
                # An id is taken: by whom, is seen with care.
                pass
        careful = partial(
            record_with_care, items, kind, boot_id=boot_id, again=again, now_unix_s=now_unix_s
        )
        return await self._database.write(careful)
