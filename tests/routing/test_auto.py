"""Strategy auto: utilities in dollars, drawn by softmax with a floor."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.choose.auto import FLOOR, MODES, shares, task_of, utilities
from omniroute.routing.choose.decide import decide
from omniroute.routing.choose.explain import factors_of
from omniroute.routing.choose.record import pack_decision, pack_snapshot, replays, snapshot_id
from omniroute.routing.model import (
    Candidate,
    Features,
    ModelFacts,
    Operation,
    Price,
    RouteRequest,
    Snapshot,
)
from omniroute.routing.moment import CandidateState
from tests.fakes import account, world

SEED = b"a fake seed"
PRICE = Price(input=1_000_000_000, output=2_000_000_000)


def asked(family: str = "general", role: str | None = None, number: int = 0) -> RouteRequest:
    features = Features(input_tokens=1000, output_tokens_max=500, family=family)
    operation = Operation("chat", "openai_chat", b"", features)
    return RouteRequest(f"req_{number}", "auto", operation, at_s=0.0, role=role)


def candidate(
    name: str, price: Price | None = PRICE, fitness: tuple[tuple[str, float], ...] = ()
) -> Candidate:
    return Candidate(name, name, "m", "openai_chat", ModelFacts(price=price), fitness=fitness)


def snapshot(*candidates: Candidate, mode: str = "balanced") -> Snapshot:
    states = tuple(CandidateState(first_byte_ms=500) for _ in candidates)
    return Snapshot("auto", None, "auto", candidates, states, config_version=1, mode=mode)


def test_a_utility_is_what_an_answer_is_worth_less_its_cost_and_its_wait() -> None:
    state = CandidateState(success=0.9, first_byte_ms=500)
    fit = candidate("a", fitness=(("math", 0.8), ("general", 0.5)))

    (worth,) = utilities("balanced", asked("math"), [(fit, state)])

    # 0.05 $ x 0.9 x 0.8 - (1000 x 1 $ + 500 x 2 $) / 1M - 0.5 s x 0.002 $
    assert worth == pytest.approx(0.036 - 0.002 - 0.001)


def test_an_unknown_price_counts_as_the_dearest_known_one() -> None:
    dear, unknown = candidate("dear"), candidate("unknown", price=None)
    state = CandidateState()

    worths = utilities("balanced", asked(), [(dear, state), (unknown, state)])

    assert worths[0] == worths[1]


def test_the_model_that_is_fit_for_the_kind_of_question_comes_first() -> None:
    poet = candidate("poet", fitness=(("writing", 0.9), ("math", 0.5)))
    solver = candidate("solver", fitness=(("writing", 0.5), ("math", 0.9)))
    here = snapshot(poet, solver)

    for family, best in (("writing", poet), ("math", solver)):
        decision = decide(asked(family), here, SEED, snapshot_id="s")
        first = {one.candidate: one.first_q32 / 2**32 for one in decision.verdicts}

        assert first[best] == pytest.approx(1 - FLOOR)


@pytest.mark.parametrize(
    ("role", "family", "mode", "task"),
    [
        ("coding", "math", "balanced", "coding"),
        ("Reviewer", "general", "balanced", "review"),
        ("architect", "general", "balanced", "planning"),
        ("no such role", "math", "balanced", "math"),
        (None, "logic", "coding", "logic"),
        (None, "general", "coding", "code"),
        (None, "general", "fast", "general"),
    ],
)
def test_the_task_is_the_stated_role_then_the_texts_family_then_the_modes(
    role: str | None, family: str, mode: str, task: str
) -> None:
    assert task_of(mode, asked(family, role)) == task


@given(
    worths=st.lists(st.floats(-100, 100), min_size=1, max_size=64),
    mode=st.sampled_from(sorted(MODES)),
)
def test_every_candidate_keeps_a_floor_and_the_best_is_the_likeliest(
    worths: list[float], mode: str
) -> None:
    parts = shares(mode, worths)

    assert sum(parts) == pytest.approx(1.0)
    assert min(parts) >= min(FLOOR, 1 / len(worths)) * (1 - 1e-9)
    assert parts[worths.index(max(worths))] == max(parts)


@given(
    others=st.lists(st.integers(0, 10**12), max_size=10), family=st.sampled_from(["math", "code"])
)
def test_another_candidate_never_changes_a_known_prices_utility(
    others: list[int], family: str
) -> None:
    state = CandidateState(success=0.9)
    more = [(candidate(f"p{price}", Price(price, price)), state) for price in others]

    alone = utilities("smart", asked(family), [(candidate("a"), state)])
    among = utilities("smart", asked(family), [(candidate("a"), state), *more])

    assert alone[0] == among[0]


def test_factors_sum_to_the_score_and_name_the_task() -> None:
    fit = candidate("a", fitness=(("math", 0.8),))
    here, request = snapshot(fit, candidate("b", price=None)), asked("math")
    decision = decide(request, here, SEED, snapshot_id="s")

    for verdict in decision.verdicts:
        factors = factors_of(request, here, decision, verdict.candidate)

        assert sum(one.contribution for one in factors) == pytest.approx(verdict.score, abs=1e-15)
        assert "lack of fitness for math" in {one.name for one in factors}


def test_a_decision_replays_after_the_fitness_table_has_changed() -> None:
    here = world(account("one"), account("two"))
    request = asked("code")
    gateway = here.gateway.route
    prepared = gateway.preparer.prepare(here.configs.current(), "auto", now_s=0.0)
    decision = decide(request, prepared.snapshot, SEED, snapshot_id=prepared.snapshot_id)
    packed = pack_snapshot(prepared.snapshot)

    assert all(one.fitness for one in prepared.snapshot.candidates)
    assert replays(pack_decision(request, decision), packed, SEED)
    other = replace(
        prepared.snapshot,
        candidates=tuple(
            replace(one, fitness=(("code", 0.1),)) for one in prepared.snapshot.candidates
        ),
    )
    assert snapshot_id(pack_snapshot(other)) != prepared.snapshot_id


def test_only_auto_carries_fitness() -> None:
    here = world(account("one"))

    prepared = here.gateway.route.preparer.prepare(here.configs.current(), "one/m", now_s=0.0)

    assert prepared.snapshot.candidates[0].fitness == ()
