"""The tables of signing in, declared; see tables.py for what such a declaration is for."""

from sqlalchemy import BigInteger, CheckConstraint, Double, Index, LargeBinary, Text
from sqlmodel import Field

from .table import Table


class DashboardSessionRow(Table, table=True):
    """A browser that is signed in to the dashboard, by a MAC of its cookie.

    `scopes` are those that it was given the cookie with. `old_digest` is of the cookie before,
    while that is still good.
    """

    __tablename__ = "dashboard_sessions"
    __table_args__ = (Index("ix_dashboard_sessions_ends_unix_s", "ends_unix_s"),)

    session_id: str = Field(primary_key=True, sa_type=Text)
    digest: bytes = Field(sa_type=LargeBinary)
    pepper_id: str = Field(sa_type=Text)
    old_digest: bytes | None = Field(sa_type=LargeBinary)
    old_pepper_id: str | None = Field(sa_type=Text)
    old_until_unix_s: float | None = Field(sa_type=Double)
    key_id: str = Field(sa_type=Text)
    scopes: str = Field(sa_type=Text)
    made_unix_s: float = Field(sa_type=Double)
    seen_unix_s: float = Field(sa_type=Double)
    ends_unix_s: float = Field(sa_type=Double)
    ended_unix_s: float | None = Field(sa_type=Double)
    address: str = Field(sa_type=Text)
    agent: str = Field(sa_type=Text)


class DashboardPasswordRow(Table, table=True):
    """The dashboard's password, hashed with argon2id; at most one row."""

    __tablename__ = "dashboard_password"
    __table_args__ = (CheckConstraint("only_row = 1", name="only_row"),)

    only_row: int = Field(primary_key=True, sa_type=BigInteger)
    hashed: str = Field(sa_type=Text)
    changed_unix_s: float = Field(sa_type=Double)
    changed_by: str = Field(sa_type=Text)


class SignInFailureRow(Table, table=True):
    """How often signing in has failed lately, from one address or, as `all`, from any."""

    __tablename__ = "sign_in_failures"

    source: str = Field(primary_key=True, sa_type=Text)
    failures: int = Field(sa_type=BigInteger)
    last_unix_s: float = Field(sa_type=Double)
    until_unix_s: float = Field(sa_type=Double)
