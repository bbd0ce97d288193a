"""Responses that clients go on from by their id, each kept with the items it was asked.

A row holds what its own request added; the row before it is named, so a conversation is the
chain of its rows and grows by what is new. A response belongs to its key: another key's is not
found by the same statement that does not find a missing one. Rows go after KEPT_S, and when
their client deletes them; a chain with a row missing is not found, rather than told in part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .database import Database, Row, Statement

KEPT_S = 30 * 86_400.0
"""What OpenAI documents for its own."""
ROW_BYTES_MAX = 4 * 2**20
"""A longer response is not kept."""
CHAIN_MAX = 1_000
CHAIN_BYTES_MAX = 16 * 2**20
"""What is read of one conversation."""
PRUNED_MAX = 500

_SIZES = (
    "WITH RECURSIVE chain (response_id, previous_id, size, depth) AS ("
    "SELECT response_id, previous_id, size, 1 FROM kept_responses "
    "WHERE key_id = $1 AND response_id = $2 UNION ALL "
    "SELECT kept.response_id, kept.previous_id, kept.size, chain.depth + 1 "
    "FROM chain JOIN kept_responses AS kept "
    "ON kept.key_id = $1 AND kept.response_id = chain.previous_id WHERE chain.depth < $3) "
    "SELECT previous_id, size FROM chain ORDER BY depth"
)
_ROWS = (
    "WITH RECURSIVE chain (response_id, previous_id, size, depth) AS ("
    "SELECT response_id, previous_id, size, 1 FROM kept_responses "
    "WHERE key_id = $1 AND response_id = $2 UNION ALL "
    "SELECT kept.response_id, kept.previous_id, kept.size, chain.depth + 1 "
    "FROM chain JOIN kept_responses AS kept "
    "ON kept.key_id = $1 AND kept.response_id = chain.previous_id WHERE chain.depth < $3) "
    "SELECT kept.response_id, kept.previous_id, kept.items, kept.response "
    "FROM chain JOIN kept_responses AS kept "
    "ON kept.key_id = $1 AND kept.response_id = chain.response_id ORDER BY chain.depth DESC"
)
_GET = (
    "SELECT response_id, previous_id, items, response FROM kept_responses "
    "WHERE key_id = $1 AND response_id = $2"
)
_KEEP = (
    "INSERT INTO kept_responses "
    "(key_id, response_id, previous_id, items, response, size, created_unix_s) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key_id, response_id) DO NOTHING"
)
_DELETE = "DELETE FROM kept_responses WHERE key_id = $1 AND response_id = $2 RETURNING response_id"
_PRUNE = (
    "DELETE FROM kept_responses WHERE (key_id, response_id) IN (SELECT key_id, response_id "
    "FROM kept_responses WHERE created_unix_s <= $1 ORDER BY created_unix_s LIMIT $2) "
    "RETURNING response_id"
)


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """A response and the items its own request added, both as JSON."""

    response_id: str
    previous_id: str | None
    items: bytes
    response: bytes


class KeptResponses:
    """Responses in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, key_id: str, kept: KeptResponse, *, now_unix_s: float) -> bool:
        """Keep a response; gives whether it was short enough for that."""
        size = len(kept.items) + len(kept.response)
        if size > ROW_BYTES_MAX:
            return False
        values = (key_id, kept.response_id, kept.previous_id, kept.items, kept.response)
        await self._database.write(Statement(_KEEP, (*values, size, now_unix_s)))
        return True

    async def get(self, key_id: str, response_id: str) -> KeptResponse | None:
        """Give a key's response."""
        rows = await self._database.read(Statement(_GET, (key_id, response_id)))
        return _kept(rows[0]) if rows else None

    async def chain(self, key_id: str, response_id: str) -> Sequence[KeptResponse] | None:
        """Give a response with all before it, oldest first.

        None when one of them is missing, or they are more than CHAIN_MAX or CHAIN_BYTES_MAX.
        """
        asked = (key_id, response_id, CHAIN_MAX)
        sizes = await self._database.read(Statement(_SIZES, asked))
        if not sizes or sizes[-1]["previous_id"] is not None:
            return None
        if sum(int(row["size"]) for row in sizes) > CHAIN_BYTES_MAX:
            return None
        return [_kept(row) for row in await self._database.read(Statement(_ROWS, asked))]

    async def delete(self, key_id: str, response_id: str) -> bool:
        """Delete a key's response; gives whether it was there."""
        return bool(await self._database.write(Statement(_DELETE, (key_id, response_id))))

    async def prune(self, *, now_unix_s: float) -> int:
        """Delete what is older than KEPT_S, PRUNED_MAX at most; give how many."""
        before = now_unix_s - KEPT_S
        return len(await self._database.write(Statement(_PRUNE, (before, PRUNED_MAX))))


def _kept(row: Row) -> KeptResponse:
    return KeptResponse(
        str(row["response_id"]), row["previous_id"], bytes(row["items"]), bytes(row["response"])
    )
