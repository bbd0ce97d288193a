"""Settling many reservations at once: of requests that took longer than their holds waited.

A reservation is settled once: its row says so, and one that is settled is passed over. What all
of a batch frees and spends is added up, and each window changes once, locked in one order.
"""

import json
from collections.abc import Sequence

import orjson

from .budget_rows import Standing
from .database import Statement, Steps
from .lease_rows import change_window, locked_windows
from .windows import Line


def settle_all(
    spent: Sequence[tuple[str, int]], kind: str, *, now_unix_s: float
) -> Steps[tuple[Standing, ...]]:
    """Settle reservations, each given by its hold's id and what was spent, if they are open.

    Gives the windows that changed.
    """
    # In one order, so that two batches never wait for each other.
    text = orjson.dumps(sorted(spent)).decode()
    freed: dict[str, tuple[int, int]] = {}
    for row in (yield Statement(_CLOSE[kind], (text, now_unix_s))):
        bound_usd_nanos, usd_nanos = freed.get(row["lines"], (0, 0))
        freed[row["lines"]] = (
            bound_usd_nanos + int(row["bound_usd_nanos"]),
            usd_nanos + int(row["actual_usd_nanos"]),
        )
    moved: dict[tuple[str, int], tuple[int, int]] = {}
    for lines, (bound_usd_nanos, usd_nanos) in freed.items():
        for budget_id, window_start in json.loads(lines):
            held, actual = moved.get((budget_id, window_start), (0, 0))
            moved[budget_id, window_start] = (held + bound_usd_nanos, actual + usd_nanos)
    places = sorted(moved)
    if places:
        yield from locked_windows([Line(*place) for place in places], kind)
    standings: list[Standing] = []
    for place in places:
        held, actual = moved[place]
        standing = yield from change_window(Line(*place), held=-held, spent=actual)
        if standing is not None:
            standings.append(standing)
    return tuple(standings)


_CLOSE = {
    "sqlite": "UPDATE reservations SET actual_usd_nanos = item.usd_nanos, settled_unix_s = $2 "
    "FROM (SELECT json_extract(value, '$[0]') AS hold_id, json_extract(value, '$[1]') "
    "AS usd_nanos FROM json_each($1)) AS item WHERE reservations.hold_id = item.hold_id "
    "AND reservations.actual_usd_nanos IS NULL RETURNING bound_usd_nanos, actual_usd_nanos, lines",
    "postgres": "UPDATE reservations SET actual_usd_nanos = item.usd_nanos, settled_unix_s = $2 "
    "FROM (SELECT value ->> 0 AS hold_id, CAST(value ->> 1 AS BIGINT) AS usd_nanos "
    "FROM json_array_elements(CAST($1 AS JSON)) AS value) AS item "
    "WHERE reservations.hold_id = item.hold_id AND reservations.actual_usd_nanos IS NULL "
    "RETURNING bound_usd_nanos, actual_usd_nanos, lines",
}
