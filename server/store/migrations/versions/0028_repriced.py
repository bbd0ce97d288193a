"""A request can be priced anew: the new figure stands beside what it has cost."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0026"


def upgrade() -> None:
    """Add the column; nothing was priced anew before."""
    op.add_column("outcomes", sa.Column("repriced_usd_nanos", sa.BigInteger(), nullable=True))
