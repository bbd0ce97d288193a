"""What a request sets aside and pays, through the Gateway, on fakes."""

from collections.abc import Sequence

import pytest
from msgspec import structs

from omniroute.routing.conversation import Delta, Usage
from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import BudgetExceeded, UpstreamFailure
from omniroute.routing.model import (
    Call,
    Caller,
    Features,
    ModelFacts,
    Operation,
    Piece,
    RouteRequest,
)
from omniroute.routing.reply import Reply
from tests.fakes import World, account, combo, world

pytestmark = pytest.mark.anyio

PAYER = Caller("payer", frozenset({"write:route"}), budget_ids=("b",))
FEATURES = Features(input_tokens=10, input_tokens_max=100, output_tokens_max=50)
BOUND = 100 * 1000 + 50 * 2000
COST = 10 * 1000 + 2 * 2000


def ask(here: World, features: Features = FEATURES) -> RouteRequest:
    operation = Operation("chat", "openai_chat", b"{}", features, "one/m", forward=False)
    return RouteRequest(new_request_id(), "one/m", operation, here.clock.now())


async def finished(reply: Reply) -> Reply:
    async for _ in reply:
        pass
    reply.close()
    return reply


def without_price(provider: str, model: str) -> ModelFacts:
    return ModelFacts(context_tokens_max=100_000, output_tokens_max=1_000)


async def test_a_reply_tells_what_is_left_with_its_hold_and_then_with_its_cost() -> None:
    here = world(caps={"b": 1_000_000})

    reply = await here.gateway.route.open(ask(here), PAYER)
    during = reply.payment.left_usd_nanos
    await finished(reply)

    assert during == 1_000_000 - BOUND
    assert reply.payment.left_usd_nanos == here.budgets.left(("b",)) == 1_000_000 - COST


async def test_an_unknown_price_is_refused_where_a_budget_must_pay() -> None:
    here = world(caps={"b": 1_000_000}, facts_by=without_price)

    with pytest.raises(BudgetExceeded, match="allow-unpriced"):
        await here.gateway.route.open(ask(here), PAYER)

    assert here.upstream.calls == []


async def test_an_unknown_price_passes_a_budget_that_allows_it_and_costs_it_nothing() -> None:
    here = world(caps={"b": 1_000_000}, facts_by=without_price)
    here.budgets.unpriced.add("b")

    await finished(await here.gateway.route.open(ask(here), PAYER))

    assert here.budgets.left(("b",)) == 1_000_000
    assert here.ledger.records[0].outcome.cost_usd_nanos is None


async def test_an_unknown_price_needs_no_leave_without_a_budget() -> None:
    here = world(facts_by=without_price)

    reply = await finished(
        await here.gateway.route.open(ask(here), structs.replace(PAYER, budget_ids=()))
    )

    assert reply.payment.left_usd_nanos is None


UNBOUND = Features(input_tokens=10, input_tokens_max=100)


async def test_an_answer_without_a_bound_is_clamped_to_what_the_budget_pays() -> None:
    here = world(caps={"b": 4_000_000})

    reply = await finished(await here.gateway.route.open(ask(here, UNBOUND), PAYER))

    sent = here.upstream.calls[0].operation
    assert sent.body == b'{"max_tokens":450}'
    assert reply.payment.output_tokens_clamp == 450
    assert here.ledger.records[0].outcome.output_tokens_clamp == 450
    assert here.ledger.records[0].outcome.reserved_usd_nanos == 1_000_000
    assert reply.request.operation.body == b"{}"


async def test_a_budget_below_the_floor_refuses_before_any_call() -> None:
    here = world(caps={"b": 611_999})

    with pytest.raises(BudgetExceeded):
        await here.gateway.route.open(ask(here, UNBOUND), PAYER)

    assert here.upstream.calls == []
    assert here.budgets.holds == {}


async def test_a_budget_of_just_the_floor_pays_for_it() -> None:
    here = world(caps={"b": 612_000})

    reply = await finished(await here.gateway.route.open(ask(here, UNBOUND), PAYER))

    assert reply.payment.output_tokens_clamp == 256


async def test_a_stale_look_at_the_budget_refuses_nobody_who_can_pay() -> None:
    here = world(caps={"b": 1_000_000})
    seen = [100_000_000, 50_000_000, 20_000_000]

    def stale(budget_ids: tuple[str, ...]) -> int:
        return seen.pop() if seen else 0

    here.budgets.left = stale  # type: ignore[method-assign]

    reply = await finished(await here.gateway.route.open(ask(here, UNBOUND), PAYER))

    assert reply.payment.output_tokens_clamp == 256
    assert seen == []


async def test_the_requests_own_ceiling_clamps_and_below_the_floor_refuses() -> None:
    here = world()
    payer = structs.replace(PAYER, budget_ids=())

    await finished(
        await here.gateway.route.open(
            structs.replace(ask(here, UNBOUND), spend_usd_nanos_max=1_000_000), payer
        )
    )
    with pytest.raises(BudgetExceeded, match="short answer"):
        await here.gateway.route.open(
            structs.replace(ask(here, UNBOUND), spend_usd_nanos_max=611_999), payer
        )

    assert [call.operation.body for call in here.upstream.calls] == [b'{"max_tokens":450}']


async def test_a_failed_attempt_that_was_billed_counts_toward_the_ceiling() -> None:
    def breaks(call: Call) -> Sequence[Piece | UpstreamFailure]:
        usage = Usage(100, 200)
        return (
            Piece(b"", Delta(usage=usage)),
            UpstreamFailure("it broke off", kind="truncated"),
        )

    here = world(combos=[combo("duo", "one/m", "two/m")], scripts={"one/m": breaks})
    request = structs.replace(ask(here, UNBOUND), target="duo", spend_usd_nanos_max=1_200_000)

    await finished(await here.gateway.route.open(request, structs.replace(PAYER, budget_ids=())))

    assert [call.operation.body for call in here.upstream.calls] == [
        b'{"max_tokens":550}',
        b'{"max_tokens":300}',
    ]


async def test_thinking_that_cannot_be_paid_is_refused_and_nothing_stays_held() -> None:
    here = world(account("one", dialect="anthropic"), caps={"b": 4_000_000})
    body = b'{"thinking":{"type":"enabled","budget_tokens":9000}}'
    operation = Operation("chat", "anthropic", body, UNBOUND, "one/m", forward=False)

    with pytest.raises(BudgetExceeded, match="thinking"):
        await here.gateway.route.open(structs.replace(ask(here), operation=operation), PAYER)

    assert here.upstream.calls == []
    assert here.budgets.holds == {}
    assert here.budgets.left(("b",)) == 4_000_000
