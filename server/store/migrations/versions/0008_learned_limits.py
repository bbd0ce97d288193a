"""The limits that providers told are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "learned_limits",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("allowed", sa.BigInteger(), nullable=True),
        sa.Column("remaining", sa.BigInteger(), nullable=True),
        sa.Column("reset_s", sa.Double(), nullable=True),
        sa.Column("told_unix_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "model", "dimension", name="pk_learned_limits"),
    )
