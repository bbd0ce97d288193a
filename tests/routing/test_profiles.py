"""Resilience profiles: the documented numbers, in force at once for what runs."""

import pytest

from omniroute.routing.errors import BadRequest, FailureKind, NotAllowed, UpstreamFailure
from omniroute.routing.health.profiles import PROFILES
from omniroute.routing.model import Caller
from tests.fakes import ADMIN, World, combo, failing, hello, world
from tests.routing.asking import answered, ask, fails

pytestmark = pytest.mark.anyio


def duo(failure: UpstreamFailure) -> World:
    """Give a combo whose first model always fails."""
    return world(combos=[combo("duo", "one/m", "two/m")], scripts={"one/m": failing(failure)})


def first_verdict(here: World) -> str:
    return here.gateway.route.decide(ask(here, "duo"), ADMIN).verdicts[0].reason


def test_the_numbers_are_the_documented_ones() -> None:
    """Source: OmniRoute 2.3.10, resilience profiles, API-key columns."""
    table = {
        one.name: (one.transient_s, one.rate_limit_s, one.level_max, one.failures_max, one.open_s)
        for one in PROFILES
    }

    assert table == {
        "conservative": (5.0, 30.0, 8, 8, 60.0),
        "balanced": (3.0, 1.0, 5, 5, 30.0),
        "aggressive": (2.0, 1.0, 3, 3, 15.0),
    }


@pytest.mark.parametrize(
    ("profile", "failures", "seconds"),
    [("conservative", 8, 60), ("balanced", 5, 30), ("aggressive", 3, 15)],
)
async def test_a_profile_says_when_a_circuit_opens_and_for_how_long(
    profile: str, failures: int, seconds: int
) -> None:
    here = duo(fails("server_error"))
    await here.gateway.control.set_resilience_profile(profile, ADMIN)
    for _ in range(failures - 1):
        await answered(here, "duo")

    before = first_verdict(here)
    await answered(here, "duo")
    opened = first_verdict(here)
    here.clock.advance(seconds - 1)
    still = first_verdict(here)
    here.clock.advance(1)

    assert (before, opened, still, first_verdict(here)) == (
        *("ok", "circuit_open", "circuit_open"),
        "ok",
    )


async def test_a_circuit_that_is_open_follows_a_change_of_the_profile() -> None:
    here = duo(fails("server_error"))
    for _ in range(5):
        await answered(here, "duo")
    here.clock.advance(16)

    balanced = first_verdict(here)
    await here.gateway.control.set_resilience_profile("aggressive", ADMIN)
    aggressive = first_verdict(here)
    await here.gateway.control.set_resilience_profile("conservative", ADMIN)

    assert (balanced, aggressive, first_verdict(here)) == ("circuit_open", "ok", "circuit_open")


@pytest.mark.parametrize(
    ("kind", "waits"),
    [
        ("rate_limited", {"conservative": 30, "balanced": 1, "aggressive": 1}),
        ("overloaded", {"conservative": 5, "balanced": 3, "aggressive": 2}),
    ],
)
async def test_a_cooldown_that_runs_follows_a_change_of_the_profile(
    kind: FailureKind, waits: dict[str, int]
) -> None:
    here = duo(fails(kind))
    await answered(here, "duo")

    found: dict[str, float] = {}
    for profile in waits:
        await here.gateway.control.set_resilience_profile(profile, ADMIN)
        (row,) = here.gateway.view.health(ADMIN).cooldowns
        found[profile] = row.remaining_s

    assert found == waits


async def test_a_rest_that_the_provider_asked_for_is_left_as_it_is() -> None:
    here = duo(fails("rate_limited", retry_after_s=17))
    await answered(here, "duo")

    await here.gateway.control.set_resilience_profile("conservative", ADMIN)

    assert [one.remaining_s for one in here.gateway.view.health(ADMIN).cooldowns] == [17]


async def test_a_change_by_another_process_holds_from_the_next_request_on() -> None:
    here = duo(fails("server_error"))
    await here.configs.put_resilience("aggressive", actor="another process")

    for _ in range(3):
        await answered(here, "duo")

    assert first_verdict(here) == "circuit_open"
    assert here.gateway.view.resilience(ADMIN).name == "aggressive"


async def test_setting_a_profile_needs_its_scope_and_a_profile_that_exists() -> None:
    here = world()
    reader = Caller("reader", frozenset({"read:health"}))

    with pytest.raises(NotAllowed, match="write:config"):
        await here.gateway.control.set_resilience_profile("aggressive", reader)
    with pytest.raises(BadRequest, match="conservative, balanced, aggressive"):
        await here.gateway.control.set_resilience_profile("reckless", ADMIN)

    assert here.gateway.view.resilience(reader).name == "balanced"


async def test_a_provider_that_is_back_is_found_in_seconds_when_nothing_else_answers() -> None:
    here = world(scripts={"one/m": failing(fails("server_error"))})
    for _ in range(5):
        with pytest.raises(UpstreamFailure):
            await answered(here, "one/m")

    def verdict() -> str:
        return here.gateway.route.decide(ask(here, "one/m"), ADMIN).verdicts[0].reason

    opened = verdict()
    here.clock.advance(5)
    with pytest.raises(UpstreamFailure):
        await answered(here, "one/m")
    after_a_failed_probe = verdict()
    here.upstream.scripts["one/m"] = hello
    here.clock.advance(5)
    text = await answered(here, "one/m")

    assert (opened, after_a_failed_probe) == ("circuit_open", "circuit_open")
    assert (text, verdict()) == ("hello", "ok")


async def test_an_open_circuit_is_not_probed_early_while_another_model_answers() -> None:
    here = duo(fails("server_error"))
    for _ in range(5):
        await answered(here, "duo")

    here.clock.advance(6)

    assert first_verdict(here) == "circuit_open"


async def test_an_overload_counts_half_towards_opening_a_circuit() -> None:
    here = duo(fails("overloaded"))
    verdicts = list[str]()

    for _ in range(10):
        await answered(here, "duo")
        here.clock.advance(61)
        verdicts.append(first_verdict(here))
    (row,) = here.gateway.view.health(ADMIN).circuits

    assert verdicts[:9] == ["ok"] * 9
    # The tenth opened it: what stands in the way before its time is over is the circuit.
    assert (row.failures, row.next_try_s) == (5, 0)


async def test_a_certificate_that_is_not_valid_opens_the_accounts_circuit_at_once() -> None:
    here = duo(fails("tls"))

    text = await answered(here, "duo")
    (row,) = here.gateway.view.health(ADMIN).circuits

    assert (text, first_verdict(here)) == ("hello", "circuit_open")
    assert (row.model, row.state, row.next_try_s) == ("", "OPEN", 30)
