"""Requests: those on record that a filter finds, and one of them with its decision opened."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from omniroute.routing.errors import NotFound

from ...api.call_log import LOG_PATH
from ...api.calls import path_to
from ...call_log_json import LoggedDetailJson, LoggedJson
from ...simulations import SimulationJson
from ...store.call_log import STATUS_NAMES
from ...stories import AttemptJson, CandidateJson, StoryJson
from ..visits import Menu, PageRow, Shown, Visit

PAGE = "/dashboard/requests"
ONE = f"{PAGE}/{{request_id}}"
ROWS = 50
ASKED = {
    **{name: name for name in ("status", "search", "model", "provider", "combo", "error")},
    **{name: name for name in ("answeredBy", "without", "cached", "priced", "minMs")},
    **{name: name for name in ("minFirstMs", "since", "until", "account", "cursor")},
    "key": "apiKey",
}
"""What the page is asked for, and how the call log calls it."""
FIELDS = ("status", "search", "model", "provider", "combo", "key", "error")
"""What the form of the page has fields for; whatever else narrows the list has a button."""
CONTENT_MAX = 10_000
"""How much of a kept prompt, and of its answer, a page shows."""
OUTRUN = "outrun"
LINE = 720
LINE_MIN = 3
"""How long the line of time is, and the shortest mark on it."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One call on the line of time: where it begins there, and how long it is."""

    attempt: AttemptJson
    left: int
    wide: int
    kind: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One candidate with what became of it: a word of `requests.became_*`."""

    candidate: CandidateJson
    became: str
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """One request opened: every candidate in the order of trying, and the calls in time.

    `asked` and `answered` are texts, None where nothing is kept or whoever looks may not see it.
    """

    story: StoryJson
    logged: LoggedJson
    candidates: tuple[Judged, ...]
    tried: tuple[Tried, ...]
    span_s: float
    asked: str | None
    answered: str | None


def rows() -> tuple[PageRow, ...]:
    """Give the routes."""
    needs, menu = ("read:usage",), Menu("requests", "list-bullet")
    return (
        PageRow("GET", PAGE, needs, show_all, menu=menu),
        PageRow("GET", ONE, needs, show_one),
        PageRow("POST", ONE, ("write:route",), again, again=show_one),
    )


async def show_all(visit: Visit) -> Shown:
    """Show the requests that are asked for, the newest first."""
    asked = visit.query
    told = {name: one for name in ASKED if (one := asked.text(name))}
    query: dict[str, object] = {ASKED[name]: one for name, one in told.items()}
    called = await visit.call("GET", LOG_PATH, query={**query, "limit": ROWS})
    found: tuple[LoggedJson, ...] = called.value
    return Shown(
        "requests.html",
        {
            "found": found,
            "cursor": called.cursor,
            "told": told,
            "statuses": STATUS_NAMES,
            "others": [one for one in told if one not in (*FIELDS, "cursor")],
            "name_of_key": _name_of_key(told, found),
        },
    )


def _name_of_key(told: Mapping[str, str], found: tuple[LoggedJson, ...]) -> str:
    """Give the name of the key that is asked for by its id, as far as it is known here."""
    asked = told.get("key", "")
    names = (one.api_key_name for one in found if one.api_key_id == asked)
    return next((one for one in names if one), asked)


async def show_one(visit: Visit) -> Shown:
    """Show one request with its decision opened."""
    return await _shown(visit, None)


async def again(visit: Visit) -> Shown:
    """Show one request decided again, on the gateway as it is now; nobody is called."""
    wish = {"like": visit.part("request_id")}
    return await _shown(visit, (await visit.call("POST", "/api/simulate", body=wish)).value)


async def _shown(visit: Visit, replayed: SimulationJson | None) -> Shown:
    request_id = visit.part("request_id")
    detail: LoggedDetailJson = await visit.get(path_to(f"{LOG_PATH}/{{}}", request_id))
    story: StoryJson = await visit.get(path_to("/api/explain/{}", request_id))
    if detail.request.id != story.request.request_id:
        raise NotFound(f"no request {request_id[:80]!r} is on record")
    return Shown(
        "request.html",
        {"one": opened(story, detail), "replayed": replayed, "content_max": CONTENT_MAX},
    )


def opened(story: StoryJson, detail: LoggedDetailJson) -> Opened:
    """Give one request opened, out of its story and its row of the call log."""
    ends = (one.ended_s for one in story.attempts)
    span_s = max(story.request.total_s, *ends, 1e-6)
    last = len(story.candidates) + 1
    ordered = sorted(story.candidates, key=lambda one: one.place or last)
    return Opened(
        story,
        detail.request,
        tuple(_judged(one, story) for one in ordered),
        tuple(_tried(one, span_s) for one in story.attempts),
        span_s,
        _text(detail.request_body) if detail.has_request_body else None,
        _text(detail.response_body) if detail.has_response_body else None,
    )


def _text(body: object) -> str:
    """Give a kept body as text; what was too long is kept as text already."""
    return body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)


def _judged(one: CandidateJson, story: StoryJson) -> Judged:
    if not one.kept:
        return Judged(one, "left_out", one.reason)
    tried = [
        attempt
        for attempt in story.attempts
        if (attempt.candidate, attempt.account_id) == (one.name, one.account_id)
    ]
    if not tried:
        is_answered = story.request.status == "answered"
        return Judged(one, "not_needed" if is_answered else "not_tried")
    failure = tried[-1].failure
    if failure is None:
        return Judged(one, "answered")
    return Judged(one, "outrun" if failure == OUTRUN else "failed", failure)


def _tried(one: AttemptJson, span_s: float) -> Tried:
    left = min(max(round(one.started_s / span_s * LINE), 0), LINE - LINE_MIN)
    right = min(round(one.ended_s / span_s * LINE), LINE)
    kind = "good" if one.failure is None else "warn" if one.failure == OUTRUN else "bad"
    return Tried(one, left, max(right - left, LINE_MIN), kind)
