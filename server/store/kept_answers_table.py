"""The table of kept answers, declared; see tables.py for what such a declaration is for."""

from sqlalchemy import Double, Index, LargeBinary, PrimaryKeyConstraint, Text
from sqlmodel import Field

from .table import Table


class KeptAnswerRow(Table, table=True):
    """An answer to be given again, or, while `headers` is null, a claim on making it.

    The client's name for the request is kept as a hash; `digest` is its body's.
    """

    __tablename__ = "kept_answers"
    __table_args__ = (
        PrimaryKeyConstraint("key_id", "name_hash"),
        Index("ix_kept_answers_until_unix_s", "until_unix_s"),
    )

    key_id: str = Field(sa_type=Text)
    name_hash: str = Field(sa_type=Text)
    digest: str = Field(sa_type=Text)
    claim_id: str = Field(sa_type=Text)
    headers: str | None = Field(sa_type=Text)
    body: bytes | None = Field(sa_type=LargeBinary)
    until_unix_s: float = Field(sa_type=Double)
