"""What budgets do when they cannot pay: block, degrade, alert. Through the Gateway, on fakes."""

import random
from collections.abc import Sequence

import pytest
from msgspec import structs

from omniroute.routing.choose.record import pack_decision, pack_snapshot, replays
from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import BudgetExceeded, NoCandidate
from omniroute.routing.guard import Guard, strictest
from omniroute.routing.model import Caller, Decision, ModelFacts, Price, RouteRequest
from omniroute.routing.wire.sessions import session_id
from tests.fakes import World, account, combo, world
from tests.routing.asking import ask

pytestmark = pytest.mark.anyio

PAYER = Caller("payer", frozenset({"write:route"}), budget_ids=("b",))
DOLLAR = 1_000_000_000
CAP = DOLLAR
PRICES = {
    "dear": Price(input=10 * DOLLAR, output=50 * DOLLAR),
    "middle": Price(input=3 * DOLLAR, output=15 * DOLLAR),
    "cheap": Price(input=DOLLAR // 10, output=DOLLAR // 2),
    "free": Price(input=0, output=0),
}


def priced(provider: str, model: str) -> ModelFacts:
    return ModelFacts(
        context_tokens_max=100_000, output_tokens_max=1_000, price=PRICES.get(provider)
    )


def guarded(*names: str, spent: int = 0, cap: int = CAP) -> World:
    """Give a combo of these providers in order, and a budget that degrades to cheap models."""
    here = world(
        *(account(name) for name in names),
        combos=[combo("mix", *(f"{name}/m" for name in names))],
        caps={"b": cap},
        facts_by=priced,
    )
    here.budgets.actions["b"] = ("degrade", "cheap")
    here.budgets.spent["b"] = spent
    return here


def verdicts(decision: Decision) -> dict[str, str]:
    return {one.candidate.provider: one.reason for one in decision.verdicts}


async def answer(here: World, request: RouteRequest) -> Decision:
    reply = await here.gateway.route.open(request, PAYER)
    async for _ in reply:
        pass
    reply.close()
    assert reply.decision is not None
    return reply.decision


def called(here: World) -> Sequence[str]:
    return [one.candidate.provider for one in here.upstream.calls]


async def test_below_its_threshold_a_degrading_budget_changes_nothing() -> None:
    here = guarded("dear", "cheap", spent=CAP * 79 // 100)

    decision = await answer(here, ask(here, "mix"))

    assert called(here) == ["dear"]
    assert verdicts(decision) == {"dear": "ok", "cheap": "ok"}


async def test_from_its_threshold_on_only_cheap_models_answer() -> None:
    here = guarded("dear", "middle", "cheap", "free", spent=CAP * 80 // 100)

    decision = await answer(here, ask(here, "mix"))

    assert called(here) == ["cheap"]
    assert verdicts(decision) == {
        "dear": "too_dear",
        "middle": "too_dear",
        "cheap": "ok",
        "free": "ok",
    }
    assert "only cheap models now, up to $1.00" in decision.verdicts[0].detail
    assert "its cost $26.00" in decision.verdicts[0].detail


async def test_degrading_begins_early_when_one_who_could_answer_cannot_be_paid() -> None:
    bound_of_dear = 100 * 10_000 + 50 * 50_000
    here = guarded("middle", "dear", "cheap", cap=bound_of_dear - 1)

    decision = await answer(here, ask(here, "mix"))

    assert called(here) == ["cheap"]
    assert verdicts(decision) == {"middle": "too_dear", "dear": "too_dear", "cheap": "ok"}


async def test_what_not_even_a_cheap_model_can_be_paid_for_is_refused_before_any_call() -> None:
    here = guarded("dear", "cheap", cap=10)

    with pytest.raises(BudgetExceeded):
        await answer(here, ask(here, "mix"))

    assert called(here) == []


async def test_a_list_of_dear_models_keeps_its_cheapest() -> None:
    here = guarded("dear", "middle", spent=CAP * 9 // 10)

    await answer(here, ask(here, "mix"))

    assert called(here) == ["middle"]


async def test_a_cheap_model_that_is_unwell_makes_no_dear_one_cheap() -> None:
    here = guarded("dear", "cheap", spent=CAP * 9 // 10)
    resting = here.gateway.route.decide(ask(here, "mix"), PAYER).order[0]
    here.health.failed(resting, "rate_limited", hint_s=20.0, now_s=here.clock.now())

    with pytest.raises(NoCandidate) as refused:
        await answer(here, ask(here, "mix"))

    assert called(here) == []
    assert refused.value.retry_after_s == pytest.approx(20.0)


async def test_the_free_tier_is_what_costs_nothing() -> None:
    here = guarded("dear", "cheap", "free", spent=CAP * 9 // 10)
    here.budgets.actions["b"] = ("degrade", "free")

    decision = await answer(here, ask(here, "mix"))

    assert called(here) == ["free"]
    assert verdicts(decision)["cheap"] == "too_dear"


async def test_without_a_free_model_the_free_tier_refuses() -> None:
    here = guarded("dear", "cheap", spent=CAP * 9 // 10)
    here.budgets.actions["b"] = ("degrade", "free")

    with pytest.raises(BudgetExceeded, match="only free models now"):
        await answer(here, ask(here, "mix"))


async def test_an_unknown_price_is_in_no_tier() -> None:
    here = guarded("unknown", "cheap", spent=CAP * 9 // 10)
    here.budgets.unpriced.add("b")

    decision = await answer(here, ask(here, "mix"))

    assert verdicts(decision) == {"unknown": "unknown_price", "cheap": "ok"}


async def test_an_alert_lets_requests_pass_its_cap_and_counts_them() -> None:
    here = guarded("dear", cap=1)
    here.budgets.actions["b"] = ("alert", "cheap")

    for _ in range(3):
        await answer(here, ask(here, "mix"))

    cost = 10 * 10_000 + 2 * 50_000
    assert called(here) == ["dear"] * 3
    assert here.budgets.spent["b"] == 3 * cost
    assert here.ledger.records[0].outcome.output_tokens_clamp is None


async def test_an_alert_beside_a_block_does_not_pay_for_it() -> None:
    here = guarded("dear", cap=1)
    here.budgets.actions["b"] = ("alert", "cheap")
    here.budgets.caps["hard"] = 1
    payer = structs.replace(PAYER, budget_ids=("b", "hard"))

    with pytest.raises(BudgetExceeded):
        await here.gateway.route.open(ask(here, "mix"), payer)

    assert called(here) == []
    assert here.budgets.holds == {}


async def test_the_budget_of_a_combo_pays_beside_that_of_the_key() -> None:
    here = guarded("dear", "cheap")
    here.budgets.caps["combo:mix"] = DOLLAR

    await answer(here, ask(here, "mix"))

    assert here.budgets.spent["combo:mix"] == here.budgets.spent["b"] > 0


async def test_a_combo_whose_budget_degrades_moves_to_its_cheap_model_for_any_key() -> None:
    here = guarded("dear", "cheap")
    here.budgets.caps["combo:mix"] = DOLLAR
    here.budgets.actions["combo:mix"] = ("degrade", "cheap")
    here.budgets.spent["combo:mix"] = DOLLAR * 9 // 10
    anybody = structs.replace(PAYER, budget_ids=())

    dry = here.gateway.route.decide(ask(here, "mix"), anybody)
    direct = here.gateway.route.decide(ask(here, "dear/m"), anybody)

    assert verdicts(dry) == {"dear": "too_dear", "cheap": "ok"}
    assert verdicts(direct) == {"dear": "ok"}


async def test_the_budget_of_a_session_is_of_its_own_key_and_no_other() -> None:
    here = guarded("dear")
    mine = structs.replace(ask(here, "mix"), session_id="nightly")
    here.budgets.caps[session_id(PAYER.key_id, "nightly")] = 1

    with pytest.raises(BudgetExceeded):
        await answer(here, mine)
    await answer(here, ask(here, "mix"))
    other = structs.replace(PAYER, key_id="other")
    reply = await here.gateway.route.open(structs.replace(mine, request_id=new_request_id()), other)
    reply.close()

    assert called(here) == ["dear", "dear"]


async def test_a_degraded_decision_replays_and_a_dry_run_is_the_same() -> None:
    random_source = random.Random(42)
    degraded = 0
    for _ in range(200):
        names = random_source.sample((*PRICES, "unknown"), k=random_source.randint(1, 5))
        here = guarded(*names, spent=random_source.randint(0, CAP), cap=CAP)
        here.budgets.actions["b"] = ("degrade", random_source.choice(("cheap", "free")))
        here.budgets.unpriced.add("b")
        request = structs.replace(ask(here, "mix"), request_id=new_request_id())

        dry = here.gateway.route.decide(request, PAYER)
        reply = here.gateway.route.begin(request, PAYER)
        reply.close()

        outcome, snapshot = here.ledger.records[-1].outcome, here.ledger.records[-1].snapshot
        assert snapshot is not None
        assert outcome.decision == dry
        record = pack_decision(outcome.request, dry)
        assert replays(record, pack_snapshot(snapshot), b"a fake seed")
        degraded += "too_dear" in verdicts(dry).values()
    assert degraded > 20


def test_of_several_guards_those_in_force_count_and_the_narrowest_tier() -> None:
    assert strictest([]) is None
    assert strictest([Guard("cheap", 5), Guard("free", 3)]) == Guard("free", 3)
    assert strictest([Guard("cheap"), Guard("free", 3)]) == Guard("cheap")
    assert strictest([Guard("cheap"), Guard("free")]) == Guard("free")
