"""Subscriptions to push notifications as the dialects write them.

0.3 has a configuration inside one that names the task; 1.0 and the native dialect have both in
one object. A subscription that 0.3 and the native dialect set without an id has its task's id,
so that a second `set` replaces the first; in 1.0 each has an id of its own.

What may be sent in a header is checked where it is read: a credential with a line break would
be a header of its own.

Source: A2A 1.0.1, sections 3.1.7 to 3.1.10 and 4.3, and its a2a.proto; A2A 0.3.0, sections 6.8
to 6.10 and 7.5 to 7.8.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..push import Subscription, Version
from ..task import Json
from .fields import Fields

URL_CHARS_MAX = 2048
SECRET_CHARS_MAX = 4096

_SCHEME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
"""A token of RFC 9110, section 5.6.2."""
_SENDABLE = re.compile(r"[!-~](?:[ -~]*[!-~])?")


@dataclass(frozen=True, slots=True)
class PushQuery:
    """Which subscription of which task; `subscription_id` None for the only or usual one."""

    task_id: str
    subscription_id: str | None


@dataclass(frozen=True, slots=True)
class PushCodec:
    """How one dialect writes subscriptions.

    Attributes:
        version: the dialect.
        snake: whether the proto's own field names are read as well.
    """

    version: Version
    snake: bool = False

    def read_set(self, params: Json) -> tuple[str, Subscription]:
        """Give the task's id and what is to be stored for it, with its id."""
        fields = Fields(params, snake=self.snake)
        task_id = fields.required_name("taskId")
        if self.version == "0.3":
            found = fields.part("pushNotificationConfig")
            if found is None:
                raise fields.fault("pushNotificationConfig", "is required and must be an object")
            fields = found
        return task_id, with_id(self.read(fields), task_id)

    def read(self, fields: Fields) -> Subscription:
        """Give a subscription as it stands in a send, with the id that the client gave it."""
        url = fields.text("url")
        if not url or len(url) > URL_CHARS_MAX:
            raise fields.fault("url", f"is required and has at most {URL_CHARS_MAX} characters")
        scheme, credentials = self._authentication(fields)
        return Subscription(
            subscription_id=fields.name("id") or "",
            url=url,
            version=self.version,
            token=_secret(fields, "token"),
            scheme=scheme,
            credentials=credentials,
        )

    def read_query(self, params: Json, *, required: bool = False) -> PushQuery:
        """Give which subscription is meant; `required` when the method must name one."""
        fields = Fields(params, snake=self.snake)
        if self.version == "0.3":
            task_name, name = "id", "pushNotificationConfigId"
        else:
            task_name, name = "taskId", "id"
        named = fields.required_name if required or self.version == "1.0" else fields.name
        return PushQuery(fields.required_name(task_name), named(name))

    def read_task_id(self, params: Json) -> str:
        """Give the task whose subscriptions are listed."""
        name = "id" if self.version == "0.3" else "taskId"
        return Fields(params, snake=self.snake).required_name(name)

    def render(self, task_id: str, subscription: Subscription) -> Json:
        """Give a subscription. What is secret about it is not told again."""
        own: dict[str, object] = {"id": subscription.subscription_id, "url": subscription.url}
        if subscription.scheme:
            own["authentication"] = (
                {"schemes": [subscription.scheme]}
                if self.version == "0.3"
                else {"scheme": subscription.scheme}
            )
        if self.version == "0.3":
            return {"taskId": task_id, "pushNotificationConfig": own}
        return {"taskId": task_id, **own}

    def render_all(self, task_id: str, subscriptions: Sequence[Subscription]) -> object:
        """Give the result of a list: there is only one page, as a task has few of them."""
        shown = [self.render(task_id, one) for one in subscriptions]
        return shown if self.version == "0.3" else {"configs": shown, "nextPageToken": ""}

    def render_removed(self) -> object:
        """Give the result of a removal."""
        return None if self.version == "0.3" else {}

    def _authentication(self, fields: Fields) -> tuple[str, str]:
        """Give scheme and credentials; of several schemes the first."""
        found = fields.part("authentication")
        if found is None:
            return "", ""
        credentials = _secret(found, "credentials")
        if self.version == "1.0":
            scheme = found.text("scheme") or ""
        else:
            scheme = next(iter(found.names("schemes")), "") or found.text("scheme") or ""
        if scheme and not _SCHEME.fullmatch(scheme):
            raise found.fault("scheme", "must be the name of an HTTP authentication scheme")
        if credentials and not scheme:
            raise found.fault("scheme", "is required with credentials")
        return scheme, credentials


def with_id(subscription: Subscription, task_id: str) -> Subscription:
    """Give the subscription with an id: the client's own, or one of its dialect."""
    if subscription.subscription_id:
        return subscription
    given = str(uuid.uuid4()) if subscription.version == "1.0" else task_id
    return replace(subscription, subscription_id=given)


V10_PUSH = PushCodec("1.0", snake=True)
V03_PUSH = PushCodec("0.3")
NATIVE_PUSH = PushCodec("native")


def _secret(fields: Fields, name: str) -> str:
    value = fields.text(name) or ""
    if value and (len(value) > SECRET_CHARS_MAX or not _SENDABLE.fullmatch(value)):
        raise fields.fault(
            name, f"must be at most {SECRET_CHARS_MAX} printable ASCII characters on one line"
        )
    return value
