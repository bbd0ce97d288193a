"""What a dialect must be able to do, and the values that go in and out of it.

Three objects of this shape exist: native, v0.3 and v1.0. They read parameters and write
results, events and errors; nothing in them decides anything about a task.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..faults import Fault
from ..push import Subscription
from ..record import Event
from ..rpc import RequestId
from ..task import Json, Message, Options, Task
from ..tasks import Listing
from .pushes import PushCodec

EXTENSION = "https://omniroute.dev/a2a/ext/routing/v1"
"""URI of our extension: routing options in, the routing story out, as metadata under it."""


@dataclass(frozen=True, slots=True)
class Send:
    """A message for the agent.

    Attributes:
        blocking: the answer waits until the task has ended.
        history_length: how many messages the answer shows; None for all.
        push: where its client wants to be told of the task.
    """

    message: Message
    options: Options
    blocking: bool = True
    history_length: int | None = None
    push: Subscription | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """How much of each listed task is shown; `history_length` None shows all messages."""

    history_length: int | None = None
    artifacts: bool = False


@dataclass(frozen=True, slots=True)
class Began:
    """A stream's first step: the task as it was accepted, or stands when a reader comes later."""

    task: Task


@dataclass(frozen=True, slots=True)
class Wrote:
    """Text that was added to the answer. The last step of an answer may have none.

    Attributes:
        chars: how many characters the answer has with it: where a reader goes on from.
        data: the answer for programs, as JSON text; only with the last step.
    """

    task: Task
    text: str
    first: bool
    last: bool
    chars: int = 0
    data: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A stream's last step: the task as it ended, or waits for its client."""

    task: Task


StreamStep = Began | Wrote | Ended


class Codec(Protocol):
    """One dialect.

    Raises:
        Fault: from every `read_` method, when the parameters are not valid in this dialect.
    """

    def read_send(self, params: Json) -> Send: ...

    def read_query(self, params: Json) -> tuple[str, int | None]:
        """Give the id of the task asked for, and how many messages of it to show."""
        ...

    def read_task_id(self, params: Json) -> str: ...

    def render_sent(self, task: Task, history_length: int | None) -> Json:
        """Give the result of a send."""
        ...

    def render_task(self, task: Task, events: Sequence[Event], history_length: int | None) -> Json:
        """Give the result of a query."""
        ...

    def render_canceled(self, task: Task) -> Json: ...

    def render_step(self, request_id: RequestId, step: StreamStep) -> Json | None:
        """Give the JSON-RPC message of a step; None when the dialect shows nothing of it."""
        ...

    def read_list(self, params: Json) -> tuple[Listing, Shown]:
        """Give which tasks are listed, and how much of each is shown."""
        ...

    def render_list(
        self, tasks: Sequence[Task], total: int, listing: Listing, shown: Shown
    ) -> Json:
        """Give a page of a list."""
        ...

    def render_fault(self, fault: Fault) -> Json:
        """Give the JSON-RPC error object."""
        ...

    def http_status(self, fault: Fault) -> int: ...

    @property
    def push(self) -> PushCodec:
        """How subscriptions to push notifications are written."""
        ...

    @property
    def fault_as_event(self) -> bool:
        """Whether a stream that cannot begin tells so as an event instead of a plain answer."""
        ...

    @property
    def shows_events(self) -> bool:
        """Whether a query's result needs the task's log."""
        ...
