"""The limits that providers told, kept: a restart goes on with what is left of a day's.

They are read once, at the start, and given to the health book with the age they have by the wall
clock; a moment that lies ahead, as after a clock that was set back, is taken for now. What was
told since is stored every `every_s` and at the end. Of several processes the newest telling
counts. A limit that no answer has told for KEPT_S (health/quota.py) is gone at the next start.

What could not be stored is tried again with the next: nothing is lost but its age in between.
"""

from collections.abc import Iterable

from omniroute.routing.health.book import HealthBook, Scope
from omniroute.routing.health.quota import KEPT_S, Learned, Limit
from omniroute.routing.ports import Clock

from .database import Database, Many, Row, Statement, Steps, Value
from .kept import Kept

_FORGET = "DELETE FROM learned_limits WHERE told_unix_s + coalesce(reset_s, 0) < $1"
_ALL = (
    "SELECT account_id, model, dimension, allowed, remaining, reset_s, told_unix_s "
    "FROM learned_limits ORDER BY told_unix_s"
)
_KEEP = (
    "INSERT INTO learned_limits "
    "(account_id, model, dimension, allowed, remaining, reset_s, told_unix_s) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account_id, model, dimension) "
    "DO UPDATE SET allowed = excluded.allowed, remaining = excluded.remaining, "
    "reset_s = excluded.reset_s, told_unix_s = excluded.told_unix_s "
    "WHERE learned_limits.told_unix_s < excluded.told_unix_s"
)


class StoredLimits(Kept):
    """The limits in a health book, and their rows."""

    every_s = 30.0

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database, clock)
        self._rows: tuple[Row, ...] = ()
        self._book = HealthBook()
        self._flushed_s = clock.now()

    async def load(self) -> None:
        """Read what was stored, for whoever follows."""
        await self._database.write(Statement(_FORGET, (self._clock.unix() - KEPT_S,)))
        self._rows = tuple(await self._database.read(Statement(_ALL)))

    def follow(self, book: HealthBook) -> None:
        """Give the book what was stored, and store what it learns from now on."""
        self._book, rows, self._rows = book, self._rows, ()
        now, now_unix_s = self._clock.now(), self._clock.unix()
        for row in rows:
            told = Limit(row["dimension"], row["allowed"], row["remaining"], row["reset_s"])
            at_s = now - max(now_unix_s - row["told_unix_s"], 0.0)
            book.restore((row["account_id"], row["model"]), Learned(told, at_s))

    async def _store(self) -> None:
        now = self._clock.now()
        to_unix = self._clock.unix() - now
        # In one order everywhere, so that two processes never wait for each other's rows.
        values = [
            _values(scope, one, told_unix_s=one.at_s + to_unix)
            for scope, quota in sorted(self._book.quotas.items(), key=lambda item: item[0])
            for one in sorted(quota.known(now), key=lambda one: one.told.dimension)
            if one.at_s >= self._flushed_s
        ]
        if values:
            await self._database.write(lambda: _steps(values))
        self._flushed_s = now


def _values(scope: Scope, one: Learned, *, told_unix_s: float) -> tuple[Value, ...]:
    told = one.told
    return (*scope, told.dimension, told.limit, told.remaining, told.reset_s, told_unix_s)


def _steps(values: Iterable[tuple[Value, ...]]) -> Steps[None]:
    yield Many(_KEEP, list(values))
