"""A2A: the agent's card, its tasks, one of them followed and ended, and a message to it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response

from omniroute.a2a.card import ENDPOINT
from omniroute.a2a.dialects.native import STATES
from omniroute.a2a.task import SMART_ROUTING
from omniroute.routing.access import ADMIN
from omniroute.routing.errors import BadRequest

from ...a2a_json import A2aStatusJson
from ...api.calls import path_to
from ...rights import ROUTES
from ..asking import Asked, Doors, Told
from ..visits import Menu, PageRow, Shown, Visit, onward

PAGE = "/dashboard/a2a"
ONE = f"{PAGE}/{{task}}"
API = "/api/a2a/tasks"
SEES = ("read:health",)
USAGE = "read:usage"
TASKS = 25
FILTERS = ("state", "skill", "contextId")
ACTIVE = frozenset({"submitted", "working"})
WAITS = "input-required"


def rows() -> tuple[PageRow, ...]:
    """Give the routes of what is read and ended."""
    return (
        PageRow("GET", PAGE, SEES, show_all, menu=Menu("a2a", "chat-bubble-oval-left-ellipsis")),
        PageRow("GET", ONE, (USAGE,), show_one),
        PageRow("POST", f"{ONE}/cancel", ROUTES or (), cancel, again=show_one),
    )


async def show_all(visit: Visit) -> Shown:
    """Show the card, how the agent is, and its tasks."""
    status: A2aStatusJson = await visit.get("/api/a2a/status")
    told = {name: one for name in FILTERS if (one := visit.query.text(name))}
    asked = {**told, "limit": TASKS, "cursor": visit.query.text("cursor") or None}
    sees_tasks = visit.may(USAGE)
    called = await visit.call("GET", API, query=asked) if sees_tasks else None
    return Shown(
        "a2a.html",
        {
            "status": status,
            "card": f"{status.agent.url.removesuffix(ENDPOINT)}/.well-known/agent-card.json",
            "capabilities": [name for name, one in status.capabilities.items() if one is True],
            "skills": [(one["id"], one["name"]) for one in status.skills],
            "chosen": SMART_ROUTING,
            "states": tuple(STATES),
            "found": None if called is None else called.value,
            "cursor": None if called is None else called.cursor,
            "told": told,
            "names": await _names(visit),
        },
    )


async def show_one(visit: Visit) -> Shown:
    """Show one task as it is; the page's script follows one that works."""
    task = (await visit.get(_api(visit)))["task"]
    is_active = task["state"] in ACTIVE
    return Shown(
        "a2a_task.html",
        {
            "task": task,
            "path": path_to(f"{PAGE}/{{}}", visit.part("task")),
            "is_active": is_active,
            "follows": is_active and task["a2aState"] != WAITS,
            "may_cancel": is_active and all(map(visit.may, ROUTES or ())),
            "names": await _names(visit),
            "metadata": orjson.dumps(task["metadata"], option=orjson.OPT_INDENT_2).decode(),
        },
    )


async def cancel(visit: Visit) -> Response:
    """End a task, its upstream call first."""
    await visit.call("POST", f"{_api(visit)}/cancel")
    return onward(path_to(f"{PAGE}/{{}}", visit.part("task")), "a2a.canceled")


@dataclass(frozen=True, slots=True)
class Talking:
    """Sends messages through the agent's door, with the caller of the page, and listens."""

    doors: Doors

    def rows(self) -> tuple[PageRow, ...]:
        """Give the routes."""
        return (
            PageRow("POST", PAGE, SEES, self.send, again=show_all),
            PageRow("GET", f"{ONE}/events", (USAGE,), self.events),
        )

    async def send(self, visit: Visit) -> Response:
        """Send a message, and go to the task that was made of it."""
        text = visit.fields.text("text")
        if not text:
            raise BadRequest("write what is asked", field="text")
        options = {"skill": visit.fields.text("send_skill"), "model": visit.fields.text("model")}
        asked = _asked(text, {name: one for name, one in options.items() if one})
        task = _task_of(await self.doors.whole(asked, visit.caller))
        return onward(path_to(f"{PAGE}/{{}}", task), "a2a.sent")

    async def events(self, visit: Visit) -> Response:
        """Tell what a task writes; a browser that comes back says what it saw last."""
        last = visit.request.headers.get("last-event-id")
        told: Response = await visit.get(f"{_api(visit)}/events", after=last)
        return told


def _asked(text: str, options: Mapping[str, str]) -> Asked:
    """Give a message of the protocol's version 0.3; its answer is the task, not its end.

    Source: A2A 0.3.0, sections 7.1 and 7.1.2 (`configuration.blocking`).
    """
    message = {
        "kind": "message",
        "messageId": secrets.token_hex(16),
        "role": "user",
        "parts": [{"kind": "text", "text": text}],
    }
    configuration = {"blocking": False}
    params = {"message": message, "configuration": configuration, "metadata": options}
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": params}
    return Asked(ENDPOINT, orjson.dumps(body), ())


def _task_of(told: Told) -> str:
    """Give the id of the task that an answer is of.

    Raises:
        BadRequest: the agent refused the message; its words.
    """
    message: Mapping[str, Any] = orjson.loads(told.body)
    if "error" in message:
        raise BadRequest(str(message["error"]["message"]), field="text")
    task: str = message["result"]["id"]
    return task


async def _names(visit: Visit) -> dict[str, str]:
    """Give the names of keys by their ids, as far as whoever looks may know them."""
    if not visit.may(ADMIN):
        return {}
    return {one.key_id: one.name for one in (await visit.get("/api/keys")).keys}


def _api(visit: Visit) -> str:
    return path_to(f"{API}/{{}}", visit.part("task"))
