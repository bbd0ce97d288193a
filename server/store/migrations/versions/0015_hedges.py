"""A combo says after which percentile of first bytes a second model is called."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the column; combos of before never hedge."""
    op.add_column("combos", sa.Column("hedge_percentile", sa.BigInteger(), nullable=True))
