"""The table of kept responses, declared; see tables.py for what such a declaration is for."""

from sqlalchemy import BigInteger, Double, Index, LargeBinary, PrimaryKeyConstraint, Text
from sqlmodel import Field

from .table import Table


class KeptResponseRow(Table, table=True):
    """A response, and the items that it was asked beside those of the one before it."""

    __tablename__ = "kept_responses"
    __table_args__ = (
        PrimaryKeyConstraint("key_id", "response_id"),
        Index("ix_kept_responses_created_unix_s", "created_unix_s"),
    )

    key_id: str = Field(sa_type=Text)
    response_id: str = Field(sa_type=Text)
    previous_id: str | None = Field(sa_type=Text)
    items: bytes = Field(sa_type=LargeBinary)
    response: bytes = Field(sa_type=LargeBinary)
    size: int = Field(sa_type=BigInteger)
    created_unix_s: float = Field(sa_type=Double)
