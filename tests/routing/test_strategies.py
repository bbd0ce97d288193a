"""Each strategy does what it says, alone and as a combo's setting in the gateway."""

import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.choose.draw import ONE_Q32
from omniroute.routing.choose.explain import factors_of
from omniroute.routing.choose.ranking import Ranking
from omniroute.routing.choose.strategies import STRATEGIES, rank
from omniroute.routing.errors import RoutingError, UpstreamFailure
from omniroute.routing.model import (
    Call,
    Candidate,
    Decision,
    Features,
    ModelFacts,
    Operation,
    Piece,
    RouteRequest,
    Strategy,
)
from omniroute.routing.moment import CandidateState, Moment
from tests.fakes import ADMIN, World, account, combo, failing, hello, world

SEED = b"a fake seed"
TRIO = ("one/m", "two/m", "three/m")


def asked(
    request_id: str = "req_1", *, moment: Moment | None = None, input_tokens: int = 10
) -> RouteRequest:
    features = Features(input_tokens=input_tokens, input_tokens_max=input_tokens * 4)
    operation = Operation("chat", "openai_chat", b"{}", features, "trio", forward=False)
    return RouteRequest(request_id, "trio", operation, 1000.0, moment=moment)


def candidates(*weights: int, rooms: tuple[int | None, ...] = ()) -> list[Candidate]:
    facts = [ModelFacts(context_tokens_max=room) for room in rooms or (None,) * len(weights)]
    return [
        Candidate(f"acc-{place}", f"p{place}", "m", "openai_chat", facts[place], weight)
        for place, weight in enumerate(weights)
    ]


def ranked(strategy: Strategy, found: list[Candidate], request: RouteRequest) -> Ranking:
    kept = [(one, CandidateState()) for one in found]
    return rank(strategy, "balanced", request, kept, SEED)


def trio(strategy: Strategy, **settings: object) -> World:
    names = ("one", "two", "three")
    made = combo("trio", *TRIO, strategy=strategy, **settings)
    return world(*(account(name) for name in names), combos=[made])


async def answered_by(here: World, *, number: int = 0) -> str:
    reply = await here.gateway.route.open(asked(f"req_{number}"), ADMIN)
    assert [piece async for piece in reply]
    reply.close()
    assert reply.winner is not None
    return reply.winner.provider


@given(
    strategy=st.sampled_from(sorted(STRATEGIES)),
    facts=st.lists(
        st.tuples(
            st.integers(0, 100),
            st.integers(0, 50),
            st.integers(0, 10**8),
            st.integers(0, 10**6),
            st.one_of(st.none(), st.integers(1, 10**6)),
        ),
        min_size=1,
        max_size=12,
    ),
    turn=st.integers(0, 10**9),
    known=st.booleans(),
)
def test_every_strategy_gives_each_candidate_one_place_and_a_probability_of_the_whole(
    strategy: Strategy,
    facts: list[tuple[int, int, int, int, int | None]],
    turn: int,
    known: bool,
) -> None:
    weights, busy, waits, free, rooms = (tuple(column) for column in zip(*facts, strict=True))
    moment = Moment(turn, busy, busy, waits, free, turn % len(facts)) if known else None

    ranking = ranked(strategy, candidates(*weights, rooms=rooms), asked(moment=moment))

    assert sorted(ranking.order) == list(range(len(facts)))
    assert sum(ranking.first_q32) == ONE_Q32
    assert ranking.first_q32[ranking.order[0]] > 0
    assert len(ranking.scores) == len(facts)


@given(count=st.integers(1, 20), turn=st.integers(0, 10**9))
def test_round_robin_walks_in_a_circle_from_the_turns_place(count: int, turn: int) -> None:
    ranking = ranked("round-robin", candidates(*[0] * count), asked(moment=Moment(turn=turn)))

    assert ranking.order[0] == turn % count
    assert all((before + 1) % count == after for before, after in pairwise(ranking.order))


@given(uses=st.lists(st.integers(0, 1000), min_size=1, max_size=20))
def test_least_used_is_in_ascending_order_of_uses(uses: list[int]) -> None:
    moment = Moment(uses=tuple(uses))

    ranking = ranked("least-used", candidates(*[0] * len(uses)), asked(moment=moment))

    assert [uses[place] for place in ranking.order] == sorted(uses)


@given(free=st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_headroom_is_in_descending_order_of_what_is_free(free: list[int]) -> None:
    moment = Moment(free_ppm=tuple(free))

    ranking = ranked("headroom", candidates(*[0] * len(free)), asked(moment=moment))

    assert [free[place] for place in ranking.order] == sorted(free, reverse=True)


def test_what_is_left_of_a_providers_rate_limits_counts_where_it_is_less() -> None:
    limits = (0.4, None, 0.9, 0.0)
    places = Moment(free_ppm=(500_000, 600_000, 500_000, 900_000))
    kept = [
        (one, CandidateState(headroom=left))
        for one, left in zip(candidates(0, 0, 0, 0), limits, strict=True)
    ]

    by_share = rank("headroom", "balanced", asked(moment=places), kept, SEED)
    filled = rank("fill-first", "balanced", asked(moment=places), kept, SEED)

    assert by_share.order == (1, 2, 0, 3)
    assert by_share.scores == (0.4, 0.6, 0.5, 0.0)
    assert filled.order == (0, 1, 2, 3)
    assert rank("fill-first", "balanced", asked(), kept[::-1], SEED).order == (1, 2, 3, 0)


@given(free=st.lists(st.integers(0, 2), min_size=1, max_size=20))
def test_fill_first_keeps_the_lists_order_with_the_full_ones_behind(free: list[int]) -> None:
    moment = Moment(free_ppm=tuple(free))

    ranking = ranked("fill-first", candidates(*[0] * len(free)), asked(moment=moment))

    places = range(len(free))
    roomy, full = [one for one in places if free[one]], [one for one in places if not free[one]]
    assert ranking.order == (*roomy, *full)


@given(rooms=st.lists(st.one_of(st.none(), st.integers(100, 10**6)), min_size=1, max_size=20))
def test_context_fit_takes_the_smallest_context_first_and_an_unknown_one_last(
    rooms: list[int | None],
) -> None:
    found = candidates(*[0] * len(rooms), rooms=tuple(rooms))

    ranking = ranked("context-fit", found, asked())

    in_order = [rooms[place] for place in ranking.order]
    known = sorted(one for one in rooms if one is not None)
    assert in_order == [*known, *[None] * (len(rooms) - len(known))]


@given(count=st.integers(1, 20), good=st.integers(0, 30))
def test_last_known_good_comes_first_and_the_rest_in_the_lists_order(count: int, good: int) -> None:
    moment = Moment(last_good=good if good < count else None)

    ranking = ranked("last-known-good", candidates(*[0] * count), asked(moment=moment))

    first = [good] if good < count else []
    assert ranking.order == (*first, *(place for place in range(count) if place != good))


@given(loads=st.lists(st.integers(1, 10**7), min_size=1, max_size=20, unique=True))
def test_p2c_gives_rank_r_of_n_its_closed_form_probability(loads: list[int]) -> None:
    count = len(loads)
    moment = Moment(wait_us=tuple(loads), in_flight=(0,) * count)

    ranking = ranked("p2c", candidates(*[0] * count), asked(moment=moment))

    by_load = sorted(range(count), key=loads.__getitem__)
    for rank_of, place in enumerate(by_load, start=1):
        exact = (2 * (count - rank_of) + 1) / count**2
        assert ranking.first_q32[place] / ONE_Q32 == pytest.approx(exact, abs=1e-8)
    assert [place for place in by_load if place != ranking.order[0]] == list(ranking.order[1:])


def test_p2c_is_as_two_picks_with_replacement_would_be() -> None:
    random_source = random.Random(20261122)
    loads = (0.4, 0.1, 0.2, 0.3)
    moment = Moment(wait_us=tuple(int(one * 1e6) for one in loads), in_flight=(0,) * 4)
    drawn, simulated = Counter[int](), Counter[int]()

    for number in range(20_000):
        request = asked(f"req_{number}", moment=moment)
        drawn[ranked("p2c", candidates(0, 0, 0, 0), request).order[0]] += 1
        picks = random_source.randrange(4), random_source.randrange(4)
        simulated[min(picks, key=loads.__getitem__)] += 1

    for place in range(4):
        assert drawn[place] / 20_000 == pytest.approx(simulated[place] / 20_000, abs=0.015)


def test_p2c_counts_calls_under_way_and_weights() -> None:
    moment = Moment(wait_us=(100_000, 100_000, 100_000), in_flight=(3, 1, 9))

    ranking = ranked("p2c", candidates(1, 1, 10), asked(moment=moment))

    assert ranking.scores == (0.4, 0.2, 0.1)
    assert ranking.first_q32[2] > ranking.first_q32[1] > ranking.first_q32[0]


def test_p2c_shares_equal_loads_out_alike_and_leaves_weight_nought_for_the_end() -> None:
    alike = ranked("p2c", candidates(0, 0, 0, 0), asked())
    weighted = ranked("p2c", candidates(0, 5, 5), asked())

    assert alike.first_q32 == (ONE_Q32 // 4,) * 4
    assert weighted.first_q32 == (0, ONE_Q32 // 2, ONE_Q32 // 2)
    assert weighted.order[-1] == 0


def test_an_untried_candidate_counts_as_the_quickest() -> None:
    moment = Moment(wait_us=(300_000, 0, 200_000), in_flight=(0, 0, 0))

    ranking = ranked("p2c", candidates(0, 0, 0), asked(moment=moment))

    assert ranking.scores == (0.3, 0.2, 0.2)


@pytest.mark.anyio
async def test_round_robin_takes_turns_and_a_dry_run_takes_none() -> None:
    here = trio("round-robin")

    winners: list[str] = []
    for number in range(6):
        for _ in range(3):
            simulated = here.gateway.route.decide(asked(f"req_{number}"), ADMIN)
        winners.append(await answered_by(here, number=number))
        assert simulated.order[0].provider == winners[-1]

    assert winners == ["one", "two", "three"] * 2


@pytest.mark.anyio
async def test_round_robin_goes_on_past_a_candidate_that_fails() -> None:
    here = trio("round-robin")
    down = UpstreamFailure("a fake fault", kind="server_error")
    here.upstream.scripts["two/m"] = failing(down)

    winners = [await answered_by(here, number=number) for number in range(3)]

    assert winners == ["one", "three", "three"]


@pytest.mark.anyio
async def test_least_used_evens_the_calls_out() -> None:
    here = trio("least-used")

    winners = Counter([await answered_by(here, number=number) for number in range(9)])

    assert winners == {"one": 3, "two": 3, "three": 3}


@pytest.mark.anyio
async def test_last_known_good_stays_with_who_answered_until_it_fails() -> None:
    here = trio("last-known-good")
    down = UpstreamFailure("a fake fault", kind="server_error")
    here.upstream.scripts["one/m"] = failing(down)

    first = await answered_by(here, number=1)
    del here.upstream.scripts["one/m"]
    second = await answered_by(here, number=2)
    here.upstream.scripts["two/m"] = failing(down)
    third = await answered_by(here, number=3)

    assert [first, second, third] == ["two", "two", "one"]


@pytest.mark.anyio
async def test_after_all_have_failed_none_is_known_to_be_good() -> None:
    here = trio("last-known-good")
    here.gateway.route.tallies.answered("trio", _candidate(here, 2), unix_s=1.0)
    before = here.gateway.route.decide(asked(), ADMIN)
    down = UpstreamFailure("a fake fault", kind="server_error")
    here.upstream.scripts |= {name: failing(down) for name in TRIO}

    with pytest.raises(RoutingError):
        await here.gateway.route.open(asked(), ADMIN)
    after = here.gateway.route.decide(asked(), ADMIN)

    assert [one.provider for one in before.order] == ["three", "one", "two"]
    assert [one.provider for one in after.order] == ["one", "two", "three"]


@pytest.mark.anyio
async def test_the_gateway_measures_the_wait_that_p2c_reads() -> None:
    here = trio("p2c")

    def slow(call: Call) -> Sequence[Piece]:
        here.clock.advance(0.3)
        return hello(call)

    here.upstream.scripts |= dict.fromkeys(TRIO, slow)
    winner = await answered_by(here)
    here.gateway.route.decide(asked(), ADMIN)
    trio_of = [_candidate(here, place) for place in range(3)]
    waits = here.health.peaks_us(trio_of, here.clock.now())

    assert waits == tuple(300_000 if name == winner else 0 for name in ("one", "two", "three"))


@pytest.mark.anyio
async def test_a_failure_counts_as_a_long_wait() -> None:
    here = trio("p2c")
    down = UpstreamFailure("a fake fault", kind="server_error")
    here.upstream.scripts |= {name: failing(down) for name in TRIO}

    with pytest.raises(RoutingError):
        await here.gateway.route.open(asked(), ADMIN)

    trio_of = [_candidate(here, place) for place in range(3)]
    assert here.health.peaks_us(trio_of, here.clock.now()) == (5_000_000,) * 3


@pytest.mark.anyio
@pytest.mark.parametrize("strategy", ["fill-first", "headroom"])
async def test_a_full_candidate_is_passed_over(strategy: Strategy) -> None:
    here = trio(strategy, concurrency_per_model=1)

    first = await here.gateway.route.open(asked("req_1"), ADMIN)
    second = await here.gateway.route.open(asked("req_2"), ADMIN)
    first.close()
    third = await here.gateway.route.open(asked("req_3"), ADMIN)
    second.close()
    third.close()

    winners = [one.winner.provider for one in (first, second, third) if one.winner is not None]
    assert winners == ["one", "two", "one"]


@pytest.mark.anyio
async def test_p2c_moves_away_from_a_slow_candidate_after_one_observation() -> None:
    here = trio("p2c")
    prepared = here.gateway.route.preparer.prepare(here.configs.current(), "trio", now_s=0.0)
    one, two, three = prepared.snapshot.candidates
    for candidate, wait_s in ((one, 9.0), (two, 0.1), (three, 0.2)):
        here.health.timing(candidate).waited(wait_s, asked().at_s)

    decision = here.gateway.route.decide(asked(), ADMIN)

    ninths = [round(one.first_q32 / ONE_Q32 * 9) for one in decision.verdicts]
    assert ninths == [1, 5, 3]


@pytest.mark.anyio
@pytest.mark.parametrize("target", ["one/m", "trio"])
async def test_accounts_that_serve_one_model_share_its_work_by_load(target: str) -> None:
    twins = [account("one", account_id="acc-a"), account("one", account_id="acc-b")]
    here = world(*twins, account("two"), combos=[combo("trio", "one/m", "two/m")])
    prepared = here.gateway.route.preparer.prepare(here.configs.current(), target, now_s=0.0)
    busy = prepared.snapshot.candidates[0]

    before = here.gateway.route.decide(_for(target), ADMIN)
    assert await here.gateway.route.loads.enter(busy, places=None, queue_s=1.0)
    after = here.gateway.route.decide(_for(target), ADMIN)

    assert _quarters(before)[:2] == [2, 2]
    assert _quarters(after)[:2] == [1, 3]
    assert [one.provider for one in after.order[:2]] == ["one", "one"]
    assert [one.provider for one in after.order[2:]] == ["two"] * (target == "trio")


@pytest.mark.parametrize("strategy", ["least-used", "p2c", "headroom", "context-fit"])
def test_a_strategy_with_a_figure_explains_it(strategy: Strategy) -> None:
    here = trio(strategy)
    request = asked()
    decision = here.gateway.route.decide(request, ADMIN)
    prepared = here.gateway.route.preparer.prepare(here.configs.current(), "trio", now_s=1000.0)

    parts = factors_of(request, prepared.snapshot, decision, decision.order[0])

    score = next(one.score for one in decision.verdicts if one.candidate == decision.order[0])
    assert [one.contribution for one in parts] == [score]
    assert parts[0].name


@pytest.mark.anyio
async def test_a_refused_request_takes_no_turn() -> None:
    here = trio("round-robin")
    too_long = asked("req_long", input_tokens=10**9)

    with pytest.raises(RoutingError):
        await here.gateway.route.open(too_long, ADMIN)

    assert await answered_by(here) == "one"


def _candidate(here: World, place: int) -> Candidate:
    prepared = here.gateway.route.preparer.prepare(
        here.configs.current(), "trio", now_s=here.clock.now()
    )
    return prepared.snapshot.candidates[place]


def _for(target: str) -> RouteRequest:
    request = asked()
    return RouteRequest(request.request_id, target, request.operation, request.at_s)


def _quarters(decision: Decision) -> list[int]:
    return [round(one.first_q32 / ONE_Q32 * 4) for one in decision.verdicts]
