"""What the documented `/api/usage/budget` and `/api/compliance/audit-log` speak, as values.

Money is in dollars, as OmniRoute documents it. What is spent is the budgets' own figure, which
is what refuses; what a key without a budget has spent is added up from its requests.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

Dollars = Annotated[float, Meta(gt=0, le=1_000_000_000)]


class LimitsJson(Struct, frozen=True, rename="camel"):
    """What a key may spend; null has no limit."""

    daily_limit_usd: float | None
    monthly_limit_usd: float | None
    warning_threshold: float | None


class CheckJson(Struct, frozen=True, rename="camel"):
    """Whether a request that costs anything would be let through now, and why not."""

    allowed: bool
    reason: str | None
    daily_used: float
    daily_limit: float | None
    monthly_used: float
    monthly_limit: float | None
    warning_reached: bool
    remaining: float | None


class KeyBudgetJson(Struct, frozen=True, rename="camel"):
    """What a key has spent today and this month in UTC, and what it may."""

    api_key_id: str
    daily_total: float
    monthly_total: float
    total_entries: int
    budget: LimitsJson | None
    budget_check: CheckJson


class KeyBudgetWish(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What a key is to be let spend a day, and a month where that is said."""

    api_key_id: str
    daily_limit_usd: Dollars
    monthly_limit_usd: Dollars | None = None
    warning_threshold: Annotated[float, Meta(ge=0, le=1)] | None = None


class KeyBudgetSetJson(Struct, frozen=True, rename="camel"):
    """What was set."""

    success: bool
    api_key_id: str
    daily_limit_usd: float
    monthly_limit_usd: float | None


class AuditRowJson(Struct, frozen=True, rename="camel"):
    """One change: who made it and of what. Addresses of clients are not kept."""

    timestamp: str
    action: str
    actor: str
    target: str
    details: Any
    ip_address: None
