"""What own requests show of a model: reliability, length and speed, by kind of question."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from omniroute.routing.choose.auto import terms_of
from omniroute.routing.choose.record import pack_decision, pack_snapshot, replays
from omniroute.routing.conversation import Delta, Finish, Usage
from omniroute.routing.errors import FailureKind, RoutingError, UpstreamFailure
from omniroute.routing.health.experience import (
    ALL,
    COUNTED_MAX,
    MODEL_FAULTS,
    PRIOR,
    PUBLISH_S,
    SEEN_MAX,
    Experience,
    Learned,
    Seen,
    expected_length,
    reliability,
)
from omniroute.routing.model import (
    Call,
    Candidate,
    Features,
    Operation,
    Piece,
    RouteRequest,
    Snapshot,
)
from tests.fakes import ADMIN, Script, World, account, combo, failing, hello, world

pytestmark = pytest.mark.anyio


def answering(tokens: int, *, finish: Finish = "stop") -> Script:
    """Give a script of an answer of so many tokens."""

    def script(call: Call) -> Sequence[Piece]:
        usage = Usage(10, tokens)
        return (
            Piece(b"", Delta(text="hello")),
            Piece(b"", Delta(finish=finish, usage=usage, ended=True)),
        )

    return script


def ask(here: World, target: str, number: int = 1, **features: Any) -> RouteRequest:
    known = Features(input_tokens=10, input_tokens_max=100, stream=True, family="math")
    asked = structs.replace(known, **features)
    operation = Operation("chat", "openai_chat", b"{}", asked, target, forward=False)
    return RouteRequest(f"req_{number}", target, operation, here.clock.now())


async def answered(here: World, target: str, times: int, **features: Any) -> None:
    """Ask so often and read to the end; failures are answers, too."""
    for number in range(times):
        request = ask(here, target, number, **features)
        try:
            reply = await here.gateway.route.open(request, ADMIN)
            async for _ in reply:
                here.clock.advance(0.5)
            reply.close()
        except RoutingError:
            pass
        here.clock.advance(40.0)


def learned(here: World, model: str, family: str) -> Learned:
    experience = here.gateway.route.preparer.experience
    experience.refresh(here.clock.now() + PUBLISH_S)
    provider, _, name = model.partition("/")
    return experience.learned(Candidate("", provider, name, "openai_chat"), family)


def lengths(candidate: Candidate) -> dict[str, int]:
    assert candidate.expected is not None
    return dict(candidate.expected.output_tokens)


def snapshot(here: World, target: str) -> Snapshot:
    preparer, config = here.gateway.route.preparer, here.configs.current()
    return preparer.prepare(config, target, now_s=here.clock.now()).snapshot


@given(good=st.integers(0, 400), bad=st.integers(0, 400))
def test_reliability_begins_at_one_and_falls_with_failures_alone(good: int, bad: int) -> None:
    assert reliability(good, 0) == 1.0
    assert 0.0 < reliability(good, bad) <= 1.0
    assert reliability(good, bad + 1) < reliability(good, bad)
    assert reliability(good + 1, bad) >= reliability(good, bad)


@given(prior=st.integers(1, 5000), lengths=st.lists(st.integers(1, 5000), min_size=1, max_size=100))
def test_an_expected_length_lies_between_the_prior_and_what_was_seen(
    prior: int, lengths: list[int]
) -> None:
    mean = sum(lengths) / len(lengths)

    found = expected_length(prior, len(lengths), sum(lengths))

    assert min(prior, mean) - 1e-6 <= found <= max(prior, mean) + 1e-6


@pytest.mark.parametrize("kind", sorted(MODEL_FAULTS))
async def test_a_models_own_failure_counts_in_its_family_alone(kind: FailureKind) -> None:
    here = world(scripts={"one/m": failing(UpstreamFailure("bad", kind=kind))})

    await answered(here, "one/m", 5, family="math")

    assert learned(here, "one/m", "math").reliability == round(PRIOR / (PRIOR + 5), 2)
    assert learned(here, "one/m", "code").reliability == 1.0
    assert learned(here, "two/m", "math").reliability == 1.0


@pytest.mark.parametrize(
    "kind",
    [
        "bad_request",
        "inexpressible",
        "content_policy",
        "rate_limited",
        "server_error",
        "auth",
        "connect",
    ],
)
async def test_the_callers_and_the_providers_failures_tell_nothing_of_the_model(
    kind: FailureKind,
) -> None:
    here = world(scripts={"one/m": failing(UpstreamFailure("not the model", kind=kind))})

    await answered(here, "one/m", 5)

    assert learned(here, "one/m", "math") == Learned()


async def test_an_answer_that_broke_off_or_was_withheld_is_a_failure() -> None:
    broken = (Piece(b"", Delta(text="hel")), UpstreamFailure("cut", kind="truncated"))
    here = world(
        scripts={"one/m": lambda call: broken, "two/m": answering(5, finish="content_filter")}
    )

    for model in ("one/m", "two/m"):
        for number in range(5):
            request = ask(here, model, number)
            reply = await here.gateway.route.open(request, ADMIN)
            try:
                async for _ in reply:
                    pass
            except UpstreamFailure:
                pass
            reply.close()

    assert learned(here, "one/m", "math").reliability == 0.8
    assert learned(here, "two/m", "math").reliability == 0.8


async def test_a_client_that_leaves_tells_nothing() -> None:
    here = world()
    request = ask(here, "one/m", 1)

    (await here.gateway.route.open(request, ADMIN)).close()

    assert learned(here, "one/m", "math") == Learned()


async def test_lengths_move_from_the_table_to_what_was_seen() -> None:
    here = world(scripts={"one/m": answering(500)})
    prior = lengths(snapshot(here, "auto").candidates[0])["math"]

    await answered(here, "one/m", PRIOR)

    assert learned(here, "one/m", "math").output_tokens == pytest.approx(
        (prior + 500) / 2, rel=0.05
    )


@pytest.mark.parametrize(
    ("finish", "features"), [("length", {}), ("stop", {"choices": 3}), ("content_filter", {})]
)
async def test_an_answer_that_is_not_one_whole_answer_tells_no_length(
    finish: Finish, features: dict[str, object]
) -> None:
    here = world(scripts={"one/m": answering(500, finish=finish)})

    await answered(here, "one/m", 3, **features)

    assert learned(here, "one/m", "math").output_tokens is None


async def test_speed_is_the_time_after_the_first_byte_over_the_tokens() -> None:
    here = world(scripts={"one/m": answering(100)})

    await answered(here, "one/m", 3)

    # Two pieces of half a second each for a hundred tokens.
    assert learned(here, "one/m", ALL).token_us == 10_000


async def test_what_was_learned_moves_auto_and_is_in_the_snapshot_of_each_decision() -> None:
    here = world(
        scripts={"one/m": failing(UpstreamFailure("bad", kind="malformed")), "two/m": hello}
    )
    before = snapshot(here, "auto")

    await answered(here, "one/m", 10, family="math")
    here.clock.advance(PUBLISH_S)
    after = snapshot(here, "auto")

    first, second = (dict(one.candidates[0].fitness) for one in (before, after))
    assert second["math"] == pytest.approx(first["math"] * 0.67, abs=1e-3)
    assert second["code"] == first["code"]
    request = ask(here, "auto", 1)
    decision = here.gateway.route.decide(request, ADMIN)
    assert replays(pack_decision(request, decision), pack_snapshot(after), b"a fake seed")


async def test_expected_costs_and_waits_follow_the_expected_length() -> None:
    here = world(scripts={"one/m": answering(900)})
    await answered(here, "one/m", 200)
    here.clock.advance(PUBLISH_S)

    prepared = snapshot(here, "auto")
    one, two = prepared.candidates
    whole, streamed = (ask(here, "auto", 1, stream=stream) for stream in (False, True))
    kept = list(zip(prepared.candidates, prepared.states, strict=True))
    of_whole, of_streamed = terms_of("balanced", whole, kept), terms_of("balanced", streamed, kept)

    tokens = [lengths(each)["math"] for each in (one, two)]
    assert tokens[0] != tokens[1]
    # PRICE: one dollar a million tokens in, two out; the models write 1,000 at most.
    assert [term.cost_usd for term in of_whole] == pytest.approx(
        [(10 + 2 * min(each, 1000)) / 1e6 for each in tokens]
    )
    assert one.expected is not None
    assert one.expected.token_us is not None
    assert of_whole[0].first_byte_s == pytest.approx(tokens[0] * one.expected.token_us / 1e6)
    assert of_streamed[0].first_byte_s == 0.0
    assert of_whole[1].first_byte_s == of_streamed[1].first_byte_s == 1.0


async def test_cost_optimized_expects_lengths_and_other_strategies_carry_none() -> None:
    both = ("one/m", "two/m")
    here = world(
        combos=[
            combo("cheap", *both, strategy="cost-optimized"),
            combo("first", *both),
        ]
    )

    assert all(one.expected for one in snapshot(here, "cheap").candidates)
    assert not any(one.expected for one in snapshot(here, "first").candidates)
    assert not any(one.fitness for one in snapshot(here, "cheap").candidates)


async def test_the_documented_policy_reads_nothing_of_experience() -> None:
    here = world(scripts={"one/m": failing(UpstreamFailure("bad", kind="malformed"))})
    before = snapshot(here, "auto/classic").candidates[0].fitness

    await answered(here, "one/m", 10)
    here.clock.advance(PUBLISH_S)

    assert snapshot(here, "auto/classic").candidates[0].fitness == before


async def test_a_snapshot_stays_the_same_until_a_rounded_estimate_changes() -> None:
    here = world(account("one"), scripts={"one/m": answering(2000)})
    experience = here.gateway.route.preparer.experience
    versions = list[int]()
    for _ in range(300):
        await answered(here, "one/m", 1)
        experience.refresh(here.clock.now())
        versions.append(experience.version)

    # 300 answers moved a length from its prior to 2000, in two digits, and a speed.
    assert versions[-1] < 20


async def test_estimates_are_published_at_intervals() -> None:
    experience = Experience()
    here = world(scripts={"one/m": failing(UpstreamFailure("bad", kind="malformed"))})
    await answered(here, "one/m", 1)
    outcome = here.ledger.records[-1].outcome
    experience.learn(outcome)

    first = experience.refresh(0.0)
    experience.learn(outcome)
    soon, later = experience.refresh(PUBLISH_S - 0.1), experience.refresh(PUBLISH_S)

    assert (first, soon, later) == (1, 1, 2)


def test_the_past_fades_and_memory_is_bounded() -> None:
    experience = Experience()
    old = Seen("one/m", "math", good=0, bad=COUNTED_MAX * 8, answers=9, output_tokens=90)

    experience.restore([old, *(Seen(f"p/{number}", "code", good=1) for number in range(SEEN_MAX))])
    rows = experience.rows()

    assert len(rows) == SEEN_MAX
    assert old.model not in {seen.model for seen, _ in rows}
    assert experience.pending() == ()
    kept = Experience()
    kept.restore([old])
    assert kept.rows()[0][0].bad == COUNTED_MAX // 2


async def test_a_model_that_was_mended_recovers() -> None:
    here = world(account("one"), scripts={"one/m": failing(UpstreamFailure("x", kind="malformed"))})
    experience = here.gateway.route.preparer.experience
    experience.restore([Seen("one/m", "math", bad=COUNTED_MAX - 1)])
    worst = learned(here, "one/m", "math").reliability

    here.upstream.scripts["one/m"] = hello
    await answered(here, "one/m", 1000)

    assert worst == round(PRIOR / (PRIOR + COUNTED_MAX - 1), 2)
    assert learned(here, "one/m", "math").reliability > 0.8


def test_news_that_came_while_others_were_stored_stay_news() -> None:
    experience = Experience()
    experience._count(("one/m", "math"), good=1)
    taken = experience.pending()
    experience._count(("one/m", "math"), bad=1)

    experience.stored(taken)

    assert experience.pending() == (Seen("one/m", "math", bad=1),)
    experience.stored(experience.pending())
    assert experience.pending() == ()
