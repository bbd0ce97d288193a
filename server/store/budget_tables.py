"""The tables of budgets and what is set aside from them, declared; see tables.py for what for."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Text,
    false,
    text,
)
from sqlmodel import Field

from .table import Table


class BudgetRow(Table, table=True):
    """A limit on spending. `period` is total, day or month (both in UTC).

    `action` is block, degrade (to a `tier`, cheap or free) or alert. Without a `combo` and a
    `session_id` it is of all requests of its key.
    """

    __tablename__ = "budgets"
    __table_args__ = (
        CheckConstraint("cap_usd_nanos >= 0", name="cap"),
        Index("ix_budgets_key_id", "key_id"),
    )

    budget_id: str = Field(primary_key=True, sa_type=Text)
    key_id: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    cap_usd_nanos: int = Field(sa_type=BigInteger)
    period: str = Field(sa_type=Text)
    created_unix_s: float = Field(sa_type=Double)
    warn_percent: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": text("80")})
    allow_unpriced: bool = Field(sa_column_kwargs={"server_default": false()})
    action: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("'block'")})
    tier: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("'cheap'")})
    combo: str | None = Field(sa_type=Text)
    session_id: str | None = Field(sa_type=Text)


class BudgetWindowRow(Table, table=True):
    """What a budget has spent and holds in one window; `window_start` 0 is the whole of time.

    `held_usd_nanos` is for open reservations and for leases; the part for leases is in
    `leased_usd_nanos`, too. `recalled_unix_s` is when leases were last called back. `cap_passed`
    says that the sum may stand above the cap: the cap was lowered below it, an answer cost more
    than its bound, or the budget only alerts. It lets no reservation through.
    """

    __tablename__ = "budget_windows"
    __table_args__ = (
        PrimaryKeyConstraint("budget_id", "window_start"),
        CheckConstraint("spent_usd_nanos >= 0", name="spent"),
        CheckConstraint("held_usd_nanos >= 0", name="held"),
        CheckConstraint(
            "cap_passed OR spent_usd_nanos + held_usd_nanos <= cap_usd_nanos", name="cap"
        ),
    )

    budget_id: str = Field(sa_type=Text, foreign_key="budgets.budget_id", ondelete="CASCADE")
    window_start: int = Field(sa_type=BigInteger)
    cap_usd_nanos: int = Field(sa_type=BigInteger)
    spent_usd_nanos: int = Field(sa_type=BigInteger)
    held_usd_nanos: int = Field(sa_type=BigInteger)
    cap_passed: bool
    leased_usd_nanos: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    recalled_unix_s: float = Field(sa_type=Double, sa_column_kwargs={"server_default": "0"})


class ReservationRow(Table, table=True):
    """Money set aside for one call. `lines` is a list of [budget_id, window_start]."""

    __tablename__ = "reservations"
    __table_args__ = (
        Index(
            "ix_reservations_open",
            "boot_id",
            sqlite_where=text("actual_usd_nanos IS NULL"),
            postgresql_where=text("actual_usd_nanos IS NULL"),
        ),
        Index("ix_reservations_settled_unix_s", "settled_unix_s"),
    )

    hold_id: str = Field(primary_key=True, sa_type=Text)
    key_id: str = Field(sa_type=Text)
    lines: str = Field(sa_type=Text)
    bound_usd_nanos: int = Field(sa_type=BigInteger)
    actual_usd_nanos: int | None = Field(sa_type=BigInteger)
    abandoned: bool
    boot_id: str = Field(sa_type=Text)
    lease_until_unix_s: float = Field(sa_type=Double)
    created_unix_s: float = Field(sa_type=Double)
    settled_unix_s: float | None = Field(sa_type=Double)


class BudgetLeaseRow(Table, table=True):
    """What one process has set aside of a budget's window for its next requests.

    It also pays for requests that were let through and are not recorded yet: at most
    `exposed_usd_nanos` of it.
    """

    __tablename__ = "budget_leases"
    __table_args__ = (
        ForeignKeyConstraint(
            ["budget_id", "window_start"],
            ["budget_windows.budget_id", "budget_windows.window_start"],
            ondelete="CASCADE",
        ),
    )

    lease_id: str = Field(primary_key=True, sa_type=Text)
    boot_id: str = Field(sa_type=Text)
    budget_id: str = Field(sa_type=Text)
    window_start: int = Field(sa_type=BigInteger)
    leased_usd_nanos: int = Field(sa_type=BigInteger)
    until_unix_s: float = Field(sa_type=Double)
    exposed_usd_nanos: int = Field(sa_type=BigInteger)
