"""What is left at the providers: limits, rests and credentials of each account.

A figure is a provider's own word, or the resilience profile's where it has refused without
giving one; where there is neither nothing is known, and nothing is made up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .catalog.providers import provider_named
from .errors import NotFound
from .health.book import HealthBook
from .health.pacing import MINUTE_S, Pace
from .health.profiles import Profile
from .health.quota import Learned
from .model import Account

REFUSED = "auth"
"""Why an account rests whose credential its provider refuses."""


@dataclass(frozen=True, slots=True)
class CooldownRow:
    """One account or model that waits."""

    provider: str
    account_id: str
    model: str
    reason: str
    remaining_s: float


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A limit that an account or one of its models is held to; None is unknown.

    `source` is "provider" for what an answer told `age_s` ago, and "profile" for the resilience
    profile's number, in force since a refusal `age_s` ago; it is forgotten after `expires_s`.
    """

    provider: str
    account_id: str
    model: str
    dimension: str
    limit: int | None
    remaining: int | None
    reset_s: float | None
    age_s: float
    source: Literal["provider", "profile"] = "provider"
    expires_s: float = 0.0


@dataclass(frozen=True, slots=True)
class TokenStanding:
    """A short-lived token that stands for a credential: seconds of the engine's Clock."""

    ends_s: float
    renewing: bool


TokenOf = Callable[[Account], TokenStanding | None]
"""Gives an account's token; None where its credential is sent as it is, or none was fetched."""


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """What is known of what one account has left.

    Attributes:
        rests: of the account and of its models, that the provider's refusals or limits began.
        refused: its provider has refused its credential, and answered nothing since.
    """

    provider: str
    account_id: str
    name: str
    enabled: bool
    simulated: bool
    limits: tuple[LimitRow, ...]
    rests: tuple[CooldownRow, ...]
    token: TokenStanding | None
    refused: bool


def tightest(row: QuotaRow) -> tuple[LimitRow | None, CooldownRow | None]:
    """Give the limit with the smallest share, or a rest where no limit says as much."""
    shares = [(share, one) for one in row.limits if (share := share_left(one)) is not None]
    limit = min(shares, key=lambda pair: pair[0], default=(1.0, None))
    if row.rests and (limit[1] is None or limit[0] > 0.0):
        return None, max(row.rests, key=lambda one: (not one.model, one.remaining_s))
    if limit[1] is None and row.limits:
        # Its number is known, and what is left of it is not any more.
        return row.limits[0], None
    return limit[1], None


def share_left(row: LimitRow) -> float | None:
    """Give how much of a limit is left, 0 to 1; None when that is not known."""
    if not row.limit or row.remaining is None:
        return None
    return min(row.remaining / row.limit, 1.0)


def no_tokens(account: Account) -> TokenStanding | None:
    """Do as a gateway does that exchanges no credentials for tokens."""
    return None


def accounts_meant(
    accounts: Sequence[Account], *, provider: str | None, account: str | None
) -> tuple[Account, ...]:
    """Give the accounts of a provider and of an id or name; None means every one.

    Raises:
        NotFound: there is none; says which there are.
    """
    known = None if provider is None else provider_named(provider)
    owner = provider if known is None else known.name
    found = tuple(
        one
        for one in accounts
        if owner in (None, one.provider) and account in (None, one.account_id, one.name)
    )
    if found or (provider is None and account is None):
        return found
    there = ", ".join(dict.fromkeys(one.provider for one in accounts)) or "none"
    asked = " and ".join(
        f"{what} {value!r}"
        for what, value in (("provider", provider), ("id or name", account))
        if value is not None
    )
    raise NotFound(
        f"no account has the {asked}; there are accounts of {there}, and "
        "`omniroute providers list` shows their ids"
    )


def quota_rows(
    book: HealthBook, accounts: Sequence[Account], token_of: TokenOf, now: float
) -> tuple[QuotaRow, ...]:
    """Give a row for each account, in their order."""
    providers = {one.account_id: one.provider for one in accounts}
    limits = limit_rows(book, providers, now)
    rests = _rests(book, providers, now)
    return tuple(
        QuotaRow(
            provider=one.provider,
            account_id=one.account_id,
            name=one.name or one.provider,
            enabled=one.enabled,
            simulated=one.simulated,
            limits=tuple(row for row in limits if row.account_id == one.account_id),
            rests=tuple(row for row in rests if row.account_id == one.account_id),
            token=token_of(one),
            refused=_is_refused(book, one),
        )
        for one in accounts
    )


def limit_rows(book: HealthBook, providers: Mapping[str, str], now: float) -> tuple[LimitRow, ...]:
    """Give the limits of these accounts: those that providers told, then the profile's.

    Args:
        book: what was observed.
        providers: each account's provider by its id.
        now: of the engine's Clock.
    """
    told = (
        _told_row(providers[account_id], (account_id, model), one, now)
        for (account_id, model), quota in book.quotas.items()
        if account_id in providers
        for one in quota.known(now)
    )
    held = (
        _held_row(providers[account_id], account_id, pace, book.profile, now)
        for (account_id, _), pace in book.paces.items()
        if account_id in providers and pace.until_s > now
    )
    return (*told, *held)


def _rests(book: HealthBook, providers: Mapping[str, str], now: float) -> tuple[CooldownRow, ...]:
    """Give who rests because of a refusal or a spent limit; a model that is gone has no quota."""
    found = {scope: (one.until_s, one.reason) for scope, one in book.cooldowns.items()}
    for scope, quota in book.quotas.items():
        if quota.spent_until_s > found.get(scope, (0.0, ""))[0]:
            found[scope] = (quota.spent_until_s, quota.reason)
    return tuple(
        CooldownRow(providers[account_id], account_id, model, reason, until_s - now)
        for (account_id, model), (until_s, reason) in found.items()
        if account_id in providers and until_s > now
    )


def _is_refused(book: HealthBook, account: Account) -> bool:
    rest = book.cooldowns.get((account.account_id, ""))
    return rest is not None and rest.reason == REFUSED


def _told_row(provider: str, scope: tuple[str, str], one: Learned, now: float) -> LimitRow:
    is_fresh, told = one.old_from_s > now, one.told
    return LimitRow(
        *(provider, *scope, told.dimension, told.limit),
        remaining=told.remaining if is_fresh else None,
        reset_s=one.old_from_s - now if is_fresh and told.reset_s is not None else None,
        age_s=now - one.at_s,
        expires_s=one.expires_s - now,
    )


def _held_row(provider: str, account_id: str, pace: Pace, profile: Profile, now: float) -> LimitRow:
    limit, left = profile.requests_per_minute_max, max(pace.left(profile, now), 0.0)
    return LimitRow(
        *(provider, account_id, "", "requests-minute", limit),
        remaining=int(left),
        reset_s=(limit - left) * MINUTE_S / limit,
        age_s=now - pace.refused_s,
        source="profile",
        expires_s=pace.until_s - now,
    )
