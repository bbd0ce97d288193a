"""A2A 0.3: objects that carry their `kind`, lower-case roles and states.

Source: A2A specification 0.3.0, sections 6 to 8, and its types.ts.
"""

from collections.abc import Mapping
from typing import Literal, assert_never

import orjson

from ..rpc import RequestId
from ..task import Json, Message, Part, State, Task
from .codec import Began, Ended, StreamStep, Wrote
from .fields import Fields
from .pushes import V03_PUSH
from .v10 import V10


class V03(V10):
    """The codec of A2A 0.3, where it differs from 1.0."""

    fault_as_event = True
    snake = False
    roles: Mapping[object, Literal["user", "agent"]] = {"user": "user", "agent": "agent"}
    push_field = "pushNotificationConfig"
    push = V03_PUSH

    def render_sent(self, task: Task, history_length: int | None) -> Json:
        return self._task(task, history_length)

    def render_step(self, request_id: RequestId, step: StreamStep) -> Json | None:
        match step:
            case Began(task):
                result = self._task(task, None)
            case Wrote():
                result = {**self._wrote(step), "kind": "artifact-update"}
            case Ended(task):
                result = {**self._ended(task), "kind": "status-update", "final": True}
            case _:
                assert_never(step)
        return {"jsonrpc": "2.0", "id": request_id, "result": result}

    def _read_message(self, fields: Fields) -> Message:
        if fields.text("kind") not in (None, "message"):
            raise fields.fault("kind", "must be message")
        return super()._read_message(fields)

    def _read_part(self, fields: Fields) -> Part:
        metadata = fields.metadata("metadata")
        match fields.text("kind"):
            case "text":
                text = fields.text("text")
                if text is None:
                    raise fields.fault("text", "is required in a text part")
                return Part("text", text, metadata=metadata)
            case "data":
                if fields.part("data") is None:
                    raise fields.fault("data", "is required in a data part")
                return Part("data", fields.json("data"), metadata=metadata)
            case "file":
                return self._read_file(fields, metadata)
            case _:
                raise fields.fault("kind", "is required and must be text, file or data")

    def _read_file(self, fields: Fields, metadata: Json) -> Part:
        file = fields.part("file")
        if file is None:
            raise fields.fault("file", "is required in a file part")
        media_type, filename = file.text("mimeType"), file.text("name")
        uri, has_bytes = file.text("uri"), file.raw("bytes") is not None
        if (uri is None) == (not has_bytes):
            raise file.wrong("must have exactly one of bytes and uri")
        if uri is not None:
            return Part("url", uri, media_type, filename, metadata)
        return Part("raw", file.base64("bytes"), media_type, filename, metadata)

    def _read_blocking(self, configuration: Fields) -> bool:
        return configuration.flag("blocking") is not False

    def _task(self, task: Task, history_length: int | None) -> Json:
        return {**super()._task(task, history_length), "kind": "task"}

    def _message(self, message: Message) -> Json:
        return {**super()._message(message), "kind": "message"}

    def _part(self, part: Part) -> Json:
        shown: dict[str, object] = {"metadata": part.metadata} if part.metadata else {}
        if part.kind == "text":
            return {"kind": "text", "text": part.value, **shown}
        if part.kind == "data":
            value = orjson.loads(part.value)
            # 1.0 allows any JSON value where 0.3 has objects only.
            data = value if isinstance(value, dict) else {"value": value}
            return {"kind": "data", "data": data, **shown}
        file = {"bytes" if part.kind == "raw" else "uri": part.value}
        if part.media_type:
            file["mimeType"] = part.media_type
        if part.filename:
            file["name"] = part.filename
        return {"kind": "file", "file": file, **shown}

    def _role(self, role: str) -> str:
        return role

    def _state(self, state: State) -> str:
        return state
