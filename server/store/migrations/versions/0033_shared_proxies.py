"""Proxies that accounts share: of one provider, or of all."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0028"


def upgrade() -> None:
    """Make the table; no proxy was shared before."""
    op.create_table(
        "shared_proxies",
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("changed_unix_s", sa.Double(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_shared_proxies"),
    )
