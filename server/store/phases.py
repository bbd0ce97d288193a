"""How long the newest requests took, phase by phase, from what is on record of them.

A streamed request is counted to its end: `total_s` runs until the last piece was sent or the
client left. Phases of one request: `firstContent` until the first content came, `stream` from
there to the end, `provider` under way to the provider that answered, `fallback` with those that
failed before it, and `gateway` the rest: queueing, deciding and writing.
"""

from collections.abc import Iterable, Iterator

import msgspec

from .database import Database, Row, Statement

PHASE_ROWS_MAX = 5_000
"""The newest requests that are looked at."""
PHASES = ("firstContent", "stream", "provider", "fallback", "gateway")

_NEWEST = (
    "SELECT total_s, first_content_s, tried FROM outcomes WHERE at_unix_s >= $1 "
    "AND status <> 'refused' AND (CAST($2 AS TEXT) IS NULL OR key_id = $2) "
    "ORDER BY at_unix_s DESC LIMIT $3"
)


class _Call(msgspec.Struct):
    started_s: float
    ended_s: float
    failure: str | None = None


_calls = msgspec.json.Decoder(tuple[_Call, ...])


async def newest_times(
    database: Database, *, since_unix_s: float, key_id: str | None
) -> tuple[list[float], dict[str, list[float]]]:
    """Give whole times in seconds, and those of each phase that was there."""
    rows = await database.read(Statement(_NEWEST, (since_unix_s, key_id, PHASE_ROWS_MAX)))
    phases: dict[str, list[float]] = {name: [] for name in PHASES}
    for row in rows:
        for name, seconds in _phases(row):
            phases[name].append(seconds)
    return [row["total_s"] for row in rows], phases


def _phases(row: Row) -> Iterator[tuple[str, float]]:
    calls, total_s, first_s = _calls.decode(row["tried"]), row["total_s"], row["first_content_s"]
    if first_s is not None:
        yield "firstContent", first_s
        yield "stream", max(total_s - first_s, 0.0)
    if not calls:
        return
    answered = [one for one in calls if one.failure is None]
    failed = [one for one in calls if one.failure is not None]
    if answered:
        yield "provider", _covered(answered)
    if failed:
        yield "fallback", _covered(failed)
    yield "gateway", max(total_s - _covered(calls), 0.0)


def _covered(calls: Iterable[_Call]) -> float:
    """Give how long at least one of the calls was under way: hedged ones overlap."""
    covered, until_s = 0.0, 0.0
    for one in sorted(calls, key=lambda call: call.started_s):
        begin_s = max(one.started_s, until_s)
        if one.ended_s > begin_s:
            covered += one.ended_s - begin_s
            until_s = one.ended_s
    return covered
