"""Resilience profiles: how soon a provider is given up, and how soon it is tried again.

`balanced` suits a gateway with a few providers. `conservative` bears more failures and then
stays away for longer: for providers whose limits punish those who ask again. `aggressive`
moves on after few failures and comes back early: for latency, with many candidates.

A profile in force is one value that the health book passes to its machines at every step,
so a change of it holds from the next step on, also for circuits that are open and cooldowns
that run: their ends are worked out anew from their beginnings.

The numbers are those of the documented profiles for accounts with an API key (OmniRoute
2.3.10, reference table "Resilience profiles"): `transientCooldown`, `rateLimitCooldown`,
`maxBackoffLevel`, `circuitBreakerThreshold`, `circuitBreakerReset`, and of the limiter's
`requestsPerMinute`, `minTimeBetweenRequests`, `concurrentRequests` (whom they hold back is
said in pacing.py). Two readings of ours: a
documented rate-limit cooldown of 0 means "obey the hint", and without one the documented
error table's 1 s is the base; the transient cooldown is taken for an overload, while other
server errors are left to the breaker (see policy.COOLDOWN_S for why).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import BadRequest
from ..preference import ProfileName

UNHINTED_RATE_LIMIT_S = 1.0
"""The base of a rate limit's rest where the profile says to obey the hint and there is none."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile.

    Attributes:
        failures_max: failures in a row that open a circuit.
        open_s: how long a circuit stays open the first time.
        transient_s: the base of an overload's rest.
        rate_limit_s: the base of a rate limit's rest without a hint.
        level_max: how often a base is doubled at most.
        requests_per_minute_max: what an account that is held back gets in a minute.
        gap_s_min: how far apart its requests are.
        concurrency_max: how many of its calls may be under way.
    """

    name: ProfileName
    failures_max: int
    open_s: float
    transient_s: float
    rate_limit_s: float
    level_max: int
    requests_per_minute_max: int
    gap_s_min: float
    concurrency_max: int


BALANCED = Profile(
    "balanced",
    failures_max=5,
    open_s=30.0,
    transient_s=3.0,
    rate_limit_s=UNHINTED_RATE_LIMIT_S,
    level_max=5,
    requests_per_minute_max=100,
    gap_s_min=0.2,
    concurrency_max=10,
)

PROFILES: tuple[Profile, ...] = (
    Profile(
        "conservative",
        failures_max=8,
        open_s=60.0,
        transient_s=5.0,
        rate_limit_s=30.0,
        level_max=8,
        requests_per_minute_max=60,
        gap_s_min=0.35,
        concurrency_max=6,
    ),
    BALANCED,
    Profile(
        "aggressive",
        failures_max=3,
        open_s=15.0,
        transient_s=2.0,
        rate_limit_s=UNHINTED_RATE_LIMIT_S,
        level_max=3,
        requests_per_minute_max=180,
        gap_s_min=0.1,
        concurrency_max=16,
    ),
)

_BY_NAME: Mapping[str, Profile] = {one.name: one for one in PROFILES}


def profile_named(name: str) -> Profile:
    """Give a profile.

    Raises:
        BadRequest: none goes by that name.
    """
    found = _BY_NAME.get(name)
    if found is None:
        raise BadRequest(
            f"no resilience profile is named {name!r}; there are {', '.join(_BY_NAME)}",
            field="profile",
        )
    return found
