"""What was learned of models, kept: the counts of health/experience.py, row by row.

Read once, at the start; what came since is added now and then and at the end, so processes that
share a database add to the same rows and each sees the others' after its next start. What could
not be stored stays news; a batch whose commit was lost on the way back may be added twice, which
estimates bear. Rows that nothing has changed for KEPT_S are gone at the next start.
"""

from collections.abc import Sequence

from omniroute.routing.health.experience import SEEN_MAX, Experience, Seen
from omniroute.routing.ports import Clock

from .database import Database, Many, Statement, Steps
from .kept import Kept

KEPT_S = 90 * 86_400.0

_COLUMNS = ("good", "bad", "answers", "output_tokens", "micros")
_FORGET = "DELETE FROM experience WHERE changed_unix_s < $1"
# The newest last, as what is read first is the first to go.
_ALL = (
    f"SELECT * FROM (SELECT model, family, {', '.join(_COLUMNS)}, changed_unix_s "  # noqa: S608 - joins constants
    "FROM experience ORDER BY changed_unix_s DESC, model, family LIMIT $1) AS newest "
    "ORDER BY changed_unix_s, model, family"
)
_ADD = (
    f"INSERT INTO experience (model, family, {', '.join(_COLUMNS)}, changed_unix_s) "  # noqa: S608 - as above
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (model, family) DO UPDATE SET "
    + ", ".join(f"{one} = experience.{one} + excluded.{one}" for one in _COLUMNS)
    + ", changed_unix_s = excluded.changed_unix_s"
)


class StoredExperience(Kept):
    """What this process has learned, in memory, and its rows.

    Attributes:
        experience: what the engine learns and decides by.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database, clock)
        self.experience = Experience()

    async def load(self) -> None:
        """Go on from what was stored."""
        await self._database.write(Statement(_FORGET, (self._clock.unix() - KEPT_S,)))
        rows = await self._database.read(Statement(_ALL, (SEEN_MAX,)))
        self.experience.restore(
            Seen(row["model"], row["family"], *(int(row[one]) for one in _COLUMNS)) for row in rows
        )

    async def _store(self) -> None:
        news = self.experience.pending()
        if news:
            # In one order everywhere, so that two processes never wait for each other's rows.
            ordered = sorted(news, key=lambda one: (one.model, one.family))
            now_unix_s = self._clock.unix()
            await self._database.write(lambda: _steps(ordered, now_unix_s))
            self.experience.stored(news)
            self.told(news)


def _steps(news: Sequence[Seen], now_unix_s: float) -> Steps[None]:
    yield Many(
        _ADD,
        [
            (one.model, one.family, *(getattr(one, name) for name in _COLUMNS), now_unix_s)
            for one in news
        ],
    )
