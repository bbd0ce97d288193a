"""`omniroute a2a send`: a message for the agent, its answer streamed to the terminal.

The answer alone goes to standard output, so that it can be piped; what became of the task goes
to standard error. It goes through the same endpoint as any agent's message, in A2A 1.0.
"""

import uuid
from argparse import Namespace
from collections.abc import Mapping
from typing import TypedDict

import msgspec

from omniroute.a2a.dialects.codec import EXTENSION

from ..settings import Settings, Sources
from .a2a_tasks import shown_task
from .chat import events, prompt_of, write_piece
from .client import (
    Answer,
    Client,
    decoded,
    encoded_body,
    find_gateway,
    read_whole,
    with_gateway,
)
from .exits import FAILED, OK, UNAVAILABLE, USAGE, Stop, exit_status
from .output import complain, dollars, show, show_json

ENDPOINT = "/a2a?A2A-Version=1.0"
EVENT_S_MAX = 60.0
"""How long the stream may be silent; the gateway sends a comment four times in that time."""
COMPLETED = "TASK_STATE_COMPLETED"
ASKS = "TASK_STATE_INPUT_REQUIRED"


class _Part(msgspec.Struct):
    text: str | None = None


class _Said(msgspec.Struct):
    parts: tuple[_Part, ...] = ()


class _Status(msgspec.Struct):
    state: str
    message: _Said | None = None


class _Cost(msgspec.Struct):
    actual: float | None = None


class _Story(msgspec.Struct, rename="camel"):
    request_id: str | None = None
    cost_envelope: _Cost | None = None


class _Metadata(msgspec.Struct):
    story: _Story | None = msgspec.field(default=None, name=EXTENSION)


class _Task(msgspec.Struct, rename="camel"):
    id: str
    context_id: str


class _Wrote(msgspec.Struct):
    artifact: _Said


class _Moved(msgspec.Struct, rename="camel"):
    status: _Status
    metadata: _Metadata | None = None


class _Result(msgspec.Struct, rename="camel"):
    task: _Task | None = None
    artifact_update: _Wrote | None = None
    status_update: _Moved | None = None


class _Error(msgspec.Struct):
    message: str


class _Event(msgspec.Struct):
    result: _Result | None = None
    error: _Error | None = None


class _Params(TypedDict, total=False):
    message: Mapping[str, object]
    metadata: Mapping[str, object]
    configuration: Mapping[str, object]


def send(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Send a message."""
    params = _params(arguments, prompt_of(arguments.message, "a2a send"))
    if arguments.no_wait and find_gateway(settings) is None:
        raise Stop(
            "no gateway runs that could work on it later: start one with `omniroute`, or send "
            "without --no-wait",
            UNAVAILABLE,
        )
    with with_gateway(settings, sources) as gateway:
        if arguments.no_wait:
            return _leave(gateway, params, as_json=arguments.json)
        return _stay(gateway, params, as_json=arguments.json)


def _params(arguments: Namespace, text: str) -> _Params:
    ties = {"contextId": arguments.context, "taskId": arguments.task}
    asked = {
        "skill": arguments.skill,
        "model": arguments.model,
        "budget": _budget(arguments.budget_usd),
    }
    return {
        "message": {
            "messageId": str(uuid.uuid4()),
            "role": "ROLE_USER",
            "parts": [{"text": text}],
            **{name: value for name, value in ties.items() if value is not None},
        },
        "metadata": {name: value for name, value in asked.items() if value is not None},
    }


def _budget(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        raise Stop(f"--budget-usd is an amount of US dollars, not {text!r}", USAGE) from None


def _leave(gateway: Client, params: _Params, *, as_json: bool) -> int:
    params["configuration"] = {"returnImmediately": True}
    with gateway.open(
        "POST", ENDPOINT, _call("SendMessage", params), timeout_s=EVENT_S_MAX
    ) as answer:
        event = _read(answer.status, read_whole(answer))
    if event.task is None:
        raise Stop("the agent answered without a task")
    if as_json:
        show_json(shown_task(gateway, event.task.id))
    else:
        show(event.task.id)
    return OK


def _stay(gateway: Client, params: _Params, *, as_json: bool) -> int:
    body = _call("SendStreamingMessage", params)
    with gateway.open("POST", ENDPOINT, body, timeout_s=EVENT_S_MAX) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            _read(answer.status, read_whole(answer))
            raise Stop("the agent answered without a stream")
        task, end = _followed(answer, quiet=as_json)
    if as_json:
        show_json(shown_task(gateway, task.id))
    return _told(task, end)


def _followed(answer: Answer, *, quiet: bool) -> tuple[_Task, _Moved]:
    """Print the answer as it comes; give the task and its last state."""
    task: _Task | None = None
    end: _Moved | None = None
    wrote = False
    for data in events(answer.chunks):
        event = _read(answer.status, data)
        task = event.task or task
        end = event.status_update or end
        if event.artifact_update is not None and not quiet:
            text = _text(event.artifact_update.artifact)
            write_piece(text)
            wrote = wrote or bool(text)
    if wrote:
        write_piece("\n")
    if task is None or end is None:
        raise Stop("the stream broke off before the task's end", UNAVAILABLE)
    return task, end


def _told(task: _Task, end: _Moved) -> int:
    """Say what became of the task, and give the exit status."""
    state = end.status.state.removeprefix("TASK_STATE_").lower().replace("_", "-")
    words = f"[task {task.id} is {state}"
    story = None if end.metadata is None else end.metadata.story
    if story is not None and story.cost_envelope is not None:
        words += f"; cost {dollars(story.cost_envelope.actual)}"
    if story is not None and story.request_id is not None:
        words += f"; why: omniroute explain {story.request_id}"
    said = "" if end.status.message is None else _text(end.status.message)
    if said:
        complain(said)
    if end.status.state == ASKS:
        complain(f"{words}; answer with: omniroute a2a send --task {task.id}]")
        return OK
    complain(f"{words}; go on with: --context {task.context_id}]")
    return OK if end.status.state == COMPLETED else FAILED


def _call(method: str, params: _Params) -> bytes:
    return encoded_body({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


def _read(status: int, data: bytes) -> _Result:
    """Give a result of the agent.

    Raises:
        Stop: it is an error, told in the agent's own words.
    """
    event = decoded(data, _Event)
    if event.error is not None:
        raise Stop(event.error.message, exit_status(status) if status >= 400 else FAILED)
    return event.result or _Result()


def _text(said: _Said) -> str:
    return "".join(part.text or "" for part in said.parts)
