"""What a decision works out on a short way is what the long way gives, and stays so for ever."""

import random

from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.accounting.cost import cost_usd_nanos, expected_usd_nanos
from omniroute.routing.choose.auto import MODES, terms_of, utilities
from omniroute.routing.choose.calm import calm_of
from omniroute.routing.choose.draw import draw_order, quantise
from omniroute.routing.choose.filters import gates_of, judge
from omniroute.routing.conversation import Usage
from omniroute.routing.model import (
    Candidate,
    Features,
    ModelFacts,
    Operation,
    Price,
    RouteRequest,
)
from tests.routing.test_decide import random_request, random_world

NAMES = [f"account-{number}|m" for number in range(8)]


def test_draws_are_those_of_the_first_release() -> None:
    alike, rising = quantise([1.0] * 8), quantise([float(number) for number in range(8)])

    first = draw_order(alike, NAMES, seed=b"a fake seed", key="req_1")
    second = draw_order(rising, NAMES, seed=b"a fake seed", key="req_2")

    assert first == (4, 5, 7, 1, 0, 6, 3, 2)
    assert second == (6, 1, 5, 4, 7, 3, 2, 0)


def test_the_gates_that_a_request_can_meet_refuse_as_all_of_them_do() -> None:
    random_source = random.Random(11)
    refused = 0
    for _ in range(100):
        here = random_world(random_source)
        request = random_request(random_source, here)
        preparer, config = here.gateway.route.preparer, here.configs.current()
        snapshot = preparer.prepare(config, "mix", now_s=request.at_s).snapshot
        for one, state in zip(snapshot.candidates, snapshot.states, strict=True):
            among = judge(request, one, state, gates_of(request))

            assert among == judge(request, one, state)
            refused += among is not None
    assert refused > 50


def test_where_a_snapshot_is_calm_no_gate_refuses_a_request_that_stays_within() -> None:
    random_source = random.Random(13)
    within = beyond = 0
    for _ in range(300):
        here = random_world(random_source)
        request = random_request(random_source, here)
        preparer, config = here.gateway.route.preparer, here.configs.current()
        snapshot = preparer.prepare(config, "mix", now_s=request.at_s).snapshot
        calm = calm_of(snapshot)
        pairs = list(zip(snapshot.candidates, snapshot.states, strict=True))
        refused = any(judge(request, one, state) is not None for one, state in pairs)

        if calm is not None and calm.keeps_all(request):
            within += 1
            assert not refused
        else:
            beyond += 1
    assert within > 20
    assert beyond > 20


@given(
    price=st.builds(Price, st.integers(0, 10**13), st.integers(0, 10**13)),
    tokens=st.integers(0, 10**7),
    bound=st.integers(0, 500),
)
def test_an_expected_cost_is_the_cost_of_the_expected_usage(
    price: Price, tokens: int, bound: int
) -> None:
    features = Features(input_tokens=tokens, output_tokens_max=bound)
    one = Candidate("a", "p", "m", "openai_chat", ModelFacts(price=price))

    assert expected_usd_nanos(one, features) == cost_usd_nanos(price, Usage(tokens, bound))


def test_a_utility_is_the_sum_of_its_terms() -> None:
    random_source = random.Random(12)
    here = random_world(random_source)
    prepared = here.gateway.route.preparer.prepare(
        here.configs.current(), "auto", now_s=here.clock.now()
    )
    kept = list(zip(prepared.snapshot.candidates, prepared.snapshot.states, strict=True))
    features = Features(input_tokens=100, family="math")
    request = RouteRequest("r", "auto", Operation("chat", "openai_chat", b"", features), at_s=0.0)

    for mode, wish in MODES.items():
        terms = terms_of(mode, request, kept)

        assert utilities(mode, request, kept) == tuple(
            wish.answer_usd * (one.success * one.fitness)
            - one.cost_usd
            - wish.second_usd * one.first_byte_s
            for one in terms
        )
