"""What a request sets aside and pays, through the Gateway, on fakes."""

from dataclasses import replace

import pytest

from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import BudgetExceeded
from omniroute.routing.model import Caller, Features, ModelFacts, Operation, RouteRequest
from omniroute.routing.reply import Reply
from tests.fakes import World, world

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

    reply = await finished(await here.gateway.route.open(ask(here), replace(PAYER, budget_ids=())))

    assert reply.payment.left_usd_nanos is None
