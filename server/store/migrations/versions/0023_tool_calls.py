"""Calls of MCP tools are kept, and chained. Nothing was written into the table of before."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Make the table anew."""
    op.drop_table("mcp_tool_audit")
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "mcp_tool_audit",
        sa.Column("id", number, nullable=False, autoincrement=True),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("at_unix_s", sa.Double(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("input_hash", sa.Text(), nullable=True),
        sa.Column("arguments", sa.Text(), nullable=True),
        sa.Column("output_summary", sa.Text(), nullable=True),
        sa.Column("era", sa.Text(), nullable=True),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("chain_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mcp_tool_audit"),
    )
    for columns, unique in (
        (["call_id"], True),
        (["chain_id", "seq"], True),
        (["at_unix_s"], False),
        (["key_id", "at_unix_s"], False),
        (["tool", "at_unix_s"], False),
    ):
        name = f"ix_mcp_tool_audit_{'_'.join(columns)}"
        op.create_index(name, "mcp_tool_audit", columns, unique=unique)
