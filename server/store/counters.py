"""The counters of combos, kept: turns, calls of each candidate, who last answered.

They are read once, at the start, and what came to them since is added now and then and at
the end, so processes that share a database add to the same rows. What could not be stored
stays news and is tried again with the next; a batch whose commit was lost on the way back may
be added twice, which these counters bear. Rows that nothing has changed for KEPT_S are gone
at the next start: combos come and go.
"""

from collections.abc import Sequence

from omniroute.routing.health.tallies import Count, Tallies
from omniroute.routing.ports import Clock

from .database import Database, Many, Statement, Steps
from .kept import Kept

KEPT_S = 90 * 86_400.0

_FORGET = "DELETE FROM combo_counts WHERE changed_unix_s < $1"
_ALL = "SELECT combo, account_id, model, number, good_unix_s FROM combo_counts"
_ADD = (
    "INSERT INTO combo_counts (combo, account_id, model, number, good_unix_s, changed_unix_s) "
    "VALUES ($1, $2, $3, $4, 0, $5) ON CONFLICT (combo, account_id, model) DO UPDATE SET "
    "number = combo_counts.number + excluded.number, changed_unix_s = excluded.changed_unix_s"
)
_GOOD = (
    "UPDATE combo_counts SET good_unix_s = $4 WHERE combo = $1 AND account_id = $2 AND model = $3"
)


class StoredCounters(Kept):
    """The counters of this process's combos, in memory, and their rows.

    Attributes:
        tallies: what the engine reads and counts on.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database, clock)
        self.tallies = Tallies()

    async def load(self) -> None:
        """Go on from what was stored."""
        await self._database.write(Statement(_FORGET, (self._clock.unix() - KEPT_S,)))
        rows = await self._database.read(Statement(_ALL))
        self.tallies.restore(
            Count(row["combo"], row["account_id"], row["model"], row["number"], row["good_unix_s"])
            for row in rows
        )

    async def _store(self) -> None:
        news = self.tallies.pending()
        if news:
            # In one order everywhere, so that two processes never wait for each other's rows.
            ordered = sorted(news, key=lambda one: (one.combo, one.account_id, one.model))
            now_unix_s = self._clock.unix()
            await self._database.write(lambda: _steps(ordered, now_unix_s))
            self.tallies.stored(news)
            self.told(news)


def _steps(news: Sequence[Count], now_unix_s: float) -> Steps[None]:
    names = [(one.combo, one.account_id, one.model) for one in news]
    numbers = [(*name, one.number, now_unix_s) for name, one in zip(names, news, strict=True)]
    yield Many(_ADD, numbers)
    goods = [
        (*name, one.good_unix_s)
        for name, one in zip(names, news, strict=True)
        if one.good_unix_s is not None
    ]
    if goods:
        yield Many(_GOOD, goods)
