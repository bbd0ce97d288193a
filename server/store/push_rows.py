"""Statements on push notifications that are part of a task's own transaction."""

from omniroute.a2a.push import SubscriptionRow

from .database import Statement


def subscribed(row: SubscriptionRow, now_unix_s: float) -> Statement:
    """Store who is told of a task; one of the same id is replaced and keeps its place."""
    return Statement(
        "INSERT INTO task_subscriptions "
        "(task_id, subscription_id, url, version, scheme, secret, created_unix_s) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (task_id, subscription_id) DO UPDATE SET "
        "url = excluded.url, version = excluded.version, scheme = excluded.scheme, "
        "secret = excluded.secret",
        (
            *(row.task_id, row.subscription_id, row.url, row.version, row.scheme, row.secret),
            now_unix_s,
        ),
    )


def owed(task_id: str, seq: int, now_unix_s: float) -> Statement:
    """Owe every subscription of a task its event; what was owed before is part of it."""
    return Statement(
        "INSERT INTO push_outbox (task_id, subscription_id, seq, tries, due_unix_s) "
        "SELECT task_id, subscription_id, CAST($2 AS BIGINT), 0, CAST($3 AS DOUBLE PRECISION) "
        "FROM task_subscriptions WHERE task_id = $1 "
        "ON CONFLICT (task_id, subscription_id) DO UPDATE SET "
        "seq = excluded.seq, tries = 0, due_unix_s = excluded.due_unix_s",
        (task_id, seq, now_unix_s),
    )
