"""The agent's methods as each dialect asks for them, in bytes that a client sends."""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from omniroute.a2a.dialects.codec import EXTENSION

Json = dict[str, Any]
Params = Callable[..., Json]


@dataclass(frozen=True)
class Dialect:
    """A dialect's headers, its methods by what they do, and how it names things.

    Attributes:
        task_id: the name of the parameter with a task's id.
        task: finds the task in the result of a send or a get.
    """

    name: str
    headers: Mapping[str, str]
    methods: Mapping[str, str]
    task_id: str
    task: Callable[[Json], Json]

    def body(self, does: str, params: Json) -> bytes:
        call = {"jsonrpc": "2.0", "id": 1, "method": self.methods[does], "params": params}
        return json.dumps(call).encode()

    def on(self, does: str, task_id: str, **more: Any) -> bytes:
        """Give the request for something that is done with a task."""
        return self.body(does, {self.task_id: task_id, **more})

    def message(self, does: str, text: str, model: str, **more: Any) -> bytes:
        """Give the request with a message, whose `more` may be contextId, taskId and wait."""
        wait = more.pop("wait", True)
        if self.name == "native":
            places = {name: more[name] for name in ("contextId",) if name in more}
            said = [{"role": "user", "content": text}]
            return self.body(does, {"messages": said, "metadata": {"model": model}, **places})
        message: Json = {
            "messageId": uuid.uuid4().hex,
            "metadata": {EXTENSION: {"model": model}},
            **more,
        }
        if self.name == "1.0":
            message |= {"role": "ROLE_USER", "parts": [{"text": text}]}
            configuration = {"returnImmediately": not wait}
        else:
            message |= {"kind": "message", "role": "user"}
            message["parts"] = [{"kind": "text", "text": text}]
            configuration = {"blocking": wait}
        return self.body(does, {"message": message, "configuration": configuration})

    def state(self, task: Json) -> str:
        """Give a task's state in the words of 0.3."""
        if self.name == "native":
            named: str = task["state"]
            return {"cancelled": "canceled"}.get(named, named)
        found: str = task["status"]["state"]
        return found.removeprefix("TASK_STATE_").lower().replace("_", "-")

    def answer(self, task: Json) -> str:
        """Give what a task answered."""
        if self.name == "native":
            return "".join(one["content"] for one in task["artifacts"] if one["type"] == "text")
        parts = [part for one in task.get("artifacts") or () for part in one["parts"]]
        return "".join(part["text"] for part in parts)


def _under_task(result: Json) -> Json:
    found: Json = result.get("task", result)
    return found


V10 = Dialect(
    name="1.0",
    headers={"a2a-version": "1.0"},
    methods={
        "send": "SendMessage",
        "stream": "SendStreamingMessage",
        "get": "GetTask",
        "list": "ListTasks",
        "cancel": "CancelTask",
        "follow": "SubscribeToTask",
        "push-set": "CreateTaskPushNotificationConfig",
        "push-get": "GetTaskPushNotificationConfig",
        "push-list": "ListTaskPushNotificationConfigs",
        "push-delete": "DeleteTaskPushNotificationConfig",
    },
    task_id="id",
    task=_under_task,
)
_SLASH = {
    "send": "message/send",
    "stream": "message/stream",
    "get": "tasks/get",
    "cancel": "tasks/cancel",
    "follow": "tasks/resubscribe",
    "push-set": "tasks/pushNotificationConfig/set",
    "push-get": "tasks/pushNotificationConfig/get",
    "push-list": "tasks/pushNotificationConfig/list",
    "push-delete": "tasks/pushNotificationConfig/delete",
}
V03 = Dialect(name="0.3", headers={}, methods=_SLASH, task_id="id", task=_under_task)
NATIVE = Dialect(
    name="native",
    headers={},
    methods={**_SLASH, "list": "tasks/list"},
    task_id="taskId",
    task=_under_task,
)
DIALECTS = (V10, V03, NATIVE)
