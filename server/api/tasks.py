"""The A2A agent's tasks: how many there are, what each does, and its end when one wants it.

A caller sees the tasks of its own key; admin sees all.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import orjson
from starlette.requests import Request

from omniroute.a2a.dialects.common import iso
from omniroute.a2a.dialects.native import STATES, Native
from omniroute.a2a.faults import Fault
from omniroute.a2a.routes import Door
from omniroute.a2a.stream import EventStream, stream_of_steps
from omniroute.a2a.tasks import LISTED_MAX, Listing, Place, Tally
from omniroute.routing.engine import ROUTE
from omniroute.routing.errors import BadRequest, NotFound
from omniroute.routing.model import Caller

from ..a2a_json import A2aStatusJson, AgentJson, CountsJson, TallyJson
from .pages import CURSOR, cursor_of, tell_next
from .queries import Query, count
from .rows import Row, number

PAGE = 50
OFFSET_MAX = 10_000_000
CHARS_MAX = 100_000_000

_FLAGS = {"true": True, "1": True, "false": False, "0": False}

Shown = Mapping[str, Any]
"""A shape of a2a_json.py, as the agent's own native dialect writes it."""


def rows(door: Door) -> tuple[Row, ...]:
    """Give the routes."""
    tasks = door.oversight

    async def status(request: Request, caller: Caller) -> A2aStatusJson:
        return _status(door, await tasks.tally(caller))

    async def page(request: Request, caller: Caller) -> Shown:
        listing, artifacts = _listing(request)
        shown, total, last = await tasks.page(listing, caller, artifacts=artifacts)
        if last is not None:
            tell_next(request, (last.updated_unix_s, last.task_id))
        return {
            "tasks": shown,
            "total": total,
            "limit": listing.limit,
            "offset": listing.offset,
        }

    async def one(request: Request, caller: Caller) -> Shown:
        with _told():
            return {"task": await tasks.task(request.path_params["id"], caller)}

    async def events(request: Request, caller: Caller) -> EventStream:
        told = request.headers.get("last-event-id") or request.query_params.get("after", "")
        chars = int(told) if told.isdecimal() and int(told[:20]) <= CHARS_MAX else 0
        with _told():
            steps = await tasks.follow(request.path_params["id"], caller, chars)
        return stream_of_steps(steps, Native(), None, door.streams)

    async def cancel(request: Request, caller: Caller) -> Shown:
        with _told():
            return Native().render_canceled(await tasks.cancel(request.path_params["id"], caller))

    return (
        Row("GET", "/api/a2a/status", "read:health", "How the A2A agent is", status),
        Row(
            *("GET", "/api/a2a/tasks", "read:usage", "List tasks of the A2A agent", page),
            query=(
                Query("state", Literal[tuple(STATES)], "how they are"),
                Query("skill", str, "what they were made for"),
                Query("contextId", str, "of one conversation"),
                Query("includeArtifacts", bool, "with what they wrote"),
                Query("limit", count(1, LISTED_MAX), f"how many; {PAGE} unless said"),
                Query("offset", count(0, OFFSET_MAX), "so many of the newest are left out"),
                CURSOR,
            ),
        ),
        Row("GET", "/api/a2a/tasks/{id}", "read:usage", "One task", one),
        Row(
            *("GET", "/api/a2a/tasks/{id}/events", "read:usage", "Follow a task", events),
            query=(Query("after", str, "the id of the last event that was seen"),),
        ),
        Row("POST", "/api/a2a/tasks/{id}/cancel", ROUTE, "Cancel a task", cancel),
    )


def _status(door: Door, tally: Tally) -> A2aStatusJson:
    card = orjson.loads(door.card("union").body)
    counts = {
        name: sum(tally.counts.get(state, 0) for state in states) for name, states in STATES.items()
    }
    return A2aStatusJson(
        status="ok",
        tasks=TallyJson(
            counts=CountsJson(**counts),
            total=sum(tally.counts.values()),
            active_streams=door.streams.open,
            last_task_at=None if tally.newest_unix_s is None else iso(tally.newest_unix_s),
        ),
        agent=AgentJson(card["name"], card["description"], card["version"], card["url"]),
        capabilities=card["capabilities"],
        skills=tuple(card["skills"]),
    )


def _listing(request: Request) -> tuple[Listing, bool]:
    """Give which tasks are asked for, and whether with what they wrote."""
    asked = request.query_params
    state, artifacts = asked.get("state") or None, asked.get("includeArtifacts") or "false"
    if state is not None and state not in STATES:
        raise BadRequest(f"state is one of {', '.join(STATES)}", field="state")
    if artifacts not in _FLAGS:
        raise BadRequest("includeArtifacts is true or false", field="includeArtifacts")
    after = cursor_of(request, tuple[float, str])
    listing = Listing(
        after=None if after is None else Place(*after),
        context_id=asked.get("contextId") or None,
        states=frozenset() if state is None else STATES[state],
        skill=asked.get("skill") or None,
        offset=number(request, "offset", 0, least=0, most=OFFSET_MAX),
        limit=number(request, "limit", PAGE, least=1, most=LISTED_MAX),
    )
    return listing, _FLAGS[artifacts]


@contextmanager
def _told() -> Iterator[None]:
    """Turn the agent's refusals into the management API's: 404 without the task, else 400."""
    try:
        yield
    except Fault as fault:
        kind = NotFound if fault.kind == "task_not_found" else BadRequest
        raise kind(fault.message) from fault
