"""How much is kept: the database's size, and how many answers are kept for repeated requests."""

from dataclasses import dataclass

from .database import Database, Statement, Steps

_BYTES = {
    "sqlite": (
        "SELECT page_count * page_size AS bytes FROM pragma_page_count() CROSS JOIN "
        "pragma_page_size()"
    ),
    "postgres": "SELECT pg_database_size(current_database()) AS bytes",
}
_REQUESTS = "SELECT count(*) AS number, min(at_unix_s) AS oldest FROM outcomes"
_ANSWERS = "SELECT count(*) AS number FROM kept_answers WHERE headers IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the database holds; `oldest_unix_s` is when the oldest request on record came."""

    size_bytes: int
    requests: int
    oldest_unix_s: float | None


async def sizes(database: Database) -> Sizes:
    """Look how large the database is."""

    def steps() -> Steps[Sizes]:
        (size,) = yield Statement(_BYTES[database.kind])
        (requests,) = yield Statement(_REQUESTS)
        return Sizes(int(size["bytes"]), int(requests["number"]), requests["oldest"])

    return await database.read(steps)


async def kept_answers(database: Database) -> int:
    """Count the answers that are kept for requests which are repeated under one name."""
    (row,) = await database.read(Statement(_ANSWERS))
    return int(row["number"])
