"""Holds and settlements on their way to the database, which nobody waits for.

A hold that leases pay, or no budget at all, is recorded from here; settling one that still
waits makes it one row, written once. All other settlements are stored here, too. They are tried
until they are stored (see outbox.py).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from omniroute.routing.ports import Clock, Hold

from .budget_rows import Standing, settlement
from .database import Database, Many, Steps, Value
from .lease import Lease
from .leases import Leases
from .outbox import Limits, Outbox
from .recording import KEEP_UNPAID, LeasedHold, record_leased, unpaid_reservation

SETTLEMENTS = Limits(
    batch_max=1_000, spare_max=50_000, items_max=1_000_000, gather_s=0.05, urgent_s=0.005
)
ALIASES_MAX = 1_000
"""How many holds are known that had to be recorded under another id; there should be none."""

log = logging.getLogger("omniroute")


@dataclass(frozen=True, slots=True)
class _Settled:
    hold_id: str
    usd_nanos: int


@dataclass(frozen=True, slots=True)
class _Unpaid:
    """A hold that no budget pays for; `usd_nanos` is None until it is settled."""

    hold: Hold
    usd_nanos: int | None


@dataclass(frozen=True, slots=True)
class _Paid:
    """A hold that leases pay for."""

    leased: LeasedHold
    leases: tuple[Lease, ...] = field(repr=False)


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
        self._outbox: Outbox[_Settled | _Unpaid | _Paid] = Outbox(
            "settlements",
            self._write,
            limits=SETTLEMENTS,
            is_spare=lambda item: isinstance(item, _Unpaid),
        )

    def keep_unpaid(self, hold: Hold) -> None:
        """Take a hold that no budget pays for."""
        self._outbox.put(hold.hold_id, _Unpaid(hold, None))

    def keep_leased(self, hold: Hold, leases: tuple[Lease, ...]) -> None:
        """Take a hold that these leases have paid."""
        paid = tuple((lease.line, lease.lease_id) for lease in leases)
        self._outbox.put(hold.hold_id, _Paid(LeasedHold(hold, paid, self._clock.unix()), leases))

    def settle(self, hold_id: str, usd_nanos: int) -> None:
        """Turn a hold into what was really spent; the first call for a hold counts."""
        match self._outbox.waiting(hold_id):
            case _Unpaid(hold, None):
                self._outbox.put(hold_id, _Unpaid(hold, usd_nanos))
            case _Paid(leased, leases) if leased.usd_nanos is None:
                settled = replace(leased, usd_nanos=usd_nanos)
                self.leases.settled(hold_id, leases, settled.taken_usd_nanos)
                self._outbox.put(hold_id, _Paid(settled, leases))
            case _Unpaid() | _Paid():
                return
            case _:
                settled_id = f"{hold_id}/settled"
                if self._outbox.find(settled_id) is None:
                    self._outbox.put(settled_id, _Settled(hold_id, usd_nanos))

    async def run(self) -> None:
        """Store things as they come, until cancelled."""
        await self._outbox.run()

    async def flush(self) -> None:
        """Store everything so far."""
        await self._outbox.flush()

    async def _write(self, items: Sequence[_Settled | _Unpaid | _Paid], *, again: bool) -> None:
        """Store a batch. Each statement changes nothing the second time."""
        now_unix_s = self._clock.unix()
        unpaid = [
            unpaid_reservation(
                item.hold, item.usd_nanos, boot_id=self._boot_id, now_unix_s=now_unix_s
            )
            for item in items
            if isinstance(item, _Unpaid)
        ]
        if unpaid:
            await self._database.write(lambda: _keep_unpaid(unpaid))
        paid = [item for item in items if isinstance(item, _Paid)]
        if paid:
            await self._record(paid, again=again, now_unix_s=now_unix_s)
        settled = [
            self._database.submit(
                settlement(
                    self._database,
                    self._aliases.get(item.hold_id, item.hold_id),
                    item.usd_nanos,
                    now_unix_s=now_unix_s,
                )
            )
            for item in items
            if isinstance(item, _Settled)
        ]
        for standings in await asyncio.gather(*settled):
            self._see(standings)

    async def _record(self, items: Sequence[_Paid], *, again: bool, now_unix_s: float) -> None:
        recorded = await self._database.write(
            partial(
                record_leased,
                [item.leased for item in items],
                self._database.kind,
                boot_id=self._boot_id,
                again=again,
                now_unix_s=now_unix_s,
            )
        )
        for item in items:
            self.leases.recorded(item.leased.hold.hold_id, item.leases, recorded.lost)
        for hold_id, alias in recorded.aliases.items():
            log.error("hold_conflict", extra={"hold_id": hold_id, "recorded_as": alias})
            if len(self._aliases) >= ALIASES_MAX:
                del self._aliases[next(iter(self._aliases))]
            self._aliases[hold_id] = alias
        self._see(recorded.standings)


def _keep_unpaid(rows: Sequence[tuple[Value, ...]]) -> Steps[None]:
    yield Many(KEEP_UNPAID, rows)
