"""The table of tool calls, declared; see tables.py for what such a declaration is for."""

from sqlalchemy import BigInteger, Double, Index, Integer, LargeBinary, Text
from sqlmodel import Field

from .table import Table


class ToolCallRow(Table, table=True):
    """One call of an MCP tool, chained to the one its writer stored before.

    `id` counts rows and is covered by no chain; all else is.
    """

    __tablename__ = "mcp_tool_audit"
    __table_args__ = (
        Index("ix_mcp_tool_audit_call_id", "call_id", unique=True),
        Index("ix_mcp_tool_audit_chain_id_seq", "chain_id", "seq", unique=True),
        Index("ix_mcp_tool_audit_at_unix_s", "at_unix_s"),
        Index("ix_mcp_tool_audit_key_id_at_unix_s", "key_id", "at_unix_s"),
        Index("ix_mcp_tool_audit_tool_at_unix_s", "tool", "at_unix_s"),
    )

    id: int | None = Field(primary_key=True, sa_type=BigInteger().with_variant(Integer(), "sqlite"))
    call_id: str = Field(sa_type=Text)
    key_id: str = Field(sa_type=Text)
    tool: str = Field(sa_type=Text)
    at_unix_s: float = Field(sa_type=Double)
    duration_ms: int = Field(sa_type=BigInteger)
    outcome: str = Field(sa_type=Text)
    error: str | None = Field(sa_type=Text)
    input_hash: str | None = Field(sa_type=Text)
    arguments: str | None = Field(sa_type=Text)
    output_summary: str | None = Field(sa_type=Text)
    era: str | None = Field(sa_type=Text)
    transport: str = Field(sa_type=Text)
    chain_id: str = Field(sa_type=Text)
    seq: int = Field(sa_type=BigInteger)
    mac: bytes = Field(sa_type=LargeBinary)
