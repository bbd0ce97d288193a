"""Leases: chunks of budgets that this process may spend without asking the database.

A budget that this process asks the database about twice within AHEAD_S gets a lease: a chunk
of its window is set aside for this process, in the background, while requests go on being
judged by the database. From then on holds are paid from the chunk in memory. When half of it is
gone it is filled up in the background; a chunk that lasted less than AHEAD_S is made larger, one
that lasted long smaller. lease_rows.py says how large a chunk can be: a share of what is
free, and nothing close to the cap.

A lease ends (`close`) when nothing used it for IDLE_S, when its window is over, when its budget
is gone, when no more is granted because the cap is near, when it was not filled up for so long
that others might take the process for dead, and when it is called back, because somebody
asks for what only leases still have. Then what it has goes back at once, but for what holds that
are not recorded yet took from it; when these are recorded, it is over. So a refusal is judged
with nothing idle anywhere, and nobody waits long for money that lies idle elsewhere.

The one thing that must be true: what the database has for a lease is never less than what the
holds that it pays, and that are not recorded, may cost. `stored` is what it has for certain
(grants count when they are committed), `unrecorded` what these holds may cost, and only the
difference is used. So when the process dies, whatever its last holds spent is in what the
database has for the lease. How much that may be is bounded besides: `exposed`, the EXPOSED-th
part of a chunk, is in the lease's row, and holds that would take more before those before them
are recorded ask the database. A dead process's lease is settled at that bound: it counts as
spent, beside what was recorded, and the rest goes back (`write_off`); never less than what was
spent. A grant whose answer was lost is not used: the lease is given back.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from omniroute.routing.errors import StorageUnavailable
from omniroute.routing.ports import Clock

from .budget_rows import Standing
from .database import Database, Statement
from .lease import AHEAD_S, FIRST_HOLDS, Lease
from .lease_rows import (
    HOLDS_MIN,
    LEASED_WINDOWS,
    Granted,
    Returned,
    Wish,
    give_back,
    grant,
    share_of,
)
from .windows import Line

IDLE_S = 2.0
"""A lease that nothing used for so long is given back."""
TEND_S = 0.1
"""How often leases are looked after while there are any."""
ASKED_MAX = 4_096

log = logging.getLogger("omniroute")


class Leases:
    """The leases of this process.

    Args:
        start_of: gives when a budget's current window began, None when there is no such budget.
        see: takes how windows stand, whenever that comes to be known.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        boot_id: str,
        start_of: Callable[[str], int | None],
        see: Callable[[Sequence[Standing]], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._boot_id = boot_id
        self._start_of = start_of
        self._see = see
        self._open: dict[str, Lease] = {}
        self._closing: dict[str, Lease] = {}
        self._asked: dict[Line, float] = {}
        self._made = 0
        self._some = asyncio.Event()

    def pay(self, lines: Sequence[Line], usd_nanos: int, now_unix_s: float) -> tuple[Lease, ...]:
        """Take a hold's bound out of the leases of all these windows, or of none.

        Returns:
            The leases that pay; empty when they cannot, and the database must be asked.
        """
        now, leases = self._clock.now(), list[Lease]()
        for line in lines:
            lease = self._open.get(line.budget_id)
            if lease is None:
                return ()
            if lease.line.window_start != line.window_start or lease.ran_out(now, now_unix_s):
                self.close(lease)
                return ()
            unrecorded_usd_nanos = lease.unrecorded_usd_nanos + usd_nanos
            if not unrecorded_usd_nanos <= min(lease.stored_usd_nanos, lease.exposed_usd_nanos):
                if usd_nanos * HOLDS_MIN <= lease.target_usd_nanos:
                    self._fill(lease, usd_nanos, now)
                return ()
            leases.append(lease)
        for lease in leases:
            lease.pending += 1
            lease.unrecorded_usd_nanos += usd_nanos
            lease.used_s = now
            left_usd_nanos = lease.stored_usd_nanos - lease.unrecorded_usd_nanos
            if left_usd_nanos * 2 < lease.target_usd_nanos:
                self._fill(lease, usd_nanos, now)
        return tuple(leases)

    def recorded(self, lease: Lease, holds: int, usd_nanos: int, *, lost: bool) -> None:
        """Know that so many holds, which took so much, are in the database.

        `lost`: the database no longer has the lease.
        """
        lease.pending -= holds
        lease.unrecorded_usd_nanos -= usd_nanos
        lease.stored_usd_nanos -= usd_nanos
        if lost:
            self._forget(lease)
        elif lease.lease_id in self._closing and not lease.pending:
            self._return(lease)

    def unrecorded_usd_nanos(self, budget_id: str) -> int:
        """Give what holds took that no standing shows yet."""
        lease = self._open.get(budget_id)
        found = 0 if lease is None else lease.unrecorded_usd_nanos
        for closing in self._closing.values():
            if closing.line.budget_id == budget_id:
                found += closing.unrecorded_usd_nanos
        return found

    def seen(self, standings: Sequence[Standing]) -> None:
        """End leases of windows that were called back."""
        for standing in standings:
            lease = self._open.get(standing.budget_id)
            if (
                lease is not None
                and lease.line.window_start == standing.window_start
                and lease.recalled_unix_s != standing.recalled_unix_s
            ):
                self.close(lease)

    def want(self, line: Line, usd_nanos: int, standing: Standing) -> None:
        """Lease of a window that was asked for in vain just now, if it is asked for often."""
        now = self._clock.now()
        before_s = self._asked.get(line)
        if len(self._asked) >= ASKED_MAX:
            self._asked.clear()
        self._asked[line] = now
        if before_s is None or now - before_s > AHEAD_S or usd_nanos == 0:
            return
        if line.budget_id in self._open or any(one.line == line for one in self._closing.values()):
            return
        lease_id = f"{self._boot_id}-{self._made}"
        lease = Lease(line, lease_id, FIRST_HOLDS * usd_nanos, standing.recalled_unix_s)
        wish = lease.wish(usd_nanos)
        now_unix_s = self._clock.unix()
        if share_of(standing, wish, own_usd_nanos=0, processes=1, now_unix_s=now_unix_s):
            self._made += 1
            self._open[line.budget_id] = lease
            self._ask_for(lease, wish)

    def close(self, lease: Lease) -> None:
        """End a lease: what it has goes back, the rest when its holds are recorded."""
        if self._open.get(lease.line.budget_id) is lease:
            del self._open[lease.line.budget_id]
            self._closing[lease.lease_id] = lease
            self._return(lease)

    def close_all(self, lines: Sequence[Line] | None = None) -> None:
        """End the leases of these windows, or all."""
        for lease in list(self._open.values()):
            if lines is None or lease.line in lines:
                self.close(lease)

    async def returned(self, lines: Sequence[Line] | None = None) -> None:
        """Wait until what leases of these windows that are closed have to give is given back.

        What their unrecorded holds took is not waited for.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        for lease in list(self._closing.values()):
            if lines is not None and lease.line not in lines:
                continue
            # What is under way may have been asked for before the last holds were recorded.
            for _ in range(2):
                self._return(lease)
                if lease.returning is not None:
                    await asyncio.shield(lease.returning)

    async def run(self) -> None:
        """Look after the leases while there are any, until cancelled."""
        waits = False
        while True:
            await self._some.wait()
            await asyncio.sleep(TEND_S)
            try:
                await self.tend()
            except StorageUnavailable as error:
                if not waits:
                    log.warning("leases_wait", extra={"reason": str(error)})
                waits = True
            else:
                waits = False

    async def tend(self) -> None:
        """Give back what is due: idle, over, called back, or not given back yet.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        now, now_unix_s = self._clock.now(), self._clock.unix()
        for lease in list(self._open.values()):
            is_over = lease.line.window_start != self._start_of(lease.line.budget_id)
            if is_over or now - lease.used_s >= IDLE_S or lease.ran_out(now, now_unix_s):
                self.close(lease)
        for lease in list(self._closing.values()):
            self._return(lease)
        if self._open:
            await self._find_called()
        elif not self._closing:
            self._some.clear()

    async def find_strays(self) -> None:
        """Give back leases of ours in the database that we know nothing of.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        made = self._made
        known = {*self._closing, *(lease.lease_id for lease in self._open.values())}
        for row in await self._database.read(Statement(LEASED_WINDOWS, (self._boot_id,))):
            # One that was made while we were reading is none.
            if row["lease_id"] not in known and int(row["lease_id"].rpartition("-")[2]) < made:
                line = Line(row["budget_id"], int(row["window_start"]))
                stray = Lease(line, row["lease_id"], 0)
                self._closing[stray.lease_id] = stray
                self._return(stray)

    async def _find_called(self) -> None:
        rows = await self._database.read(Statement(LEASED_WINDOWS, (self._boot_id,)))
        recalled = {row["lease_id"]: row["recalled_unix_s"] for row in rows}
        for lease in list(self._open.values()):
            # A lease that has no row is being made, or its budget is gone.
            if recalled.get(lease.lease_id, lease.recalled_unix_s) != lease.recalled_unix_s:
                self.close(lease)

    def _fill(self, lease: Lease, usd_nanos: int, now: float) -> None:
        """Ask for more, unless that is under way."""
        if lease.filling:
            return
        lease.aim(now, usd_nanos)
        self._ask_for(lease, lease.wish(usd_nanos))

    def _ask_for(self, lease: Lease, wish: Wish) -> None:
        now_unix_s = self._clock.unix()
        try:
            done = self._database.submit(
                lambda: grant(
                    wish, self._database.kind, boot_id=self._boot_id, now_unix_s=now_unix_s
                )
            )
        except StorageUnavailable:
            # Too much waits for the database already: the next hold asks again.
            self.close(lease)
            return
        lease.filling = True
        lease.asked(self._clock.now(), now_unix_s)
        self._some.set()
        done.add_done_callback(partial(self._filled, lease, wish))

    def _filled(self, lease: Lease, wish: Wish, done: "asyncio.Future[Granted]") -> None:
        lease.filling = False
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            # It may have been granted all the same: giving back finds out.
            log.warning("lease_unknown", extra={"lease": lease.lease_id, "reason": str(error)})
            self.close(lease)
            return
        granted = done.result()
        is_first = not lease.granted
        if granted.usd_nanos > 0:
            lease.filled(wish, granted)
            if self._open.get(lease.line.budget_id) is not lease:
                # It was closed meanwhile, and may have been given back before this was granted.
                self._closing[lease.lease_id] = lease
                self._return(lease)
        elif granted.lost or is_first:
            self._forget(lease)
        elif granted.share_usd_nanos == 0:
            self.close(lease)
        else:
            lease.target_usd_nanos = min(lease.target_usd_nanos, granted.share_usd_nanos)
        if granted.standing is not None:
            self._see((granted.standing,))

    def _return(self, lease: Lease) -> None:
        """Give back what no unrecorded hold has taken, unless that is under way."""
        if lease.returning is not None:
            return
        keep = lease.unrecorded_usd_nanos if lease.pending else None
        try:
            done = self._database.submit(
                lambda: give_back(
                    lease.line, lease.lease_id, self._database.kind, keep_usd_nanos=keep
                )
            )
        except StorageUnavailable:
            # Too much waits for the database already: `tend` tries again.
            return
        lease.returning = done
        self._some.set()
        done.add_done_callback(partial(self._was_returned, lease, ended=keep is None))

    def _was_returned(self, lease: Lease, done: "asyncio.Future[Returned]", *, ended: bool) -> None:
        lease.returning = None
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            # `tend` tries again; giving back twice gives nothing back the second time.
            log.warning("lease_unknown", extra={"lease": lease.lease_id, "reason": str(error)})
            return
        returned = done.result()
        lease.stored_usd_nanos -= returned.usd_nanos
        if ended:
            self._forget(lease)
        elif not lease.pending:
            self._return(lease)
        if returned.standing is not None:
            self._see((returned.standing,))

    def _forget(self, lease: Lease) -> None:
        if self._open.get(lease.line.budget_id) is lease:
            del self._open[lease.line.budget_id]
        self._closing.pop(lease.lease_id, None)
