"""Signing in to the dashboard: its sessions, its password, and who failed."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0034"


def upgrade() -> None:
    """Make the tables; nobody has signed in before."""
    op.create_table(
        "dashboard_sessions",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("pepper_id", sa.Text(), nullable=False),
        sa.Column("old_digest", sa.LargeBinary(), nullable=True),
        sa.Column("old_pepper_id", sa.Text(), nullable=True),
        sa.Column("old_until_unix_s", sa.Double(), nullable=True),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("made_unix_s", sa.Double(), nullable=False),
        sa.Column("seen_unix_s", sa.Double(), nullable=False),
        sa.Column("ends_unix_s", sa.Double(), nullable=False),
        sa.Column("ended_unix_s", sa.Double(), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_dashboard_sessions"),
    )
    op.create_index("ix_dashboard_sessions_ends_unix_s", "dashboard_sessions", ["ends_unix_s"])
    op.create_table(
        "dashboard_password",
        sa.Column("only_row", sa.BigInteger(), nullable=False),
        sa.Column("hashed", sa.Text(), nullable=False),
        sa.Column("changed_unix_s", sa.Double(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.CheckConstraint("only_row = 1", name="ck_dashboard_password_only_row"),
        sa.PrimaryKeyConstraint("only_row", name="pk_dashboard_password"),
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("last_unix_s", sa.Double(), nullable=False),
        sa.Column("until_unix_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_sign_in_failures"),
    )
