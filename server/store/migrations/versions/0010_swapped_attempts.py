"""Attempts say whether another model answered than was asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"


def upgrade() -> None:
    """Add the column; attempts of before say nothing of swaps in it, only in their words."""
    op.add_column(
        "attempts",
        sa.Column("swapped", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
