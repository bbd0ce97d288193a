"""Answers that are kept for repeated requests, and the claims on those under way."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "kept_answers",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("name_hash", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("claim_id", sa.Text(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("until_unix_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "name_hash", name="pk_kept_answers"),
    )
    op.create_index("ix_kept_answers_until_unix_s", "kept_answers", ["until_unix_s"])
