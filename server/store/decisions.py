"""Stored decisions, read in pages: what an audit executes again."""

from dataclasses import dataclass

from .database import Database, Statement

PAGE_MAX = 500


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """One decision as it was stored; `snapshot` is None when its row is gone."""

    request_id: str
    record: bytes
    snapshot: bytes | None


class Decisions:
    """Reads decisions; changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def arrival_unix_s(self, request_id: str) -> float | None:
        """Give when a recorded request arrived, None when there is none of that id."""
        rows = await self._database.read(
            Statement("SELECT at_unix_s FROM outcomes WHERE request_id = $1", (request_id,))
        )
        return float(rows[0]["at_unix_s"]) if rows else None

    async def count(self, since_unix_s: float) -> int:
        """Give how many decisions there are on requests that arrived at that time or later."""
        rows = await self._database.read(
            Statement("SELECT count(*) AS decisions " + _SINCE, (since_unix_s,))
        )
        return int(rows[0]["decisions"])

    async def page(
        self, *, after: str, since_unix_s: float, limit: int = PAGE_MAX
    ) -> list[StoredDecision]:
        """Give the next decisions by request id: fewer than `limit` at the end.

        Args:
            after: the last id that was given; "" begins.
            since_unix_s: those of requests that arrived at that time or later.
            limit: PAGE_MAX at most.
        """
        rows = await self._database.read(
            Statement(_PAGE, (since_unix_s, after, min(limit, PAGE_MAX)))
        )
        return [
            StoredDecision(
                str(row["request_id"]),
                bytes(row["record"]),
                None if row["body"] is None else bytes(row["body"]),
            )
            for row in rows
        ]


# A decision whose outcome was removed is looked at whatever the range.
_SINCE = (
    "FROM decisions LEFT JOIN outcomes ON outcomes.request_id = decisions.request_id "
    "LEFT JOIN snapshots ON snapshots.snapshot_id = decisions.snapshot_id "
    "WHERE (outcomes.at_unix_s IS NULL OR outcomes.at_unix_s >= $1)"
)

_PAGE = (
    "SELECT decisions.request_id, record, body "
    + _SINCE
    + " AND decisions.request_id > $2 ORDER BY decisions.request_id LIMIT $3"
)
