"""Combos say how long a session stays with who answered it."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the combos' new setting."""
    op.add_column("combos", sa.Column("session_s", sa.Double(), nullable=True))
