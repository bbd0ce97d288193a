"""A task says which process works on it, and how many did before."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0018"


def upgrade() -> None:
    """Add the columns; a task that nobody ended was of a process that is gone."""
    op.add_column("tasks", sa.Column("boot_id", sa.Text(), nullable=True))
    op.add_column(
        "tasks", sa.Column("attempt", sa.BigInteger(), nullable=False, server_default="1")
    )
    op.create_index("ix_tasks_boot_id", "tasks", ["boot_id"])
    op.create_index("ix_tasks_key_id_updated_unix_s", "tasks", ["key_id", "updated_unix_s"])
    op.create_index("ix_tasks_key_id_context_id", "tasks", ["key_id", "context_id"])
    op.execute(
        "UPDATE tasks SET state = 'failed' "
        "WHERE state NOT IN ('completed', 'failed', 'canceled', 'rejected')"
    )
