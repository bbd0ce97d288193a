"""`omniroute a2a tasks|watch|cancel`: the agent's tasks, seen and ended by their keeper."""

from argparse import Namespace
from urllib.parse import quote, urlencode

import msgspec

from ..a2a_json import OneTaskJson, TaskJson, TasksJson
from ..settings import Settings, Sources
from .chat import events, write_piece
from .client import Answer, Client, call, decoded, read_whole, refusal, with_gateway
from .exits import FAILED, OK, UNAVAILABLE, Stop
from .output import complain, dollars, fields, safe_text, show, show_json, table

EVENT_S_MAX = 60.0
TASK_HEADINGS = ("ID", "STATE", "SKILL", "UPDATED", "KEY", "ASKED")
LOG_HEADINGS = ("WHEN", "STATE", "SAID")
ASKED_CHARS = 40
FINER = frozenset({"input-required", "auth-required", "rejected"})


class _Named(msgspec.Struct):
    id: str
    state: str


class _Chunk(msgspec.Struct):
    content: str


class _Note(msgspec.Struct):
    chunk: _Chunk | None = None


class _Error(msgspec.Struct):
    message: str


class _Event(msgspec.Struct):
    params: _Note | None = None
    error: _Error | None = None


class _Canceled(msgspec.Struct):
    task: _Named


def tasks(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """List tasks, or show one."""
    with with_gateway(settings, sources) as gateway:
        if arguments.id is not None:
            task = shown_task(gateway, arguments.id)
            if arguments.json:
                show_json(task)
            else:
                show(task_page(task))
            return OK
        found = decoded(call(gateway, "GET", f"/api/a2a/tasks?{_query(arguments)}"), TasksJson)
    if arguments.json:
        show_json(found)
    else:
        show(tasks_page(found))
    return OK


def watch(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Print what a task writes until it ends."""
    path = f"{_path(arguments.id)}/events"
    with (
        with_gateway(settings, sources) as gateway,
        gateway.open("GET", path, None, timeout_s=EVENT_S_MAX) as answer,
    ):
        if answer.status != 200:
            raise refusal(answer.status, read_whole(answer))
        _print(answer)
        task = shown_task(gateway, arguments.id)
    said = task.events[-1].message if task.events else None
    if said:
        complain(said)
    complain(f"[task {task.id} is {_state(task)}]")
    return FAILED if task.state in {"failed", "cancelled"} else OK


def cancel(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """End a task."""
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "POST", f"{_path(arguments.id)}/cancel"), _Canceled)
    if arguments.json:
        show_json(found)
    else:
        show(f"Task {found.task.id} is {found.task.state}.")
    return OK


def shown_task(gateway: Client, task_id: str) -> TaskJson:
    """Give a task.

    Raises:
        Stop: there is none of that id.
    """
    return decoded(call(gateway, "GET", _path(task_id)), OneTaskJson).task


def tasks_page(found: TasksJson) -> str:
    """Give a page of tasks as text."""
    if not found.tasks:
        return "There is no task, or none that is like this."
    lines = [table(TASK_HEADINGS, [_row(one) for one in found.tasks])]
    shown = found.offset + len(found.tasks)
    if shown < found.total:
        lines.append(f"{found.total - shown:,} older ones: --offset {shown}")
    return "\n\n".join(lines)


def task_page(task: TaskJson) -> str:
    """Give a task as text: what it is, its log, what it wrote."""
    rows = [
        ("task", task.id),
        ("state", _state(task)),
        ("skill", task.skill),
        ("key", task.api_key_id),
        ("context", task.context_id),
        ("accepted", task.created_at),
        ("updated", task.updated_at),
        ("kept until", task.expires_at),
        ("attempt", str(task.attempt)),
        *_story(task),
    ]
    parts = [
        fields(rows),
        *(f"{one.role}: {safe_text(one.content)}" for one in task.input.messages),
        table(LOG_HEADINGS, [(one.timestamp, one.state, one.message or "") for one in task.events]),
        *(safe_text(one.content) for one in task.artifacts),
    ]
    return "\n\n".join(parts)


def _story(task: TaskJson) -> list[tuple[str, str]]:
    """Give what it cost, and where the rest of the story is."""
    cost, request_id = task.metadata.get("cost_envelope"), task.metadata.get("request_id")
    rows: list[tuple[str, str]] = []
    if isinstance(cost, dict):
        actual = cost.get("actual")
        rows.append(("cost", dollars(actual if isinstance(actual, int | float) else None)))
    if isinstance(request_id, str):
        rows.append(("why", f"omniroute explain {request_id}"))
    return rows


def _row(task: TaskJson) -> tuple[str, ...]:
    asked = task.input.messages[-1].content if task.input.messages else ""
    short = asked if len(asked) <= ASKED_CHARS else asked[: ASKED_CHARS - 1] + "…"
    return task.id, _state(task), task.skill, task.updated_at, task.api_key_id, short


def _state(task: TaskJson) -> str:
    """Give a state, with the standards' word for it where that says more."""
    return f"{task.state} ({task.a2a_state})" if task.a2a_state in FINER else task.state


def _print(answer: Answer) -> None:
    """Print a stream's text.

    Raises:
        Stop: it broke off.
    """
    last: _Note | None = None
    wrote = False
    for data in events(answer.chunks):
        event = decoded(data, _Event)
        if event.error is not None:
            raise Stop(event.error.message, UNAVAILABLE)
        last = event.params or last
        if last is not None and last.chunk is not None:
            write_piece(last.chunk.content)
            wrote = True
    if wrote:
        write_piece("\n")
    if last is None or last.chunk is not None:
        raise Stop("the stream broke off before the task's end", UNAVAILABLE)


def _query(arguments: Namespace) -> str:
    terms = {
        "state": arguments.state,
        "skill": arguments.skill,
        "contextId": arguments.context,
        "limit": arguments.limit,
        "offset": arguments.offset,
    }
    return urlencode({name: value for name, value in terms.items() if value})


def _path(task_id: str) -> str:
    return f"/api/a2a/tasks/{quote(task_id, safe='')}"
