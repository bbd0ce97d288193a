"""A key can wish that its prompts and answers are kept, and where they are."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    """Make the table; no key has wished for it before."""
    op.add_column(
        "keys", sa.Column("log_content", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "request_contents",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("at_unix_s", sa.Double(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", name="pk_request_contents"),
    )
    op.create_index("ix_request_contents_at_unix_s", "request_contents", ["at_unix_s"])
    op.create_index("ix_request_contents_key_id", "request_contents", ["key_id"])
