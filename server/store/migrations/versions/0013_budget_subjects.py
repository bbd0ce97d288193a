"""Budgets may be of a combo or of one session; those of before are of their keys."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("budgets", sa.Column("combo", sa.Text(), nullable=True))
    op.add_column("budgets", sa.Column("session_id", sa.Text(), nullable=True))
