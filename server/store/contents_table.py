"""The table of kept prompts and answers, declared; see tables.py for what that is for."""

from sqlalchemy import Double, Index, LargeBinary, Text
from sqlmodel import Field

from .table import Table


class ContentRow(Table, table=True):
    """What was asked and answered in one request, of a key that wishes it: sealed by the vault."""

    __tablename__ = "request_contents"
    __table_args__ = (
        Index("ix_request_contents_at_unix_s", "at_unix_s"),
        Index("ix_request_contents_key_id", "key_id"),
    )

    request_id: str = Field(primary_key=True, sa_type=Text)
    key_id: str = Field(sa_type=Text)
    at_unix_s: float = Field(sa_type=Double)
    secret: bytes = Field(sa_type=LargeBinary)
