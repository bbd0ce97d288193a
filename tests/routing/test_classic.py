"""Policy classic-6f: the documented six factors, reproducible by hand."""

import random
from dataclasses import astuple
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.choose.classic import PACKS, Figures, factors, shares
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
from omniroute.routing.moment import CandidateState, Latency
from omniroute.routing.preference import EXPLORED, Factors
from tests.fakes import account, world

SEED = b"a fake seed"
DOCUMENT = (Path(__file__).parents[2] / "docs/auto.md").read_text("utf-8")


def published_cases() -> list[list[list[str]]]:
    """The rows of the table of cases in docs/auto.md, by case."""
    table = DOCUMENT.partition("| case | pack |")[2].partition("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return [list(rows_of_case) for _, rows_of_case in groupby(rows, key=lambda row: row[0])]


def asked(number: int = 0, role: str | None = None, at_s: float = 0.0) -> RouteRequest:
    operation = Operation("chat", "openai_chat", b"", Features(input_tokens=100))
    return RouteRequest(f"req_{number}", "auto", operation, at_s=at_s, role=role)


def candidate(name: str, price_usd: int = 1) -> Candidate:
    price = Price(input=price_usd * 10**9, output=price_usd * 10**9)
    return Candidate(name, name, "m", "openai_chat", ModelFacts(price=price))


def tail(p95_ms: int, deviation_ms: int) -> Latency:
    return Latency(peak_ms=0, first_byte_p95_ms=p95_ms, first_byte_deviation_ms=deviation_ms)


def snapshot(*states: CandidateState, mode: str = "classic-6f") -> Snapshot:
    candidates = tuple(candidate(f"p{place}", place + 1) for place in range(len(states)))
    return Snapshot("auto", None, "auto", candidates, states, config_version=1, mode=mode)


@pytest.mark.parametrize("rows", published_cases(), ids=lambda rows: rows[0][0])
def test_a_published_case_has_the_score_that_was_worked_out_by_hand(rows: list[list[str]]) -> None:
    pool = [Figures(*(float(cell) for cell in row[3:9])) for row in rows]

    scores = [one.weighed(PACKS[rows[0][1]]) for one in factors(pool)]

    assert scores == pytest.approx([float(row[9]) for row in rows], abs=5e-5)


def test_every_pack_has_a_published_case() -> None:
    assert {rows[0][1] for rows in published_cases()} == {*PACKS}


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS.keys())
def test_the_weights_of_a_pack_sum_to_one(pack: Factors) -> None:
    assert sum(astuple(pack)) == pytest.approx(1.0)


def test_a_decision_has_the_same_score_as_the_hand() -> None:
    here = snapshot(
        CandidateState(latency=tail(2000, 400)),
        CandidateState(latency=tail(1000, 100), open_until_s=1.0, headroom=0.3),
    )

    decision = decide(asked(at_s=2.0), here, SEED, snapshot_id="s")

    # 0.20 quota, health, cost against 2 $, latency, fitness unknown, stability.
    assert [one.score for one in decision.verdicts] == pytest.approx(
        [
            0.20 + 0.25 + 0.20 * 0.5 + 0 + 0.05 + 0,
            0.20 * 0.3 + 0.125 + 0 + 0.15 * 0.5 + 0.05 + 0.10 * 0.75,
        ]
    )


def test_one_in_twenty_is_explored_and_the_probability_is_on_record() -> None:
    here = snapshot(*(CandidateState(),) * 5)
    firsts = []
    for number in range(4000):
        decision = decide(asked(number), here, SEED, snapshot_id="s")
        firsts.append(decision.order[0].provider)

    chances = [one.first_q32 / 2**32 for one in decision.verdicts]
    assert chances == pytest.approx([0.96, 0.01, 0.01, 0.01, 0.01], abs=1e-6)
    assert firsts.count("p0") / 4000 == pytest.approx(0.96, abs=0.01)
    assert set(firsts) == {"p0", "p1", "p2", "p3", "p4"}


def test_what_follows_the_first_is_in_the_order_of_the_scores() -> None:
    here = snapshot(*(CandidateState(),) * 4)
    for number in range(200):
        decision = decide(asked(number), here, SEED, snapshot_id="s")
        score = {one.candidate: one.score or 0.0 for one in decision.verdicts}
        followers = [score[one] for one in decision.order[1:]]

        assert followers == sorted(followers, reverse=True)


@pytest.mark.parametrize(("shut", "explores"), [(0, True), (2, True), (3, False)])
def test_nothing_is_explored_while_more_than_half_of_the_circuits_are_open(
    shut: int, explores: bool
) -> None:
    states = [CandidateState(open_until_s=10.0)] * shut + [CandidateState()] * 2
    here = snapshot(*states)

    decision = decide(asked(), here, SEED, snapshot_id="s")
    likeliest = max(one.first_q32 for one in decision.verdicts)

    assert (likeliest < 2**32) is explores


@given(scores=st.lists(st.floats(0, 1), min_size=1, max_size=64))
def test_shares_sum_to_one_and_explore_all_alike(scores: list[float]) -> None:
    parts = shares("classic-6f", scores, range(len(scores)))

    assert sum(parts) == pytest.approx(1.0)
    assert max(parts) == pytest.approx(1.0 if len(scores) == 1 else 1 - EXPLORED + min(parts))
    assert parts.index(max(parts)) == scores.index(max(scores))


@pytest.mark.parametrize("mode", PACKS)
def test_factors_sum_to_the_score(mode: str) -> None:
    here = snapshot(CandidateState(latency=tail(90, 0)), CandidateState(), mode=mode)
    decision = decide(asked(), here, SEED, snapshot_id="s")

    for verdict in decision.verdicts:
        parts = factors_of(asked(), here, decision, verdict.candidate)

        assert len(parts) == 6
        assert sum(one.contribution for one in parts) == pytest.approx(verdict.score, abs=1e-12)


@pytest.mark.parametrize(
    ("role", "first"), [("coding", "codex"), ("documentation", "gpt-4o"), (None, "gpt-4o")]
)
def test_quality_first_takes_the_documented_fitness_for_the_stated_role(
    role: str | None, first: str
) -> None:
    here = world(account("one", "codex", "gpt-4o"))
    preparer = here.gateway.route.preparer
    prepared = preparer.prepare(here.configs.current(), "auto/quality-first", now_s=0.0)

    decision = decide(asked(role=role), prepared.snapshot, SEED, snapshot_id=prepared.snapshot_id)

    best = max(decision.verdicts, key=lambda one: one.score or 0.0)
    assert best.candidate.model == first


def test_classic_decisions_replay_bit_for_bit() -> None:
    random_source = random.Random(11)
    for number in range(200):
        states = tuple(
            CandidateState(
                open_until_s=random_source.choice((0.0, 0.0, 5.0, 50.0)),
                latency=random_source.choice(
                    (None, tail(random_source.randint(1, 9000), random_source.randint(0, 900)))
                ),
            )
            for _ in range(random_source.randint(1, 12))
        )
        here = snapshot(*states, mode=random_source.choice(list(PACKS)))
        request = asked(number, at_s=10.0)
        packed = pack_snapshot(here)
        decision = decide(request, here, SEED, snapshot_id=snapshot_id(packed))

        assert replays(pack_decision(request, decision), packed, SEED)


def test_the_slow_tail_of_a_candidate_is_published_with_its_average() -> None:
    here = world(account("one"))
    preparer = here.gateway.route.preparer
    config = here.configs.current()
    known = preparer.prepare(config, "auto/classic", now_s=0.0).snapshot.candidates[0]
    for wait_s in (0.1,) * 94 + (2.0,) * 6:
        here.health.succeeded(known, first_byte_s=wait_s, total_s=wait_s, now_s=1000.0)

    (state,) = preparer.prepare(config, "auto/classic", now_s=2000.0).snapshot.states

    assert state.latency is not None
    assert state.latency.first_byte_p95_ms == pytest.approx(2000, rel=0.025)
    assert state.latency.first_byte_deviation_ms == pytest.approx(451, rel=0.05)
    assert state.first_byte_ms == pytest.approx(990, abs=1)
