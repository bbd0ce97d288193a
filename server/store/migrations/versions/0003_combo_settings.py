"""Combos have retries and places, and their counters are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the combos' new settings and the table of their counters."""
    for column in (
        sa.Column("retries", sa.BigInteger(), nullable=True),
        sa.Column("retry_delay_s", sa.Double(), nullable=True),
        sa.Column("concurrency_per_model", sa.BigInteger(), nullable=True),
        sa.Column("queue_s", sa.Double(), nullable=True),
    ):
        op.add_column("combos", column)
    op.create_table(
        "combo_counts",
        sa.Column("combo", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("good_unix_s", sa.Double(), nullable=False),
        sa.Column("changed_unix_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("combo", "account_id", "model", name="pk_combo_counts"),
    )
