"""The chosen against the runner-up: differences that add up, and changes that really flip it."""

import random
from dataclasses import replace

import pytest

from omniroute.routing.choose.contrast import Contrast, Flip, contrast_of
from omniroute.routing.choose.decide import decide
from omniroute.routing.model import (
    Candidate,
    Decision,
    Features,
    ModelFacts,
    Operation,
    Price,
    RouteRequest,
    Snapshot,
    Strategy,
)
from omniroute.routing.moment import CandidateState

SEED = b"a fake seed"


def asked(request_id: str = "req_x") -> RouteRequest:
    features = Features(input_tokens=1_000, input_tokens_max=4_000, output_tokens_max=500)
    return RouteRequest(request_id, "duo", Operation("chat", "openai_chat", b"", features), 10.0)


def candidate(name: str, price: Price | None) -> Candidate:
    return Candidate(f"acc-{name}", name, "m", "openai_chat", ModelFacts(price=price), weight=1)


def snapshot(strategy: Strategy, *pairs: tuple[Candidate, CandidateState]) -> Snapshot:
    return Snapshot(
        target="duo",
        combo="duo",
        strategy=strategy,
        candidates=tuple(one for one, _ in pairs),
        states=tuple(state for _, state in pairs),
        config_version=1,
    )


GOOD = candidate("good", Price(10**9, 2 * 10**9)), CandidateState(success=0.9, first_byte_ms=300)
POOR = candidate("poor", Price(2 * 10**9, 4 * 10**9)), CandidateState(success=0.8)


def judged(where: Snapshot, request: RouteRequest) -> tuple[Decision, Contrast]:
    decision = decide(request, where, SEED, snapshot_id="x")
    contrast = contrast_of(request, where, decision)
    assert contrast is not None
    return decision, contrast


def changed(where: Snapshot, flip: Flip, beyond: float) -> Snapshot:
    """Give the snapshot with one candidate's value moved to the flip and a little further."""
    place = where.candidates.index(flip.candidate)
    one, state = where.candidates[place], where.states[place]
    value = flip.needed + beyond * (flip.needed - flip.now)
    match flip.name:
        case "success rate":
            state = replace(state, success=value)
        case "seconds to the first byte":
            state = replace(state, first_byte_ms=round(value * 1000))
        case _:
            assert one.facts.price is not None
            share = value / flip.now
            price = Price(
                round(one.facts.price.input * share), round(one.facts.price.output * share)
            )
            one = replace(one, facts=replace(one.facts, price=price))
    candidates, states = list(where.candidates), list(where.states)
    candidates[place], states[place] = one, state
    return replace(where, candidates=tuple(candidates), states=tuple(states))


def score_of(decision: Decision, name: str) -> float:
    (found,) = [one.score for one in decision.verdicts if one.candidate.provider == name]
    assert found is not None
    return found


def test_the_deltas_of_auto_add_up_to_the_difference_of_the_scores() -> None:
    random_source = random.Random(4)
    for number in range(200):
        where = snapshot(
            "auto",
            *(
                (
                    candidate(name, Price(random_source.randint(1, 10**10), 10**9)),
                    CandidateState(
                        success=random_source.random(),
                        first_byte_ms=random_source.choice((None, 20, 900)),
                    ),
                )
                for name in ("a", "b", "c")
            ),
        )

        decision, contrast = judged(where, asked(f"req_{number}"))

        assert contrast.advantage is not None
        scores = (
            score_of(decision, contrast.chosen.provider),
            score_of(decision, contrast.runner_up.provider),
        )
        assert contrast.advantage == pytest.approx(scores[0] - scores[1])
        assert sum(one.advantage for one in contrast.deltas) == pytest.approx(contrast.advantage)
        assert contrast.chosen == decision.order[0]
        others = [one.first_q32 for one in decision.verdicts if one.candidate != contrast.chosen]
        assert contrast.runner_up_probability == max(others) / 2**32


@pytest.mark.parametrize("strategy", ["auto", "cost-optimized"])
def test_each_change_that_would_flip_it_does_and_a_smaller_one_does_not(strategy: Strategy) -> None:
    where = snapshot(strategy, GOOD, POOR)
    _, contrast = judged(where, asked())
    sense = 1 if strategy == "auto" else -1

    assert contrast.chosen.provider == "good"
    assert contrast.flips
    for flip in contrast.flips:
        for beyond, flipped in ((0.01, True), (-0.01, False)):
            then = decide(asked(), changed(where, flip, beyond), SEED, snapshot_id="x")
            better = sense * (score_of(then, "poor") - score_of(then, "good")) > 0
            assert better is flipped, (flip, beyond)


def test_auto_would_flip_by_success_by_cost_and_by_waiting() -> None:
    _, contrast = judged(snapshot("auto", GOOD, POOR), asked())

    named = {(one.candidate.provider, one.name) for one in contrast.flips}
    assert ("poor", "success rate") in named
    assert ("good", "expected cost in USD") in named
    assert ("good", "seconds to the first byte") in named
    assert all(one.needed >= 0 for one in contrast.flips)


def test_the_cheaper_one_is_ahead_by_what_it_saves() -> None:
    _, contrast = judged(snapshot("cost-optimized", POOR, GOOD), asked())

    assert (contrast.chosen.provider, contrast.probability) == ("good", 1.0)
    assert contrast.advantage == pytest.approx(0.002)
    assert [one.advantage for one in contrast.deltas] == [pytest.approx(0.002)]


def test_an_unknown_price_is_not_said_to_flip_anything() -> None:
    unknown = candidate("unknown", None), CandidateState(success=0.5)
    _, contrast = judged(snapshot("auto", GOOD, unknown), asked())

    named = {(one.candidate.provider, one.name) for one in contrast.flips}
    assert ("unknown", "expected cost in USD") not in named


def test_a_strategy_without_scores_has_a_runner_up_and_no_deltas() -> None:
    _, contrast = judged(snapshot("priority", GOOD, POOR), asked())

    assert (contrast.chosen.provider, contrast.runner_up.provider) == ("good", "poor")
    assert (contrast.probability, contrast.advantage) == (1.0, None)
    assert (contrast.deltas, contrast.flips) == ((), ())


def test_one_candidate_alone_has_no_runner_up() -> None:
    where = snapshot("priority", GOOD)
    decision = decide(asked(), where, SEED, snapshot_id="x")

    assert contrast_of(asked(), where, decision) is None


def test_where_the_draw_chose_the_lesser_one_nothing_is_said_to_flip_it() -> None:
    where = snapshot("auto", GOOD, (POOR[0], replace(GOOD[1], success=0.92)))
    drawn = [judged(where, asked(f"req_{number}"))[1] for number in range(4_000)]

    lesser = [one for one in drawn if one.chosen.provider == "poor"]
    assert lesser
    assert all(one.advantage is not None and one.advantage < 0 for one in lesser)
    assert all(one.flips == () for one in lesser)
