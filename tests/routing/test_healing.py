"""Exclusion of policy classic-6f: a state machine over a passed time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.choose.decide import decide
from omniroute.routing.health.healing import (
    COOLDOWN_S,
    COOLDOWN_S_MAX,
    Exclusion,
    admits,
    answered,
    judged,
    let_through,
    opened,
)
from omniroute.routing.model import (
    Candidate,
    Decision,
    Features,
    Operation,
    RouteRequest,
    Snapshot,
)
from omniroute.routing.moment import CandidateState
from tests.fakes import World, account, world

SEED = b"a fake seed"


def asked(at_s: float) -> RouteRequest:
    operation = Operation("chat", "openai_chat", b"", Features(input_tokens=100))
    return RouteRequest("req_1", "auto/classic", operation, at_s=at_s)


def decided(here: World) -> Decision:
    config, now_s = here.configs.current(), here.clock.now()
    prepared = here.gateway.route.preparer.prepare(config, "auto/classic", now_s=now_s)
    return decide(asked(now_s), prepared.snapshot, SEED, snapshot_id=prepared.snapshot_id)


def chances(decision: Decision) -> dict[str, float]:
    return {one.candidate.provider: one.first_q32 / 2**32 for one in decision.verdicts}


def open_circuit(here: World, provider: str) -> None:
    """Fail as often as a circuit needs to open."""
    candidate = next(
        one.candidate for one in decided(here).verdicts if one.candidate.provider == provider
    )
    for _ in range(5):
        here.health.failed(candidate, "server_error", hint_s=None, now_s=here.clock.now())


def test_a_low_score_excludes_and_a_high_one_readmits_when_the_time_is_over() -> None:
    excluded = judged(None, score=0.19, circuit_open=False, now_s=0.0)

    assert excluded == Exclusion(until_s=300.0)
    assert judged(excluded, score=0.9, circuit_open=False, now_s=299.0) == excluded
    assert judged(excluded, score=0.29, circuit_open=False, now_s=300.0) == excluded
    assert judged(excluded, score=0.3, circuit_open=False, now_s=300.0) is None
    assert judged(None, score=0.2, circuit_open=False, now_s=0.0) is None


def test_a_score_that_stays_low_is_excluded_for_twice_as_long_up_to_half_an_hour() -> None:
    now_s, lengths = 0.0, list[float]()
    excluded: Exclusion | None = None
    for _ in range(5):
        excluded = judged(excluded, score=0.1, circuit_open=False, now_s=now_s)
        assert excluded is not None
        lengths.append(excluded.cooldown_s)
        now_s = excluded.until_s

    assert lengths == [300.0, 600.0, 1200.0, 1800.0, 1800.0]


def test_an_open_circuit_excludes_for_five_minutes_whatever_the_score() -> None:
    assert judged(None, score=1.0, circuit_open=True, now_s=10.0) == Exclusion(310.0)


def test_the_third_probes_good_answer_ends_an_exclusion_and_a_failed_probe_doubles_it() -> None:
    excluded = Exclusion(300.0)
    for _ in range(2):
        excluded = let_through(excluded)
        assert answered(excluded) == excluded

    failed_probe = opened(excluded, 100.0, after_probe=True)
    assert failed_probe == Exclusion(700.0, cooldown_s=600.0, probes=0)
    assert answered(let_through(excluded)) is None


@pytest.mark.parametrize(
    ("until_s", "score", "half_open", "admitted"),
    [
        (None, 0.2, False, True),
        (None, 0.19, False, False),
        (200.0, 1.0, False, False),
        (200.0, 0.0, True, True),
        (50.0, 0.3, False, True),
        (50.0, 0.29, True, False),
    ],
)
def test_who_may_be_chosen(
    until_s: float | None, score: float, *, half_open: bool, admitted: bool
) -> None:
    assert admits(until_s, score=score, half_open=half_open, now_s=100.0) is admitted


@given(steps=st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.floats(0, 4000)), max_size=30))
def test_an_exclusion_lasts_between_five_and_thirty_minutes(
    steps: list[tuple[float, bool, float]],
) -> None:
    now_s, excluded = 0.0, None
    for score, circuit_open, pause_s in steps:
        now_s += pause_s
        excluded = judged(excluded, score=score, circuit_open=circuit_open, now_s=now_s)

        assert excluded is None or COOLDOWN_S <= excluded.cooldown_s <= COOLDOWN_S_MAX
        assert excluded is None or excluded.until_s <= now_s + COOLDOWN_S_MAX


def test_a_provider_whose_circuit_opened_stays_excluded_after_it_closed_again() -> None:
    here = world(account("one"), account("two"))
    open_circuit(here, "one")
    here.clock.advance(31)

    half_open = decided(here)
    probe = next(one.candidate for one in half_open.verdicts if one.candidate.provider == "one")
    here.health.begin(probe, here.clock.now())
    here.health.succeeded(probe, first_byte_s=0.1, total_s=0.2, now_s=here.clock.now())
    here.clock.advance(2)
    closed = decided(here)
    here.clock.advance(300)
    healed = decided(here)

    assert 0 < chances(half_open)["one"] < 1
    assert chances(closed) == {"one": 0.0, "two": 1.0}
    assert [one.provider for one in closed.order] == ["two", "one"]
    assert 0 < chances(healed)["one"] < 1


def test_a_failed_probe_keeps_a_provider_excluded_for_ten_minutes() -> None:
    here = world(account("one"), account("two"))
    open_circuit(here, "one")
    here.clock.advance(31)
    probe = decided(here).verdicts[0].candidate
    assert probe.provider == "one"

    here.health.begin(probe, here.clock.now())
    here.health.failed(probe, "server_error", hint_s=None, now_s=here.clock.now())

    exclusion = here.health.healing.exclusions["one"]
    assert exclusion.until_s == here.clock.now() + 600


def test_other_circuits_of_an_excluded_provider_make_it_no_longer() -> None:
    here = world(account("one", "m", "n", "o"), account("two"))
    until_s = here.clock.now() + 300
    for verdict in decided(here).verdicts:
        for _ in range(5 * (verdict.candidate.provider == "one")):
            here.health.failed(
                verdict.candidate, "server_error", hint_s=None, now_s=here.clock.now()
            )

    assert here.health.healing.exclusions["one"].until_s == until_s


def test_an_exclusion_that_is_over_is_forgotten() -> None:
    here = world(account("one"), account("two"))
    open_circuit(here, "one")
    decided(here)
    here.clock.advance(301)
    here.health.succeeded(
        decided(here).verdicts[0].candidate, first_byte_s=0.1, total_s=0.2, now_s=here.clock.now()
    )
    here.clock.advance(2)

    decided(here)

    assert here.health.healing.exclusions == {}


def test_where_all_are_excluded_all_may_be_chosen() -> None:
    states = (CandidateState(excluded_until_s=900.0),) * 2
    candidates = tuple(Candidate(name, name, "m", "openai_chat") for name in ("one", "two"))
    here = Snapshot("auto", None, "auto", candidates, states, config_version=1, mode="classic-6f")

    decision = decide(asked(100.0), here, SEED, snapshot_id="s")

    assert sorted(chances(decision).values()) == pytest.approx([0.025, 0.975])


def test_an_exclusion_is_of_the_classic_policy_alone() -> None:
    states = (CandidateState(excluded_until_s=900.0), CandidateState())
    candidates = tuple(Candidate(name, name, "m", "openai_chat") for name in ("one", "two"))
    here = Snapshot("auto", None, "auto", candidates, states, config_version=1)

    assert chances(decide(asked(100.0), here, SEED, snapshot_id="s")) == {"one": 0.5, "two": 0.5}
