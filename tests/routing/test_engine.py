"""The path of one request, through the Gateway, on fakes."""

import asyncio
from collections.abc import Sequence

import pytest
from msgspec import structs

from omniroute.routing.conversation import AnswerError, Delta, Usage
from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import (
    AllFailed,
    BadRequest,
    BudgetExceeded,
    FailureKind,
    LoopDetected,
    ModelNotFound,
    NoCandidate,
    NotAllowed,
    UpstreamFailure,
)
from omniroute.routing.model import (
    Call,
    Caller,
    Features,
    Operation,
    Piece,
    RouteRequest,
)
from omniroute.routing.reply import Reply
from tests.fakes import ADMIN, NO_HEADERS, World, combo, failing, world

pytestmark = pytest.mark.anyio

READER = Caller("reader", frozenset({"read:usage"}))
FEATURES = Features(input_tokens=10, input_tokens_max=100, output_tokens_max=50)


def ask(
    here: World, target: str = "duo", *, features: Features = FEATURES, forward: bool = False
) -> RouteRequest:
    operation = Operation("chat", "openai_chat", b"{}", features, target, forward=forward)
    return RouteRequest(new_request_id(), target, operation, here.clock.now())


def fails(kind: FailureKind, **hints: float) -> UpstreamFailure:
    return UpstreamFailure(f"a fake {kind}", kind=kind, retry_after_s=hints.get("retry_after_s"))


async def text_of(reply: Reply) -> str:
    deltas = [piece.delta async for piece in reply]
    reply.close()
    return "".join(delta.text for delta in deltas if delta is not None)


def duo(**scripts: object) -> World:
    named = {f"{name}/m": script for name, script in scripts.items()}
    return world(combos=[combo("duo", "one/m", "two/m")], scripts=named)  # type: ignore[arg-type]


async def test_the_first_candidate_of_a_priority_combo_answers() -> None:
    here = duo()

    reply = await here.gateway.route.open(ask(here), ADMIN)
    text = await text_of(reply)

    assert text == "hello"
    assert reply.winner is not None
    assert reply.winner.name == "one/m"
    assert [call.candidate.name for call in here.upstream.calls] == ["one/m"]


async def test_a_whole_answer_that_is_forwarded_is_given_at_once() -> None:
    def answered(call: Call) -> Sequence[Piece]:
        told = Delta(content=True, finish="stop", usage=Usage(10, 2), ended=True)
        return (Piece(b'{"whole": true}', told),)

    here = duo(one=answered)

    reply = await here.gateway.route.open(ask(here, forward=True), ADMIN)
    body = reply.whole()
    rest = [piece async for piece in reply]
    reply.close()

    assert (body, rest) == (b'{"whole": true}', [])
    assert here.ledger.records[0].outcome.status == "answered"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_is_not_all_there_is_not_given_at_once(*, stream: bool) -> None:
    here = duo()
    features = structs.replace(FEATURES, stream=stream)

    reply = await here.gateway.route.open(ask(here, features=features, forward=stream), ADMIN)
    whole = reply.whole()
    text = await text_of(reply)

    assert (whole, text) == (None, "hello")


@pytest.mark.parametrize(
    "kind",
    ["rate_limited", "overloaded", "server_error", "connect", "timeout_first_byte", "auth"],
)
async def test_a_candidate_that_fails_before_content_is_replaced_at_once(
    kind: FailureKind,
) -> None:
    here = duo(one=failing(fails(kind)))

    reply = await here.gateway.route.open(ask(here), ADMIN)
    await text_of(reply)

    outcome = here.ledger.records[0].outcome
    assert outcome.status == "answered"
    assert [(one.candidate.name, one.failure) for one in outcome.attempts] == [
        ("one/m", kind),
        ("two/m", None),
    ]


async def test_an_error_inside_a_stream_before_content_falls_back() -> None:
    def overloaded(call: Call) -> Sequence[Piece]:
        return (Piece(b"", Delta(error=AnswerError("overloaded", "busy"))),)

    here = duo(one=overloaded)

    reply = await here.gateway.route.open(ask(here), ADMIN)

    assert await text_of(reply) == "hello"
    assert here.ledger.records[0].outcome.attempts[0].failure == "overloaded"
    assert here.upstream.answers[0].closed


async def test_a_failure_after_content_ends_the_request_with_that_candidates_error() -> None:
    def breaks_off(call: Call) -> Sequence[Piece | UpstreamFailure]:
        return (Piece(b"", Delta(text="half")), fails("truncated"))

    here = duo(one=breaks_off)
    reply = await here.gateway.route.open(ask(here), ADMIN)

    with pytest.raises(UpstreamFailure, match="truncated"):
        await text_of(reply)
    reply.close()

    outcome = here.ledger.records[0].outcome
    assert (outcome.status, outcome.error) == ("failed", "upstream_error")
    assert len(here.upstream.calls) == 1
    assert (outcome.usage_source, outcome.usage.output_tokens) == ("estimated", 4)


async def test_a_fault_of_the_request_is_not_tried_elsewhere() -> None:
    here = duo(one=failing(fails("bad_request")))

    with pytest.raises(UpstreamFailure) as raised:
        await here.gateway.route.open(ask(here), ADMIN)

    assert raised.value.status == 400
    assert len(here.upstream.calls) == 1


async def test_what_one_dialect_cannot_say_is_told_to_a_provider_of_another() -> None:
    here = duo(one=failing(fails("inexpressible")))

    reply = await here.gateway.route.open(ask(here), ADMIN)

    assert await text_of(reply) == "hello"
    assert [one.failure for one in reply.attempts] == ["inexpressible", None]


async def test_what_no_dialect_could_say_does_not_hide_that_another_would_answer_later() -> None:
    here = duo(one=failing(fails("rate_limited")), two=failing(fails("inexpressible")))

    with pytest.raises(AllFailed) as raised:
        await here.gateway.route.open(ask(here), ADMIN)

    assert raised.value.status == 429


async def test_when_all_fail_the_error_names_every_attempt_and_the_earliest_retry() -> None:
    here = duo(
        one=failing(fails("rate_limited", retry_after_s=30)),
        two=failing(fails("rate_limited", retry_after_s=7)),
    )

    with pytest.raises(AllFailed) as raised:
        await here.gateway.route.open(ask(here), ADMIN)

    assert raised.value.status == 429
    assert raised.value.retry_after_s == 7
    assert "one/m: rate_limited" in str(raised.value)
    assert "two/m: rate_limited" in str(raised.value)


async def test_a_cooling_candidate_is_skipped_until_its_time_is_over() -> None:
    here = duo(one=failing(fails("rate_limited", retry_after_s=30)))
    await text_of(await here.gateway.route.open(ask(here), ADMIN))

    during = here.gateway.route.decide(ask(here), ADMIN)
    here.clock.advance(31)
    after = here.gateway.route.decide(ask(here), ADMIN)

    assert [one.reason for one in during.verdicts] == ["cooling_down", "ok"]
    assert [one.reason for one in after.verdicts] == ["ok", "ok"]


async def test_five_failures_open_a_circuit_and_one_probe_closes_it() -> None:
    here = duo(one=failing(fails("server_error")))
    for _ in range(5):
        await text_of(await here.gateway.route.open(ask(here), ADMIN))

    open_now = here.gateway.route.decide(ask(here), ADMIN).verdicts[0].reason
    here.upstream.scripts.clear()
    here.clock.advance(31)
    probe = await here.gateway.route.open(ask(here), ADMIN)
    during = here.gateway.route.decide(ask(here), ADMIN).verdicts[0].reason
    await text_of(probe)
    after = here.gateway.route.decide(ask(here), ADMIN).verdicts[0].reason

    assert (open_now, during, after) == ("circuit_open", "circuit_probing", "ok")
    assert len([one for one in here.upstream.calls if one.candidate.name == "one/m"]) == 6


async def test_when_nothing_can_answer_the_error_says_why_and_when() -> None:
    here = duo(
        one=failing(fails("quota_exhausted")), two=failing(fails("rate_limited", retry_after_s=20))
    )
    with pytest.raises(AllFailed):
        await here.gateway.route.open(ask(here), ADMIN)

    with pytest.raises(NoCandidate) as raised:
        await here.gateway.route.open(ask(here), ADMIN)

    assert raised.value.retry_after_s == pytest.approx(20)
    assert "one/m: quota exhausted" in str(raised.value)
    assert here.ledger.records[-1].outcome.status == "refused"


async def test_a_caller_without_the_scope_is_refused_before_anything_happens() -> None:
    here = duo()

    with pytest.raises(NotAllowed) as raised:
        await here.gateway.route.open(ask(here), READER)

    assert raised.value.scope == "write:route"
    assert here.upstream.calls == []


async def test_a_key_with_a_model_list_reaches_only_those_models() -> None:
    here = duo()
    bound = Caller("bound", frozenset({"write:route"}), models=("two/*",))

    reply = await here.gateway.route.open(ask(here), bound)
    await text_of(reply)

    assert [one.reason for one in reply.decision.verdicts] == ["not_allowed", "ok"]  # type: ignore[union-attr]
    with pytest.raises(NotAllowed):
        await here.gateway.route.open(ask(here, "one/m"), bound)


async def test_an_unknown_model_is_refused_and_recorded() -> None:
    here = duo()

    with pytest.raises(ModelNotFound):
        await here.gateway.route.open(ask(here, "no-such-model"), ADMIN)

    outcome = here.ledger.records[0].outcome
    assert (outcome.status, outcome.error) == ("refused", "model_not_found")


async def test_a_request_that_comes_back_is_a_loop() -> None:
    here = duo()
    await text_of(await here.gateway.route.open(ask(here), ADMIN))
    ((_, via),) = here.upstream.calls[0].headers
    again = RouteRequest(
        new_request_id(), "duo", ask(here).operation, here.clock.now(), via=f"other,{via}"
    )

    with pytest.raises(LoopDetected):
        await here.gateway.route.open(again, ADMIN)


async def test_a_caller_who_leaves_early_closes_the_upstream_and_is_accounted_for() -> None:
    here = duo()

    reply = await here.gateway.route.open(ask(here), ADMIN)
    await anext(reply)
    reply.close()
    reply.close()

    assert here.upstream.answers[0].closed
    assert [record.outcome.status for record in here.ledger.records] == ["client_gone"]
    assert here.ledger.records[0].outcome.attempts[0].failure == "client_gone"


async def test_a_caller_who_leaves_before_content_starts_no_fallback() -> None:
    class Never:
        closed = False
        headers = NO_HEADERS
        dropped: tuple[str, ...] = ()
        pour = None

        def __aiter__(self) -> "Never":
            return self

        async def __anext__(self) -> Piece:
            await asyncio.Event().wait()
            raise AssertionError

        def close(self) -> None:
            self.closed = True

    here, answer = duo(), Never()

    async def hangs(call: Call) -> Never:
        here.upstream.calls.append(call)
        return answer

    here.upstream.open = hangs  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(here.gateway.route.open(ask(here), ADMIN))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert answer.closed
    assert len(here.upstream.calls) == 1
    assert here.ledger.records[0].outcome.status == "client_gone"


async def test_cost_counts_each_token_once_in_integers() -> None:
    def cached(call: Call) -> Sequence[Piece]:
        usage = Usage(100, 10, cached_input_tokens=90, cache_write_tokens=5)
        return (Piece(b"", Delta(text="x", finish="stop", usage=usage, ended=True)),)

    here = duo(one=cached)

    await text_of(await here.gateway.route.open(ask(here), ADMIN))

    assert here.ledger.records[0].outcome.cost_usd_nanos == 100 * 1000 + 10 * 2000


async def test_a_budget_is_reserved_before_the_call_and_settled_after_it() -> None:
    payer = Caller("payer", frozenset({"write:route"}), budget_ids=("b",))
    here = world(combos=[combo("duo", "one/m", "two/m")], caps={"b": 1_000_000})

    reply = await here.gateway.route.open(ask(here), payer)
    held = here.budgets.left(("b",))
    await text_of(reply)

    assert held == 1_000_000 - (100 * 1000 + 50 * 2000)
    assert here.budgets.spent == {"b": 10 * 1000 + 2 * 2000}
    assert here.budgets.holds == {}


async def test_a_budget_that_cannot_pay_refuses_before_any_call() -> None:
    payer = Caller("payer", frozenset({"write:route"}), budget_ids=("b",))
    here = world(combos=[combo("duo", "one/m", "two/m")], caps={"b": 10})

    with pytest.raises(BudgetExceeded):
        await here.gateway.route.open(ask(here), payer)

    assert here.upstream.calls == []
    assert here.ledger.records[0].outcome.status == "refused"


async def test_a_failed_attempt_without_a_byte_costs_nothing() -> None:
    payer = Caller("payer", frozenset({"write:route"}), budget_ids=("b",))
    here = world(
        combos=[combo("duo", "one/m", "two/m")],
        scripts={"one/m": failing(fails("connect"))},
        caps={"b": 1_000_000},
    )

    await text_of(await here.gateway.route.open(ask(here), payer))

    assert here.budgets.spent == {"b": 14_000}


async def test_a_ceiling_of_the_request_is_a_gate_of_the_decision() -> None:
    here = duo()
    request = RouteRequest(
        new_request_id(), "duo", ask(here).operation, here.clock.now(), spend_usd_nanos_max=5
    )

    with pytest.raises(BudgetExceeded, match="may cost"):
        await here.gateway.route.open(request, ADMIN)


async def test_a_request_too_long_for_every_model_is_the_clients_fault() -> None:
    here = duo()
    long = Features(input_tokens=200_000, input_tokens_max=800_000)

    with pytest.raises(BadRequest, match="too long"):
        await here.gateway.route.open(ask(here, features=long), ADMIN)


async def test_a_model_without_room_is_followed_only_by_one_with_more() -> None:
    here = duo(one=failing(fails("context_too_long")))

    with pytest.raises(UpstreamFailure) as raised:
        await here.gateway.route.open(ask(here), ADMIN)

    assert raised.value.status == 400
    assert [call.candidate.name for call in here.upstream.calls] == ["one/m"]


async def test_another_keys_outcome_is_the_same_answer_as_none() -> None:
    here = duo()
    mine = Caller("mine", frozenset({"write:route", "read:usage"}))
    other = Caller("other", frozenset({"write:route", "read:usage"}))
    reply = await here.gateway.route.open(ask(here), mine)
    await text_of(reply)
    request_id = reply.request.request_id

    own = await here.gateway.view.explanation(request_id, mine)
    with pytest.raises(Exception) as foreign:  # noqa: PT011 - compared with the next one
        await here.gateway.view.explanation(request_id, other)
    with pytest.raises(Exception) as missing:  # noqa: PT011
        await here.gateway.view.explanation("req_none", other)

    assert own.outcome.key_id == "mine"
    assert str(foreign.value).replace(request_id, "req_none") == str(missing.value)
