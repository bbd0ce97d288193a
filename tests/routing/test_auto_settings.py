"""No field of a user-made auto is without effect: each has a test that fails when none reads it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec import structs

from omniroute.routing.choose.auto import MODES
from omniroute.routing.choose.autos import DEARER
from omniroute.routing.choose.classic import PACKS
from omniroute.routing.choose.draw import ONE_Q32
from omniroute.routing.choose.explain import factors_of
from omniroute.routing.choose.record import pack_decision, pack_snapshot, replays
from omniroute.routing.errors import ModelNotFound
from omniroute.routing.model import (
    Decision,
    Features,
    ModelFacts,
    Operation,
    Price,
    RouteRequest,
)
from omniroute.routing.preference import MODES_OF
from omniroute.server.api import autos, combos
from omniroute.server.autos_json import AUTO_FIELDS
from tests.fakes import ADMIN, World, account, combo, world
from tests.management.routes import Api, api

pytestmark = pytest.mark.anyio

Effect = tuple[object, object]
"""What a field led to, and what it should lead to."""

PRICES = {"dear": Price(10**13, 10**13), "middle": Price(10**12, 10**12), "cheap": Price(10**9, 0)}


def trio() -> World:
    """Three providers: the dear one has the fittest model, the cheap one the least fit."""
    return world(
        account("dear", "gpt-5"),
        account("middle", "claude-sonnet-4"),
        account("cheap", "gemma-2-9b", "gemma-tiny"),
        facts_by=lambda provider, model: ModelFacts(price=PRICES[provider]),
    )


def routes(here: World) -> Api:
    # As the doors have them: an auto's path is one of a combo's, too.
    return api(*autos.rows(here.gateway), *combos.rows(here.gateway))


def ask(here: World, target: str = "mine", number: int = 0) -> RouteRequest:
    features = Features(input_tokens=1000, input_tokens_max=4000, output_tokens_max=1000)
    operation = Operation("chat", "openai_chat", b"{}", features, target, forward=False)
    return RouteRequest(f"req_{number}", target, operation, here.clock.now())


async def decided(here: World, **fields: object) -> Decision:
    """Make an auto `mine` of these fields, and decide on a request for it."""
    await routes(here).post("/api/combos/auto", {"id": "mine", "name": "Mine", **fields})
    return here.gateway.route.decide(ask(here), ADMIN)


def shares(decision: Decision) -> dict[str, float]:
    """Give the probability of each candidate to be first."""
    return {
        one.candidate.model: round(one.first_q32 / ONE_Q32, 4)
        for one in decision.verdicts
        if one.kept
    }


async def candidate_pool() -> Effect:
    decision = await decided(trio(), candidatePool=["cheap", "dear/gpt-5", "claude-sonnet-4"])
    named = await decided(trio(), candidatePool=["dear"])
    return [sorted(shares(decision)), sorted(shares(named))], [
        ["claude-sonnet-4", "gemma-2-9b", "gemma-tiny", "gpt-5"],
        ["gpt-5"],
    ]


async def policy() -> Effect:
    documented = await decided(trio(), policy="classic-6f")
    ours = await decided(trio(), policy="utility")
    return [max(one.score or 0 for one in both.verdicts) > 0.5 for both in (documented, ours)], [
        True,
        False,
    ]


async def weights() -> Effect:
    here = trio()
    price = await decided(here, weights={"costInv": 1.0})
    fit = await decided(here, weights={"taskFit": 0.99, "health": 0.01})
    return [max(shares(one), key=lambda name: shares(one)[name]) for one in (price, fit)], [
        "gemma-2-9b",
        "claude-sonnet-4",
    ]


async def mode_pack() -> Effect:
    here = trio()
    saver = await decided(here, modePack="cost-saver", candidatePool=["dear", "cheap/gemma-2-9b"])
    best = await decided(here, modePack="quality-first")
    parts = factors_of(ask(here), snapshot(here), best, best.order[0])
    return [shares(saver), {one.name: one.weight for one in parts}["cost"]], [
        {"gpt-5": 0.025, "gemma-2-9b": 0.975},
        0.05,
    ]


async def budget_cap() -> Effect:
    here = trio()
    # A thousand tokens in and a thousand out: 20 $, 2 $ and 0.000001 $.
    decision = await decided(here, modePack="smart", budgetCap=2.0, explorationRate=1)
    cheapest = await decided(here, budgetCap=1e-9, explorationRate=1)
    found = {one.candidate.model: one for one in decision.verdicts}
    return [
        shares(decision)["gpt-5"],
        found["gpt-5"].detail,
        decision.order[-1].model,
        found["claude-sonnet-4"].detail,
        [one.model for one in cheapest.order],
        shares(cheapest)["gemma-2-9b"],
    ], [
        0.0,
        DEARER,
        "gpt-5",
        "",
        ["gemma-2-9b", "gemma-tiny", "claude-sonnet-4", "gpt-5"],
        1.0,
    ]


async def exploration_rate() -> Effect:
    here = trio()
    found = [
        min(shares(await decided(here, policy=policy, explorationRate=rate)).values())
        for policy in ("utility", "classic-6f")
        for rate in (0, 0.4, 1)
    ]
    return found, [0.0, 0.1, 0.25, 0.0, 0.1, 0.25]


async def active() -> Effect:
    here = trio()
    await decided(here)
    names = [row.model_id for row in here.gateway.view.models(ADMIN)]
    await routes(here).post("/api/combos/auto", {"id": "mine", "name": "Mine", "active": False})
    left = [row.model_id for row in here.gateway.view.models(ADMIN)]
    with pytest.raises(ModelNotFound, match="switched off"):
        here.gateway.route.decide(ask(here), ADMIN)
    listed = (await routes(here).get("/api/combos/auto"))["combos"]
    return ["mine" in names, "mine" in left, listed[0]["active"]], [True, False, False]


EFFECTS: dict[str, Callable[[], Awaitable[Effect]]] = {
    "candidatePool": candidate_pool,
    "policy": policy,
    "weights": weights,
    "modePack": mode_pack,
    "budgetCap": budget_cap,
    "explorationRate": exploration_rate,
    "active": active,
}


def snapshot(here: World) -> Any:
    preparer, config = here.gateway.route.preparer, here.configs.current()
    return preparer.prepare(config, "mine", now_s=here.clock.now()).snapshot


@pytest.mark.parametrize("name", AUTO_FIELDS)
async def test_a_field_of_an_auto_has_its_effect(name: str) -> None:
    found, wished = await EFFECTS[name]()

    assert found == wished


async def test_the_documented_example_runs_as_written() -> None:
    here = world(account("anthropic"), account("gemini"), account("openai"), account("groq"))
    example = {
        "id": "my-auto",
        "name": "Auto Coder",
        "candidatePool": ["anthropic", "google", "openai"],
        "modePack": "ship-fast",
    }

    made = await routes(here).post("/api/combos/auto", example)
    listed = await routes(here).get("/api/combos/auto")
    decision = here.gateway.route.decide(ask(here, "my-auto"), ADMIN)

    assert made == example | {
        "type": "auto",
        "policy": "classic-6f",
        "weights": None,
        "budgetCap": None,
        "explorationRate": 0.05,
        "active": True,
    }
    assert listed == {"combos": [made]}
    assert {one.provider for one in decision.order} == {"anthropic", "gemini", "openai"}
    assert decision.combo == "my-auto"


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"weights": {"health": 0.5, "quota": 0.4}}, "weights", "sum to 0.9"),
        ({"weights": {"health": 1.5, "quota": -0.5}}, "weights.quota", "quota is -0.5"),
        ({"weights": {"health": 1}, "modePack": "ship-fast"}, "weights", "not both"),
        ({"weights": {"health": 1}, "policy": "utility"}, "weights", "policy classic-6f"),
        ({"modePack": "no-such-pack"}, "modePack", "balanced, coding, fast"),
        ({"modePack": "smart", "policy": "classic-6f"}, "modePack", "of policy utility"),
        ({"policy": "argmax"}, "policy", "utility or classic-6f"),
        ({"explorationRate": 1.1}, "explorationRate", "0 to 1"),
        ({"explorationRate": -0.1}, "explorationRate", "0 to 1"),
        ({"budgetCap": 0}, "budgetCap", "more than 0"),
        ({"budgetCap": -1}, "budgetCap", "more than 0"),
        ({"candidatePool": ["nonesuch"]}, "candidatePool[0]", "no provider, account"),
        ({"candidatePool": ["one", "two/x"]}, "candidatePool[1]", "no provider, account"),
        ({"candidatePool": ["auto"]}, "models[0]", "cannot be part"),
        ({"candidatePool": ["outer"]}, "models", "would contain itself"),
        ({"id": "no blanks here"}, "name", "a-z, A-Z"),
        ({"id": "auto/mine"}, "name", "name of the gateway's own"),
        ({"id": "x" * 101}, "name", "1 to 100"),
        ({"name": "x" * 201}, "name", "1 to 200"),
        ({"name": ""}, "name", "1 to 200"),
        ({"weigths": {}}, "weigths", "weigths"),
        ({"type": "priority"}, "type", "type"),
    ],
)
async def test_what_is_wrong_with_an_auto_is_said_with_its_field(
    fields: dict[str, object], field: str | None, words: str
) -> None:
    here = world(combos=[combo("outer", "mine")])

    answer = await routes(here).call(
        "POST", "/api/combos/auto", {"id": "mine", "name": "Mine", **fields}
    )

    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, field)
    assert words in error["message"]
    assert [one.name for one in here.configs.current().combos] == ["outer"]


async def test_an_auto_and_another_combo_never_take_each_others_name() -> None:
    here = world(combos=[combo("plain", "one/m")])
    auto = {"id": "mine", "name": "Mine"}
    await routes(here).post("/api/combos/auto", auto)

    over_plain = await routes(here).call("POST", "/api/combos/auto", auto | {"id": "plain"})
    over_auto = await routes(here).call(
        "POST", "/api/combos", {"name": "mine", "models": [{"target": "one/m"}]}
    )
    again = await routes(here).call("POST", "/api/combos/auto", auto | {"candidatePool": ["one"]})

    assert (over_plain.status_code, over_auto.status_code, again.status_code) == (409, 409, 201)
    assert "POST /api/combos/auto" in over_auto.json()["error"]["message"]
    assert len(here.configs.current().combos) == 2


async def test_a_combo_may_hold_an_auto_and_an_auto_a_combo() -> None:
    here = trio()
    await here.gateway.control.put_combo(combo("pair", "dear/gpt-5", "cheap/gemma-2-9b"), ADMIN)

    await decided(here, candidatePool=["pair"])
    await here.gateway.control.put_combo(combo("outer", "mine", "middle/claude-sonnet-4"), ADMIN)
    inside = here.gateway.route.decide(ask(here, "mine"), ADMIN)
    outside = here.gateway.route.decide(ask(here, "outer"), ADMIN)

    assert {one.model for one in inside.order} == {"gpt-5", "gemma-2-9b"}
    assert [one.model for one in outside.order] == ["gpt-5", "gemma-2-9b", "claude-sonnet-4"]


@pytest.mark.parametrize(
    "fields",
    [
        {"policy": "utility", "budgetCap": 2.0, "explorationRate": 0.3},
        {"weights": {"costInv": 0.4, "taskFit": 0.6}, "budgetCap": 2.0},
        {"modePack": "cost-saver", "explorationRate": 0.0},
        {"budgetCap": 1e-9},
    ],
)
async def test_decisions_of_an_auto_replay_bit_for_bit_and_simulate_alike(
    fields: dict[str, object],
) -> None:
    here = trio()
    await decided(here, **fields)
    firsts = set[str]()
    for number in range(60):
        request = ask(here, number=number)

        simulated = here.gateway.route.decide(request, ADMIN)
        (await here.gateway.route.open(request, ADMIN)).close()

        record = here.ledger.records[-1]
        assert record.snapshot is not None
        assert record.outcome.decision == simulated
        packed = pack_decision(record.outcome.request, simulated)
        assert replays(packed, pack_snapshot(record.snapshot), b"a fake seed")
        firsts.add(simulated.order[0].model)
    kept = [one for one in simulated.verdicts if one.kept]
    assert sum(one.first_q32 for one in kept) == ONE_Q32
    assert firsts <= {one.candidate.model for one in kept if one.first_q32}


async def test_factors_of_an_auto_with_weights_of_its_own_sum_to_the_score() -> None:
    here = trio()
    decision = await decided(here, weights={"costInv": 0.3, "taskFit": 0.3, "health": 0.4})

    for verdict in decision.verdicts:
        parts = factors_of(ask(here), snapshot(here), decision, verdict.candidate)

        assert sum(one.contribution for one in parts) == pytest.approx(verdict.score)


async def test_simulated_models_and_those_far_away_are_left_out_as_with_auto() -> None:
    near = account("near", local=True)
    here = world(account("far"), near, account("played", simulated=True))

    offline = await decided(here, modePack="offline", candidatePool=["far", "near"])
    mixed = await decided(here, candidatePool=["played", "far"])

    assert [one.provider for one in offline.order] == ["near"]
    assert [one.provider for one in mixed.order] == ["far"]


async def test_an_incident_ends_the_exploration_of_an_auto_by_the_documented_policy() -> None:
    here = trio()
    await decided(here, policy="classic-6f", explorationRate=0.4)
    sick = [one for one in snapshot(here).candidates if one.model != "gemma-tiny"]
    for one in sick * 10:
        here.health.failed(one, "server_error", hint_s=None, now_s=here.clock.now())

    decision = here.gateway.route.decide(structs.replace(ask(here), at_s=here.clock.now()), ADMIN)

    assert shares(decision) == {"gemma-tiny": 1.0}


def test_the_names_of_modes_are_those_that_the_policies_know() -> None:
    assert {policy: set(modes) for policy, modes in MODES_OF.items()} == {
        "utility": set(MODES),
        "classic-6f": set(PACKS),
    }
