"""Keys have rates and can be rolled, and a run says which gateway it serves for."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

RATES = ("requests_per_minute", "tokens_per_minute", "concurrency_max")


def upgrade() -> None:
    """Add the columns; keys of before have no rates and their first secret."""
    for name in RATES:
        op.add_column("keys", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("keys", sa.Column("rolled_unix_s", sa.Double(), nullable=True))
    op.add_column("keys", sa.Column("old_digest", sa.LargeBinary(), nullable=True))
    op.add_column("keys", sa.Column("old_pepper_id", sa.Text(), nullable=True))
    op.add_column("keys", sa.Column("old_until_unix_s", sa.Double(), nullable=True))
    op.add_column("boots", sa.Column("gateway", sa.Text(), nullable=True))
