"""A strategy chooses the model; which of its accounts is called first is chosen after that."""

from collections import Counter
from dataclasses import replace
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.choose.accounts import told
from omniroute.routing.choose.contrast import contrast_of
from omniroute.routing.choose.decide import decide
from omniroute.routing.choose.draw import ONE_Q32
from omniroute.routing.choose.explain import factors_of
from omniroute.routing.choose.ranking import Ranking
from omniroute.routing.choose.strategies import STRATEGIES, rank
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.health.tallies import Tallies
from omniroute.routing.model import (
    Candidate,
    ComboModel,
    Decision,
    Features,
    Operation,
    RouteRequest,
    Strategy,
)
from omniroute.routing.moment import CandidateState, Moment
from tests.fakes import ADMIN, World, account, combo, failing, hello, world

SEED = b"a fake seed"
SHARED: tuple[Strategy, ...] = tuple(one for one in sorted(STRATEGIES) if one != "p2c")
"""The strategies that see a model at several accounts as one."""
DOWN = UpstreamFailure("a fake fault", kind="server_error")


def asked(
    request_id: str = "req_1", *, moment: Moment | None = None, target: str = "mix"
) -> RouteRequest:
    features = Features(input_tokens=10, input_tokens_max=40)
    operation = Operation("chat", "openai_chat", b"{}", features, target, forward=False)
    return RouteRequest(request_id, target, operation, 1000.0, moment=moment)


def pool(*counts: int, weights: tuple[int, ...] = ()) -> list[Candidate]:
    """Give the accounts of some models: so many of each."""
    return [
        Candidate(
            f"acc-{model}-{number}",
            f"p{model}",
            "m",
            "openai_chat",
            weight=weights[model] if weights else 0,
            step=model if count > 1 else None,
        )
        for model, count in enumerate(counts)
        for number in range(count)
    ]


def ranked(
    strategy: Strategy, found: list[Candidate], request: RouteRequest, mode: str = "balanced"
) -> Ranking:
    return rank(strategy, mode, request, [(one, CandidateState()) for one in found], SEED)


def by_model(found: list[Candidate], ranking: Ranking) -> list[int]:
    """Give the probability of each model: that of all its accounts."""
    first: dict[str, int] = {}
    for one, part in zip(found, ranking.first_q32, strict=True):
        first[one.provider] = first.get(one.provider, 0) + part
    return list(first.values())


def trio_and_one(strategy: Strategy, **settings: object) -> World:
    """A combo of a model at three accounts and one at a single account."""
    accounts = [account("one", account_id=f"acc-{letter}") for letter in "abc"]
    mix = combo("mix", "one/m", "two/m", strategy=strategy, **settings)
    return world(*accounts, account("two"), combos=[mix])


def decided(here: World, request_id: str = "req_1") -> Decision:
    return here.gateway.route.decide(asked(request_id), ADMIN)


def shares(decision: Decision) -> dict[str, float]:
    found = Counter[str]()
    for one in decision.verdicts:
        found[one.candidate.provider] += one.first_q32
    return {provider: part / ONE_Q32 for provider, part in found.items()}


async def answered_by(here: World, number: int) -> Candidate:
    reply = await here.gateway.route.open(asked(f"req_{number}"), ADMIN)
    assert [piece async for piece in reply]
    reply.close()
    assert reply.winner is not None
    return reply.winner


@given(
    strategy=st.sampled_from(SHARED),
    mode=st.sampled_from(["balanced", "fast", "classic-6f"]),
    counts=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    facts=st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 10**7), st.integers(0, 10**6)),
        min_size=20,
        max_size=20,
    ),
    turn=st.integers(0, 100),
)
def test_accounts_of_a_model_stand_together_and_share_its_probability(
    strategy: Strategy,
    mode: str,
    counts: list[int],
    facts: list[tuple[int, int, int]],
    turn: int,
) -> None:
    found = pool(*counts)
    busy, waits, free = (column[: len(found)] for column in zip(*facts, strict=True))
    moment = Moment(turn, busy, busy, waits, free, turn % len(found))

    ranking = ranked(strategy, found, asked(f"req_{turn}", moment=moment), mode)

    assert sorted(ranking.order) == list(range(len(found)))
    assert sum(ranking.first_q32) == ONE_Q32
    assert ranking.first_q32[ranking.order[0]] > 0
    providers = [found[place].provider for place in ranking.order]
    assert len(list(groupby(providers))) == len(counts)
    assert len(ranking.scores) == len(found)


@given(
    strategy=st.sampled_from(sorted({*SHARED} - {"auto", "headroom", "fill-first"})),
    counts=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    weights=st.lists(st.integers(0, 100), min_size=5, max_size=5),
    turn=st.integers(0, 100),
)
def test_a_model_gets_the_same_share_however_many_accounts_it_has(
    strategy: Strategy, counts: list[int], weights: list[int], turn: int
) -> None:
    many = pool(*counts, weights=tuple(weights))
    alone = pool(*[1] * len(counts), weights=tuple(weights))

    shared = ranked(strategy, many, asked(moment=Moment(turn)))
    single = ranked(strategy, alone, asked(moment=Moment(turn)))

    assert by_model(many, shared) == list(single.first_q32)


@given(waits=st.lists(st.integers(1, 10**7), min_size=1, max_size=6, unique=True))
def test_an_account_has_its_models_probability_times_its_own_by_p2c(waits: list[int]) -> None:
    count = len(waits)
    found = pool(count, 1, weights=(30, 70))
    moment = Moment(wait_us=(*waits, 1), in_flight=(0,) * (count + 1))

    ranking = ranked("weighted", found, asked(moment=moment))

    by_load = sorted(range(count), key=waits.__getitem__)
    for rank_of, place in enumerate(by_load, start=1):
        exact = 0.3 * (2 * (count - rank_of) + 1) / count**2
        assert ranking.first_q32[place] / ONE_Q32 == pytest.approx(exact, abs=1e-8)
    assert ranking.first_q32[count] / ONE_Q32 == pytest.approx(0.7, abs=1e-8)


def test_the_draws_of_model_and_account_are_independent_as_recorded() -> None:
    found = pool(2, 2, weights=(1, 3))
    moment = Moment(wait_us=(100, 200, 100, 200), in_flight=(0,) * 4)
    drawn = Counter[int]()

    for number in range(20_000):
        ranking = ranked("weighted", found, asked(f"req_{number}", moment=moment))
        drawn[ranking.order[0]] += 1

    parts = [one / ONE_Q32 for one in ranking.first_q32]
    assert parts == pytest.approx([3 / 16, 1 / 16, 9 / 16, 3 / 16])
    for place, part in enumerate(parts):
        assert drawn[place] / 20_000 == pytest.approx(part, abs=0.01)


@pytest.mark.parametrize("strategy", ["random", "weighted"])
def test_three_accounts_of_a_provider_get_one_share(strategy: Strategy) -> None:
    here = trio_and_one(strategy)

    assert shares(decided(here)) == {"one": 0.5, "two": 0.5}


@pytest.mark.anyio
@pytest.mark.parametrize("strategy", ["round-robin", "least-used"])
async def test_turns_and_uses_go_by_models(strategy: Strategy) -> None:
    here = trio_and_one(strategy)

    winners = [await answered_by(here, number) for number in range(60)]

    assert Counter(one.provider for one in winners) == {"one": 30, "two": 30}
    assert len({one.account_id for one in winners}) == 4


def test_an_account_that_may_not_be_tried_leaves_its_models_share_to_the_others() -> None:
    here = trio_and_one("weighted")
    first = decided(here).verdicts[0].candidate
    here.health.failed(first, "rate_limited", hint_s=60.0, now_s=here.clock.now())

    decision = decided(here)

    assert [one.kept for one in decision.verdicts] == [False, True, True, True]
    assert shares(decision) == {"one": 0.5, "two": 0.5}


@pytest.mark.anyio
@pytest.mark.parametrize("strategy", SHARED)
async def test_another_account_answers_before_the_next_model_does(strategy: Strategy) -> None:
    here = trio_and_one(strategy)
    order = decided(here).order
    first = order[0].account_id
    here.upstream.scripts[order[0].name] = lambda call: (
        failing(DOWN) if call.account.account_id == first else hello
    )(call)

    winner = await answered_by(here, 1)

    assert [one.provider for one in order] in (["one"] * 3 + ["two"], ["two"] + ["one"] * 3)
    assert winner == order[1]


@pytest.mark.anyio
async def test_an_account_that_failed_is_seldom_first_but_tried_again() -> None:
    here = trio_and_one("priority")
    first = decided(here).order[0]
    here.health.timing(first).failed(0.01, here.clock.now())

    decision = decided(here)

    ninths = {one.candidate: round(one.first_q32 * 9 / ONE_Q32) for one in decision.verdicts[:3]}
    assert sorted(ninths.values()) == [1, 4, 4]
    assert ninths[first] == 1


@pytest.mark.anyio
@pytest.mark.parametrize("strategy", ["fill-first", "headroom"])
async def test_a_full_account_is_behind_the_others_of_its_model(strategy: Strategy) -> None:
    here = trio_and_one(strategy, concurrency_per_model=1)
    trio = [one.candidate for one in decided(here).verdicts[:3]]
    for one in trio[:2]:
        assert await here.gateway.route.loads.enter(one, places=1, queue_s=1.0)

    roomy = decided(here)
    assert await here.gateway.route.loads.enter(trio[2], places=1, queue_s=1.0)
    full = decided(here)

    assert roomy.order[0] == trio[2]
    assert [one.first_q32 for one in roomy.verdicts] == [0, 0, ONE_Q32, 0]
    assert full.order[0].provider == "two"


@pytest.mark.anyio
async def test_who_last_answered_is_a_model_so_another_account_of_it_stands_in() -> None:
    here = trio_and_one("last-known-good", models=(ComboModel("two/m"), ComboModel("one/m")))
    engine = here.gateway.route
    good = decided(here).verdicts[1].candidate
    engine.tallies.answered("mix", good, unix_s=1.0)
    here.health.failed(good, "rate_limited", hint_s=60.0, now_s=here.clock.now())

    order = decided(here).order

    assert [one.provider for one in order] == ["one", "one", "two"]
    assert good not in order


def test_calls_of_a_model_are_counted_on_when_accounts_come_and_go() -> None:
    tallies = Tallies()
    trio, other = pool(3, 1)[:3], pool(3, 1)[3]
    for _ in range(10):
        tallies.used("mix", trio[0], [*trio, other])
        tallies.used("mix", trio[1], [*trio, other])
        tallies.used("mix", other, [*trio, other])

    more = [*trio[1:], replace(trio[0], account_id="acc-new"), other]

    assert tallies.uses("mix", [*trio, other]) == (20, 20, 20, 10)
    assert tallies.uses("mix", more) == (20, 20, 20, 10)


def test_auto_weighs_what_to_expect_of_a_model_at_its_accounts() -> None:
    here = trio_and_one("auto")
    prepared = here.gateway.route.preparer.prepare(here.configs.current(), "mix", now_s=1000.0)
    states = tuple(CandidateState(success=one) for one in (1.0, 0.99, 0.99, 1.0))
    unwell = replace(prepared.snapshot, states=states)
    busy = Moment(wait_us=(9_000_000, 1, 1, 1), in_flight=(0,) * 4)
    idle = Moment(wait_us=(1, 9_000_000, 9_000_000, 1), in_flight=(0,) * 4)

    poor = decide(asked(moment=busy), unwell, SEED, snapshot_id="s")
    good = decide(asked(moment=idle), unwell, SEED, snapshot_id="s")

    assert shares(poor)["one"] < shares(good)["one"] < 0.5
    for verdict in good.verdicts:
        parts = factors_of(asked(moment=idle), unwell, good, verdict.candidate)
        assert sum(one.contribution for one in parts) == pytest.approx(verdict.score)


def test_a_verdict_tells_both_draws_and_leaves_a_single_account_alone() -> None:
    here = trio_and_one("weighted")

    details = [one.detail for one in told(decided(here))]

    product = "16.7%: its model 50.0%, this account 33.3% of it"
    assert details == [product] * 3 + [""]


def test_the_runner_up_is_another_model_and_costs_are_compared_the_right_way() -> None:
    here = trio_and_one("cost-optimized")
    prepared = here.gateway.route.preparer.prepare(here.configs.current(), "mix", now_s=1000.0)
    decision = decided(here)

    contrast = contrast_of(asked(), prepared.snapshot, decision)

    assert contrast is not None
    assert (contrast.chosen.provider, contrast.runner_up.provider) == ("one", "two")
    assert contrast.advantage == 0
