"""Requests on record as a list that can be filtered, searched and read page by page.

No prompt and no answer is in it, for none is kept. Statements are made of constants of this
module alone; every value is bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from .database import Database, Row, Rows, Statement, Value
from .spreads import MODEL

ROWS_MAX = 500
MINUTE_S = 60
COLUMNS = (
    "SELECT request_id, key_id, door, at_unix_s, session_id, kind, target, combo, stream, status, "
    "error, error_detail, provider, account_id, model, model_served, simulated, attempts, tried, "
    "first_content_s, total_s, input_tokens, output_tokens, cached_input_tokens, "
    "cache_write_tokens, reasoning_tokens, cost_usd_nanos, repriced_usd_nanos, "
    "written_seq FROM outcomes"
)
_MINUTES = (
    "SELECT CAST(($1 - at_unix_s) / 60 AS BIGINT) AS ago, count(*) AS requests, "
    "sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, "
    "sum(COALESCE(cost_usd_nanos, 0)) AS cost_usd_nanos FROM outcomes "
    "WHERE at_unix_s > $2 AND at_unix_s <= $1 AND (CAST($3 AS TEXT) IS NULL OR key_id = $3) "
    "GROUP BY 1"
)
_PLACE = "SELECT at_unix_s FROM outcomes WHERE request_id = $1"
_SEARCHED = ("request_id", "client_request_id", "target", "provider", "model", "error_detail")
_STATUSES = {
    "ok": ("answered",),
    "error": ("failed", "refused"),
    "answered": ("answered",),
    "failed": ("failed",),
    "refused": ("refused",),
    "client_gone": ("client_gone",),
}
STATUS_NAMES = tuple(_STATUSES)
WITHOUT_NAMES = ("provider", "combo")
"""What a request can lack: somebody who answered it, a combo that it named."""
_LACKS = {"provider": "provider IS NULL", "combo": "combo IS NULL"}


@dataclass(frozen=True, slots=True)
class Filters:
    """Which requests; None is any.

    Attributes:
        key_ids: of one of these keys.
        status: one of STATUS_NAMES.
        answered_by: provider/model of who answered; `model` is also what was asked for.
        error: the class of their error.
        since_unix_s, until_unix_s: came at or after the one, before the other.
        cached: a part of the prompt was in the provider's cache, or none was.
        priced: what they cost is known, or is not.
        total_s_min, first_content_s_min: took at least so long, in all and to the first content.
        without: one of WITHOUT_NAMES: they have none.
        search: a part of an id, a name or an error, whatever its case.
        before: the id of a request: only older ones.
    """

    key_ids: tuple[str, ...] | None = None
    status: str | None = None
    model: str | None = None
    provider: str | None = None
    account_ids: tuple[str, ...] | None = None
    combo: str | None = None
    search: str | None = None
    before: str | None = None
    answered_by: str | None = None
    error: str | None = None
    since_unix_s: float | None = None
    until_unix_s: float | None = None
    cached: bool | None = None
    priced: bool | None = None
    total_s_min: float | None = None
    first_content_s_min: float | None = None
    without: str | None = None


@dataclass(frozen=True, slots=True)
class Minute:
    """What was asked for in one minute; `ago` counts from 0, the one that ends now."""

    ago: int
    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd_nanos: int


async def call_log(database: Database, filters: Filters, limit: int) -> Rows:
    """Give requests, the newest first, at most ROWS_MAX."""
    words, values = _where(filters)
    if filters.before is not None:
        place = await database.read(Statement(_PLACE, (filters.before,)))
        if not place:
            return ()
        values += [place[0]["at_unix_s"], filters.before]
        at, name = f"${len(values) - 1}", f"${len(values)}"
        words.append(f"(at_unix_s < {at} OR (at_unix_s = {at} AND request_id < {name}))")
    where = f" WHERE {' AND '.join(words)}" if words else ""
    values.append(min(limit, ROWS_MAX))
    order = f" ORDER BY at_unix_s DESC, request_id DESC LIMIT ${len(values)}"
    return await database.read(Statement(COLUMNS + where + order, tuple(values)))


async def logged(database: Database, request_id: str, key_id: str | None) -> Row | None:
    """Give one request; with a key_id only if it is that key's own."""
    rows = await database.read(Statement(f"{COLUMNS} WHERE request_id = $1", (request_id,)))
    return rows[0] if rows and key_id in {None, rows[0]["key_id"]} else None


async def minutes(
    database: Database, *, now_unix_s: float, number: int, key_id: str | None
) -> Sequence[Minute]:
    """Give each of the last minutes in which something was asked for."""
    values = (now_unix_s, now_unix_s - number * MINUTE_S, key_id)
    return [
        Minute(*(int(row[one.name]) for one in fields(Minute)))
        for row in await database.read(Statement(_MINUTES, values))
    ]


def _where(filters: Filters) -> tuple[list[str], list[Value]]:
    words: list[str] = []
    values: list[Value] = []

    def place(value: Value) -> str:
        values.append(value)
        return f"${len(values)}"

    for column, ids in (("key_id", filters.key_ids), ("account_id", filters.account_ids)):
        if ids is not None:
            words.append(f"{column} IN ({', '.join(map(place, ids))})" if ids else "FALSE")
    if filters.status is not None:
        words.append(f"status IN ({', '.join(map(place, _STATUSES[filters.status]))})")
    words += [f"{told} {place(value)}" for told, value in _values(filters) if value is not None]
    words += _claims(filters)
    if filters.model is not None:
        mark = place(filters.model)
        words.append(f"(model = {mark} OR target = {mark} OR provider || '/' || model = {mark})")
    if filters.search is not None:
        mark = place(_pattern(filters.search))
        found = " OR ".join(f"lower({one}) LIKE {mark} ESCAPE '!'" for one in _SEARCHED)
        words.append(f"({found})")
    return words, values


def _values(filters: Filters) -> tuple[tuple[str, Value], ...]:
    """Give what is compared with a value."""
    return (
        ("provider =", filters.provider),
        (f"{MODEL} =", filters.answered_by),
        ("combo =", filters.combo),
        ("error =", filters.error),
        ("at_unix_s >=", filters.since_unix_s),
        ("at_unix_s <", filters.until_unix_s),
        ("total_s >=", filters.total_s_min),
        ("first_content_s >=", filters.first_content_s_min),
    )


def _claims(filters: Filters) -> list[str]:
    """Give what is asked for without a value."""
    words: list[str] = []
    if filters.cached is not None:
        words.append("cached_input_tokens > 0" if filters.cached else "cached_input_tokens = 0")
    if filters.priced is not None:
        words.append(f"cost_usd_nanos IS {'NOT NULL' if filters.priced else 'NULL'}")
    if filters.without is not None:
        words.append(_LACKS[filters.without])
    return words


def _pattern(text: str) -> str:
    """Give what LIKE looks for: the text itself, wherever it stands."""
    for sign in "!%_":
        text = text.replace(sign, f"!{sign}")
    return f"%{text.lower()}%"
