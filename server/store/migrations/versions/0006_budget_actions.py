"""Budgets say what they do when they cannot pay; those of before block, as they did."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns."""
    op.add_column(
        "budgets",
        sa.Column("action", sa.Text(), nullable=False, server_default=sa.text("'block'")),
    )
    op.add_column(
        "budgets",
        sa.Column("tier", sa.Text(), nullable=False, server_default=sa.text("'cheap'")),
    )
