"""Holds that the database judges: those that no lease can pay.

A hold is refused when the budget could not pay for it if every lease came back. When it
could, leases are called back (`call_back`) until the database has the money or nothing is leased
any more: this process gives back at once, others when they next look, the dead are written off.
A process that does not give back within RECALL_LOOKS looks makes the answer unknown, not a
refusal.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from omniroute.routing.errors import Conflict, StorageUnavailable
from omniroute.routing.ports import Clock, Hold

from .budget_rows import (
    READ_WINDOW,
    Judged,
    Standing,
    open_windows,
    reservation,
    standings_of,
)
from .database import Database, RowRefused, Statement
from .lease_rows import call_back, dead_leases, write_off
from .settlements import Settlements
from .windows import Line

RECALL_LOOK_S = 0.02
RECALL_LOOKS = 250
"""How often the database is asked again after leases were called back: about five seconds."""
DEAD_LOOKS = 25
"""After so many looks it is seen whether those who have not given back are dead."""

log = logging.getLogger("omniroute")


class Judge:
    """Asks the database, for one process.

    Args:
        see: takes how windows stand whenever that comes to be known.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settlements: Settlements,
        *,
        boot_id: str,
        see: Callable[[Sequence[Standing]], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._leases = settlements.leases
        self._settlements = settlements
        self._boot_id = boot_id
        self._see = see

    async def reserve(self, hold: Hold, lines: Sequence[Line]) -> Judged | None:
        """Reserve if it can be; None when this hold was reserved before and still stands.

        Raises:
            Conflict: another hold has this id.
            StorageUnavailable: the database, or a process that leases, does not answer.
        """
        judged = await self._judge(hold, lines)
        if judged is not None and len(judged.standings) < len(lines):
            await self._database.write(lambda: open_windows(self._database, lines))
            judged = await self._judge(hold, lines)
        if judged is not None and not judged.paid and len(self._settlements):
            # What has ended but is not stored yet may leave enough.
            await self._settlements.flush()
            judged = await self._judge(hold, lines)
        looks = 0
        while judged is not None and (leased := _leased(hold, lines, judged)):
            if looks == RECALL_LOOKS:
                raise StorageUnavailable(
                    "another process of this gateway has leased what this request needs and does "
                    "not give it back; try again in a moment"
                )
            await self._call_back(leased, are_late=looks % DEAD_LOOKS == 0)
            if looks:
                await asyncio.sleep(RECALL_LOOK_S)
            looks += 1
            judged = await self._judge(hold, lines)
        return judged

    async def call_in(self, line: Line) -> None:
        """Have everything back that is leased of a window, or tell the log who does not give it.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        for look in range(RECALL_LOOKS):
            rows = await self._database.read(
                Statement(READ_WINDOW, (line.budget_id, line.window_start))
            )
            standings = standings_of(rows)
            self._see(standings)
            if not any(one.leased_usd_nanos for one in standings):
                return
            await self._call_back((line,), are_late=look % DEAD_LOOKS == 0)
            await asyncio.sleep(RECALL_LOOK_S if look else 0)
        log.warning("leases_not_given_back", extra={"budget_id": line.budget_id})

    async def write_off_dead(self, now_unix_s: float) -> int:
        """End the leases of dead processes (see write_off), and give how many that were."""
        written_off = 0
        dead = await self._database.read(lambda: dead_leases(now_unix_s, self._boot_id))
        for line, lease_id in dead:
            amount = await self._database.write(
                partial(write_off, line, lease_id, self._database.kind, now_unix_s=now_unix_s)
            )
            if amount is not None:
                written_off += 1
                facts = {"budget_id": line.budget_id, "lease": lease_id, "usd_nanos": amount}
                log.warning("lease_written_off", extra=facts)
        return written_off

    async def _call_back(self, lines: Sequence[Line], *, are_late: bool) -> None:
        """Call leases of these windows back; this process's own come back before it ends."""
        now_unix_s = self._clock.unix()
        for line in lines:
            await self._database.write(call_back(line, now_unix_s=now_unix_s))
        self._leases.close_all(lines)
        await self._settlements.flush()
        await self._leases.returned(lines)
        if are_late:
            await self.write_off_dead(now_unix_s)

    async def _judge(self, hold: Hold, lines: Sequence[Line]) -> Judged | None:
        unit = reservation(
            self._database, hold, lines, boot_id=self._boot_id, now_unix_s=self._clock.unix()
        )
        done = self._database.submit(unit)
        try:
            judged = await asyncio.shield(done)
        except asyncio.CancelledError:
            # Whoever asked is gone, but the reservation may still be made.
            done.add_done_callback(partial(self._give_back, hold.hold_id))
            raise
        except RowRefused as error:
            if await self._stands(hold):
                return None
            raise Conflict(f"the hold {hold.hold_id!r} was reserved or settled before") from error
        except StorageUnavailable:
            # It may have been stored all the same, with only the answer lost.
            self._settlements.settle(hold.hold_id, 0)
            raise
        self._see(judged.standings)
        return judged

    async def _stands(self, hold: Hold) -> bool:
        rows = await self._database.read(
            Statement(
                "SELECT key_id, bound_usd_nanos FROM reservations "
                "WHERE hold_id = $1 AND actual_usd_nanos IS NULL",
                (hold.hold_id,),
            )
        )
        stored = [(row["key_id"], row["bound_usd_nanos"]) for row in rows]
        return stored == [(hold.key_id, hold.usd_nanos)]

    def _give_back(self, hold_id: str, done: "asyncio.Future[Judged]") -> None:
        if not done.cancelled() and done.exception() is None and done.result().paid:
            self._settlements.settle(hold_id, 0)


def _leased(hold: Hold, lines: Sequence[Line], judged: Judged) -> Sequence[Line]:
    """Give the windows that could pay if their leases came back; none when some could not."""
    if judged.paid or len(judged.standings) < len(lines):
        return ()
    limits = {line.budget_id for line in lines if not line.passes}
    refusing = [one for one in judged.standings if one.budget_id in limits]
    short = [one for one in refusing if one.free_usd_nanos < hold.usd_nanos]
    if any(one.free_usd_nanos + one.leased_usd_nanos < hold.usd_nanos for one in short):
        return ()
    return [Line(one.budget_id, one.window_start) for one in short]
