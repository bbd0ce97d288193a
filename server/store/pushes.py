"""Subscriptions to tasks and the outbox of notifications. Fulfils the agent's port PushStore.

A task counts its subscriptions in its own row: setting one locks that row, so that the bound
holds and no change of the task falls between a subscription and what it is owed.

Tokens and credentials are sealed together in one envelope that opens in its row alone. One that
cannot be opened any more (its key is lost) is removed with its subscription: a receiver is not
told without what it knows us by.
"""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Literal

import msgspec

from omniroute.a2a.push import (
    LEASE_S,
    SUBSCRIPTIONS_MAX,
    Notification,
    Subscription,
    SubscriptionRow,
)

from .database import Database, Row, Statement, Steps
from .push_rows import owed, subscribed
from .tasks import TASK_COLUMNS, task_of_row
from .vault import SecretLost, Vault

TABLE = "task_subscriptions"

log = logging.getLogger("omniroute")


class _Secret(msgspec.Struct, array_like=True):
    token: str
    credentials: str


class StoredPushes:
    """Subscriptions and what is owed to them, in the database."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def row(self, task_id: str, subscription: Subscription) -> SubscriptionRow:
        """Seal a subscription."""
        one = subscription
        secret: bytes | None = None
        if one.token or one.credentials:
            secret = self._vault.seal(
                msgspec.json.encode(_Secret(one.token, one.credentials)),
                table=TABLE,
                row_id=_row_id(task_id, one.subscription_id),
            )
        return SubscriptionRow(
            task_id, one.subscription_id, one.url, one.version, one.scheme, secret
        )

    async def put(
        self, row: SubscriptionRow, *, owner: str, now_unix_s: float, owes: bool = True
    ) -> Literal["stored", "missing", "full"]:
        """Store a subscription of an owner's task, and owe it that the task ended or waits."""
        return await self._database.write(partial(_put, row, owner, now_unix_s, owes))

    async def subscriptions(self, task_id: str, *, owner: str) -> Sequence[Subscription]:
        """Give the subscriptions of an owner's task, oldest first."""
        rows = await self._database.read(
            Statement(
                "SELECT task_subscriptions.task_id, subscription_id, url, version, scheme, secret "
                "FROM task_subscriptions "
                "JOIN tasks ON tasks.task_id = task_subscriptions.task_id "
                "WHERE task_subscriptions.task_id = $1 AND key_id = $2 "
                "ORDER BY task_subscriptions.created_unix_s, subscription_id",
                (task_id, owner),
            )
        )
        # Nobody is told a secret, so none is opened.
        return [_subscription(row, _Secret("", "")) for row in rows]

    async def remove(self, task_id: str, subscription_id: str, *, owner: str) -> None:
        """Remove a subscription, and with it what is owed to it."""
        await self._database.write(partial(_remove, task_id, subscription_id, owner))

    async def due(self, *, now_unix_s: float, most: int) -> Sequence[Notification]:
        """Take notifications that are due, oldest first."""
        waiting = await self._database.read(
            Statement(
                "SELECT 1 AS found FROM push_outbox WHERE due_unix_s <= $1 LIMIT 1", (now_unix_s,)
            )
        )
        if not waiting:
            return []
        found: list[Notification] = []
        for row in await self._database.write(partial(_due, now_unix_s, most)):
            try:
                found.append(self._notification(row))
            except SecretLost as error:
                log.warning("a2a_push_secret_lost", extra={"reason": str(error)})
                await self._database.write(
                    partial(_remove, row["task_id"], row["subscription_id"], row["key_id"])
                )
        return found

    async def settle(self, notification: Notification) -> None:
        """Owe no more of this change."""
        one = notification
        await self._database.write(
            Statement(
                "DELETE FROM push_outbox WHERE task_id = $1 AND subscription_id = $2 AND seq = $3",
                (one.task.task_id, one.subscription.subscription_id, one.seq),
            )
        )

    async def postpone(
        self, notification: Notification, *, due_unix_s: float, counts: bool
    ) -> None:
        """Owe this change later, unless a newer one is owed by now."""
        one = notification
        await self._database.write(
            Statement(
                "UPDATE push_outbox SET due_unix_s = $4, tries = $5 "
                "WHERE task_id = $1 AND subscription_id = $2 AND seq = $3",
                (
                    *(one.task.task_id, one.subscription.subscription_id, one.seq),
                    *(due_unix_s, one.tries if counts else one.tries - 1),
                ),
            )
        )

    def _notification(self, row: Row) -> Notification:
        secret = _Secret("", "")
        if row["secret"] is not None:
            row_id = _row_id(row["task_id"], row["subscription_id"])
            opened = self._vault.open(bytes(row["secret"]), table=TABLE, row_id=row_id)
            secret = msgspec.json.decode(opened, type=_Secret)
        return Notification(
            task_of_row(row), _subscription(row, secret), int(row["seq"]), int(row["tries"])
        )


def _put(
    row: SubscriptionRow, owner: str, now_unix_s: float, owes: bool
) -> Steps[Literal["stored", "missing", "full"]]:
    # The row is locked from here on: a change of the task comes before this or after it.
    tasks = yield Statement(
        "UPDATE tasks SET subscriptions = subscriptions WHERE task_id = $1 AND key_id = $2 "
        "RETURNING state, events, subscriptions",
        (row.task_id, owner),
    )
    if not tasks:
        return "missing"
    [task] = tasks
    known = yield Statement(
        "SELECT 1 AS found FROM task_subscriptions WHERE task_id = $1 AND subscription_id = $2",
        (row.task_id, row.subscription_id),
    )
    if not known:
        if task["subscriptions"] >= SUBSCRIPTIONS_MAX:
            return "full"
        yield Statement(
            "UPDATE tasks SET subscriptions = subscriptions + 1 WHERE task_id = $1",
            (row.task_id,),
        )
    yield subscribed(row, now_unix_s)
    if owes and task["state"] not in ("submitted", "working"):
        yield owed(row.task_id, int(task["events"]) - 1, now_unix_s)
    return "stored"


def _remove(task_id: str, subscription_id: str, owner: str) -> Steps[None]:
    removed = yield Statement(
        "DELETE FROM task_subscriptions WHERE task_id = $1 AND subscription_id = $2 "
        "AND EXISTS (SELECT 1 FROM tasks WHERE tasks.task_id = $1 AND key_id = $3) "
        "RETURNING subscription_id",
        (task_id, subscription_id, owner),
    )
    if removed:
        yield Statement(
            "UPDATE tasks SET subscriptions = subscriptions - 1 WHERE task_id = $1", (task_id,)
        )


def _due(now_unix_s: float, most: int) -> Steps[Sequence[Row]]:
    # Of two processes that look at once, the second finds the rows changed and not due.
    taken = yield Statement(
        "UPDATE push_outbox SET due_unix_s = $2, tries = tries + 1 "
        "WHERE due_unix_s <= $1 AND (task_id, subscription_id) IN "
        "(SELECT task_id, subscription_id FROM push_outbox WHERE due_unix_s <= $1 "
        "ORDER BY due_unix_s LIMIT $3) RETURNING task_id, subscription_id",
        (now_unix_s, now_unix_s + LEASE_S, most),
    )
    found: list[Row] = []
    for one in taken:
        found += yield Statement(
            f"SELECT {TASK_COLUMNS}, push_outbox.subscription_id, url, version, scheme, secret, "  # noqa: S608
            "seq, tries FROM push_outbox "
            "JOIN tasks ON tasks.task_id = push_outbox.task_id "
            "JOIN task_subscriptions ON task_subscriptions.task_id = push_outbox.task_id "
            "AND task_subscriptions.subscription_id = push_outbox.subscription_id "
            "WHERE push_outbox.task_id = $1 AND push_outbox.subscription_id = $2",
            (one["task_id"], one["subscription_id"]),
        )
    return found


def _subscription(row: Row, secret: _Secret) -> Subscription:
    return Subscription(
        subscription_id=row["subscription_id"],
        url=row["url"],
        version=row["version"],
        token=secret.token,
        scheme=row["scheme"],
        credentials=secret.credentials,
    )


def _row_id(task_id: str, subscription_id: str) -> str:
    return f"{task_id}/{subscription_id}"
