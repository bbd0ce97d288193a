"""What providers tell of their limits with each answer, and what becomes of it."""

import pytest

from omniroute.routing.moment import CandidateState
from tests.fakes import ADMIN, World, combo, world
from tests.routing.asking import answered, ask

pytestmark = pytest.mark.anyio


def duo(limit: int, remaining: int, reset: str | None) -> World:
    """Give a combo whose first model tells of its requests with every answer."""
    here = world(combos=[combo("duo", "one/m", "two/m")])
    tell(here, limit, remaining, reset)
    return here


def tell(here: World, limit: int, remaining: int, reset: str | None) -> None:
    here.upstream.headers["one/m"] = {
        b"x-ratelimit-limit-requests": str(limit).encode(),
        b"x-ratelimit-remaining-requests": str(remaining).encode(),
    } | ({} if reset is None else {b"x-ratelimit-reset-requests": reset.encode()})


def state_of_one(here: World) -> CandidateState:
    """Give what the next decision would see of one/m."""
    reply = here.gateway.route.begin(ask(here, "duo"), ADMIN)
    reply.close()
    snapshot = here.ledger.records[-1].snapshot
    assert snapshot is not None
    return snapshot.states[0]


def reasons(here: World) -> list[str]:
    return [one.reason for one in here.gateway.route.decide(ask(here, "duo"), ADMIN).verdicts]


async def test_what_is_left_is_seen_by_decisions_as_headroom() -> None:
    here = duo(60, 15, "1m0s")
    unknown = state_of_one(here).headroom

    await answered(here, "duo")
    first = state_of_one(here).headroom
    tell(here, 60, 12, "1m0s")
    await answered(here, "duo")
    within_the_second = state_of_one(here).headroom
    here.clock.advance(1)
    republished = state_of_one(here).headroom
    here.clock.advance(60)

    assert (unknown, first, within_the_second, republished) == (None, 0.25, 0.25, 0.2)
    assert state_of_one(here).headroom is None


async def test_a_figure_without_a_reset_gets_old_in_a_minute() -> None:
    here = duo(60, 30, None)
    await answered(here, "duo")

    here.clock.advance(59)
    before = state_of_one(here).headroom
    here.clock.advance(2)

    assert (before, state_of_one(here).headroom) == (0.5, None)


async def test_a_spent_limit_rests_its_model_until_the_reset() -> None:
    here = duo(60, 0, "20s")

    text = await answered(here, "duo")
    during = reasons(here)
    (row,) = here.gateway.view.health(ADMIN).cooldowns
    here.clock.advance(20)

    assert text == "hello"
    assert (during, reasons(here)) == (["cooling_down", "ok"], ["ok", "ok"])
    assert (row.reason, row.remaining_s) == ("no requests left in the provider's window", 20)


async def test_an_answer_that_comes_later_and_tells_of_room_ends_the_rest() -> None:
    here = duo(60, 0, "20s")
    late = here.gateway.route.begin(ask(here, "duo"), ADMIN)
    await answered(here, "duo")
    resting = reasons(here)
    tell(here, 60, 5, "20s")

    await late.start()
    late.close()

    assert (resting, reasons(here)) == (["cooling_down", "ok"], ["ok", "ok"])


async def test_a_spent_limit_without_a_reset_rests_nothing() -> None:
    here = duo(60, 0, None)

    await answered(here, "duo")

    assert reasons(here) == ["ok", "ok"]


async def test_the_view_shows_each_limit_with_its_age_and_forgets_it_after_a_day() -> None:
    here = duo(60, 15, "30s")
    await answered(here, "duo")
    here.clock.advance(10)

    (row,) = here.gateway.view.health(ADMIN).limits
    here.clock.advance(20)
    (old,) = here.gateway.view.health(ADMIN).limits
    here.clock.advance(86_400 - 30)

    assert (row.provider, row.model, row.dimension, row.source) == (
        *("one", "m", "requests"),
        "provider",
    )
    assert (row.limit, row.remaining, row.reset_s, row.age_s) == (60, 15, 20, 10)
    assert (old.limit, old.remaining, old.reset_s, old.expires_s) == (60, None, None, 86_370)
    assert here.gateway.view.health(ADMIN).limits == ()
