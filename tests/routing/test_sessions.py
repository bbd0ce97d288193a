"""A session stays where its prompt is likely cached, as far as that is nobody's loss."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from omniroute.routing.accounting.sessions import Sessions, cached_s
from omniroute.routing.choose.contrast import contrast_of
from omniroute.routing.choose.draw import ONE_Q32
from omniroute.routing.choose.explain import CACHE, factors_of
from omniroute.routing.choose.record import (
    pack_decision,
    pack_snapshot,
    replays,
    unpack_decision,
)
from omniroute.routing.choose.strategies import STRATEGIES, rank
from omniroute.routing.conversation import Delta, Usage
from omniroute.routing.model import (
    Caller,
    Candidate,
    ComboModel,
    Decision,
    Features,
    ModelFacts,
    Operation,
    Piece,
    Price,
    RouteRequest,
    Strategy,
    Verdict,
)
from omniroute.routing.moment import CandidateState, Moment, Stay
from omniroute.tools.words import explain
from tests.fakes import ADMIN, Script, World, account, combo, failing, world
from tests.routing.asking import ask, fails

pytestmark = pytest.mark.anyio

LONG = Features(input_tokens=20_000, input_tokens_max=80_000, output_tokens_max=50)
CACHED = Price(input=3_000_000_000, output=6_000_000_000, cached_input=300_000_000)
OTHER = Caller("other-key", frozenset({"write:route"}))


def turn(here: World, target: str, session: str | None) -> RouteRequest:
    return structs.replace(ask(here, target), session_id=session)


def long_turn(here: World, target: str, session: str | None) -> RouteRequest:
    operation = Operation("chat", "openai_chat", b"{}", LONG, target, forward=False)
    return structs.replace(turn(here, target, session), operation=operation)


async def served(here: World, request: RouteRequest, caller: Caller = ADMIN) -> str:
    """Ask, read the answer to its end, and give the account that gave it."""
    reply = await here.gateway.route.open(request, caller)
    _ = [piece async for piece in reply]
    reply.close()
    assert reply.winner is not None
    return reply.winner.account_id


def first(here: World, request: RouteRequest) -> str:
    return here.gateway.route.decide(request, ADMIN).order[0].account_id


def accounts(count: int, **changes: object) -> World:
    """Some accounts of one provider that serve one model."""
    return world(
        *(account("one", account_id=f"acc-{number}", **changes) for number in range(count))
    )


async def test_a_session_stays_with_its_account_and_others_are_shared_out() -> None:
    here = accounts(4)

    alone = [await served(here, turn(here, "one/m", "conversation 1")) for _ in range(40)]
    spread = Counter([await served(here, turn(here, "one/m", None)) for _ in range(40)])

    assert len(set(alone)) == 1
    assert len(spread) == 4


async def test_sessions_are_shared_out_among_the_accounts() -> None:
    here = accounts(4)

    found = Counter([await served(here, turn(here, "one/m", f"c{n}")) for n in range(200)])

    assert len(found) == 4
    assert min(found.values()) >= 25


async def test_a_request_without_a_session_is_decided_as_if_there_were_none() -> None:
    here, untouched = accounts(4), accounts(4)
    await served(here, turn(here, "one/m", "conversation 1"))
    request = structs.replace(turn(here, "one/m", None), request_id="req_1")

    decision = here.gateway.route.decide(request, ADMIN)

    before = untouched.gateway.route.decide(request, ADMIN)
    assert {one.first_q32 for one in decision.verdicts} != {0, ONE_Q32}
    assert {one.first_q32 for one in before.verdicts} != {0, ONE_Q32}
    assert all(one.detail == "" for one in decision.verdicts)


async def test_a_session_that_must_move_stays_where_it_moved_to() -> None:
    here = world(
        account("one"), account("two"), combos=[combo("pair", "one/m", "two/m", strategy="p2c")]
    )
    home = await served(here, turn(here, "pair", "conversation 1"))
    failed = home.removeprefix("acc-")
    here.upstream.scripts[f"{failed}/m"] = failing(fails("server_error"))

    moved = await served(here, turn(here, "pair", "conversation 1"))
    del here.upstream.scripts[f"{failed}/m"]
    here.clock.advance(60)
    after = [await served(here, turn(here, "pair", "conversation 1")) for _ in range(10)]

    assert moved != home
    assert after == [moved] * 10


async def test_a_session_never_stays_against_a_gate() -> None:
    here = accounts(2)
    home = await served(here, turn(here, "one/m", "conversation 1"))
    prepared = here.gateway.route.preparer.prepare(
        here.configs.current(), "one/m", now_s=here.clock.now()
    )
    (candidate,) = [one for one in prepared.snapshot.candidates if one.account_id == home]
    here.health.failed(candidate, "rate_limited", hint_s=30.0, now_s=here.clock.now())

    decision = here.gateway.route.decide(turn(here, "one/m", "conversation 1"), ADMIN)

    assert [one.account_id for one in decision.order] == [
        one.account_id for one in prepared.snapshot.candidates if one.account_id != home
    ]


async def test_a_session_that_nobody_answered_stays_nowhere() -> None:
    here = accounts(2)
    await served(here, turn(here, "one/m", "conversation 1"))
    here.upstream.scripts["one/m"] = failing(fails("auth"))
    reply = here.gateway.route.begin(turn(here, "one/m", "conversation 1"), ADMIN)
    with pytest.raises(Exception, match="fake auth"):
        await reply.start()

    assert len(here.gateway.route.sessions) == 0


@pytest.mark.parametrize(("provider", "warm_s"), [("one", 300.0), ("deepseek", 3600.0)])
async def test_a_session_stays_while_its_providers_cache_is_likely_warm(
    provider: str, warm_s: float
) -> None:
    here = world(*(account(provider, account_id=name) for name in ("a", "b", "c")))
    await served(here, turn(here, f"{provider}/m", "conversation 1"))

    here.clock.advance(warm_s)
    warm = here.gateway.route.decide(turn(here, f"{provider}/m", "conversation 1"), ADMIN)
    here.clock.advance(1)
    cold = here.gateway.route.decide(turn(here, f"{provider}/m", "conversation 1"), ADMIN)

    assert cached_s(provider) == warm_s
    assert sum("session stays" in one.detail for one in warm.verdicts) == 1
    assert not any(one.detail for one in cold.verdicts)


async def test_two_keys_that_use_one_name_have_two_sessions() -> None:
    here = accounts(2)
    await served(here, turn(here, "one/m", "conversation 1"), ADMIN)

    mine = here.gateway.route.decide(turn(here, "one/m", "conversation 1"), ADMIN)
    theirs = here.gateway.route.decide(turn(here, "one/m", "conversation 1"), OTHER)

    assert any(one.detail for one in mine.verdicts)
    assert not any(one.detail for one in theirs.verdicts)


async def test_the_order_of_a_priority_combo_stands_and_only_accounts_are_stayed_with() -> None:
    here = world(
        account("best", account_id="best-a"),
        account("best", account_id="best-b"),
        account("next"),
        combos=[combo("list", "best/m", "next/m")],
    )
    here.upstream.scripts["best/m"] = failing(fails("server_error"))
    moved = await served(here, turn(here, "list", "conversation 1"))
    del here.upstream.scripts["best/m"]
    here.clock.advance(60)

    back = [await served(here, turn(here, "list", "conversation 1")) for _ in range(10)]

    assert moved == "acc-next"
    assert len(set(back)) == 1
    assert set(back) < {"best-a", "best-b"}


async def test_weights_hold_over_sessions_and_every_process_draws_alike() -> None:
    parts = combo(
        "parts", strategy="weighted", models=(ComboModel("one/m", 80), ComboModel("two/m", 20))
    )
    here, there = world(combos=[parts]), world(combos=[parts])
    names = [f"conversation {number}" for number in range(500)]

    own = [first(here, turn(here, "parts", name)) for name in names]
    others = [first(there, turn(there, "parts", name)) for name in names]

    assert own == others
    assert round(Counter(own)["acc-one"] / len(names), 1) == 0.8


def priced(provider: str, model: str) -> ModelFacts:
    """Two that cost the same, with a price for what is cached."""
    return ModelFacts(context_tokens_max=100_000, output_tokens_max=1_000, price=CACHED)


def telling(usage: Usage) -> Script:
    """Answer briefly, with this usage."""
    return lambda call: (Piece(b"", Delta(text="hi", finish="stop", usage=usage, ended=True)),)


def pair_in_auto(usage: Usage) -> World:
    """Two providers that are alike, as `auto` sees them, and report this usage."""
    scripts = {f"{name}/m": telling(usage) for name in ("one", "two")}
    return world(facts_by=priced, scripts=scripts)


def verdict_of(decision: Decision, account_id: str) -> Verdict:
    (found,) = [one for one in decision.verdicts if one.candidate.account_id == account_id]
    return found


async def test_in_auto_a_session_stays_for_what_its_cache_saves() -> None:
    here = pair_in_auto(Usage(20_000, 50))
    home = await served(here, long_turn(here, "auto", "conversation 1"))

    decision = here.gateway.route.decide(long_turn(here, "auto", "conversation 1"), ADMIN)
    stays = [await served(here, long_turn(here, "auto", "conversation 1")) for _ in range(20)]

    own = verdict_of(decision, home)
    assert stays == [home] * 20
    assert own.first_q32 / ONE_Q32 > 0.99
    assert own.detail == (
        "the session stays: its last answer came from here 0 s ago; about 20000 tokens are "
        "likely in its prompt cache, which saves about $0.054000"
    )


async def test_what_the_cache_saves_is_a_part_of_the_score_and_of_the_contrast() -> None:
    scripts = {f"{name}/m": telling(Usage(20_000, 50)) for name in ("one", "two")}
    pool = combo("pool", "rests/m", "one/m", "two/m", strategy="auto")
    here = world(
        *map(account, ("rests", "one", "two")), combos=[pool], facts_by=priced, scripts=scripts
    )
    rests = Candidate("acc-rests", "rests", "m", "openai_chat")
    here.health.failed(rests, "rate_limited", hint_s=60.0, now_s=here.clock.now())
    home = await served(here, long_turn(here, "pool", "conversation 1"))
    await served(here, long_turn(here, "pool", "conversation 1"))
    record = here.ledger.records[-1]
    decision, snapshot = record.outcome.decision, record.snapshot
    assert decision is not None
    assert snapshot is not None

    own = verdict_of(decision, home)
    factors = factors_of(record.outcome.request, snapshot, decision, own.candidate)
    contrast = contrast_of(record.outcome.request, snapshot, decision)

    assert {one.name: one.value for one in factors}[CACHE] == pytest.approx(0.054)
    assert sum(one.contribution for one in factors) == pytest.approx(own.score)
    assert contrast is not None
    assert {one.name: one.advantage for one in contrast.deltas}[CACHE] == pytest.approx(0.054)
    assert sum(one.advantage for one in contrast.deltas) == pytest.approx(contrast.advantage)


async def test_in_auto_a_session_leaves_for_what_is_worth_more_than_its_cache() -> None:
    here = pair_in_auto(Usage(20_000, 50))
    home = await served(here, long_turn(here, "auto", "conversation 1"))
    snapshot = here.ledger.records[-1].snapshot
    assert snapshot is not None
    (candidate,) = [one for one in snapshot.candidates if one.account_id == home]
    for _ in range(50):
        here.health.succeeded(candidate, first_byte_s=60.0, total_s=60.0, now_s=here.clock.now())
    here.clock.advance(2)

    decision = here.gateway.route.decide(long_turn(here, "auto", "conversation 1"), ADMIN)

    assert decision.order[0].account_id != home


async def test_the_format_that_caches_what_is_marked_is_believed_only_what_it_reported() -> None:
    unmarked, marked = Usage(20_000, 50), Usage(20_000, 50, cache_write_tokens=12_000)
    found = []
    for usage in (unmarked, marked):
        here = world(
            account("one", dialect="anthropic"),
            facts_by=priced,
            scripts={"one/m": telling(usage)},
        )
        await served(here, long_turn(here, "auto", "conversation 1"))
        decision = here.gateway.route.decide(long_turn(here, "auto", "conversation 1"), ADMIN)
        found.append("12000 tokens" in decision.verdicts[0].detail)

    assert found == [False, True]


async def test_classic_scores_know_no_sessions() -> None:
    here = pair_in_auto(Usage(20_000, 50))
    await served(here, long_turn(here, "auto/classic", "conversation 1"))

    await served(here, long_turn(here, "auto/classic", "conversation 1"))

    outcome = here.ledger.records[-1].outcome
    assert outcome.request.moment is None
    assert outcome.decision is not None
    assert not any(one.detail for one in outcome.decision.verdicts)


async def test_the_sessions_remembered_are_bounded_and_the_quietest_goes() -> None:
    here = accounts(2)
    engine = replace(here.gateway.route, sessions=Sessions(seats_max=3))
    for name in ("a", "b", "c", "a", "d"):
        (await engine.open(turn(here, "one/m", name), ADMIN)).close()

    stays = {
        name: any(one.detail for one in engine.decide(turn(here, "one/m", name), ADMIN).verdicts)
        for name in ("a", "b", "c", "d")
    }

    assert len(engine.sessions) == 3
    assert stays == {"a": True, "b": False, "c": True, "d": True}


async def test_why_a_session_stays_is_told_and_outlives_the_record() -> None:
    here = accounts(2)
    await served(here, turn(here, "one/m", "conversation 1"))
    here.clock.advance(42)
    await served(here, turn(here, "one/m", "conversation 1"))
    record = here.ledger.records[-1]
    decision, snapshot = record.outcome.decision, record.snapshot
    assert decision is not None
    assert snapshot is not None

    words = explain(record.outcome)
    stored = pack_decision(record.outcome.request, decision)

    assert "one/m: the session stays: its last answer came from here 42 s ago" in words
    assert b"the session stays" not in stored
    assert unpack_decision(stored, snapshot)[1] == decision
    assert replays(stored, pack_snapshot(snapshot), b"a fake seed")


@given(
    strategy=st.sampled_from([one for one in STRATEGIES if one != "auto"]),
    models=st.lists(st.sampled_from("abc"), min_size=1, max_size=8),
    data=st.data(),
)
def test_staying_is_a_permutation_whose_chances_sum_to_one(
    strategy: Strategy, models: list[str], data: st.DataObject
) -> None:
    kept = [
        (Candidate(f"acc-{place}", "one", model, "openai_chat", step=ord(model)), CandidateState())
        for place, model in enumerate(models)
    ]
    own = data.draw(st.integers(0, len(kept) - 1))
    operation = Operation("chat", "openai_chat", b"", LONG)
    request = RouteRequest("req_1", "x", operation, at_s=0.0, session_id="s")
    before = structs.replace(request, moment=Moment(stay=Stay()))
    plain = rank(strategy, "balanced", before, kept, b"seed")

    staying = structs.replace(request, moment=Moment(stay=Stay(own, 100, 5)))
    ranking = rank(strategy, "balanced", staying, kept, b"seed")

    order = [models[place] for place in ranking.order]
    assert sorted(ranking.order) == list(range(len(kept)))
    assert sum(ranking.first_q32) == ONE_Q32
    assert ranking.first_q32[ranking.order[0]] > 0
    if strategy in {"p2c", "random", "weighted"}:
        assert ranking.order[0] == own
    else:
        assert order == [models[place] for place in plain.order]
        assert ranking.order[order.index(models[own])] == own
