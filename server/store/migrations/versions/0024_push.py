"""Clients are told of their tasks: who is told, and what is still owed to whom."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Make the tables; nobody was told of any task before."""
    op.add_column(
        "tasks", sa.Column("subscriptions", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.create_table(
        "task_subscriptions",
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("created_unix_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "subscription_id", name="pk_task_subscriptions"),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["tasks.task_id"],
            name="fk_task_subscriptions_task_id",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "push_outbox",
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("due_unix_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "subscription_id", name="pk_push_outbox"),
        sa.ForeignKeyConstraint(
            ["task_id", "subscription_id"],
            ["task_subscriptions.task_id", "task_subscriptions.subscription_id"],
            name="fk_push_outbox_task_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_push_outbox_due_unix_s", "push_outbox", ["due_unix_s"])
