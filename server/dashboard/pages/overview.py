"""Overview: what the gateway was used for in a window, every figure with what is behind it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from urllib.parse import urlencode

from ...api.overview import PATH
from ...management_usage import UsageJson
from ...overview_json import OverviewJson
from ..charts import Drawn, bars, lines
from ..looks import exact
from ..visits import Menu, PageRow, Shown, Visit

PAGE = "/dashboard"
REQUESTS = "/dashboard/requests"
RANGES = ("1h", "1d", "7d", "30d", "90d")
RANGE = "1d"
FILTERS = {"model": "answeredBy", "key": "key", "combo": "combo", "provider": "provider"}
"""What the page can be narrowed to, and what finds the same in the list of requests."""
WITHOUT = {"model": "provider", "provider": "provider", "combo": "combo"}
"""How the list of requests finds those that have no such name."""
TIME = "time"
"""The name of the table that says what the charts show."""
STEPS_MAX = 400
STEPS_LINKED_MAX = 200
ROWS_MAX = 12
ROWS_OF_ONE_MAX = 100
"""Rows of each table, and of one that is shown alone."""

Behind = Callable[..., str]


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a table: what it is called, how the page is narrowed to it, and its requests."""

    label: str
    narrow: str
    found: str
    usage: UsageJson


@dataclass(frozen=True, slots=True)
class Table:
    """Requests by what they have in common, the most frequent first; `more` are not shown."""

    name: str
    rows: tuple[TableRow, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of time with its requests; None where nothing was asked for.

    `found` is where they are; "" where there are so many steps that their addresses would be most
    of the page.
    """

    at: float
    named: str
    usage: UsageJson | None
    found: str


def rows() -> tuple[PageRow, ...]:
    """Give the route."""
    menu = Menu("overview", "chart-bar")
    return (PageRow("GET", PAGE, ("read:usage",), show, menu=menu),)


async def show(visit: Visit) -> Shown:
    """Show every figure of a window."""
    asked = visit.query
    query = {name: one for name in FILTERS if (one := asked.text(name))}
    window = {name: one for name in ("since", "until") if (one := asked.text(name))}
    if "since" not in window:
        window["range"] = asked.text("range", RANGE)
    found: OverviewJson = await visit.get(PATH, **query, **window)
    behind = _behind(found, query)
    steps = _steps(found, behind)
    alone = asked.text("table") if asked.text("table") in (*FILTERS, TIME) else ""
    return Shown(
        "overview.html",
        {
            "found": found,
            "whole": found.whole,
            "errors": found.whole.failed + found.whole.refused,
            "behind": behind,
            "ranges": RANGES,
            "range": window.get("range", ""),
            "narrowed": _narrowed(query, found.key_names),
            "steps": [one for one in steps if one.usage is not None],
            "begins": steps[0].at if steps else found.since,
            "charts": _charts(steps),
            "tables": _tables(found, behind, alone),
            "alone": alone,
        },
    )


def _behind(found: OverviewJson, query: Mapping[str, str]) -> Behind:
    """Give what makes the address of the requests that a figure counts."""
    base = {"since": _moment(found.since), "until": _moment(found.until)}
    base |= {FILTERS[name]: one for name, one in query.items()}

    def behind(**more: object) -> str:
        told = {**base, **{name: one for name, one in more.items() if one is not None}}
        return f"{REQUESTS}?{urlencode(told)}"

    return behind


def _moment(at: float) -> str:
    return str(int(at)) if at == int(at) else repr(at)


def _narrowed(query: Mapping[str, str], names: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, names.get(one, one) if name == "key" else one) for name, one in query.items()]


def _steps(found: OverviewJson, behind: Behind) -> list[Step]:
    """Give every step of the window, at most the last STEPS_MAX."""
    rows = {datetime.fromisoformat(one.name or "").timestamp(): one for one in found.series}
    number = ceil((found.until - found.since) / found.step_s)
    first = max(number - STEPS_MAX, 0)
    steps: list[Step] = []
    for place in range(first, number):
        at = found.since + place * found.step_s
        end = min(at + found.step_s, found.until)
        is_linked = number - first <= STEPS_LINKED_MAX
        link = behind(since=_moment(at), until=_moment(end)) if is_linked else ""
        named = exact(at)[:-4].replace("T", " ")
        steps.append(Step(at, named, rows.get(at), link))
    return steps


def _charts(steps: Sequence[Step]) -> dict[str, Drawn]:
    if not steps:
        return {}
    used = [one.usage for one in steps]
    failing = [0 if one is None else one.failed + one.refused for one in used]
    rest = [0 if one is None else one.requests for one in used]
    return {
        "requests": bars(
            ("note", [all_ - bad for all_, bad in zip(rest, failing, strict=True)]),
            ("bad", failing),
        ),
        "cost": bars(("good", [0.0 if one is None else one.known_cost for one in used])),
        "times": lines(
            ("note", [_p50(one) for one in used]),
            ("warn", [_p95(one) for one in used]),
        ),
    }


def _p50(one: UsageJson | None) -> float | None:
    return None if one is None or one.latency is None else one.latency.p50_ms


def _p95(one: UsageJson | None) -> float | None:
    return None if one is None or one.latency is None else one.latency.p95_ms


def _tables(found: OverviewJson, behind: Behind, alone: str) -> list[Table]:
    every = {
        "model": found.by_model,
        "key": found.by_key,
        "combo": found.by_combo,
        "provider": found.by_provider,
    }
    most = ROWS_OF_ONE_MAX if alone else ROWS_MAX
    tables: list[Table] = []
    for name, used in every.items():
        if alone not in ("", name):
            continue
        ordered = sorted(used, key=lambda one: (-one.requests, one.name or ""))
        rows = tuple(_table_row(name, one, found.key_names, behind) for one in ordered[:most])
        tables.append(Table(name, rows, max(len(ordered) - most, 0)))
    return tables


def _table_row(name: str, one: UsageJson, names: Mapping[str, str], behind: Behind) -> TableRow:
    if one.name is None:
        return TableRow("", "", behind(without=WITHOUT.get(name)), one)
    label = names.get(one.name, one.name) if name == "key" else one.name
    return TableRow(label, one.name, behind(**{FILTERS[name]: one.name}), one)
