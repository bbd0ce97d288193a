"""Push notifications: where a client wants to be told of its task, and what is owed to it.

A subscription is stored with its task, and a change of the task and the debt of telling it are
stored in one transaction: a crash between the two owes nothing that is forgotten. What is owed
is that the receiver hears of the newest change, at least once; a change that comes before an
older one was delivered takes its place. So a receiver that is down is owed one notification
for each subscription and not a queue of them. What is sent is the task as it stands then.

Tokens and credentials are the client's secrets: the store seals them, and none is told again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from .tasks import TaskRow

SUBSCRIPTIONS_MAX = 10
"""Subscriptions of one task."""

Version = Literal["1.0", "0.3", "native"]
"""The dialect in which a client subscribed; it is told in the same."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a client wants to be told, and how it recognises us.

    Attributes:
        subscription_id: within its task; empty until one is given.
        token: sent back with each notification; empty for none.
        scheme: of the Authorization header; empty for none.
        credentials: what goes with the scheme.
    """

    subscription_id: str
    url: str
    version: Version
    token: str = field(default="", repr=False)
    scheme: str = ""
    credentials: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SubscriptionRow:
    """A subscription as it is stored. `secret` is sealed; None where there is none."""

    task_id: str
    subscription_id: str
    url: str
    version: Version
    scheme: str
    secret: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification that is to be sent now, by this process.

    Attributes:
        task: as it stands.
        seq: number of the newest event of the task that the receiver has not heard of.
        tries: which try this is, from 1.
    """

    task: TaskRow
    subscription: Subscription
    seq: int
    tries: int

    @property
    def event_id(self) -> str:
        """Names the change: the same at each try, another one for each receiver."""
        # The client's own id may have characters that no header takes.
        receiver = hashlib.blake2b(self.subscription.subscription_id.encode(), digest_size=6)
        return f"{self.task.task_id}.{self.seq}.{receiver.hexdigest()}"


class PushStore(Protocol):
    """Keeps subscriptions and what is owed to them.

    Raises:
        StorageUnavailable: from every method that waits, when the database does not answer.
    """

    def row(self, task_id: str, subscription: Subscription) -> SubscriptionRow:
        """Seal a subscription, for it to be stored with its new task."""
        ...

    async def put(
        self, row: SubscriptionRow, *, owner: str, now_unix_s: float, owes: bool = True
    ) -> Literal["stored", "missing", "full"]:
        """Store a subscription; one of the same id is replaced.

        Gives "missing" when the owner has no such task, and "full" when the task has
        SUBSCRIPTIONS_MAX others. When the task has ended already, or waits for its client,
        that is owed at once, unless `owes` is False.
        """
        ...

    async def subscriptions(self, task_id: str, *, owner: str) -> Sequence[Subscription]:
        """Give the subscriptions of an owner's task, oldest first."""
        ...

    async def remove(self, task_id: str, subscription_id: str, *, owner: str) -> None:
        """Remove a subscription, and what is owed to it, if it is there."""
        ...

    async def due(self, *, now_unix_s: float, most: int) -> Sequence[Notification]:
        """Take notifications that are due; nobody else gets them for LEASE_S."""
        ...

    async def settle(self, notification: Notification) -> None:
        """Owe no more of this; a change that came meanwhile is still owed."""
        ...

    async def postpone(
        self, notification: Notification, *, due_unix_s: float, counts: bool
    ) -> None:
        """Owe it later; `counts` says whether this was a try."""
        ...


LEASE_S = 20.0
"""How long a process may take to send what it took. Longer than any try lasts."""


class Outgoing(Protocol):
    """Reaches receivers."""

    def check(self, url: str) -> None:
        """See whether a URL may be a receiver's, as far as can be told without a look-up.

        Raises:
            ValueError: it may not; says why and what to do.
        """
        ...

    def host(self, url: str) -> str:
        """Give which server a URL is of, scheme and port included."""
        ...

    async def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> int:
        """Send a body and give the status of the answer, whose body is not read.

        Raises:
            RoutingError: there was no answer.
        """
        ...
