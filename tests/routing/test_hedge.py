"""A second call where the first byte is late: one answer, and both calls told and paid rightly."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from omniroute.routing.engine import Engine
from omniroute.routing.errors import AllFailed, FailureKind, RoutingError, UpstreamFailure
from omniroute.routing.health.latency import Timing
from omniroute.routing.health.retry_budget import PER_S
from omniroute.routing.hedge import SAMPLES_MIN, normal_s
from omniroute.routing.model import Candidate, Features, Operation, Outcome, RouteRequest
from tests import virtual
from tests.fakes import ADMIN, World, account, combo, world
from tests.routing.racing import Plan, Raced

NORMAL_S = 1.0
"""What a first byte takes here, before the test begins."""
LATE_S = 5.0
COST = 14_000
"""Of 10 tokens in and 2 out, in nano-dollars."""


def fails(kind: FailureKind) -> UpstreamFailure:
    return UpstreamFailure(f"a fake {kind}", kind=kind)


class LoopClock:
    """The virtual loop's time."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def unix(self) -> float:
        return 1_700_000_000.0 + self.now()


@dataclass
class Scene:
    """A gateway in virtual time, and what it gave."""

    here: World
    engine: Engine
    upstream: Raced
    texts: list[str] = field(default_factory=list[str])

    @property
    def outcome(self) -> Outcome:
        return self.here.ledger.records[-1].outcome

    @property
    def attempts(self) -> list[tuple[int, str, str | None]]:
        return [(one.number, one.candidate.provider, one.failure) for one in self.outcome.attempts]

    def candidate(self, name: str) -> Candidate:
        decision = self.outcome.decision
        assert decision is not None
        return next(one.candidate for one in decision.verdicts if one.candidate.provider == name)

    def in_flight(self) -> list[int]:
        return [self.engine.loads.in_flight(self.candidate(one)) for one in ("one", "two")]

    async def ask(self, *, stream: bool = True, spend: int | None = None) -> None:
        features = Features(
            stream=stream, input_tokens=10, input_tokens_max=100, output_tokens_max=50
        )
        operation = Operation("chat", "openai_chat", b"{}", features, "duo", forward=False)
        request = RouteRequest(
            "req_1", "duo", operation, self.engine.clock.now(), spend_usd_nanos_max=spend
        )
        reply = await self.engine.open(request, structs.replace(ADMIN, budget_ids=("b",)))
        deltas = [piece.delta async for piece in reply]
        self.texts.append("".join(one.text for one in deltas if one is not None))
        reply.close()


def played(
    story: Callable[[Scene], Coroutine[Any, Any, None]],
    *,
    percentile: int | None = 95,
    cap: int = 10**9,
    known: int = SAMPLES_MIN,
    **plans: Plan,
) -> Scene:
    """Let a story happen in virtual time, where both providers take NORMAL_S normally."""
    scenes: list[Scene] = []

    async def play() -> None:
        duo = combo("duo", "one/m", "two/m", hedge_percentile=percentile)
        here = world(account("one"), account("two"), combos=[duo], caps={"b": cap})
        upstream = Raced(**plans)
        engine = replace(here.gateway.route, upstream=upstream, clock=LoopClock())
        for name in ("one", "two"):
            timing = here.health.timing(Candidate(f"acc-{name}", name, "m", "openai_chat"))
            for _ in range(known):
                timing.answered(NORMAL_S, NORMAL_S, 0.0)
        scenes.append(Scene(here, engine, upstream))
        await story(scenes[0])

    virtual.run(play())
    return scenes[0]


async def one_stream(scene: Scene) -> None:
    await scene.ask()


def settled(scene: Scene) -> bool:
    """Whether nothing is held, nobody has a place, and every call that was lost was cut."""
    return not scene.here.budgets.holds and scene.in_flight() == [0, 0]


def test_a_late_first_byte_has_the_next_candidate_called_and_the_quicker_one_answers() -> None:
    scene = played(one_stream, one=Plan(LATE_S), two=Plan(0.5))

    assert scene.texts == ["two"]
    assert scene.attempts == [(1, "one", "outrun"), (2, "two", None)]
    assert scene.upstream.cut == ["one"]
    assert scene.outcome.first_content_s == pytest.approx(NORMAL_S + 0.5, rel=0.05)
    assert settled(scene)


def test_an_answer_within_what_is_normal_is_the_only_call() -> None:
    scene = played(one_stream, one=Plan(0.9), two=Plan())

    assert scene.upstream.calls == ["one"]
    assert scene.attempts == [(1, "one", None)]


def test_the_first_call_may_win_after_all_and_the_second_is_cut() -> None:
    scene = played(one_stream, one=Plan(1.5), two=Plan(LATE_S))

    assert scene.texts == ["one"]
    assert scene.attempts == [(2, "two", "outrun"), (1, "one", None)]
    assert scene.upstream.cut == ["two"]
    assert settled(scene)


def test_when_both_answer_in_the_same_moment_the_first_call_is_given_and_only_that() -> None:
    # The second call goes out when the first is late, and both are there when one waits for it.
    scene = played(one_stream, one=Plan(after="two"), two=Plan())

    assert scene.texts == ["one"]
    assert scene.attempts == [(2, "two", "outrun"), (1, "one", None)]
    assert settled(scene)


def test_a_first_byte_without_content_is_waited_for() -> None:
    scene = played(one_stream, one=Plan(0.5, content_s=LATE_S), two=Plan())

    assert scene.upstream.calls == ["one"]


@pytest.mark.parametrize("kind", ["server_error", "rate_limited", "bad_request"])
def test_a_second_call_that_fails_harms_nobody(kind: FailureKind) -> None:
    scene = played(one_stream, one=Plan(LATE_S), two=Plan(0.1, fails=fails(kind)))

    assert scene.texts == ["one"]
    assert scene.attempts == [(2, "two", kind), (1, "one", None)]
    assert settled(scene)


def test_a_first_call_that_fails_late_leaves_the_answer_to_the_second() -> None:
    scene = played(one_stream, one=Plan(1.5, fails=fails("server_error")), two=Plan(1.0))

    assert scene.texts == ["two"]
    assert scene.attempts == [(1, "one", "server_error"), (2, "two", None)]
    assert settled(scene)


def test_an_error_that_every_call_would_meet_ends_both() -> None:
    async def story(scene: Scene) -> None:
        with pytest.raises(UpstreamFailure, match="bad_request"):
            await scene.ask()

    scene = played(story, one=Plan(1.5, fails=fails("bad_request")), two=Plan(LATE_S))

    assert scene.attempts == [(2, "two", "outrun"), (1, "one", "bad_request")]
    assert scene.upstream.cut == ["two"]
    assert settled(scene)


def test_when_both_fail_nobody_is_called_twice_and_both_are_named() -> None:
    async def story(scene: Scene) -> None:
        with pytest.raises(AllFailed) as raised:
            await scene.ask()
        assert "one/m: overloaded" in str(raised.value)
        assert "two/m: server_error" in str(raised.value)

    scene = played(
        story,
        one=Plan(3.0, fails=fails("overloaded")),
        two=Plan(0.5, fails=fails("server_error")),
    )

    assert scene.upstream.calls == ["one", "two"]
    assert settled(scene)


@pytest.mark.parametrize("after_s", [0.5, 1.5, 2.5])
def test_a_client_that_leaves_cuts_all_that_runs(after_s: float) -> None:
    async def story(scene: Scene) -> None:
        asked = asyncio.ensure_future(scene.ask())
        await asyncio.sleep(after_s)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)

    scene = played(story, one=Plan(LATE_S), two=Plan(LATE_S))

    assert scene.outcome.status == "client_gone"
    assert {failure for _, _, failure in scene.attempts} == {"client_gone"}
    assert sorted(scene.upstream.cut) == scene.upstream.calls
    assert len(scene.upstream.calls) == (1 if after_s < NORMAL_S else 2)
    assert settled(scene)


def test_both_are_held_before_their_calls_and_the_lost_one_is_paid_as_abandoned() -> None:
    held: list[int] = []

    async def story(scene: Scene) -> None:
        asked = asyncio.ensure_future(scene.ask())
        await asyncio.sleep(1.5)
        held.append(len(scene.here.budgets.holds))
        await asked

    scene = played(story, one=Plan(LATE_S), two=Plan(1.0))

    # What the abandoned call read can be no more than its input's bound of 100 tokens.
    assert held == [2]
    assert scene.here.budgets.spent == {"b": COST + 100_000}
    assert scene.outcome.cost_usd_nanos == COST + 100_000


@pytest.mark.parametrize("limit", ["budget", "ceiling"])
def test_where_the_second_cannot_be_paid_in_full_there_is_none(limit: str) -> None:
    bound = 100 * 1_000 + 50 * 2_000

    async def story(scene: Scene) -> None:
        await scene.ask(spend=bound * 3 // 2 if limit == "ceiling" else None)

    cap = bound * 3 // 2 if limit == "budget" else 10**9
    scene = played(story, cap=cap, one=Plan(LATE_S), two=Plan())

    assert scene.texts == ["one"]
    assert scene.upstream.calls == ["one"]
    assert scene.outcome.output_tokens_clamp is None
    assert settled(scene)


def test_a_hedge_takes_a_retry_of_the_second_account_and_without_one_there_is_none() -> None:
    async def story(scene: Scene) -> None:
        for _ in range(2 * PER_S):
            asked = [asyncio.ensure_future(scene.ask()) for _ in range(2)]
            await asyncio.gather(*asked)

    async def at_once(scene: Scene) -> None:
        await asyncio.gather(*(scene.ask() for _ in range(3 * PER_S)))

    spread = played(story, one=Plan(1.5), two=Plan(LATE_S))
    storm = played(at_once, one=Plan(1.5), two=Plan(LATE_S))

    assert spread.upstream.calls.count("two") == 4 * PER_S
    assert storm.upstream.calls.count("two") == PER_S
    assert storm.texts == ["one"] * 3 * PER_S


def test_nothing_is_hedged_unless_the_combo_says_so_or_before_what_is_normal_is_known() -> None:
    off = played(one_stream, percentile=None, one=Plan(LATE_S), two=Plan())
    unknown = played(one_stream, known=SAMPLES_MIN - 1, one=Plan(LATE_S), two=Plan())

    assert (off.upstream.calls, unknown.upstream.calls) == (["one"], ["one"])


def test_a_whole_answer_is_not_hedged() -> None:
    async def story(scene: Scene) -> None:
        await scene.ask(stream=False)

    assert played(story, one=Plan(LATE_S), two=Plan()).upstream.calls == ["one"]


def test_being_outrun_opens_no_circuit_but_counts_as_a_wait() -> None:
    async def story(scene: Scene) -> None:
        for _ in range(10):
            await scene.ask()

    scene = played(story, one=Plan(LATE_S), two=Plan(0.1))
    book, one = scene.here.health, scene.candidate("one")

    assert scene.upstream.calls == ["one", "two"] * 10
    assert book.state(one).open_until_s == 0
    assert book.state(one).success == 1.0
    assert book.timing(one).peak_us(12.0) > 10 * book.timing(scene.candidate("two")).peak_us(12.0)


def test_a_place_is_not_waited_for() -> None:
    async def story(scene: Scene) -> None:
        here = scene.here
        duo = replace(here.configs.config.combos[0], concurrency_per_model=1)
        await here.configs.put_combo(duo, actor="test")
        two = Candidate("acc-two", "two", "m", "openai_chat")
        assert await scene.engine.loads.enter(two, places=1, queue_s=0.0)
        await scene.ask()
        scene.engine.loads.leave(two)

    scene = played(story, one=Plan(LATE_S), two=Plan())

    assert scene.upstream.calls == ["one"]
    assert settled(scene)


def test_what_is_normal_is_that_of_the_model_at_all_who_serve_it() -> None:
    timings = [Timing() for _ in range(4)]
    for timing, wait_s in zip(timings, (9.0, 1.0, 1.1), strict=False):
        for _ in range(SAMPLES_MIN):
            timing.answered(wait_s, wait_s, 0.0)

    assert normal_s(timings, 95) == pytest.approx(1.1, rel=0.05)
    assert normal_s(timings[:1], 95) == pytest.approx(9.0, rel=0.05)
    assert normal_s(timings[3:], 95) is None


def test_cutting_off_what_is_late_does_not_make_it_look_quicker() -> None:
    timing = Timing()
    for number in range(400):
        timing.answered(number % 100 / 100, 1.0, 0.0)
    before = timing.percentile_s(95)
    for number in range(4000):
        wait_s = number % 100 / 100
        if wait_s > before:
            timing.outrun(before, 0.0)
        else:
            timing.answered(wait_s, 1.0, 0.0)
    timing.publish(0.0)

    assert timing.percentile_s(95) == pytest.approx(before, rel=0.06)


PLANS = st.builds(
    Plan,
    first_s=st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 5.0]),
    content_s=st.sampled_from([0.0, 0.5, 2.0]),
    fails=st.sampled_from(
        [
            None,
            None,
            fails("server_error"),
            fails("rate_limited"),
            fails("bad_request"),
            fails("auth"),
        ]
    ),
)


@given(one=PLANS, two=PLANS, leaves_s=st.sampled_from([None, None, 0.4, 1.2, 1.9, 2.1]))
def test_however_it_goes_there_is_at_most_one_answer_and_nothing_stays_behind(
    one: Plan, two: Plan, leaves_s: float | None
) -> None:
    async def story(scene: Scene) -> None:
        asked = asyncio.ensure_future(scene.ask())
        if leaves_s is not None:
            await asyncio.sleep(leaves_s)
            asked.cancel()
        (ended,) = await asyncio.gather(asked, return_exceptions=True)
        assert ended is None or isinstance(ended, RoutingError | asyncio.CancelledError)

    scene = played(story, one=one, two=two)

    assert len(scene.here.ledger.records) == 1
    assert len(scene.texts) == (scene.outcome.status == "answered")
    assert [failure for _, _, failure in scene.attempts].count(None) == len(scene.texts)
    assert sorted(one for one, _, _ in scene.attempts) == list(range(1, len(scene.attempts) + 1))
    assert len(scene.attempts) == len(scene.upstream.calls) <= 2
    assert not [one for one in scene.here.health.breakers.values() if one.probing]
    assert settled(scene)
