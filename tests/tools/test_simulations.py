"""What explain_route gives back of a request is enough to simulate it exactly."""

import contextlib
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.choose.draw import ONE_Q32
from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import RoutingError
from omniroute.routing.model import ComboModel, Features, Operation, RouteRequest
from omniroute.tools.explanations import Explain, explain_route
from omniroute.tools.invocation import Invocation
from omniroute.tools.routes import BUDGET_USD_MAX, RouteChat, nanos, route_request
from omniroute.tools.simulations import Simulate, simulate_route
from omniroute.tools.units import duration, iso, usd
from tests.fakes import ADMIN, World, account, combo, world

REQUESTS = 1_000


async def silent(progress: float, words: str) -> None:
    return


def random_world(source: random.Random) -> World:
    names = [f"p{number}" for number in range(source.randint(1, 6))]
    mixed = combo(
        "mix",
        models=tuple(ComboModel(f"{name}/m", source.randint(0, 9)) for name in names),
        # The others read counters that the live request has moved on.
        strategy=source.choice(
            ["priority", "weighted", "random", "cost-optimized", "context-fit", "auto"]
        ),
    )
    return world(*(account(name) for name in names), combos=[mixed])


def random_request(source: random.Random, here: World) -> RouteRequest:
    features = Features(
        stream=source.random() < 0.5,
        input_tokens=source.randint(0, 150_000),
        input_tokens_max=source.randint(0, 600_000),
        output_tokens_max=source.choice((None, 1, 4096)),
        tools=source.random() < 0.3,
        images=source.random() < 0.3,
        json_schema=source.random() < 0.3,
    )
    return RouteRequest(
        request_id=new_request_id(),
        target="mix",
        operation=Operation("chat", "openai_chat", b"{}", features, "mix", forward=False),
        at_s=here.clock.now(),
        spend_usd_nanos_max=source.choice((None, None, source.randint(0, 10**9))),
        role=source.choice((None, "coding", "review")),
    )


@pytest.mark.anyio
async def test_an_explained_request_simulates_to_its_own_decision() -> None:
    source = random.Random(20261122)
    for _ in range(REQUESTS):
        here = random_world(source)
        request = random_request(source, here)
        with contextlib.suppress(RoutingError):
            (await here.gateway.route.open(request, ADMIN)).close()
        live = here.ledger.records[-1].outcome.decision
        assert live is not None
        call = Invocation(here.gateway, ADMIN, "req_call", silent)

        told = await explain_route(call, Explain(request.request_id))
        asked = {**msgspec.to_builtins(told.asked), "requestId": request.request_id}
        simulated = await simulate_route(call, msgspec.convert(asked, Simulate))

        assert simulated.snapshot_id == live.snapshot_id
        tried = [one for one in simulated.simulated_path if one.place is not None]
        assert [(one.account, one.model) for one in tried] == [
            (one.account_id, one.model) for one in live.order
        ]
        assert {one.account: one.probability for one in simulated.simulated_path} == {
            one.candidate.account_id: one.first_q32 / ONE_Q32 for one in live.verdicts
        }


@pytest.mark.anyio
async def test_a_sessions_next_request_is_simulated_where_it_would_stay() -> None:
    here = world(*(account("one", account_id=name) for name in ("a", "b", "c")))
    call = Invocation(here.gateway, ADMIN, new_request_id(), silent)
    messages = [{"role": "user", "content": "hi"}]
    asked = {"model": "one/m", "messages": messages, "session": "conversation 1"}

    await route_request(call, msgspec.convert(asked, RouteChat))
    winner = here.ledger.records[-1].outcome.winner
    assert winner is not None
    told = await explain_route(call, Explain(here.ledger.records[-1].outcome.request.request_id))
    simulated = await simulate_route(
        call, msgspec.convert(msgspec.to_builtins(told.asked), Simulate)
    )

    first = simulated.simulated_path[0]
    assert (first.account, first.probability) == (winner.account_id, 1.0)
    assert "the session stays" in first.detail


@given(st.integers(0, BUDGET_USD_MAX * 10**9))
def test_nano_dollars_survive_being_written_in_dollars(money: int) -> None:
    assert nanos(usd(money)) == money


@pytest.mark.parametrize(
    ("dollars", "money"), [(0.1, 100_000_000), (1e-9, 1), (9.9e-10, 0), (0.3, 300_000_000)]
)
def test_a_ceiling_in_dollars_is_never_rounded_up(dollars: float, money: int) -> None:
    assert nanos(dollars) == money


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "0s"), (59.9, "59s"), (60.0, "1m 0s"), (3725.0, "1h 2m 5s"), (90061.0, "1d 1h 1m 1s")],
)
def test_a_length_of_time_is_told_from_its_largest_unit(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_moment_is_told_in_utc_to_the_millisecond() -> None:
    assert iso(1_700_000_000.1234) == "2023-11-14T22:13:20.123Z"
