"""The provider limits of omniroute_get_health: who rests, and what is left for the others."""

from typing import Annotated, Literal

from msgspec import Meta

from omniroute.routing.quotas import LimitRow
from omniroute.routing.views import HealthView

from .shapes import Result

MINUTE = "requests-minute"
"""The one dimension that is known to be counted by the minute: others may be a day's."""


class Window(Result, frozen=True):
    """One limit, as the provider's last answer told it, or as the profile has it."""

    dimension: Annotated[str, Meta(description='What is counted, such as "requests".')]
    limit: int | None
    remaining: int | None
    reset_s: Annotated[
        float | None, Meta(description="Seconds until it is full again; null: not known.")
    ]
    age_s: Annotated[float, Meta(description="Seconds since the provider told it, or refused.")]
    source: Annotated[
        Literal["provider", "profile"],
        Meta(description="Whose number it is: the profile's holds a minute after a refusal."),
    ]


class RateLimit(Result, frozen=True):
    """One account or model that rests, or whose provider tells its limits."""

    provider: str
    rpm: Annotated[int | None, Meta(description="The limit per minute; null: not known.")]
    current_usage: Annotated[int | None, Meta(description="Calls in this minute; null: unknown.")]
    is_limited: bool
    account: str
    model: Annotated[str | None, Meta(description="null: it holds for the whole account.")]
    reason: Annotated[str | None, Meta(description="Why it rests; null: it does not.")]
    remaining_s: Annotated[
        float | None, Meta(description="Seconds until it is asked again; null: it does not rest.")
    ]
    windows: Annotated[
        tuple[Window, ...], Meta(description="The provider's limits, as its answers told them.")
    ]


def rate_limits(view: HealthView) -> tuple[RateLimit, ...]:
    """Give a row for each that rests, then one for each other whose limits are known."""
    told: dict[tuple[str, str], list[LimitRow]] = {}
    for row in view.limits:
        told.setdefault((row.account_id, row.model), []).append(row)
    resting = [
        _row(
            one.provider,
            (one.account_id, one.model),
            told.pop((one.account_id, one.model), []),
            reason=one.reason,
            remaining_s=round(one.remaining_s, 3),
        )
        for one in view.cooldowns
    ]
    return (*resting, *(_row(rows[0].provider, scope, rows) for scope, rows in told.items()))


def _row(
    provider: str,
    scope: tuple[str, str],
    rows: list[LimitRow],
    *,
    reason: str | None = None,
    remaining_s: float | None = None,
) -> RateLimit:
    minute = next((one for one in rows if one.dimension == MINUTE), None)
    rpm = None if minute is None else minute.limit
    left = None if minute is None else minute.remaining
    return RateLimit(
        provider=provider,
        rpm=rpm,
        current_usage=None if rpm is None or left is None else max(rpm - left, 0),
        is_limited=reason is not None,
        account=scope[0],
        model=scope[1] or None,
        reason=reason,
        remaining_s=remaining_s,
        windows=tuple(map(window, rows)),
    )


def window(row: LimitRow) -> Window:
    """Give one limit as tools tell it."""
    return Window(
        dimension=row.dimension,
        limit=row.limit,
        remaining=row.remaining,
        reset_s=None if row.reset_s is None else round(row.reset_s, 3),
        age_s=round(row.age_s, 3),
        source=row.source,
    )
