"""Deciding is pure: dry runs, live requests and replays agree, bit for bit."""

import contextlib
import random
import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from omniroute.routing.choose.draw import ONE_Q32, draw_order, quantise
from omniroute.routing.choose.record import (
    pack_decision,
    pack_snapshot,
    replays,
    snapshot_id,
    unpack_decision,
    unpack_snapshot,
)
from omniroute.routing.choose.strategies import STRATEGIES
from omniroute.routing.errors import FailureKind, RoutingError
from omniroute.routing.model import (
    Candidate,
    ComboModel,
    Features,
    ModelFacts,
    Operation,
    Price,
    RouteRequest,
)
from tests.fakes import ADMIN, World, account, combo, world

REQUESTS = 10_000
RECORD_BYTES_MEDIAN_MAX = 1_024
SEED = b"a fake seed"
KINDS: tuple[FailureKind, ...] = ("server_error", "rate_limited", "auth")


def random_world(random_source: random.Random) -> World:
    """Some accounts, a combo of any strategy over them, some of them unwell."""
    names = [f"p{number}" for number in range(random_source.randint(1, 8))]
    mixed = combo(
        "mix",
        models=tuple(ComboModel(f"{name}/m", random_source.randint(0, 100)) for name in names),
        strategy=random_source.choice(list(STRATEGIES)),
        concurrency_per_model=random_source.choice((None, 2)),
        queue_s=0.0,
    )
    twins = [account(name, account_id=f"acc-{name}-b") for name in names if name < "p3"]
    here = world(*(account(name) for name in names), *twins, combos=[mixed])
    prepared = here.gateway.route.preparer.prepare(
        here.configs.current(), "mix", now_s=here.clock.now()
    )
    for candidate in prepared.snapshot.candidates:
        for _ in range(random_source.choice((0, 0, 1, 5))):
            kind = random_source.choice(KINDS)
            here.health.failed(candidate, kind, hint_s=None, now_s=here.clock.now())
        if random_source.random() < 0.5:
            first_byte_s, now_s = random_source.random(), here.clock.now()
            here.health.succeeded(candidate, first_byte_s=first_byte_s, total_s=1.0, now_s=now_s)
        count_at_random(random_source, here, candidate)
    here.clock.advance(random_source.choice((0, 2, 40)))
    return here


def count_at_random(random_source: random.Random, here: World, candidate: Candidate) -> None:
    """Let the gateway have counted something of a candidate."""
    engine = here.gateway.route
    if random_source.random() < 0.5:
        wait_s = random_source.random()
        here.health.timing(candidate).waited(wait_s, here.clock.now())
        engine.tallies.take_turn("mix")
        engine.tallies.used("mix", candidate, [candidate])
        engine.tallies.answered("mix", candidate, unix_s=here.clock.unix())


def random_request(random_source: random.Random, here: World) -> RouteRequest:
    features = Features(
        stream=random_source.random() < 0.5,
        input_tokens=random_source.randint(1, 150_000),
        input_tokens_max=600_000,
        output_tokens_max=random_source.choice((None, 1, 4096)),
        tools=random_source.random() < 0.3,
    )
    number = random_source.getrandbits(128)
    return RouteRequest(
        request_id=f"req_{number:032x}",
        target="mix",
        operation=Operation("chat", "openai_chat", b"{}", features, "mix", forward=False),
        at_s=here.clock.now(),
        spend_usd_nanos_max=random_source.choice((None, None, 10**6, 10**9)),
        session_id=(None, "conversation 1", "conversation 2")[number % 3],
    )


@pytest.mark.anyio
async def test_a_dry_run_and_a_live_request_of_one_id_decide_alike() -> None:
    random_source = random.Random(20261122)
    compared = 0
    for _ in range(REQUESTS // 10):
        here = random_world(random_source)
        for _ in range(10):
            request = random_request(random_source, here)

            simulated = here.gateway.route.decide(request, ADMIN)
            with contextlib.suppress(RoutingError):
                (await here.gateway.route.open(request, ADMIN)).close()
            live = here.ledger.records[-1].outcome.decision

            assert live == simulated
            compared += 1
    assert compared == REQUESTS


@pytest.mark.anyio
async def test_packed_decisions_replay_bit_for_bit_and_a_changed_one_does_not() -> None:
    random_source = random.Random(7)
    for _ in range(300):
        here = random_world(random_source)
        with contextlib.suppress(RoutingError):
            (await here.gateway.route.open(random_request(random_source, here), ADMIN)).close()
        outcome, snapshot = here.ledger.records[-1].outcome, here.ledger.records[-1].snapshot
        assert outcome.decision is not None
        assert snapshot is not None

        packed, record = pack_snapshot(snapshot), pack_decision(outcome.request, outcome.decision)

        assert unpack_snapshot(packed) == snapshot
        assert unpack_decision(record, snapshot)[1] == outcome.decision
        assert replays(record, packed, SEED)
        assert not replays(record.replace(b'"order":', b'"order": ', 1), packed, SEED)


def test_a_stored_decision_takes_at_most_a_kibibyte_at_the_median() -> None:
    random_source = random.Random(8)
    sizes: list[int] = []
    while len(sizes) < 201:
        here = random_world(random_source)
        request = structs.replace(
            random_request(random_source, here),
            session_id="session-0123456789abcdef",
            client_request_id="client-0123456789abcdef",
        )
        decision = here.gateway.route.decide(request, ADMIN)
        if len(decision.verdicts) == 8:
            sizes.append(len(pack_decision(request, decision)))

    assert statistics.median(sizes) <= RECORD_BYTES_MEDIAN_MAX


def test_every_candidate_gets_a_verdict_with_a_reason() -> None:
    random_source = random.Random(3)
    for _ in range(200):
        here = random_world(random_source)
        decision = here.gateway.route.decide(random_request(random_source, here), ADMIN)

        names = {one.candidate.name for one in decision.verdicts}
        assert names == {entry.target for entry in here.configs.current().combos[0].models}
        assert all(one.reason for one in decision.verdicts)
        kept = [one for one in decision.verdicts if one.kept]
        assert sum(one.first_q32 for one in kept) == (ONE_Q32 if kept else 0)
        assert {one.name for one in decision.order} == {one.candidate.name for one in kept}


def test_a_snapshot_id_depends_on_every_part_of_it() -> None:
    here = world()
    prepared = here.gateway.route.preparer.prepare(here.configs.current(), "one/m", now_s=0.0)
    snapshot = prepared.snapshot

    other = replace(snapshot, states=(replace(snapshot.states[0], success=0.5),))

    assert snapshot_id(pack_snapshot(other)) != prepared.snapshot_id


@given(weights=st.lists(st.floats(0, 1e12), min_size=1, max_size=64))
def test_fixed_point_probabilities_sum_to_one_exactly(weights: list[float]) -> None:
    parts = quantise(weights)

    assert sum(parts) == ONE_Q32
    assert all(part >= 0 for part in parts)


@given(names=st.lists(st.text(max_size=8), min_size=1, max_size=12, unique=True), salt=st.text())
def test_a_draw_is_a_permutation_that_depends_only_on_its_arguments(
    names: list[str], salt: str
) -> None:
    parts = quantise([1.0] * len(names))

    first = draw_order(parts, names, seed=SEED, key=salt)
    second = draw_order(parts, names, seed=SEED, key=salt)

    assert first == second
    assert sorted(first) == list(range(len(names)))


def test_draws_come_as_often_as_their_probability_says() -> None:
    parts = quantise([0.7, 0.2, 0.1])
    wins = [0, 0, 0]

    for number in range(20_000):
        wins[draw_order(parts, ["a", "b", "c"], seed=SEED, key=f"r{number}")[0]] += 1

    assert [round(count / 20_000, 1) for count in wins] == [0.7, 0.2, 0.1]


def test_a_snapshot_is_reused_until_something_that_it_holds_changes() -> None:
    here = world()
    preparer, config = here.gateway.route.preparer, here.configs.current()

    first = preparer.prepare(config, "one/m", now_s=0.0)
    again = preparer.prepare(config, "one/m", now_s=0.5)
    here.health.failed(first.snapshot.candidates[0], "auth", hint_s=None, now_s=1.0)
    changed = preparer.prepare(config, "one/m", now_s=1.0)

    assert again is first
    assert changed.snapshot_id != first.snapshot_id


def test_weights_of_zero_mean_all_alike() -> None:
    here = world(combos=[combo("both", "one/m", "two/m", strategy="weighted")])

    decision = here.gateway.route.decide(_modest(here, "both"), ADMIN)

    assert [one.first_q32 for one in decision.verdicts] == [ONE_Q32 // 2, ONE_Q32 // 2]


def test_the_cheapest_comes_first_and_an_unknown_price_last() -> None:
    prices = {"dear": Price(10**12, 10**12), "cheap": Price(10**6, 10**6), "unknown": None}
    here = world(
        account("dear"),
        account("unknown"),
        account("cheap"),
        combos=[combo("trio", "unknown/m", "dear/m", "cheap/m", strategy="cost-optimized")],
        facts_by=lambda provider, model: ModelFacts(price=prices[provider]),
    )

    decision = here.gateway.route.decide(_modest(here, "trio"), ADMIN)

    assert [one.provider for one in decision.order] == ["cheap", "dear", "unknown"]


def _modest(here: World, target: str) -> RouteRequest:
    features = Features(input_tokens=10, input_tokens_max=40)
    operation = Operation("chat", "openai_chat", b"{}", features, target, forward=False)
    return RouteRequest("req_modest", target, operation, here.clock.now())
