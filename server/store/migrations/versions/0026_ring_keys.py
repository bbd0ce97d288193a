"""Keys of the ring can be retired: which were, and what is kept of them."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Make the table; no key was retired before."""
    op.create_table(
        "ring_keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("known_unix_s", sa.Double(), nullable=False),
        sa.Column("retired_unix_s", sa.Double(), nullable=True),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name="pk_ring_keys"),
    )
