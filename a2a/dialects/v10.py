"""A2A 1.0: the ProtoJSON of package lf.a2a.v1.

Source: A2A specification 1.0.1, sections 3, 5 and 9, and its a2a.proto.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, assert_never

import orjson

from ..faults import Fault, FaultKind
from ..record import Event
from ..rpc import RequestId
from ..task import (
    ANSWER_ID,
    ANSWER_NAME,
    Artifact,
    Json,
    Message,
    Part,
    State,
    Task,
    data_part,
    recent,
    words_of,
)
from ..tasks import Listing
from .codec import EXTENSION, Began, Ended, Send, Shown, StreamStep, Wrote
from .common import fault_details, iso, routing_story
from .fields import Fields
from .listing import page_of, read_listing
from .options import read_options
from .pushes import V10_PUSH

CODES: Mapping[FaultKind, int] = {
    "parse": -32700,
    "invalid_request": -32600,
    "method_not_found": -32601,
    "invalid_params": -32602,
    "internal": -32603,
    "task_not_found": -32001,
    "not_cancelable": -32002,
    "push_unsupported": -32003,
    "unsupported": -32004,
    "content_type": -32005,
    "no_extended_card": -32007,
    "version_unsupported": -32009,
    "unknown_skill": -32602,
}
"""Codes of both standards (A2A 1.0, section 5.4; 0.3, section 8)."""

_STATES: Mapping[State, str] = {
    "submitted": "TASK_STATE_SUBMITTED",
    "working": "TASK_STATE_WORKING",
    "input-required": "TASK_STATE_INPUT_REQUIRED",
    "auth-required": "TASK_STATE_AUTH_REQUIRED",
    "completed": "TASK_STATE_COMPLETED",
    "failed": "TASK_STATE_FAILED",
    "canceled": "TASK_STATE_CANCELED",
    "rejected": "TASK_STATE_REJECTED",
}


class V10:
    """The codec of A2A 1.0. Version 0.3 differs in the spelling of parts, roles and states."""

    fault_as_event = False
    shows_events = False
    snake = True
    roles: Mapping[object, Literal["user", "agent"]] = {
        "ROLE_USER": "user",
        "ROLE_AGENT": "agent",
        1: "user",
        2: "agent",
    }
    """ProtoJSON parsers accept an enum's number as well."""
    push_field = "taskPushNotificationConfig"
    push = V10_PUSH

    def read_send(self, params: Json) -> Send:
        fields = Fields(params, snake=self.snake)
        asked = fields.part("message")
        if asked is None:
            raise fields.fault("message", "is required and must be an object")
        message = self._read_message(asked)
        configuration = fields.part("configuration") or Fields({}, "configuration", self.snake)
        told = configuration.part(self.push_field)
        said = [found for one in (asked, fields) if (found := one.part("metadata")) is not None]
        own = [found for one in said if (found := one.part(EXTENSION)) is not None]
        plain = fields.part("metadata")
        options = read_options([*own, *((plain,) if plain else ()), fields])
        return Send(
            message=message,
            options=replace(options, output_modes=configuration.names("acceptedOutputModes")),
            blocking=self._read_blocking(configuration),
            history_length=configuration.count("historyLength"),
            push=None if told is None else self.push.read(told),
        )

    def read_query(self, params: Json) -> tuple[str, int | None]:
        fields = Fields(params, snake=self.snake)
        return fields.required_name("id"), fields.count("historyLength")

    def read_task_id(self, params: Json) -> str:
        return Fields(params, snake=self.snake).required_name("id")

    def read_list(self, params: Json) -> tuple[Listing, Shown]:
        names = {name: frozenset({state}) for state, name in _STATES.items()}
        return read_listing(Fields(params, snake=self.snake), names)

    def render_list(
        self, tasks: Sequence[Task], total: int, listing: Listing, shown: Shown
    ) -> Json:
        told = [
            self._task(one if shown.artifacts else replace(one, artifacts=()), shown.history_length)
            for one in tasks
        ]
        return page_of(told, tasks, total, listing)

    def render_sent(self, task: Task, history_length: int | None) -> Json:
        return {"task": self._task(task, history_length)}

    def render_task(self, task: Task, events: Sequence[Event], history_length: int | None) -> Json:
        return self._task(task, history_length)

    def render_canceled(self, task: Task) -> Json:
        return self._task(task, None)

    def render_step(self, request_id: RequestId, step: StreamStep) -> Json | None:
        match step:
            case Began(task):
                result: Json = {"task": self._task(task, None)}
            case Wrote():
                result = {"artifactUpdate": self._wrote(step)}
            case Ended(task):
                result = {"statusUpdate": self._ended(task)}
            case _:
                assert_never(step)
        return {"jsonrpc": "2.0", "id": request_id, "result": result}

    def render_fault(self, fault: Fault) -> Json:
        error: dict[str, object] = {"code": CODES[fault.kind], "message": fault.message}
        details = fault_details(fault)
        if details:
            error["data"] = [details]
        return error

    def http_status(self, fault: Fault) -> int:
        return fault.http_status or 200

    def _read_message(self, fields: Fields) -> Message:
        role = fields.raw("role")
        if not isinstance(role, str | int) or isinstance(role, bool) or role not in self.roles:
            raise fields.fault("role", f"is required and must be one of {self._role_names()}")
        return Message(
            message_id=fields.required_name("messageId"),
            role=self.roles[role],
            parts=tuple(map(self._read_part, fields.objects("parts"))),
            context_id=fields.name("contextId"),
            task_id=fields.name("taskId"),
            metadata=fields.metadata("metadata"),
            extensions=fields.names("extensions"),
            reference_task_ids=fields.names("referenceTaskIds"),
        )

    def _read_part(self, fields: Fields) -> Part:
        media_type, filename = fields.text("mediaType"), fields.text("filename")
        metadata = fields.metadata("metadata")
        said = [name for name in ("text", "raw", "url") if fields.raw(name) is not None]
        if len(said) + fields.has("data") != 1:
            raise fields.wrong("must have exactly one of text, raw, url and data")
        match said:
            case ["text"]:
                return Part("text", fields.text("text") or "", media_type, filename, metadata)
            case ["url"]:
                return Part("url", fields.text("url") or "", media_type, filename, metadata)
            case ["raw"]:
                return Part("raw", fields.base64("raw"), media_type, filename, metadata)
            case _:
                return Part("data", fields.json("data"), media_type, filename, metadata)

    def _read_blocking(self, configuration: Fields) -> bool:
        return not configuration.flag("returnImmediately")

    def _role_names(self) -> str:
        return ", ".join(role for role in self.roles if isinstance(role, str))

    def _task(self, task: Task, history_length: int | None) -> Json:
        shown: dict[str, object] = {
            "id": task.task_id,
            "contextId": task.context_id,
            "status": self._status(task),
        }
        if task.artifacts:
            shown["artifacts"] = [self._artifact(one) for one in task.artifacts]
        history = recent(task.history, history_length)
        if history:
            shown["history"] = [self._message(one) for one in history]
        if task.routing is not None:
            shown["metadata"] = {EXTENSION: routing_story(task.routing, camel=True)}
        return shown

    def _status(self, task: Task) -> Json:
        shown: dict[str, object] = {
            "state": self._state(task.state),
            "timestamp": iso(task.at_unix_s),
        }
        for message in words_of(task):
            shown["message"] = self._message(message)
        return shown

    def _artifact(self, artifact: Artifact) -> Json:
        return {
            "artifactId": artifact.artifact_id,
            "name": artifact.name,
            "parts": [self._part(part) for part in artifact.parts],
            "extensions": [EXTENSION],
        }

    def _wrote(self, step: Wrote) -> Json:
        data = () if step.data is None else (data_part(step.data),)
        # An artifact has at least one part, also where its last piece adds nothing.
        text = (Part("text", step.text),) if step.text or not data else ()
        return {
            "taskId": step.task.task_id,
            "contextId": step.task.context_id,
            "artifact": self._artifact(Artifact(ANSWER_ID, ANSWER_NAME, (*text, *data))),
            "append": not step.first,
            "lastChunk": step.last,
        }

    def _ended(self, task: Task) -> Json:
        shown: dict[str, object] = {
            "taskId": task.task_id,
            "contextId": task.context_id,
            "status": self._status(task),
        }
        if task.routing is not None:
            shown["metadata"] = {EXTENSION: routing_story(task.routing, camel=True)}
        return shown

    def _message(self, message: Message) -> Json:
        shown: dict[str, object] = {
            "messageId": message.message_id,
            "role": self._role(message.role),
            "parts": [self._part(part) for part in message.parts],
        }
        if message.context_id is not None:
            shown["contextId"] = message.context_id
        if message.task_id is not None:
            shown["taskId"] = message.task_id
        if message.metadata:
            shown["metadata"] = message.metadata
        if message.extensions:
            shown["extensions"] = message.extensions
        if message.reference_task_ids:
            shown["referenceTaskIds"] = message.reference_task_ids
        return shown

    def _part(self, part: Part) -> Json:
        value: object = orjson.loads(part.value) if part.kind == "data" else part.value
        shown: dict[str, object] = {part.kind: value}
        if part.media_type:
            shown["mediaType"] = part.media_type
        if part.filename:
            shown["filename"] = part.filename
        if part.metadata:
            shown["metadata"] = part.metadata
        return shown

    def _role(self, role: str) -> str:
        return "ROLE_USER" if role == "user" else "ROLE_AGENT"

    def _state(self, state: State) -> str:
        return _STATES[state]
