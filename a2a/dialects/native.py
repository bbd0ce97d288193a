"""The native dialect: the A2A shapes that OmniRoute documents for its own clients.

It is plainer than the standards: a skill and chat messages in, a state and artifacts out,
metadata in snake_case. It knows five states, and its errors stay within JSON-RPC's own codes.

Source: reference of the documented A2A server, sections 2.2, 2.3, 2.5 and 2.6.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import assert_never

import orjson

from ..faults import Fault
from ..record import Event
from ..rpc import RequestId
from ..task import (
    WAITING,
    Json,
    Message,
    Options,
    Part,
    State,
    Task,
    Turn,
    data_of,
    recent,
)
from ..tasks import Listing
from .codec import EXTENSION, Began, Ended, Send, Shown, StreamStep, Wrote
from .common import dollars, iso, routing_story
from .fields import Fields
from .listing import page_of, read_listing
from .options import read_options, read_turns, turn_text
from .pushes import NATIVE_PUSH

_STATES: Mapping[State, str] = {
    "submitted": "submitted",
    "working": "working",
    "input-required": "working",
    "auth-required": "working",
    "completed": "completed",
    "failed": "failed",
    "canceled": "cancelled",
    "rejected": "failed",
}
STATES: Mapping[str, frozenset[State]] = {
    name: frozenset(state for state, shown in _STATES.items() if shown == name)
    for name in dict.fromkeys(_STATES.values())
}
"""The states that a native name stands for when it is asked for."""
_CODES = {
    "parse": -32700,
    "invalid_request": -32600,
    "method_not_found": -32601,
    "unknown_skill": -32601,
    "internal": -32603,
}
_CODE_OTHERWISE = -32602
_HTTP_STATUS = {-32600: 400, -32601: 404, -32603: 500}


class Native:
    """The codec of the native dialect."""

    fault_as_event = False
    shows_events = True
    push = NATIVE_PUSH

    def read_send(self, params: Json) -> Send:
        fields = Fields(params)
        asked = fields.part("message")
        turns = read_turns(fields) if asked is None else _turns_of_message(asked)
        if not any(turn.text.strip() for turn in turns):
            raise fields.fault("messages", "has no text; send messages: [{role, content}]")
        said = asked or Fields({})
        places = [one for one in (fields.part("metadata"), fields) if one is not None]
        whole = [{"role": turn.role, "content": turn.text} for turn in turns]
        message = Message(
            message_id=said.name("messageId") or str(uuid.uuid4()),
            role="user",
            parts=(Part("text", _asked(turns)),),
            context_id=said.name("contextId") or fields.name("contextId"),
            task_id=said.name("taskId") or fields.name("taskId"),
            metadata={EXTENSION: {"messages": whole}} if len(turns) > 1 else {},
        )
        told = fields.part("pushNotificationConfig")
        push = None if told is None else self.push.read(told)
        return Send(message, read_options(places, turns=turns), push=push)

    def read_query(self, params: Json) -> tuple[str, int | None]:
        return self.read_task_id(params), Fields(params).count("historyLength")

    def read_task_id(self, params: Json) -> str:
        return Fields(params).required_name("taskId")

    def read_list(self, params: Json) -> tuple[Listing, Shown]:
        fields = Fields(params)
        listing, shown = read_listing(fields, STATES)
        return replace(listing, skill=fields.name("skill")), shown

    def render_list(
        self, tasks: Sequence[Task], total: int, listing: Listing, shown: Shown
    ) -> Json:
        told = [full_task(one, (), shown.history_length) for one in tasks]
        return page_of(told, tasks, total, listing)

    def render_sent(self, task: Task, history_length: int | None) -> Json:
        return {
            "task": {"id": task.task_id, "state": _STATES[task.state]},
            "artifacts": _artifacts(task),
            "metadata": _metadata(task),
        }

    def render_task(self, task: Task, events: Sequence[Event], history_length: int | None) -> Json:
        return {"task": full_task(task, events, history_length)}

    def render_canceled(self, task: Task) -> Json:
        return {"task": {"id": task.task_id, "state": _STATES[task.state]}}

    def render_step(self, request_id: RequestId, step: StreamStep) -> Json | None:
        match step:
            case Began():
                return None
            case Wrote(task, text, data=data):
                chunk = {"type": "text", "content": text}
                if data is not None:
                    chunk = {"type": "json", "content": data}
                elif not text:
                    return None
                shown = {"id": task.task_id, "state": "working"}
                return _note({"task": shown, "chunk": chunk})
            case Ended(task):
                shown = {"id": task.task_id, "state": _STATES[task.state]}
                return _note({"task": shown, "metadata": _metadata(task)})
            case _:
                assert_never(step)

    def render_fault(self, fault: Fault) -> Json:
        return {"code": _CODES.get(fault.kind, _CODE_OTHERWISE), "message": fault.message}

    def http_status(self, fault: Fault) -> int:
        code = _CODES.get(fault.kind, _CODE_OTHERWISE)
        return fault.http_status or _HTTP_STATUS.get(code, 200)


def full_task(task: Task, events: Sequence[Event], history_length: int | None) -> Json:
    """Give all of a task; in the log, the states and not the text that came between them."""
    return {
        "id": task.task_id,
        "skill": task.skill,
        "state": _STATES[task.state],
        "input": {
            "skill": task.skill,
            "messages": _messages(task, history_length),
            "metadata": _asked_metadata(task.options),
        },
        "artifacts": _artifacts(task),
        "events": [_event(event) for event in events if not event.text],
        "metadata": _metadata(task),
        "contextId": task.context_id,
        "createdAt": iso(task.created_unix_s),
        "updatedAt": iso(task.at_unix_s),
        "expiresAt": iso(task.expires_unix_s),
    }


def _turns_of_message(asked: Fields) -> tuple[Turn, ...]:
    text = turn_text(asked)
    return (Turn("user", text),) if text else ()


def _asked(turns: tuple[Turn, ...]) -> str:
    """Give what the user said last."""
    asked = [turn.text for turn in turns if turn.role == "user"]
    return (asked or [turn.text for turn in turns])[-1]


def _note(params: Json) -> Json:
    return {"jsonrpc": "2.0", "method": "message/stream", "params": params}


def _artifacts(task: Task) -> list[Json]:
    shown = [_content(part) for one in task.artifacts for part in one.parts]
    if task.state == WAITING and task.said is not None:
        shown.append({"type": "text", "content": task.said})
    if _STATES[task.state] == "failed" and task.said is not None:
        shown.append({"type": "error", "content": task.said})
    return shown


def _content(part: Part) -> Json:
    return {"type": "json" if part.kind == "data" else "text", "content": part.value}


def _metadata(task: Task) -> Json:
    shown = dict(routing_story(task.routing, camel=False)) if task.routing is not None else {}
    data = data_of(task)
    if data is not None:
        shown |= orjson.loads(data)
    if task.state == WAITING and task.said is not None:
        shown["input_required"] = task.said
    if _STATES[task.state] == "failed" and task.said is not None:
        shown["error"] = task.said
    return shown


def _messages(task: Task, history_length: int | None) -> list[Json]:
    if task.options.turns:
        return [{"role": turn.role, "content": turn.text} for turn in task.options.turns]
    return [
        {"role": one.role, "content": "\n".join(part.value for part in one.parts)}
        for one in recent(task.history, history_length)
    ]


def _asked_metadata(options: Options) -> Json:
    return {
        "model": options.model,
        "combo": options.combo,
        "budget": dollars(options.budget_usd_nanos),
        "role": options.role,
    }


def _event(event: Event) -> Json:
    shown: dict[str, object] = {"timestamp": iso(event.at_unix_s), "state": _STATES[event.state]}
    if event.said is not None:
        shown["message"] = event.said
    return shown
