"""Budgets say when they warn and whether unknown prices pass; outcomes, how they were clamped."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; budgets of before warn at 80 percent and refuse unknown prices."""
    op.add_column(
        "budgets",
        sa.Column("warn_percent", sa.BigInteger(), nullable=False, server_default=sa.text("80")),
    )
    op.add_column(
        "budgets",
        sa.Column("allow_unpriced", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("outcomes", sa.Column("output_tokens_clamp", sa.BigInteger(), nullable=True))
