"""Old requests can be removed: chains have checkpoints, and what is due is found by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the table and the indexes."""
    op.create_table(
        "checkpoints",
        sa.Column("chain_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("mac_key_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "kind", name="pk_checkpoints"),
    )
    op.create_index("ix_decisions_snapshot_id", "decisions", ["snapshot_id"])
    op.create_index("ix_reservations_settled_unix_s", "reservations", ["settled_unix_s"])
