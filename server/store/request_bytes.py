"""How many bytes the requests on record take, counted from the newest one back.

A request takes what its outcome, its decision and its snapshot hold, and ROW_BYTES for all that
is of a fixed size: numbers, ids, MACs, the settled hold, the rows' places in indexes. A snapshot
that requests of one page share counts once. So it is an estimate, a few percent beside the file
of a SQLite database, and the same for PostgreSQL, whose own files say little: they shrink only
when they are written anew.

It is counted page by page, each a short look of its own: others read and write in between.
"""

import math

from .database import Database, Statement, Value

PAGE_ROWS = 5_000
ROW_BYTES = 800
"""As tests/store/test_request_bytes.py finds it by a file."""


async def kept_from(database: Database, bytes_max: int, *, page_rows: int = PAGE_ROWS) -> float:
    """Give from when on requests take no more than so many bytes; -inf when all of them do."""
    whole, newest = _WHOLE[database.kind], _NEWEST[database.kind]
    left, at_unix_s, request_id = bytes_max, math.inf, ""
    while True:
        page: tuple[Value, ...] = (at_unix_s, request_id, page_rows)
        (found,) = await database.read(Statement(whole, page))
        if int(found["total"]) > left:
            rows = await database.read(Statement(newest, (*page, left)))
            # Who came at the same moment goes, too; and nobody where they went meanwhile.
            return math.nextafter(rows[0]["at_unix_s"], math.inf) if rows else -math.inf
        if int(found["number"]) < page_rows:
            return -math.inf
        left -= int(found["total"])
        at_unix_s, request_id = float(found["at_unix_s"]), str(found["request_id"])


def _size(kind: str, *names: str) -> str:
    plain = "octet_length({})" if kind == "postgres" else "length(CAST({} AS BLOB))"
    return " + ".join(f"coalesce({plain.format(name)}, 0)" for name in names)


def _page(kind: str) -> str:
    held = _size(kind, "outcomes.tried", "outcomes.request", "error_detail", "target", "record")
    return _PAGE.format(row=ROW_BYTES, held=held)


_PAGE = """
WITH page AS (
    SELECT outcomes.at_unix_s, outcomes.request_id, decisions.snapshot_id, {row} + {held} AS held
    FROM outcomes LEFT JOIN decisions ON decisions.request_id = outcomes.request_id
    WHERE at_unix_s <= $1 AND (at_unix_s < $1 OR outcomes.request_id < $2)
    ORDER BY at_unix_s DESC, outcomes.request_id DESC LIMIT $3
)
"""
# The whole of a page, and its last request.
_SUM = """
SELECT count(*) AS number, min(at_unix_s) AS at_unix_s,
    (SELECT request_id FROM page ORDER BY at_unix_s, request_id LIMIT 1) AS request_id,
    coalesce(sum(held), 0) + (
        SELECT coalesce(sum({body}), 0) FROM snapshots
        WHERE snapshot_id IN (SELECT snapshot_id FROM page)
    ) AS total
FROM page
"""
# The newest request of a page with which it is more than $4.
_CROSSING = """
SELECT max(at_unix_s) AS at_unix_s FROM (
    SELECT at_unix_s, sum(bytes) OVER (ORDER BY at_unix_s DESC, request_id DESC) AS total
    FROM (
        SELECT at_unix_s, request_id, held + CASE WHEN row_number() OVER (
            PARTITION BY page.snapshot_id ORDER BY at_unix_s DESC, request_id DESC
        ) = 1 THEN {body} ELSE 0 END AS bytes
        FROM page LEFT JOIN snapshots ON snapshots.snapshot_id = page.snapshot_id
    ) AS sized
) AS summed
WHERE total > $4 HAVING count(*) > 0
"""
_KINDS = ("sqlite", "postgres")
_WHOLE = {one: _page(one) + _SUM.format(body=_size(one, "body")) for one in _KINDS}
_NEWEST = {one: _page(one) + _CROSSING.format(body=_size(one, "body")) for one in _KINDS}
