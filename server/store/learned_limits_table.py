"""The table of learned limits, declared; see tables.py for what such a declaration is for."""

from sqlalchemy import BigInteger, Double, PrimaryKeyConstraint, Text
from sqlmodel import Field

from .table import Table


class LearnedLimitRow(Table, table=True):
    """A limit of a provider, as its newest answer told it; null is unknown.

    `reset_s` counts from `told_unix_s` on.
    """

    __tablename__ = "learned_limits"
    __table_args__ = (PrimaryKeyConstraint("account_id", "model", "dimension"),)

    account_id: str = Field(sa_type=Text)
    model: str = Field(sa_type=Text)
    dimension: str = Field(sa_type=Text)
    allowed: int | None = Field(sa_type=BigInteger)
    remaining: int | None = Field(sa_type=BigInteger)
    reset_s: float | None = Field(sa_type=Double)
    told_unix_s: float = Field(sa_type=Double)
