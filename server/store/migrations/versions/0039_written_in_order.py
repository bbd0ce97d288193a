"""Who stored a request, and in which order: those that came since can be asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0037"


def upgrade() -> None:
    """Add the columns, which are not known of what was stored before, and their index."""
    op.add_column("outcomes", sa.Column("written_by", sa.Text(), nullable=True))
    op.add_column("outcomes", sa.Column("written_seq", sa.BigInteger(), nullable=True))
    op.create_index("ix_outcomes_written_by_written_seq", "outcomes", ["written_by", "written_seq"])
