"""No number of a resilience profile is without effect: each is measured in a running gateway."""

from collections.abc import Awaitable, Callable
from dataclasses import fields, replace

import pytest

from omniroute.routing.health.profiles import PROFILES, Profile
from omniroute.routing.policy import BACKOFF_S_MAX
from omniroute.server.management_health import ProfileJson, profile_json
from tests.fakes import ADMIN, World, combo, failing, hello, world
from tests.routing.asking import answered, ask, fails

pytestmark = pytest.mark.anyio

Effect = tuple[object, object]
"""What a number led to, and what it should lead to."""
NUMBERS = tuple(one.name for one in fields(Profile) if one.name != "name")


async def under(profile: Profile) -> World:
    """Give a gateway with a profile in force, and a combo that never queues for its first model."""
    here = world(combos=[combo("duo", "one/m", "two/m", queue_s=0.0)])
    await here.gateway.control.set_resilience_profile(profile.name, ADMIN)
    return here


async def rest_after(here: World, kind: str) -> float:
    here.upstream.scripts["one/m"] = failing(fails(kind))  # type: ignore[arg-type]
    await answered(here, "duo")
    (row,) = here.gateway.view.health(ADMIN).cooldowns
    return row.remaining_s


async def held_for(here: World, seconds: float) -> None:
    """Let the account refuse for its rate once, and time pass since."""
    here.upstream.scripts["one/m"] = failing(fails("rate_limited", retry_after_s=1.0))
    await answered(here, "duo")
    here.upstream.scripts["one/m"] = hello
    here.clock.advance(seconds)


async def waits(here: World, requests: int) -> list[float]:
    """Ask the held account so often, as soon as it lets us, and give how long each waited."""
    slept = list[float]()

    async def sleep(wait_s: float) -> None:
        slept.append(wait_s)
        here.clock.advance(wait_s)

    engine = replace(here.gateway.route, sleep=sleep)
    for _ in range(requests):
        (await engine.open(ask(here, "one/m"), ADMIN)).close()
    return slept


async def failures_max(here: World, profile: Profile) -> Effect:
    here.upstream.scripts["one/m"] = failing(fails("server_error"))
    for _ in range(20):
        await answered(here, "duo")
    called = sum(call.candidate.provider == "one" for call in here.upstream.calls)
    return called, profile.failures_max


async def open_s(here: World, profile: Profile) -> Effect:
    here.upstream.scripts["one/m"] = failing(fails("tls"))
    await answered(here, "duo")
    return here.gateway.view.health(ADMIN).circuits[0].next_try_s, profile.open_s


async def transient_s(here: World, profile: Profile) -> Effect:
    return await rest_after(here, "overloaded"), profile.transient_s


async def rate_limit_s(here: World, profile: Profile) -> Effect:
    return await rest_after(here, "rate_limited"), profile.rate_limit_s


async def level_max(here: World, profile: Profile) -> Effect:
    for _ in range(12):
        here.clock.advance(await rest_after(here, "rate_limited") + 60.0)
    longest = min(profile.rate_limit_s * 2**profile.level_max, BACKOFF_S_MAX)
    return await rest_after(here, "rate_limited"), longest


async def requests_per_minute_max(here: World, profile: Profile) -> Effect:
    await held_for(here, 1.0)
    steady = (await waits(here, 10))[-1]
    return round(60.0 / steady), profile.requests_per_minute_max


async def gap_s_min(here: World, profile: Profile) -> Effect:
    await held_for(here, 31.0)
    return (await waits(here, 2)), [pytest.approx(profile.gap_s_min)]


async def concurrency_max(here: World, profile: Profile) -> Effect:
    await held_for(here, 31.0)
    replies, before = [], len(here.upstream.calls)
    for _ in range(profile.concurrency_max + 1):
        replies.append(await here.gateway.route.open(ask(here, "duo"), ADMIN))
        here.clock.advance(profile.gap_s_min)
    for one in replies:
        one.close()
    called = [call.candidate.provider for call in here.upstream.calls[before:]]
    return called, ["one"] * profile.concurrency_max + ["two"]


EFFECTS: dict[str, Callable[[World, Profile], Awaitable[Effect]]] = {
    one.__name__: one
    for one in (
        failures_max,
        open_s,
        transient_s,
        rate_limit_s,
        level_max,
        requests_per_minute_max,
        gap_s_min,
        concurrency_max,
    )
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("profile", PROFILES, ids=lambda one: one.name)
async def test_a_number_of_a_profile_has_its_effect(name: str, profile: Profile) -> None:
    found, wished = await EFFECTS[name](await under(profile), profile)

    assert found == wished


def test_every_number_is_shown_as_it_is() -> None:
    for profile in PROFILES:
        shown = profile_json(profile)

        assert [one.name for one in fields(ProfileJson)] == ["name", *NUMBERS]
        assert all(getattr(shown, name) == getattr(profile, name) for name in NUMBERS)


def test_the_limiters_numbers_are_the_documented_ones() -> None:
    """Source: OmniRoute 2.3.10, resilience profiles, limiter defaults."""
    table = {
        one.name: (one.requests_per_minute_max, one.gap_s_min, one.concurrency_max)
        for one in PROFILES
    }

    assert table == {
        "conservative": (60, 0.35, 6),
        "balanced": (100, 0.2, 10),
        "aggressive": (180, 0.1, 16),
    }
