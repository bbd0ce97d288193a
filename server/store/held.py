"""The check that what windows hold is what reservations and leases say.

What a window holds is kept in its own row, so that a reservation reads one row; the truth is in
the rows of open reservations and of leases. Each minute the two are compared. They cannot
differ while every change goes through this store: when they do, somebody else changed the
rows, or a statement is wrong. Then the window is set to what the rows say, under its lock, and
the log says so as an error (`held_mismatch`) with both figures. Held too much would refuse
falsely, held too little would overspend, so neither is left as it is.
"""

import logging
from functools import partial

from .database import Database, Rows, Statement, Steps
from .lease_rows import locked_windows
from .windows import Line

log = logging.getLogger("omniroute")


async def correct_held(database: Database) -> int:
    """Set windows that hold something else than their rows say right; give how many did."""
    found = 0
    for row in await database.read(Statement(_DIFFERENT[database.kind])):
        line = Line(row["budget_id"], int(row["window_start"]))
        for facts in await database.write(partial(_correct, line, database.kind)):
            found += 1
            log.error("held_mismatch", extra=dict(facts))
    return found


def _correct(line: Line, kind: str) -> Steps[list[dict[str, object]]]:
    """Look again with the window locked: then nothing can be under way."""
    yield from locked_windows((line,), kind)
    rows: Rows = yield Statement(_DIFFERENT[kind])
    told: list[dict[str, object]] = []
    place = (line.budget_id, line.window_start)
    for row in [one for one in rows if (one["budget_id"], one["window_start"]) == place]:
        held, leased = int(row["found"]), int(row["leased"])
        yield Statement(_SET, (line.budget_id, line.window_start, held, leased))
        told.append(
            {
                "budget_id": line.budget_id,
                "window_start": line.window_start,
                "held_usd_nanos": int(row["held_usd_nanos"]),
                "leased_usd_nanos": int(row["leased_usd_nanos"]),
                "held_usd_nanos_found": held,
                "leased_usd_nanos_found": leased,
            }
        )
    return told


_SET = (
    "UPDATE budget_windows SET held_usd_nanos = $3, leased_usd_nanos = $4, "
    "cap_passed = (spent_usd_nanos + $3 > cap_usd_nanos) "
    "WHERE budget_id = $1 AND window_start = $2"
)

_DIFFERENT = {
    "sqlite": """
WITH open AS (
  SELECT json_extract(line.value, '$[0]') AS budget_id,
    json_extract(line.value, '$[1]') AS window_start, sum(bound_usd_nanos) AS held
  FROM reservations, json_each(lines) AS line
  WHERE actual_usd_nanos IS NULL GROUP BY 1, 2
), lease AS (
  SELECT budget_id, window_start, sum(leased_usd_nanos) AS leased FROM budget_leases GROUP BY 1, 2
)
SELECT budget_id, window_start, held_usd_nanos, leased_usd_nanos,
  COALESCE(open.held, 0) + COALESCE(lease.leased, 0) AS found, COALESCE(lease.leased, 0) AS leased
FROM budget_windows LEFT JOIN open USING (budget_id, window_start)
  LEFT JOIN lease USING (budget_id, window_start)
WHERE held_usd_nanos <> COALESCE(open.held, 0) + COALESCE(lease.leased, 0)
  OR leased_usd_nanos <> COALESCE(lease.leased, 0)
""",
    "postgres": """
WITH open AS (
  SELECT line ->> 0 AS budget_id, CAST(line ->> 1 AS BIGINT) AS window_start,
    sum(bound_usd_nanos) AS held
  FROM reservations, jsonb_array_elements(CAST(lines AS JSONB)) AS line
  WHERE actual_usd_nanos IS NULL GROUP BY 1, 2
), lease AS (
  SELECT budget_id, window_start, sum(leased_usd_nanos) AS leased FROM budget_leases GROUP BY 1, 2
)
SELECT budget_id, window_start, held_usd_nanos, leased_usd_nanos,
  COALESCE(open.held, 0) + COALESCE(lease.leased, 0) AS found, COALESCE(lease.leased, 0) AS leased
FROM budget_windows LEFT JOIN open USING (budget_id, window_start)
  LEFT JOIN lease USING (budget_id, window_start)
WHERE held_usd_nanos <> COALESCE(open.held, 0) + COALESCE(lease.leased, 0)
  OR leased_usd_nanos <> COALESCE(lease.leased, 0)
""",
}
