"""Which dialect a request is in, and what it asks for.

The first rule that fits decides:

1. A method of the 1.0 table is 1.0.
2. A version of major 1 or above is 1.0, so that a wrong method gets 1.0's error.
3. `message/send|stream` without a `message` but with `messages` or `skill` is native, and so
   is one whose `message` has none of the marks that 0.3 requires (a `messageId`, a `kind`,
   parts that say their kind): in 0.3 it could only be an error.
4. `tasks/get|cancel|resubscribe` with `taskId` and no `id` is native, and `tasks/list`, which
   0.3 does not have. So is what looks for a push notification configuration by `taskId`, where
   0.3 calls the task `id`, and what sets one without 0.3's object for it.
5. All else is strict 0.3.

The answer is in the request's dialect, whichever dialect its task was made in.
"""

import re
from collections.abc import Mapping
from typing import Literal

from ..faults import Fault, FaultKind
from ..task import Json
from .codec import Codec
from .native import Native
from .v03 import V03
from .v10 import V10

Operation = Literal[
    "send",
    "stream",
    "get",
    "list",
    "cancel",
    "subscribe",
    "push_set",
    "push_get",
    "push_list",
    "push_delete",
    "extended_card",
]

V10_CODEC: Codec = V10()
V03_CODEC: Codec = V03()
NATIVE_CODEC: Codec = Native()

VERSIONS = ("0.3", "1.0")

V10_METHODS: Mapping[str, Operation | FaultKind] = {
    "SendMessage": "send",
    "SendStreamingMessage": "stream",
    "GetTask": "get",
    "CancelTask": "cancel",
    "ListTasks": "list",
    "SubscribeToTask": "subscribe",
    "CreateTaskPushNotificationConfig": "push_set",
    "GetTaskPushNotificationConfig": "push_get",
    "ListTaskPushNotificationConfigs": "push_list",
    "DeleteTaskPushNotificationConfig": "push_delete",
    "GetExtendedAgentCard": "extended_card",
}
V03_METHODS: Mapping[str, Operation | FaultKind] = {
    "message/send": "send",
    "message/stream": "stream",
    "tasks/get": "get",
    "tasks/cancel": "cancel",
    "tasks/list": "list",
    "tasks/resubscribe": "subscribe",
    "tasks/pushNotificationConfig/set": "push_set",
    "tasks/pushNotificationConfig/get": "push_get",
    "tasks/pushNotificationConfig/list": "push_list",
    "tasks/pushNotificationConfig/delete": "push_delete",
    "agent/getAuthenticatedExtendedCard": "extended_card",
}

_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})(?:\.\d{1,6})?")


def major_minor(version: str) -> str | None:
    """Give `major.minor` of a version, "0.3" for an empty one, None when it is no version.

    Source: A2A 1.0, section 3.6: patch numbers do not count, empty means 0.3.
    """
    if not version.strip():
        return "0.3"
    found = _VERSION.fullmatch(version.strip())
    return None if found is None else f"{int(found[1])}.{int(found[2])}"


def codec_of(method: str, params: Json, version: str) -> Codec:
    """Give the codec that reads and answers a request."""
    asked = major_minor(version)
    if method in V10_METHODS or asked is None or not asked.startswith("0."):
        return V10_CODEC
    return NATIVE_CODEC if _is_native(V03_METHODS.get(method), params) else V03_CODEC


def operation_of(method: str, version: str) -> Operation:
    """Give what a method asks for.

    Raises:
        Fault: the version is not one of ours, the method is not one of its version, or this
            agent does not do it.
    """
    asked = major_minor(version)
    if asked not in VERSIONS:
        raise _wrong_version(f"A2A-Version {version!r} is not supported")
    if method in V10_METHODS and asked != "1.0":
        raise _wrong_version(f"{method} is of A2A 1.0 and the request says {asked}")
    found = (V10_METHODS if asked == "1.0" else V03_METHODS).get(method)
    match found:
        case "send" | "stream" | "get" | "list" | "cancel" | "subscribe":
            return found
        case "push_set" | "push_get" | "push_list" | "push_delete" | "extended_card":
            return found
        case None:
            raise Fault("method_not_found", f"A2A {asked} has no method {method[:64]!r} here")
        case _:
            raise Fault(found, f"this agent does not support {method}")


def _is_native(operation: Operation | FaultKind | None, params: Json) -> bool:
    match operation:
        case "send" | "stream":
            return _is_native_send(params)
        case "list":
            return True
        case "get" | "cancel" | "subscribe":
            return "taskId" in params and "id" not in params
        case "push_set":
            return "url" in params
        case "push_get" | "push_list" | "push_delete":
            return "taskId" in params
        case _:
            return False


def _is_native_send(params: Json) -> bool:
    message = params.get("message")
    if message is None:
        return "messages" in params or "skill" in params
    if not isinstance(message, Mapping) or "messageId" in message or "kind" in message:
        return False
    if isinstance(message.get("content"), str):
        return True
    parts = message.get("parts")
    return (
        isinstance(parts, list)
        and any(map(_is_native_part, parts))
        and not any(isinstance(part, Mapping) and "kind" in part for part in parts)
    )


def _is_native_part(part: object) -> bool:
    return isinstance(part, Mapping) and any(
        isinstance(part.get(name), str) for name in ("text", "content")
    )


def _wrong_version(problem: str) -> Fault:
    known = " and ".join(VERSIONS)
    return Fault(
        "version_unsupported", f"{problem}; send the header A2A-Version with one of {known}"
    )
