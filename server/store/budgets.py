"""Budgets: reserve before a call, settle after it. Fulfils the port Budgets.

A request's upper bound is set aside before its call goes out, and what it really cost is
settled after, both under the request's hold id, both safe to repeat. It is set aside in a chunk
of the budget that this process has leased, in memory (see leases.py), or, when that cannot
pay, in the database, which is the only case that waits (see judging.py). So a budget is never
overspent, not even by processes that do not know each other; and a refusal is judged against
the database, so nobody is refused who could have paid.

Holds that leases pay and settlements are queued and tried until they are stored (see
settlements.py). A process that dies leaves its holds and its leases behind: `sweep` settles
both at their bound, as the provider may have billed all of it. Holds that no budget pays for are
kept too, without making the request wait.

When a budget changes while it is leased: a cap that is lowered below what is spent and set aside
has the leases called in before `put` ends, so it holds everywhere from then on; a removed budget
pays from what is leased of it until each process has seen that it is gone, at its next poll, and
nothing of that counts in a budget made anew under its id. When a window is over its leases go
back to it, not to the next.

`left` answers from what was last seen and is for choosing among candidates; it decides nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from omniroute.routing.errors import BudgetExceeded
from omniroute.routing.guard import Guard, strictest
from omniroute.routing.ports import Clock, Hold

from .abandoned import abandoned_holds
from .budget import READ_BUDGETS, USD_NANOS_MAX, Budget, budget_of, checked_budget
from .budget_rows import READ_WINDOW, Standing, settlement, standings_of, store_budget
from .budget_words import guard_of, refusal, tightest, warning
from .changes import Changes, NothingChanged, Told, removal
from .database import Database, Statement
from .held import correct_held
from .judging import Judge
from .leases import Leases
from .paying import PURSES_MAX, Paying, Purse, purse_of
from .recent import Recent
from .settlements import Settlements
from .windows import Line, Windows, windows_at

WATCHED_MAX = 64

log = logging.getLogger("omniroute")


@dataclass(slots=True)
class Admitted:
    """How many holds were paid, by whom; only those that the database paid had to wait."""

    by_leases: int = 0
    by_database: int = 0


class Budgets:
    """All budgets. `load` must have returned before the first request.

    Args:
        boot_id: this process's run, which its holds are kept under.

    Attributes:
        admitted: how many holds were paid since the start.
    """

    def __init__(self, database: Database, changes: Changes, clock: Clock, *, boot_id: str) -> None:
        self._database = database
        self._changes = changes
        self._clock = clock
        self._boot_id = boot_id
        self._budgets: dict[str, Budget] = {}
        self._paying = Paying()
        self._purses: dict[tuple[str, ...], Purse] = {}
        self._standings: dict[str, Standing] = {}
        self._watched: dict[str, None] = {}
        self._warned: dict[str, int] = {}
        # Is told, once in a window, that a budget is past its threshold.
        self.on_warning: Callable[[str], None] = lambda words: None
        self.on_warned: Callable[[str, int], None] = lambda budget_id, window_start: None
        self._paid = Recent()
        self._leases = Leases(
            database, clock, boot_id=boot_id, start_of=self._start_of, see=self._see
        )
        self._settlements = Settlements(
            database, clock, self._leases, boot_id=boot_id, see=self._see
        )
        self._judge = Judge(database, clock, self._settlements, boot_id=boot_id, see=self._see)
        self.admitted = Admitted()

    def left(self, budget_ids: tuple[str, ...]) -> int | None:
        """Give what the tightest budget has left as last seen; None when none could refuse."""
        least: int | None = None
        for budget, line in self._purse(budget_ids).shares:
            self._watched[line.budget_id] = None
            if line.passes:
                continue
            standing = self._seen(line)
            left = budget.cap_usd_nanos if standing is None else standing.left_usd_nanos
            left -= self._leases.unrecorded_usd_nanos(line.budget_id)
            least = left if least is None else min(least, left)
        return None if least is None else max(least, 0)

    def paying(
        self, budget_ids: tuple[str, ...], *, combo: str | None, session_id: str | None
    ) -> tuple[str, ...]:
        """Give a key's budgets with those of the combo and of the session."""
        return self._paying.of(budget_ids, combo=combo, session_id=session_id)

    def guard(self, budget_ids: tuple[str, ...]) -> Guard | None:
        """Give the tier that degrading budgets keep a request to, as last seen."""
        degrading = self._purse(budget_ids).degrading
        if not degrading:
            return None
        guards = [guard_of(budget, self._seen(line)) for budget, line in degrading]
        return strictest(one for one in guards if one is not None)

    def warnings(self, budget_ids: tuple[str, ...]) -> tuple[str, ...]:
        """Give words on each budget that is past its threshold, as last seen."""
        found: tuple[str, ...] = ()
        for budget, line in self._purse(budget_ids).shares:
            standing = self._seen(line)
            if standing is None or not standing.warns(budget.warn_percent):
                continue
            words = warning(budget, standing)
            found = (*found, words)
            if self._warned.get(line.budget_id) != standing.window_start:
                self._warned[line.budget_id] = standing.window_start
                facts = {"budget_id": line.budget_id, "standing": words}
                log.warning("budget_warning", extra=facts)
                self.on_warning(words)
                self.on_warned(line.budget_id, standing.window_start)
        return found

    def warned(self, budget_id: str, window_start: int) -> None:
        """Know that another process of this gateway has warned of a window."""
        self._warned[budget_id] = window_start

    def pay_unpriced(self, budget_ids: tuple[str, ...]) -> bool:
        """Whether every one of these budgets lets models without a known price through."""
        return self._purse(budget_ids).pays_unpriced

    def take(self, hold: Hold) -> bool:
        """Set the money aside in memory: no budget pays, or leases do. False where they cannot."""
        usd_nanos, now_unix_s = hold.usd_nanos, self._clock.unix()
        if usd_nanos < 0:
            raise ValueError("a hold is never negative")
        if not hold.budget_ids:
            self._settlements.keep(hold, (), now_unix_s)
            return True
        lines = self._purse(hold.budget_ids).lines
        if lines is None or hold.hold_id in self._paid:
            return False
        leases = self._leases.pay(lines, usd_nanos, now_unix_s)
        if not leases:
            return False
        self._settlements.keep(hold, leases, now_unix_s)
        self._paid.add(hold.hold_id)
        self.admitted.by_leases += 1
        return True

    async def reserve(self, hold: Hold) -> None:
        """Set the money aside in every budget of the hold, or in none.

        A budget that only alerts pays beyond its cap.

        Raises:
            BudgetExceeded: one cannot pay; the message says how it stands.
            Conflict: another hold has this id.
            StorageUnavailable: nobody can tell; nothing may be spent.
        """
        if self.take(hold):
            return
        if hold.usd_nanos > USD_NANOS_MAX:
            raise BudgetExceeded("no budget can pay for a request that may cost so much")
        if hold.hold_id in self._paid:
            # The database judges it, which must know the one before.
            await self._settlements.flush()
        await self._ask_database(hold)

    def settle(self, hold_id: str, *, usd_nanos: int) -> None:
        """Turn a hold into what was really spent; the first call for a hold counts."""
        if usd_nanos < 0:
            raise ValueError("what was spent is never negative")
        self._settlements.settle(hold_id, usd_nanos)

    async def run(self) -> None:
        """Store settlements as they come and look after leases, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._settlements.run())
            group.create_task(self._leases.run())

    async def flush(self) -> None:
        """Store every hold and settlement so far."""
        await self._settlements.flush()

    async def end(self) -> None:
        """Store everything, and give all leases back."""
        self._leases.close_all()
        await self.flush()
        await self._leases.returned()

    def all(self) -> tuple[Budget, ...]:
        """Give every budget."""
        return tuple(self._budgets.values())

    async def standing(self, budget_id: str) -> Standing | None:
        """Give how a budget stands now, read from the database."""
        budget = self._budgets.get(budget_id)
        if budget is None:
            return None
        start = self._start(budget)
        rows = await self._database.read(_window_of(budget_id, start))
        fresh = Standing(budget_id, start, budget.cap_usd_nanos, 0, 0)
        return next(iter(standings_of(rows)), fresh)

    async def load(self) -> None:
        """Read all budgets, and how they stand."""
        rows = await self._database.read(READ_BUDGETS)
        self._budgets = {row["budget_id"]: budget_of(row) for row in rows}
        self._paying = Paying(self._budgets.values())
        self._purses = {}
        starts = windows_at(self._clock.unix())
        standings = await self._database.read(
            Statement(
                "SELECT budget_id, window_start, cap_usd_nanos, spent_usd_nanos, held_usd_nanos, "
                "leased_usd_nanos, recalled_unix_s "
                "FROM budget_windows WHERE window_start IN (0, $1, $2)",
                (starts.day, starts.month),
            )
        )
        self._standings = {}
        self._see(standings_of(standings))

    async def poll(self) -> None:
        """See how the budgets stand that were asked for since the last poll."""
        watched = list(self._watched)[:WATCHED_MAX]
        for budget_id in watched:
            del self._watched[budget_id]
            budget = self._budgets.get(budget_id)
            if budget is not None:
                rows = await self._database.read(_window_of(budget_id, self._start(budget)))
                self._see(standings_of(rows))

    async def put(self, budget: Budget, *, actor: str) -> None:
        """Make a budget, or change its name and terms; what it has spent stays.

        Raises:
            BadRequest: the cap is negative, or the name or another term is not one.
            Conflict: a budget of that id has another owner or period.
        """
        checked_budget(budget)
        facts = {
            "cap_usd_nanos": budget.cap_usd_nanos,
            "period": budget.period,
            "action": budget.action,
        }
        told = Told(actor, "budget.put", budget.budget_id, facts)
        steps = partial(store_budget, budget, self._start(budget), now_unix_s=self._changes.now())
        await self._changes.make(told, steps)
        await self.load()
        self._warned.pop(budget.budget_id, None)
        seen = self._standings.get(budget.budget_id)
        if seen is not None and seen.free_usd_nanos < 0 and seen.leased_usd_nanos:
            await self._judge.call_in(Line(budget.budget_id, seen.window_start))

    async def remove(self, budget_id: str, *, actor: str) -> bool:
        """Remove a budget with what it has spent; False when there is none of that id."""
        sql = "DELETE FROM budgets WHERE budget_id = $1 RETURNING budget_id"
        try:
            await self._changes.make(
                Told(actor, "budget.remove", budget_id, {}), removal(sql, budget_id)
            )
        except NothingChanged:
            return False
        await self.load()
        return True

    async def sweep(self, now_unix_s: float) -> int:
        """Settle what dead processes held and leased, at its bound; give how many that were.

        A process of this machine is dead when it is gone; one of another machine when it was
        silent for long and the hold's lease is over.
        """
        swept = 0
        for hold_id in await self._database.read(
            partial(abandoned_holds, now_unix_s, self._boot_id)
        ):
            unit = settlement(self._database, hold_id, None, now_unix_s=now_unix_s)
            self._see(await self._database.write(unit))
            swept += 1
        await self._leases.find_strays()
        return swept + await self._judge.write_off_dead(now_unix_s)

    async def correct(self) -> int:
        """Set right what windows hold (see held.py), and give how many had to be."""
        return await correct_held(self._database)

    async def _ask_database(self, hold: Hold) -> None:
        lines = await self._lines(hold.budget_ids)
        judged = await self._judge.reserve(hold, lines)
        if judged is None:
            return
        if not judged.paid:
            raise self._refusal(hold, lines, judged.standings)
        self._paid.add(hold.hold_id)
        self.admitted.by_database += 1
        self._see(judged.standings, held_more=hold.usd_nanos)
        for standing in judged.standings:
            line = Line(standing.budget_id, standing.window_start)
            self._leases.want(line, hold.usd_nanos, standing)

    async def _lines(self, budget_ids: tuple[str, ...]) -> tuple[Line, ...]:
        lines = self._purse(budget_ids).lines
        if lines is None:
            # Another process may have made it a moment ago.
            await self.load()
            lines = self._purse(budget_ids).lines
        if lines is None:
            missing = next(one for one in budget_ids if one not in self._budgets)
            raise BudgetExceeded(
                f"budget {missing!r} does not exist and so cannot pay: make it, or take it "
                "off the key"
            )
        return lines

    def _refusal(
        self, hold: Hold, lines: Sequence[Line], standings: Sequence[Standing]
    ) -> BudgetExceeded:
        if len(standings) < len(lines):
            return BudgetExceeded("a budget of this key was removed just now: ask again")
        limits = frozenset(line.budget_id for line in lines if not line.passes)
        standing = tightest(standings, limits=limits)
        return refusal(hold, self._budgets.get(standing.budget_id), standing)

    def _see(self, standings: Sequence[Standing], *, held_more: int = 0) -> None:
        for standing in standings:
            seen = self._standings.get(standing.budget_id)
            if seen is None or seen.window_start <= standing.window_start:
                self._standings[standing.budget_id] = replace(
                    standing, held_usd_nanos=standing.held_usd_nanos + held_more
                )
        self._leases.seen(standings)

    def _purse(self, budget_ids: tuple[str, ...]) -> Purse:
        """Give the budgets of these ids with their current windows."""
        purse = self._purses.get(budget_ids)
        if purse is not None and (
            purse.since_unix_s is None
            or purse.since_unix_s <= self._clock.unix() < purse.until_unix_s
        ):
            return purse
        if len(self._purses) >= PURSES_MAX:
            self._purses.clear()
        purse = purse_of(budget_ids, self._budgets, self._windows_now())
        self._purses[budget_ids] = purse
        return purse

    def _seen(self, line: Line) -> Standing | None:
        """Give how a budget stood in this window when last seen."""
        standing = self._standings.get(line.budget_id)
        if standing is None or standing.window_start != line.window_start:
            return None
        return standing

    def _start_of(self, budget_id: str) -> int | None:
        budget = self._budgets.get(budget_id)
        return None if budget is None else self._start(budget)

    def _start(self, budget: Budget) -> int:
        return self._windows_now().start(budget.period)

    def _windows_now(self) -> Windows:
        return windows_at(self._clock.unix())


def _window_of(budget_id: str, window_start: int) -> Statement:
    return Statement(READ_WINDOW, (budget_id, window_start))
