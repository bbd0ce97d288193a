"""The tables of push notifications, declared; see tables.py for what such a declaration is for."""

from sqlalchemy import (
    BigInteger,
    Double,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
)
from sqlmodel import Field

from .table import Table


class TaskSubscriptionRow(Table, table=True):
    """Who is told of a task. `secret` is sealed: token and credentials."""

    __tablename__ = "task_subscriptions"
    __table_args__ = (PrimaryKeyConstraint("task_id", "subscription_id"),)

    task_id: str = Field(sa_type=Text, foreign_key="tasks.task_id", ondelete="CASCADE")
    subscription_id: str = Field(sa_type=Text)
    url: str = Field(sa_type=Text)
    version: str = Field(sa_type=Text)
    scheme: str = Field(sa_type=Text)
    secret: bytes | None = Field(sa_type=LargeBinary)
    created_unix_s: float = Field(sa_type=Double)


class PushOutboxRow(Table, table=True):
    """What is owed to a subscription: to hear of the task's event `seq`."""

    __tablename__ = "push_outbox"
    __table_args__ = (
        PrimaryKeyConstraint("task_id", "subscription_id"),
        ForeignKeyConstraint(
            ["task_id", "subscription_id"],
            ["task_subscriptions.task_id", "task_subscriptions.subscription_id"],
            ondelete="CASCADE",
        ),
        Index("ix_push_outbox_due_unix_s", "due_unix_s"),
    )

    task_id: str = Field(sa_type=Text)
    subscription_id: str = Field(sa_type=Text)
    seq: int = Field(sa_type=BigInteger)
    tries: int = Field(sa_type=BigInteger)
    due_unix_s: float = Field(sa_type=Double)
