"""The oldest strategies keep what they promise: lists, prices, weights and equal chances."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.accounting.cost import expected_usd_nanos
from omniroute.routing.choose.draw import ONE_Q32
from omniroute.routing.choose.ranking import Ranking
from omniroute.routing.choose.strategies import rank
from omniroute.routing.model import (
    Candidate,
    Features,
    ModelFacts,
    Operation,
    Price,
    RouteRequest,
    Strategy,
)
from omniroute.routing.moment import CandidateState

SEED = b"a fake seed"
REQUESTS = 20_000


def asked(request_id: str = "req_1") -> RouteRequest:
    features = Features(input_tokens=100, input_tokens_max=400)
    operation = Operation("chat", "openai_chat", b"{}", features, "many")
    return RouteRequest(request_id, "many", operation, 1000.0)


def candidates(weights: list[int]) -> list[Candidate]:
    return [
        Candidate(f"acc-{place}", f"p{place}", "m", "openai_chat", weight=weight)
        for place, weight in enumerate(weights)
    ]


def ranked(strategy: Strategy, found: list[Candidate], request_id: str = "req_1") -> Ranking:
    kept = [(one, CandidateState()) for one in found]
    return rank(strategy, "balanced", asked(request_id), kept, SEED)


def firsts(strategy: Strategy, found: list[Candidate]) -> list[float]:
    """Give how often each candidate is first, of 1, over seeded requests."""
    wins = Counter(ranked(strategy, found, f"req_{number}").order[0] for number in range(REQUESTS))
    return [wins[place] / REQUESTS for place in range(len(found))]


@given(weights=st.lists(st.integers(0, 100), min_size=1, max_size=20))
def test_priority_is_the_lists_order_whatever_the_weights(weights: list[int]) -> None:
    ranking = ranked("priority", candidates(weights))

    assert ranking.order == tuple(range(len(weights)))
    assert ranking.first_q32[0] == ONE_Q32


@given(prices=st.lists(st.none() | st.integers(0, 10**10), min_size=1, max_size=20))
def test_cost_optimized_is_in_ascending_order_of_cost_with_unknown_prices_last(
    prices: list[int | None],
) -> None:
    found = [
        replace(one, facts=ModelFacts(price=None if price is None else Price(price, price)))
        for one, price in zip(candidates([1] * len(prices)), prices, strict=True)
    ]

    ranking = ranked("cost-optimized", found)

    features = asked().operation.features
    costs = [expected_usd_nanos(found[place], features) for place in ranking.order]
    known = [cost for cost in costs if cost is not None]
    assert costs == [*sorted(known), *[None] * (len(costs) - len(known))]


@given(weights=st.lists(st.integers(1, 1_000), min_size=1, max_size=20))
def test_weighted_gives_each_its_share_of_the_weights(weights: list[int]) -> None:
    ranking = ranked("weighted", candidates(weights))

    exact = [weight * ONE_Q32 / sum(weights) for weight in weights]
    assert sum(ranking.first_q32) == ONE_Q32
    # What rounding down leaves, less than one each, is one candidate's.
    assert list(ranking.first_q32) == pytest.approx(exact, abs=len(weights))


@given(count=st.integers(1, 20))
def test_random_gives_all_the_same_chance(count: int) -> None:
    ranking = ranked("random", candidates([0] * count))

    assert sum(ranking.first_q32) == ONE_Q32
    # What rounding down leaves, less than one each, is one candidate's.
    assert max(ranking.first_q32) - min(ranking.first_q32) <= count


def test_weighted_and_random_are_first_as_often_as_they_promise() -> None:
    trio = candidates([5, 3, 2])

    assert firsts("weighted", trio) == pytest.approx([0.5, 0.3, 0.2], abs=0.011)
    assert firsts("random", trio) == pytest.approx([1 / 3] * 3, abs=0.011)


@pytest.mark.parametrize("strategy", ["weighted", "random"])
def test_the_same_request_is_drawn_the_same_way_again(strategy: Strategy) -> None:
    found = candidates([5, 3, 2, 1])

    once = [ranked(strategy, found, f"req_{number}") for number in range(50)]

    assert once == [ranked(strategy, found, f"req_{number}") for number in range(50)]
    assert len({one.order for one in once}) > 10
