"""Retries at an account that fails: at most 20 % of its requests and 10 a second."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.errors import AllFailed, RoutingError, UpstreamFailure
from omniroute.routing.health.retry_budget import PER_S, SHARE, RetryBudget
from omniroute.routing.model import Combo
from tests.fakes import ADMIN, World, account, combo, failing, hello, world
from tests.routing.asking import answered, ask, fails

PER_SECOND = 20
"""How many requests come in each second of a storm."""


def storm_of_fresh_models(count: int) -> World:
    """Give as many combos, each of three models of its own at an account that always fails.

    No circuit opens: each model fails once.
    """
    combos = [combo(f"c{n}", f"one/a{n}", f"one/b{n}", f"one/c{n}") for n in range(count)]
    names = [one.target for each in combos for one in each.models]
    models = [name.removeprefix("one/") for name in names]
    scripts = dict.fromkeys(names, failing(fails("server_error")))
    return world(account("one", *models), combos=combos, scripts=scripts)


async def tried(here: World, target: str) -> bool:
    """Ask, and give whether an answer came."""
    try:
        await answered(here, target)
    except RoutingError:
        return False
    return True


@pytest.mark.anyio
async def test_retries_at_an_account_stop_when_its_budget_is_spent() -> None:
    here = storm_of_fresh_models(200)
    for n in range(200):
        with pytest.raises(AllFailed):
            await answered(here, f"c{n}")

    attempts = Counter(one.failure for each in here.ledger.records for one in each.outcome.attempts)

    assert len(here.upstream.calls) == attempts["server_error"] == 200 + 0.2 * 200 + 10
    assert attempts["busy"] > 0


@pytest.mark.anyio
async def test_what_is_busy_for_us_does_not_hide_how_the_provider_failed() -> None:
    here = storm_of_fresh_models(1)
    reply = here.gateway.route.begin(ask(here, "c0"), ADMIN)
    (candidate, *_) = reply.decision.order if reply.decision is not None else ()
    for _ in range(10):
        here.health.admit(candidate, here.clock.now(), again=True)

    with pytest.raises(AllFailed, match="retry budget") as raised:
        await reply.start()

    assert raised.value.kind == "server_error"
    assert [one.failure for one in reply.attempts] == ["server_error", "busy", "busy"]


@pytest.mark.anyio
async def test_a_first_try_elsewhere_is_free() -> None:
    combos = [
        Combo(f"cmb-{n}", f"c{n}", combo("x", f"one/a{n}", "two/m").models) for n in range(90)
    ]
    models = [f"a{n}" for n in range(90)]
    scripts = {f"one/{name}": failing(fails("server_error")) for name in models}
    here = world(account("one", *models), account("two"), combos=combos, scripts=scripts)

    texts = [await answered(here, f"c{n}") for n in range(90)]

    assert texts == ["hello"] * 90


@pytest.mark.anyio
async def test_a_storm_on_a_dead_provider_stays_small_and_ends_with_the_outage() -> None:
    here = world(
        account("one", "a", "b", "c"),
        combos=[combo("trio", "one/a", "one/b", "one/c")],
        scripts=dict.fromkeys(("one/a", "one/b", "one/c"), failing(fails("server_error"))),
    )
    outage_s = 240

    for _ in range(outage_s * PER_SECOND):
        await tried(here, "trio")
        here.clock.advance(1 / PER_SECOND)
    during = len(here.upstream.calls)
    here.upstream.scripts = dict.fromkeys(("one/a", "one/b", "one/c"), hello)
    for _ in range(10 * PER_SECOND):
        await tried(here, "trio")
        here.clock.advance(1 / PER_SECOND)
    after = [await tried(here, "trio") for _ in range(100)]

    assert during <= 1.2 * outage_s * PER_SECOND + 10 * outage_s
    assert during < 1000  # Circuits keep it far below the budget.
    assert sum(after) >= 99


@pytest.mark.anyio
async def test_a_call_that_never_went_out_gives_no_one_elses_probe_back() -> None:
    here = world(scripts={"one/m": failing(fails("server_error"))})
    for _ in range(5):
        with pytest.raises(UpstreamFailure):
            await answered(here, "one/m")
    here.upstream.scripts.clear()
    here.clock.advance(31)
    late = here.gateway.route.begin(ask(here, "one/m"), ADMIN)
    probe = await here.gateway.route.open(ask(here, "one/m"), ADMIN)

    with pytest.raises(UpstreamFailure, match="circuit opened meanwhile"):
        await late.start()
    verdict = here.gateway.route.decide(ask(here, "one/m"), ADMIN).verdicts[0]
    probe.close()

    assert verdict.reason == "circuit_probing"


@given(
    steps=st.lists(st.tuples(st.sampled_from(["request", "retry"]), st.floats(-5, 5)), max_size=300)
)
def test_no_order_of_requests_and_retries_passes_the_bound(steps: list[tuple[str, float]]) -> None:
    budget, now, passed = RetryBudget(), 0.0, 0.0
    requests = retries = 0
    for step, moved in steps:
        now, passed = now + moved, passed + max(moved, 0.0)
        if step == "request":
            requests += 1
            budget.pay_in(now)
        else:
            retries += budget.take(now)

    assert retries <= SHARE * requests + PER_S * (passed + 1) + 1e-6
