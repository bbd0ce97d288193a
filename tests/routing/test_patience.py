"""How often one candidate is asked again, and how long a request queues for it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from omniroute.routing.engine import Engine
from omniroute.routing.errors import AllFailed, FailureKind, UpstreamFailure
from omniroute.routing.health.loads import QUEUE_MAX, Loads
from omniroute.routing.model import Call, Candidate, Features, Operation, Piece, RouteRequest
from tests.fakes import ADMIN, World, combo, failing, hello, world

pytestmark = pytest.mark.anyio

ONE = Candidate("acc-one", "one", "m", "openai_chat")


def ask(here: World, request_id: str = "req_1", target: str = "duo") -> RouteRequest:
    features = Features(input_tokens=10, input_tokens_max=100, output_tokens_max=50)
    operation = Operation("chat", "openai_chat", b"{}", features, target, forward=False)
    return RouteRequest(request_id, target, operation, here.clock.now())


def fault(kind: FailureKind, *, hint_s: float | None = None) -> UpstreamFailure:
    return UpstreamFailure(f"a fake {kind}", kind=kind, retry_after_s=hint_s)


def duo(*targets: str, **settings: object) -> tuple[World, Engine, list[float]]:
    """Two candidates, an engine whose waits move the fake clock, and the waits."""
    made = combo("duo", *(targets or ("one/m", "two/m")), **settings)
    here, slept = world(combos=[made]), list[float]()

    async def sleep(wait_s: float) -> None:
        slept.append(wait_s)
        here.clock.advance(wait_s)

    return here, replace(here.gateway.route, sleep=sleep), slept


def failing_once(failure: UpstreamFailure) -> object:
    failures = [failure]

    def script(call: Call) -> Sequence[Piece | UpstreamFailure]:
        return (failures.pop(),) if failures else hello(call)

    return script


async def called(here: World, engine: Engine) -> list[str]:
    try:
        (await engine.open(ask(here), ADMIN)).close()
    except UpstreamFailure:
        assert here.ledger.records
    return [call.candidate.provider for call in here.upstream.calls]


async def test_without_retries_the_next_candidate_answers_at_once() -> None:
    here, engine, slept = duo()
    here.upstream.scripts["one/m"] = failing(fault("server_error"))

    assert await called(here, engine) == ["one", "two"]
    assert slept == []


async def test_a_failure_that_passes_is_retried_after_the_delay_as_often_as_the_combo_says() -> (
    None
):
    here, engine, slept = duo(retries=2, retry_delay_s=0.5)
    here.upstream.scripts["one/m"] = failing(fault("server_error"))

    assert await called(here, engine) == ["one", "one", "one", "two"]
    assert slept == [0.5, 0.5]


async def test_the_usual_delay_is_two_seconds() -> None:
    here, engine, slept = duo(retries=1)
    here.upstream.scripts["one/m"] = failing_once(fault("connect"))  # type: ignore[assignment]

    assert await called(here, engine) == ["one", "one"]
    assert slept == [2.0]


@pytest.mark.parametrize("kind", ["rate_limited", "overloaded"])
async def test_a_refusal_for_load_never_waits_while_another_candidate_could_answer(
    kind: FailureKind,
) -> None:
    here, engine, slept = duo(retries=5)
    here.upstream.scripts["one/m"] = failing(fault(kind))

    assert await called(here, engine) == ["one", "two"]
    assert slept == []


async def test_the_last_candidate_is_asked_again_when_its_hint_says_so() -> None:
    here, engine, slept = duo("one/m", retries=1, retry_delay_s=0.5)
    limited = fault("rate_limited", hint_s=7.0)
    here.upstream.scripts["one/m"] = failing_once(limited)  # type: ignore[assignment]

    assert await called(here, engine) == ["one", "one"]
    assert slept == [7.0]


async def test_the_last_that_may_be_tried_counts_as_the_last() -> None:
    here, engine, _ = duo(retries=1, attempts_max=1)
    here.upstream.scripts["one/m"] = failing_once(fault("rate_limited"))  # type: ignore[assignment]

    assert await called(here, engine) == ["one", "one"]


@pytest.mark.parametrize("kind", ["auth", "quota_exhausted", "model_gone", "content_policy"])
async def test_what_meets_the_same_answer_again_is_never_retried(kind: FailureKind) -> None:
    here, engine, slept = duo("one/m", retries=5)
    here.upstream.scripts["one/m"] = failing(fault(kind))

    assert await called(here, engine) == ["one"]
    assert slept == []


async def test_retries_end_where_the_total_time_would() -> None:
    here, engine, slept = duo("one/m", retries=10, retry_delay_s=4.0, total_s=10.0)
    here.upstream.scripts["one/m"] = failing(fault("server_error"))

    assert await called(here, engine) == ["one"] * 3
    assert slept == [4.0, 4.0]


async def test_attempts_max_counts_candidates_and_not_their_retries() -> None:
    here, engine, _ = duo(retries=1, attempts_max=1)
    here.upstream.scripts["one/m"] = failing(fault("server_error"))

    with pytest.raises(AllFailed, match="2 of 2 attempts failed"):
        await engine.open(ask(here), ADMIN)

    assert len(here.upstream.calls) == 2


async def test_a_full_candidate_is_left_for_the_next_when_the_queue_takes_too_long() -> None:
    here, engine, _ = duo(concurrency_per_model=1, queue_s=0.0)

    first = await engine.open(ask(here, "req_1"), ADMIN)
    second = await engine.open(ask(here, "req_2"), ADMIN)
    first.close()
    third = await engine.open(ask(here, "req_3"), ADMIN)

    assert [call.candidate.provider for call in here.upstream.calls] == ["one", "two", "one"]
    assert [(one.candidate.provider, one.failure) for one in second.attempts] == [("one", "busy")]
    second.close()
    third.close()


async def test_a_request_that_queues_is_answered_when_its_turn_comes() -> None:
    here, engine, _ = duo(concurrency_per_model=1, queue_s=30.0)
    first = await engine.open(ask(here, "req_1"), ADMIN)

    async with asyncio.TaskGroup() as group:
        queued = group.create_task(engine.open(ask(here, "req_2"), ADMIN))
        await asyncio.sleep(0)
        first.close()

    assert [call.candidate.provider for call in here.upstream.calls] == ["one", "one"]
    queued.result().close()


async def test_a_queue_that_takes_too_long_says_nothing_of_the_provider_and_holds_no_money() -> (
    None
):
    here, engine, _ = duo("one/m", concurrency_per_model=1, queue_s=0.0)
    first = await engine.open(ask(here, "req_1"), ADMIN)
    version = here.health.version

    with pytest.raises(AllFailed, match="no place came free within 0 s"):
        await engine.open(ask(here, "req_2"), ADMIN)

    assert here.health.version == version
    assert list(here.budgets.holds) == ["req_1:1"]
    first.close()


async def test_places_are_given_in_the_order_of_coming() -> None:
    loads, order = Loads(), list[int]()
    assert await loads.enter(ONE, places=1, queue_s=30.0)

    async def visit(number: int) -> None:
        assert await loads.enter(ONE, places=1, queue_s=30.0)
        order.append(number)
        loads.leave(ONE)

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(visit(number))
        await asyncio.sleep(0)
        loads.leave(ONE)

    assert order == [0, 1, 2, 3, 4]
    assert loads.in_flight(ONE) == 0


async def test_one_who_leaves_the_queue_lets_the_next_one_in() -> None:
    loads = Loads()
    assert await loads.enter(ONE, places=1, queue_s=30.0)
    gone = asyncio.ensure_future(loads.enter(ONE, places=1, queue_s=30.0))
    next_one = asyncio.ensure_future(loads.enter(ONE, places=1, queue_s=30.0))
    await asyncio.sleep(0)

    loads.leave(ONE)
    gone.cancel()

    assert await next_one
    assert gone.cancelled()
    assert loads.in_flight(ONE) == 1


async def test_a_queue_has_an_end() -> None:
    loads = Loads()
    assert await loads.enter(ONE, places=1, queue_s=30.0)
    waiting = [
        asyncio.ensure_future(loads.enter(ONE, places=1, queue_s=30.0)) for _ in range(QUEUE_MAX)
    ]
    await asyncio.sleep(0)

    assert not await loads.enter(ONE, places=1, queue_s=30.0)

    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
