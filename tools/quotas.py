"""The tool that tells what is left at the providers: limits, rests, and how credentials stand.

The figures of an account are those of the tightest thing that is known of it: a rest, which
leaves nothing, or the limit of which the smallest share is left. Nothing known is null.
"""

from typing import Annotated, Literal

from msgspec import Meta

from omniroute.routing.catalog.providers import provider_named
from omniroute.routing.model import Caller
from omniroute.routing.quotas import LimitRow, QuotaRow, share_left, tightest
from omniroute.routing.views import Views

from .invocation import Invocation
from .limits import Window, window
from .shapes import Arguments, Result
from .units import iso

EXPIRING_S = 900.0
"""A token that ends sooner is expiring, as documented."""

TokenStatus = Literal["valid", "expiring", "expired", "refreshing"]
Named = Annotated[str, Meta(min_length=1, max_length=128)]


class CheckQuota(Arguments, frozen=True):
    """What omniroute_check_quota takes."""

    provider: Annotated[
        Named | None, Meta(description="Only this provider's accounts; all without.")
    ] = None
    connection_id: Annotated[
        Named | None, Meta(description="Only the account of this id or name; all without.")
    ] = None


class QuotaWindow(Window, frozen=True):
    """One limit of a provider, and for whom it holds."""

    model: Annotated[str | None, Meta(description="null: it holds for the whole account.")]


class Resting(Result, frozen=True):
    """Who is not asked for a while."""

    model: Annotated[str | None, Meta(description="null: the whole account rests.")]
    reason: str
    remaining_s: Annotated[float, Meta(description="Seconds until it is asked again.")]


class ProviderQuota(Result, frozen=True):
    """One account at a provider, by the tightest thing that is known of it."""

    name: str
    provider: str
    connection_id: str
    quota_used: Annotated[float | None, Meta(description="Of quotaTotal; null: not known.")]
    quota_total: Annotated[float | None, Meta(description="null: no limit is known.")]
    percent_remaining: Annotated[
        Annotated[float, Meta(ge=0, le=100)] | None,
        Meta(description="0 while it rests; null: no limit is known."),
    ]
    reset_at: Annotated[
        str | None, Meta(description="When it is full, or asked, again (ISO 8601); null: unknown.")
    ]
    token_status: Annotated[
        TokenStatus,
        Meta(
            description="expired: the provider refused the credential, or its token's time is "
            "over and the next call fetches another; expiring: within 15 minutes."
        ),
    ]
    token_expires_at: Annotated[
        str | None, Meta(description="ISO 8601; null: the credential has no known end.")
    ]
    source: Annotated[
        Literal["provider", "profile", "rest", "unknown"],
        Meta(
            description="Whose figures these are: the provider's own, the resilience profile's "
            "after a refusal, those of a rest, or nobody's."
        ),
    ]
    dimension: Annotated[str | None, Meta(description='What is counted, such as "requests".')]
    model: Annotated[str | None, Meta(description="Whose figures these are; null: the account.")]
    resting: tuple[Resting, ...]
    windows: Annotated[tuple[QuotaWindow, ...], Meta(description="Every limit that is known.")]
    enabled: bool
    simulated: bool


class QuotaFilters(Result, frozen=True):
    """What was asked for."""

    provider: str | None
    connection_id: str | None


class QuotaMeta(Result, frozen=True):
    """About the answer."""

    generated_at: Annotated[str, Meta(description="ISO 8601.")]
    filters: QuotaFilters
    total_providers: Annotated[int, Meta(description="Accounts listed.")]


class Quotas(Result, frozen=True):
    """What omniroute_check_quota gives."""

    providers: tuple[ProviderQuota, ...]
    meta: QuotaMeta


async def check_quota(call: Invocation, arguments: CheckQuota) -> Quotas:
    """Run omniroute_check_quota.

    Raises:
        NotFound: no account is of that provider, or has that id or name.
    """
    asked, account = arguments.provider, arguments.connection_id
    return quotas_of(call.gateway.view, call.caller, asked, account)


def quotas_of(view: Views, caller: Caller, asked: str | None, connection_id: str | None) -> Quotas:
    """Give what is left at the accounts of a provider, or at one of them; None is any.

    Raises:
        NotFound: no account is of that provider, or has that id or name.
    """
    rows = view.quotas(caller, provider=asked, account=connection_id)
    known = None if asked is None else provider_named(asked)
    now_unix_s = view.clock.unix()
    return Quotas(
        tuple(_quota(row, view.clock.now(), now_unix_s) for row in rows),
        QuotaMeta(
            generated_at=iso(now_unix_s),
            filters=QuotaFilters(asked if known is None else known.name, connection_id),
            total_providers=len(rows),
        ),
    )


def _quota(row: QuotaRow, now_s: float, now_unix_s: float) -> ProviderQuota:
    limit, rest = tightest(row)
    used = total = percent = reset_s = dimension = model = None
    source: Literal["provider", "profile", "rest", "unknown"] = "unknown"
    if limit is not None:
        total, dimension, source = limit.limit, limit.dimension, limit.source
        percent, reset_s, model = share_left(limit), limit.reset_s, limit.model
        used = None if total is None or limit.remaining is None else total - limit.remaining
    elif rest is not None:
        percent, reset_s, model, source = 0.0, rest.remaining_s, rest.model, "rest"
    ends_s = None if row.token is None else row.token.ends_s
    return ProviderQuota(
        name=row.name,
        provider=row.provider,
        connection_id=row.account_id,
        quota_used=used,
        quota_total=total,
        percent_remaining=None if percent is None else round(percent * 100, 2),
        reset_at=None if reset_s is None else iso(now_unix_s + reset_s),
        token_status=_token_status(row, now_s),
        token_expires_at=None if ends_s is None else iso(now_unix_s + ends_s - now_s),
        source=source,
        dimension=dimension,
        model=model or None,
        resting=tuple(
            Resting(one.model or None, one.reason, round(one.remaining_s, 3)) for one in row.rests
        ),
        windows=tuple(_window(one) for one in row.limits),
        enabled=row.enabled,
        simulated=row.simulated,
    )


def _token_status(row: QuotaRow, now_s: float) -> TokenStatus:
    if row.token is not None and row.token.renewing:
        return "refreshing"
    if row.refused:
        return "expired"
    if row.token is None:
        return "valid"
    left_s = row.token.ends_s - now_s
    if left_s <= 0.0:
        return "expired"
    return "expiring" if left_s <= EXPIRING_S else "valid"


def _window(row: LimitRow) -> QuotaWindow:
    one = window(row)
    return QuotaWindow(
        dimension=one.dimension,
        limit=one.limit,
        remaining=one.remaining,
        reset_s=one.reset_s,
        age_s=one.age_s,
        source=one.source,
        model=row.model or None,
    )
