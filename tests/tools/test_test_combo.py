"""omniroute_test_combo: every model of a combo is really asked, and what that took is told."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Caller, ModelFacts, Price
from tests.fakes import PRICE, World, account, combo, failing, world
from tests.tools.test_tools import (
    AGENT,
    ERAS,
    Stalling,
    client,
    facts,
    served,
    values,
    with_upstream,
)

pytestmark = pytest.mark.anyio

DEAR = Price(input=10 * PRICE.input, output=10 * PRICE.output)
DOWN = failing(UpstreamFailure("it is down", kind="server_error", provider_status=500))


def trio() -> World:
    prices = {"one": DEAR, "two": PRICE, "three": None}
    return world(
        account("one"),
        account("two"),
        account("three"),
        combos=[
            combo("inner", "two/m", "three/m"),
            combo("all", "one/m", "inner"),
            combo("asleep", "one/m", active=False),
        ],
        facts_by=lambda provider, model: ModelFacts(100_000, 1_000, prices[provider]),
    )


async def asked_all(here: World, caller: Caller = AGENT, **arguments: object) -> dict[str, Any]:
    async with client(here, caller) as mine:
        return values(await mine.call_tool("omniroute_test_combo", {"comboId": "all", **arguments}))


async def test_defect_plain_entries_are_skipped_and_cost_nothing() -> None:
    here = trio()
    here.upstream.scripts["two/m"] = DOWN

    result = await asked_all(here)

    one, two, three = result["results"]
    ids = [record.outcome.request.request_id for record in here.ledger.records]
    assert (one["provider"], one["model"], one["success"], one["error"]) == (
        "one",
        "m",
        True,
        None,
    )
    assert (one["cost"], one["tokenCount"], one["answer"]) == (0.00014, 12, "hello")
    assert (two["provider"], two["success"], two["cost"], two["tokenCount"]) == (
        "two",
        False,
        0.0,
        None,
    )
    assert "it is down" in two["error"]
    assert (three["success"], three["cost"]) == (True, None)
    assert sorted(one["requestId"] for one in result["results"]) == sorted(ids)
    assert {record.outcome.request.door for record in here.ledger.records} == {"mcp"}


async def test_defect_the_first_is_always_the_cheapest() -> None:
    result = await asked_all(trio())

    assert result["summary"] == {
        "totalProviders": 3,
        "successful": 3,
        "fastestProvider": "one",
        "cheapestProvider": "two",
        "fastestModel": "one/m",
        "cheapestModel": "two/m",
        "totalCost": None,
    }


async def test_simulated_answers_say_so() -> None:
    here = world(account("sim", simulated=True), combos=[combo("all", "sim/m")])

    (one,) = (await asked_all(here))["results"]

    assert (one["success"], one["simulated"]) == (True, True)


async def test_who_did_not_answer_is_neither_fastest_nor_cheapest() -> None:
    here = trio()
    here.upstream.scripts.update({"one/m": DOWN, "two/m": DOWN, "three/m": DOWN})

    summary = (await asked_all(here))["summary"]

    assert (summary["totalProviders"], summary["successful"]) == (3, 0)
    assert [summary[name] for name in ("fastestProvider", "cheapestModel")] == [None, None]
    assert summary["totalCost"] == 0.0


async def test_a_combo_is_found_by_its_id_and_the_prompt_is_cut() -> None:
    here = trio()

    usual = await asked_all(here, comboId="cmb-all")
    long = await asked_all(here, testPrompt="x" * 201)
    just = await asked_all(here, testPrompt="y" * 200)

    bodies = [call.operation.body for call in here.upstream.calls]
    assert [one["promptTruncated"] for one in (usual, long, just)] == [False, True, False]
    assert all(b"Say hello" in body for body in bodies[:3])
    assert all(b'"' + b"x" * 200 + b'"' in body for body in bodies[3:6])
    assert all(b'"' + b"y" * 200 + b'"' in body for body in bodies[6:])
    assert {call.operation.features.output_tokens_max for call in here.upstream.calls} == {50}


@pytest.mark.parametrize("era", ERAS)
async def test_each_model_is_told_of_as_it_ends(era: str) -> None:
    here = trio()
    here.upstream.scripts["two/m"] = DOWN
    told: list[tuple[float, str | None]] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    async with client(here, era=era) as mine:
        await mine.call_tool("omniroute_test_combo", {"comboId": "all"}, progress_callback=tell)

    assert [progress for progress, _ in told] == [0.0, 1.0, 2.0, 3.0]
    assert told[0][1] == "asking 3 models of combo 'all'"
    assert sorted(str(words)[8:] for _, words in told[1:]) == [
        "one/m answered in 0 ms",
        "three/m answered in 0 ms",
        "two/m did not answer",
    ]


@pytest.mark.parametrize("era", ERAS)
async def test_a_cancelled_test_ends_every_call(era: str) -> None:
    here = world(combos=[combo("all", "one/m")])
    stalling = Stalling()

    async with served(with_upstream(here, stalling), era=era) as mine:
        calling = asyncio.create_task(mine.call_tool("omniroute_test_combo", {"comboId": "all"}))
        await stalling.begun.wait()
        calling.cancel()
        await stalling.closed.wait()

    assert here.ledger.records[0].outcome.status == "client_gone"


async def test_a_test_keeps_to_the_keys_budget_and_to_its_models() -> None:
    here = trio()
    here.budgets.caps["b"] = 0
    poor = structs.replace(AGENT, budget_ids=("b",))
    by_combo = structs.replace(AGENT, models=("all",))
    by_model = structs.replace(AGENT, models=("two/*",))

    refused = await asked_all(here, poor)
    sent = len(here.upstream.calls)
    through = await asked_all(here, by_combo)
    partly = await asked_all(here, by_model)

    assert (refused["summary"]["successful"], sent) == (0, 0)
    assert through["summary"]["successful"] == 3
    assert [one["success"] for one in partly["results"]] == [False, True, False]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ({}, "bad_request", "comboId is missing"),
        ({"comboId": "all", "testPrompt": "x" * 501}, "bad_request", "testPrompt must have at"),
        ({"comboId": "all", "testPrompt": ""}, "bad_request", "testPrompt must have at least 1"),
        ({"comboId": "one/m"}, "model_not_found", "omniroute_list_combos"),
        ({"comboId": "asleep"}, "model_not_found", "omniroute_switch_combo"),
    ],
)
async def test_what_cannot_be_tested_calls_nobody(
    arguments: dict[str, Any], code: str, told: str
) -> None:
    here = trio()

    async with client(here) as mine:
        result = await mine.call_tool("omniroute_test_combo", arguments)

    assert facts(result)["code"] == code
    assert told in str(result.content)
    assert here.upstream.calls == []
