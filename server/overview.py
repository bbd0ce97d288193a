"""What a gateway was used for in a window of time: every figure of the dashboard's Overview.

The figures are those of `ledger.usage` for the same window, with percentiles; store/pieces.py
tells why they come in time for a page. A caller sees its own key's requests, and all for admin.
"""

from dataclasses import dataclass, replace
from math import ceil

from omniroute.routing.access import ADMIN, require
from omniroute.routing.model import Caller
from omniroute.routing.ports import Clock
from omniroute.routing.usage import (
    SECONDS_A_DAY,
    SECONDS_A_MINUTE,
    SECONDS_AN_HOUR,
    Dimension,
    Grouping,
    Selection,
    UsageRow,
)

from .store.ledger import StoredLedger
from .store.pieces import Pieces

MINUTES_S_MAX = 2 * SECONDS_AN_HOUR
HOURS_S_MAX = 8 * SECONDS_A_DAY
"""Windows up to this long have a series by minutes, by hours; longer ones by days."""
STEP_S: dict[Grouping, int] = {
    "minute": SECONDS_A_MINUTE,
    "hour": SECONDS_AN_HOUR,
    "day": SECONDS_A_DAY,
}
TABLES: tuple[Dimension, ...] = ("model", "key", "combo", "provider")


@dataclass(frozen=True, slots=True)
class Overview:
    """Requests of a window: together, along it, by what they have in common, and by error.

    Attributes:
        selection: the window and the filters; it begins with a whole step, that of all times
            with the first request.
        step: what `series` is by: minute, hour or day; steps without requests are left out.
        tables: rows by model, key, combo and provider; a name of None is those without.
        errors: those with an error, by its class, the most frequent first; without times.
    """

    selection: Selection
    step: Grouping
    whole: UsageRow
    series: tuple[UsageRow, ...]
    tables: dict[Dimension, tuple[UsageRow, ...]]
    errors: tuple[UsageRow, ...]


class Overviews:
    """Gives overviews; what they are made of is kept as long as this is."""

    def __init__(self, ledger: StoredLedger, pieces: Pieces, clock: Clock) -> None:
        self._ledger = ledger
        self._pieces = pieces
        self._clock = clock

    async def of(self, caller: Caller, selection: Selection) -> Overview:
        """Give an overview. Needs read:usage. The selection's key counts for admin alone."""
        require(caller, "read:usage")
        if ADMIN not in caller.scopes:
            selection = replace(selection, key_id=caller.key_id)
        await self._ledger.flush()
        await self._ledger.gather()
        now_unix_s = self._clock.unix()
        first = await self._pieces.first_unix_s()
        first = now_unix_s if first is None else first
        if not selection.since_unix_s:
            selection = replace(selection, since_unix_s=first)
        selection, step = stepped(selection, now_unix_s)
        # Nothing is before the first request: a long window has no more pieces than it has days.
        since = max(selection.since_unix_s, first // STEP_S[step] * STEP_S[step])
        found = await self._pieces.usage(replace(selection, since_unix_s=since), step)
        failed = [row for row in found.by["error"] if row.name is not None]
        return Overview(
            selection,
            step,
            found.whole,
            found.by[step],
            {one: found.by[one] for one in TABLES},
            tuple(sorted(failed, key=lambda row: (-row.total.requests, row.name or ""))),
        )


def stepped(selection: Selection, now_unix_s: float) -> tuple[Selection, Grouping]:
    """Give a selection that ends now at the latest and begins with a whole step, and the step."""
    # In whole milliseconds, which are short in an address and lose nothing that is on record.
    until = min(selection.until_unix_s, ceil(now_unix_s * 1_000) / 1_000)
    length_s = until - selection.since_unix_s
    step: Grouping = "day"
    if length_s <= HOURS_S_MAX:
        step = "minute" if length_s <= MINUTES_S_MAX else "hour"
    since = selection.since_unix_s // STEP_S[step] * STEP_S[step]
    return replace(selection, since_unix_s=float(since), until_unix_s=until), step
