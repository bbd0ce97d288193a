"""What callers may read of what was used: requests, calls, costs, and how their budgets stand.

As everywhere in views.py: of the caller's own key, and of all for `admin`.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from .access import ADMIN, require
from .catalog.providers import provider_named
from .errors import NotFound
from .guard import BudgetStanding
from .model import Caller, Combo
from .ports import Clock, Configs, Ledger
from .usage import (
    PERIOD_S,
    CallDimension,
    CallRow,
    Grouping,
    Period,
    Selection,
    Usage,
    UsageRow,
    UsageTotal,
)

NAMES_TOLD_MAX = 20

Standings = Callable[[tuple[str, ...]], Awaitable[Sequence[BudgetStanding]]]
"""Gives how budgets stand now, by their ids; one that is gone is left out."""


async def no_budgets(budget_ids: tuple[str, ...]) -> Sequence[BudgetStanding]:
    """Do as a gateway does that keeps no budgets."""
    return ()


@dataclass(frozen=True, slots=True)
class ComboUsage:
    """What was measured of a combo: its requests, and the calls to each of its providers."""

    combo: Combo
    requests: UsageRow
    providers: tuple[CallRow, ...]


@dataclass(frozen=True, slots=True)
class UsageViews:
    """Questions about what was used.

    Attributes:
        started_unix_s: the gateway's start: where a session begins whose own is not known.
    """

    configs: Configs
    ledger: Ledger
    clock: Clock
    started_unix_s: float
    standings: Standings = no_budgets

    def began(self, period: Period, session_unix_s: float | None = None) -> float:
        """Give when a period that ends now began, in seconds since 1970."""
        now_unix_s = self.clock.unix()
        if period != "session":
            return now_unix_s - PERIOD_S[period]
        began = self.started_unix_s if session_unix_s is None else session_unix_s
        return min(began, now_unix_s)

    async def report(
        self,
        caller: Caller,
        selection: Selection,
        by: Sequence[Grouping] = (),
        *,
        timed: bool = False,
    ) -> Usage:
        """Add up requests. Needs read:usage. The selection's key counts for admin alone."""
        require(caller, "read:usage")
        return await self.ledger.usage(_own(caller, selection), by, timed=timed)

    async def calls(
        self, caller: Caller, selection: Selection, by: CallDimension
    ) -> tuple[CallRow, ...]:
        """Add up calls. Needs read:usage. The selection's key counts for admin alone."""
        require(caller, "read:usage")
        return await self.ledger.calls(_own(caller, selection), by)

    async def combos(self, caller: Caller, since_unix_s: float) -> dict[str, UsageTotal]:
        """Give the sums of each combo that was used, by its name. Needs read:combos."""
        require(caller, "read:combos")
        usage = await self.ledger.usage(_own(caller, Selection(since_unix_s)), ("combo",))
        return {row.name: row.total for row in usage.by["combo"] if row.name is not None}

    async def combo(self, caller: Caller, name: str, since_unix_s: float) -> ComboUsage:
        """Give what was measured of a combo, by its name or id. Needs read:combos.

        Raises:
            NotFound: no combo goes by that.
        """
        require(caller, "read:combos")
        combos = self.configs.current().combos
        found = next((one for one in combos if name in (one.name, one.combo_id)), None)
        if found is None:
            raise NotFound(
                f"no combo is named {name[:80]!r}; known are {_listed(one.name for one in combos)}"
            )
        selection = _own(caller, Selection(since_unix_s, combo=found.name))
        usage = await self.ledger.usage(selection, timed=True)
        return ComboUsage(found, usage.whole, await self.ledger.calls(selection, "provider"))

    async def provider(self, caller: Caller, name: str, since_unix_s: float) -> CallRow:
        """Give what was measured of a provider, by its name or alias. Needs read:health.

        Raises:
            NotFound: no account is at that provider, and none was called.
        """
        require(caller, "read:health")
        known = provider_named(name)
        provider = name if known is None else known.name
        selection = _own(caller, Selection(since_unix_s, provider=provider))
        rows = await self.ledger.calls(selection, "provider")
        if rows:
            return rows[0]
        providers = {one.provider for one in self.configs.current().accounts}
        if provider not in providers:
            raise NotFound(
                f"no account is at a provider named {name[:80]!r}; known are {_listed(providers)}"
            )
        return CallRow(provider)

    async def providers(self, caller: Caller, since_unix_s: float) -> tuple[CallRow, ...]:
        """Give what was measured of every provider that was called. Needs read:health."""
        require(caller, "read:health")
        return await self.ledger.calls(_own(caller, Selection(since_unix_s)), "provider")

    async def budgets(self, caller: Caller) -> Sequence[BudgetStanding]:
        """Give how the caller's budgets stand, the tightest first. Needs read:usage."""
        require(caller, "read:usage")
        found = await self.standings(caller.budget_ids)
        return sorted(found, key=lambda one: (one.left_usd_nanos, one.budget_id))


def _own(caller: Caller, selection: Selection) -> Selection:
    return selection if ADMIN in caller.scopes else replace(selection, key_id=caller.key_id)


def _listed(names: Iterable[str]) -> str:
    found = sorted(names)
    more = f" and {len(found) - NAMES_TOLD_MAX} more" if len(found) > NAMES_TOLD_MAX else ""
    return (", ".join(found[:NAMES_TOLD_MAX]) or "none") + more
