"""What the calls to providers add up to, also those after which another one answered.

The calls of a request are in its list of attempts (`tried`), as JSON. Most requests have one
call that answered, and their own columns say all of it; the list is read only of the others.
So a call that answered at once takes as long as its request, a wait for its turn included.
Statements are made of constants of this module alone; every value is bound.
"""

from omniroute.routing.usage import (
    UNFINISHED,
    CallDimension,
    CallRow,
    LastFailure,
    Selection,
    Spread,
)

from .database import Row, Rows, Statement, Steps, Unit, Value
from .spreads import MODEL, Kind, percentiles, spreads

_AT_ONCE = "attempts = 1 AND status = 'answered'"
_SINGLE = (
    "SELECT request_id, at_unix_s, provider, model, CAST(NULL AS TEXT) AS failure, '' AS detail, "
    "CAST(NULL AS BIGINT) AS provider_status, CAST(1 AS BIGINT) AS number, total_s AS took_s, "
    "first_content_s AS first_s FROM outcomes"
)
_TRIED: dict[Kind, str] = {
    "sqlite": (
        "SELECT request_id, at_unix_s, json_extract(one.value, '$.provider') AS provider, "
        "json_extract(one.value, '$.model') AS model, "
        "json_extract(one.value, '$.failure') AS failure, "
        "COALESCE(json_extract(one.value, '$.detail'), '') AS detail, "
        "json_extract(one.value, '$.provider_status') AS provider_status, "
        "json_extract(one.value, '$.number') AS number, "
        "json_extract(one.value, '$.ended_s') - json_extract(one.value, '$.started_s') "
        "AS took_s, json_extract(one.value, '$.first_byte_s') - "
        "json_extract(one.value, '$.started_s') AS first_s "
        "FROM outcomes, json_each(outcomes.tried) AS one"
    ),
    "postgres": (
        "SELECT request_id, at_unix_s, one.value ->> 'provider' AS provider, "
        "one.value ->> 'model' AS model, one.value ->> 'failure' AS failure, "
        "COALESCE(one.value ->> 'detail', '') AS detail, "
        "CAST(one.value ->> 'provider_status' AS BIGINT) AS provider_status, "
        "CAST(one.value ->> 'number' AS BIGINT) AS number, "
        "CAST(one.value ->> 'ended_s' AS DOUBLE PRECISION) - "
        "CAST(one.value ->> 'started_s' AS DOUBLE PRECISION) AS took_s, "
        "CAST(one.value ->> 'first_byte_s' AS DOUBLE PRECISION) - "
        "CAST(one.value ->> 'started_s' AS DOUBLE PRECISION) AS first_s "
        "FROM outcomes, json_array_elements(CAST(outcomes.tried AS JSON)) AS one (value)"
    ),
}
_NAMES: dict[CallDimension, str] = {"provider": "provider", "model": MODEL}
_FAILED = f"failure NOT IN {UNFINISHED!r}"
_SUMS = (
    "count(*) AS calls, sum(CASE WHEN failure IS NULL THEN 1 ELSE 0 END) AS answered, "
    f"sum(CASE WHEN {_FAILED} THEN 1 ELSE 0 END) AS failed, "
    "sum(CASE WHEN failure IS NULL THEN took_s ELSE 0 END) AS answered_s"
)
_STORY = "request_id, at_unix_s, failure, detail, provider_status"


def calls(kind: Kind, selection: Selection, by: CallDimension) -> Unit[tuple[CallRow, ...]]:
    """Give the unit that adds up calls."""
    every, values = _source(kind, selection)
    tried, _ = _source(kind, selection, at_once=False)
    name = _NAMES[by]

    def steps() -> Steps[tuple[CallRow, ...]]:
        statement = f"SELECT {name} AS name, {_SUMS} FROM {every} GROUP BY 1"  # noqa: S608 - joins constants
        sums = yield Statement(statement, values)
        if not sums:
            return ()
        answered = f"{every} AND failure IS NULL"
        times = spreads((yield Statement(percentiles(name, "took_s", answered), values)))
        firsts = spreads((yield Statement(percentiles(name, "first_s", answered), values)))
        failures = _failures((yield Statement(_newest_failures(name, tried), values)))
        rows = (_row(row, times, firsts, failures) for row in sums)
        # Each database orders names in its own way.
        return tuple(sorted(rows, key=lambda row: row.name))

    return steps


def _source(
    kind: Kind, selection: Selection, *, at_once: bool = True
) -> tuple[str, tuple[Value, ...]]:
    """Give a table of calls with a WHERE, and its values.

    Without `at_once`, the calls that answered at once are left out.
    """
    words = "at_unix_s >= $1 AND at_unix_s < $2"
    values: list[Value] = [selection.since_unix_s, selection.until_unix_s]
    for column, value in (("key_id", selection.key_id), ("combo", selection.combo)):
        if value is not None:
            values.append(value)
            words += f" AND {column} = ${len(values)}"
    table = f"{_TRIED[kind]} WHERE {words} AND NOT ({_AT_ONCE})"
    if at_once:
        table = f"{_SINGLE} WHERE {words} AND {_AT_ONCE} UNION ALL {table}"
    called = "provider IS NOT NULL"
    for column, value in (("provider", selection.provider), (MODEL, selection.model)):
        if value is not None:
            values.append(value)
            called += f" AND {column} = ${len(values)}"
    return f"({table}) AS calls WHERE {called}", tuple(values)


def _newest_failures(name: str, source: str) -> str:
    return (
        f"SELECT name, {_STORY} FROM (SELECT {name} AS name, {_STORY}, row_number() OVER "  # noqa: S608 - joins constants
        f"(PARTITION BY {name} ORDER BY at_unix_s DESC, request_id DESC, number DESC) AS place "
        f"FROM {source} AND {_FAILED}) AS failing WHERE place = 1"
    )


def _failures(rows: Rows) -> dict[str, LastFailure]:
    return {
        row["name"]: LastFailure(
            row["request_id"],
            at_unix_s=row["at_unix_s"],
            kind=row["failure"],
            detail=row["detail"],
            provider_status=row["provider_status"],
        )
        for row in rows
    }


def _row(
    row: Row,
    times: dict[str | None, Spread],
    firsts: dict[str | None, Spread],
    failures: dict[str, LastFailure],
) -> CallRow:
    name = str(row["name"])
    return CallRow(
        name=name,
        calls=int(row["calls"]),
        answered=int(row["answered"]),
        failed=int(row["failed"]),
        answered_s=round(row["answered_s"], 6),
        times=times.get(name),
        first_byte=firsts.get(name),
        last_failure=failures.get(name),
    )
