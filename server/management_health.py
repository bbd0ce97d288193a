"""What `/api/resilience` and `/api/timings` speak, as values; see management.py."""

from dataclasses import dataclass

from omniroute.routing.health.profiles import PROFILES, Profile
from omniroute.routing.quotas import LimitRow
from omniroute.routing.views import AlertRow, HealthView, TimingRow


@dataclass(frozen=True, slots=True)
class ProfileJson:
    """One resilience profile.

    `failures_max` failures in a row open a circuit for `open_s`; the bases of an overload's and a
    rate limit's rest double at most `level_max` times. An account that refused for its rate
    gets so many requests a minute, so far apart, and so many at once.
    """

    name: str
    failures_max: int
    open_s: float
    transient_s: float
    rate_limit_s: float
    level_max: int
    requests_per_minute_max: int
    gap_s_min: float
    concurrency_max: int


@dataclass(frozen=True, slots=True)
class OpenCircuitJson:
    """A circuit that is not closed; `model` is "" for the whole account's."""

    provider: str
    account_id: str
    model: str
    state: str
    failures: int
    next_try_s: float | None


@dataclass(frozen=True, slots=True)
class RestJson:
    """An account or a model that is not asked, why, and for how long still."""

    provider: str
    account_id: str
    model: str
    reason: str
    remaining_s: float


@dataclass(frozen=True, slots=True)
class LockoutJson:
    """A model that its provider does not serve to this account, said so often in a row."""

    provider: str
    account_id: str
    model: str
    reason: str
    times: int
    remaining_s: float


@dataclass(frozen=True, slots=True)
class LimitJson:
    """A limit that an account, or one of its models, is held to; None is unknown.

    `source` is "provider" for what an answer told, "profile" for the profile's own number.
    """

    provider: str
    account_id: str
    model: str
    dimension: str
    limit: int | None
    remaining: int | None
    reset_s: float | None
    source: str
    age_s: float
    expires_s: float


@dataclass(frozen=True, slots=True)
class ResilienceJson:
    """The resilience profile in force, every one there is, and what stands in the way now.

    `rests` holds everything that is not asked, the models that are locked out as well.
    """

    profile: str
    profiles: tuple[ProfileJson, ...]
    circuits: tuple[OpenCircuitJson, ...] = ()
    rests: tuple[RestJson, ...] = ()
    lockouts: tuple[LockoutJson, ...] = ()
    limits: tuple[LimitJson, ...] = ()


@dataclass(frozen=True, slots=True)
class ResetWish:
    """What to close and end: all, an account's (its id, name or provider), or one model's."""

    account: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class ResetJson:
    """How many circuits, rests, lock-outs and spent limits were ended."""

    reset_count: int


@dataclass(frozen=True, slots=True)
class ResilienceWish:
    """The resilience profile to put in force."""

    profile: str


@dataclass(frozen=True, slots=True)
class AlertJson:
    """Something that happened `times` times, first and last at these times; `name` is stable."""

    name: str
    provider: str
    account_id: str
    model: str
    detail: str
    at_unix_s: float
    last_unix_s: float
    times: int


@dataclass(frozen=True, slots=True)
class AlertsJson:
    """The alerts of the gateway since its start, the newest first."""

    alerts: tuple[AlertJson, ...]


@dataclass(frozen=True, slots=True)
class TimingJson:
    """How fast a model at an account answered of late; None before its first good answer.

    `peak_ms` follows a slow first byte or a failure at once and fades; balancing reads it.
    `swapped` counts the answers that came from another model than was asked for.
    """

    provider: str
    account_id: str
    model: str
    peak_ms: int
    first_byte_p50_ms: int | None
    first_byte_p95_ms: int | None
    first_byte_p99_ms: int | None
    first_byte_deviation_ms: int | None
    total_p50_ms: int | None
    total_p95_ms: int | None
    total_p99_ms: int | None
    swapped: int


@dataclass(frozen=True, slots=True)
class TimingsJson:
    """Every model at every account that was used since the start."""

    timings: tuple[TimingJson, ...]


def resilience_json(in_force: Profile, health: HealthView | None) -> ResilienceJson:
    """Give the profile in force and, where it may be seen, what stands in the way."""
    profiles = tuple(map(profile_json, PROFILES))
    if health is None:
        return ResilienceJson(in_force.name, profiles)
    return ResilienceJson(
        profile=in_force.name,
        profiles=profiles,
        circuits=tuple(
            OpenCircuitJson(
                *(one.provider, one.account_id, one.model, one.state, one.failures),
                next_try_s=one.next_try_s,
            )
            for one in health.circuits
            if one.state != "CLOSED"
        ),
        rests=tuple(
            RestJson(one.provider, one.account_id, one.model, one.reason, one.remaining_s)
            for one in health.cooldowns
        ),
        lockouts=tuple(
            LockoutJson(
                *(one.provider, one.account_id, one.model, one.reason),
                times=one.times,
                remaining_s=one.remaining_s,
            )
            for one in health.lockouts
        ),
        limits=tuple(map(limit_json, health.limits)),
    )


def alert_json(row: AlertRow) -> AlertJson:
    """Give an alert as the API shows it."""
    return AlertJson(
        *(row.name, row.provider, row.account_id, row.model, row.detail),
        at_unix_s=row.at_unix_s,
        last_unix_s=row.last_unix_s,
        times=row.times,
    )


def limit_json(row: LimitRow) -> LimitJson:
    """Give a limit as the API shows it."""
    return LimitJson(
        *(row.provider, row.account_id, row.model, row.dimension, row.limit, row.remaining),
        reset_s=row.reset_s,
        source=row.source,
        age_s=row.age_s,
        expires_s=row.expires_s,
    )


def timing_json(row: TimingRow) -> TimingJson:
    """Give a model's times as the API shows them."""
    return TimingJson(
        provider=row.provider,
        account_id=row.account_id,
        model=row.model,
        peak_ms=row.latency.peak_ms,
        first_byte_p50_ms=row.latency.first_byte_p50_ms,
        first_byte_p95_ms=row.latency.first_byte_p95_ms,
        first_byte_p99_ms=row.latency.first_byte_p99_ms,
        first_byte_deviation_ms=row.latency.first_byte_deviation_ms,
        total_p50_ms=row.latency.total_p50_ms,
        total_p95_ms=row.latency.total_p95_ms,
        total_p99_ms=row.latency.total_p99_ms,
        swapped=row.swapped,
    )


def profile_json(profile: Profile) -> ProfileJson:
    """Give a profile as the API shows it."""
    return ProfileJson(
        profile.name,
        failures_max=profile.failures_max,
        open_s=profile.open_s,
        transient_s=profile.transient_s,
        rate_limit_s=profile.rate_limit_s,
        level_max=profile.level_max,
        requests_per_minute_max=profile.requests_per_minute_max,
        gap_s_min=profile.gap_s_min,
        concurrency_max=profile.concurrency_max,
    )
