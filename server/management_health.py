"""What `/api/resilience` and `/api/limits` speak, as values; see management.py."""

from dataclasses import dataclass

from omniroute.routing.health.profiles import Profile


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
