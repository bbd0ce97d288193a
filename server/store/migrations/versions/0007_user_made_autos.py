"""A combo may be a user-made auto, with a preference of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column; it is JSON, and null of every other combo."""
    op.add_column("combos", sa.Column("preference", sa.Text(), nullable=True))
