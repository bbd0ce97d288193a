"""What `/api/resilience` and `/api/timings` speak, as values; see management.py."""

from dataclasses import dataclass

from omniroute.routing.health.profiles import Profile
from omniroute.routing.views import TimingRow


@dataclass(frozen=True, slots=True)
class ProfileJson:
    """One resilience profile.

    `failures_max` failures in a row open a circuit for `open_s`; the bases of an overload's and a
    rate limit's rest double at most `level_max` times.
    """

    name: str
    failures_max: int
    open_s: float
    transient_s: float
    rate_limit_s: float
    level_max: int


@dataclass(frozen=True, slots=True)
class ResilienceJson:
    """The resilience profile in force, and every one there is."""

    profile: str
    profiles: tuple[ProfileJson, ...]


@dataclass(frozen=True, slots=True)
class ResilienceWish:
    """The resilience profile to put in force."""

    profile: str


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
    )
