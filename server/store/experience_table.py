"""The table of what was learned, declared; see tables.py for what such a declaration is for."""

from sqlalchemy import BigInteger, Double, PrimaryKeyConstraint, Text
from sqlmodel import Field

from .table import Table


class ExperienceRow(Table, table=True):
    """Counts of one model in one family of question; of all families where `family` is empty."""

    __tablename__ = "experience"
    __table_args__ = (PrimaryKeyConstraint("model", "family"),)

    model: str = Field(sa_type=Text)
    family: str = Field(sa_type=Text)
    good: int = Field(sa_type=BigInteger)
    bad: int = Field(sa_type=BigInteger)
    answers: int = Field(sa_type=BigInteger)
    output_tokens: int = Field(sa_type=BigInteger)
    micros: int = Field(sa_type=BigInteger)
    changed_unix_s: float = Field(sa_type=Double)
