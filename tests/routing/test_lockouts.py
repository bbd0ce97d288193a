"""A model that its provider does not serve is locked out alone, for longer each time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.errors import NotAllowed, NotFound, RoutingError
from omniroute.routing.health.lockout import LOCKOUT_S, LOCKOUT_S_MAX, Lockout
from omniroute.routing.model import Caller
from tests.fakes import ADMIN, World, account, combo, failing, hello, world
from tests.routing.asking import answered, ask, fails

pytestmark = pytest.mark.anyio


def duo() -> World:
    """Give one account with two models of which the first is gone, and a combo of both."""
    return world(
        account("one", "old", "new"),
        combos=[combo("duo", "one/old", "one/new")],
        scripts={"one/old": failing(fails("model_gone"))},
    )


def reasons(here: World) -> list[str]:
    return [one.reason for one in here.gateway.route.decide(ask(here, "duo"), ADMIN).verdicts]


async def test_the_model_is_locked_out_and_the_accounts_others_go_on() -> None:
    here = duo()

    text = await answered(here, "duo")
    (row,) = here.gateway.view.health(ADMIN).lockouts

    assert (text, reasons(here)) == ("hello", ["cooling_down", "ok"])
    assert (row.provider, row.account_id, row.model) == ("one", "acc-one", "old")
    assert (row.reason, row.times) == ("the provider does not serve this model", 1)
    assert row.remaining_s == LOCKOUT_S


async def test_a_lock_out_ends_by_time_and_is_twice_as_long_when_it_comes_again() -> None:
    here = duo()
    lasted = list[float]()

    for _ in range(4):
        await answered(here, "duo")
        (row,) = here.gateway.view.health(ADMIN).lockouts
        lasted.append(row.remaining_s)
        here.clock.advance(row.remaining_s)

    assert lasted == [600, 1200, 1800, 1800]
    assert row.reason == "the provider does not serve this model, said 4 times in a row"
    assert reasons(here) == ["ok", "ok"]


async def test_a_good_answer_forgets_the_times_before() -> None:
    here = duo()
    await answered(here, "duo")
    here.clock.advance(LOCKOUT_S)

    here.upstream.scripts["one/old"] = hello
    await answered(here, "one/old")
    here.upstream.scripts["one/old"] = failing(fails("model_gone"))
    await answered(here, "duo")

    assert [one.times for one in here.gateway.view.health(ADMIN).lockouts] == [1]


async def test_a_reset_lifts_the_lock_out_of_one_model_of_an_account_or_of_all() -> None:
    here = duo()
    lifted = list[int]()

    for account_name, model in [("one", "new"), ("one", "old"), ("acc-one", None), (None, None)]:
        await answered(here, "duo")
        lifted.append(here.gateway.control.reset_health(ADMIN, account=account_name, model=model))

    assert lifted == [0, 1, 1, 1]
    assert reasons(here) == ["ok", "ok"]


async def test_a_reset_needs_its_scope_and_an_account_that_exists() -> None:
    here = duo()

    with pytest.raises(NotAllowed, match="write:config"):
        here.gateway.control.reset_health(Caller("reader", frozenset({"read:health"})))
    with pytest.raises(NotFound, match="'nobody'"):
        here.gateway.control.reset_health(ADMIN, account="nobody")


async def test_a_locked_out_model_that_is_asked_for_alone_is_refused_with_the_time_left() -> None:
    here = duo()
    await answered(here, "duo")

    with pytest.raises(RoutingError, match="does not serve this model, next try in 600 s"):
        await answered(here, "one/old")


@given(steps=st.lists(st.tuples(st.integers(0, 4000), st.booleans()), max_size=30))
def test_no_lock_out_is_shorter_than_its_first_or_longer_than_its_bound(
    steps: list[tuple[int, bool]],
) -> None:
    lockout, now = Lockout(), 0
    for passed_s, well in steps:
        now += passed_s
        began = lockout.refused(now)

        assert not began or LOCKOUT_S <= lockout.until_s - now <= LOCKOUT_S_MAX
        if well:
            lockout.answered()
