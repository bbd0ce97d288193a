"""omniroute_best_combo_for_task: by real fitness, prices and speed, within the constraints."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.health.experience import ALL, Seen
from omniroute.routing.model import Combo, ModelFacts, Price
from omniroute.routing.preference import FitnessRule
from tests.fakes import World, account, combo, failing, world
from tests.tools.test_tools import AGENT, client, facts, values, words

pytestmark = pytest.mark.anyio

DOLLAR = 1_000_000_000
PRICES = {
    "strong": Price(input=10 * DOLLAR, output=50 * DOLLAR),
    "middle": Price(input=2 * DOLLAR, output=10 * DOLLAR),
    "small": Price(input=DOLLAR // 10, output=DOLLAR // 2),
    "gift": Price(input=0, output=0),
    "secret": None,
}
RULES = (
    FitnessRule("strong/", "", 0.95),
    FitnessRule("middle/", "", 0.80),
    FitnessRule("small/", "", 0.40),
    FitnessRule("gift/", "", 0.30),
    FitnessRule("secret/", "", 0.90),
)
"""What the user says of the models, so that no table of ours changes these tests."""


def here_with(*combos: Combo, rules: Sequence[FitnessRule] = RULES) -> World:
    here = world(
        *(account(name) for name in PRICES),
        combos=combos,
        facts_by=lambda provider, model: ModelFacts(100_000, 1_000, PRICES[provider]),
    )
    object.__setattr__(here.configs.config, "fitness", tuple(rules))
    return here


def five() -> World:
    return here_with(*(combo(f"c-{name}", f"{name}/m") for name in PRICES))


async def best(here: World, task: str = "coding", **arguments: object) -> dict[str, Any]:
    async with client(here) as mine:
        return values(
            await mine.call_tool("omniroute_best_combo_for_task", {"taskType": task, **arguments})
        )


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [one["name"] for one in rows]


def measured(here: World, **seconds: float) -> None:
    """Have answers taken so long."""
    config = here.configs.current()
    for name, total_s in seconds.items():
        prepared = here.gateway.route.preparer.prepare(config, f"{name}/m", now_s=0.0)
        (one,) = prepared.snapshot.candidates
        now_s = here.clock.now()
        here.health.succeeded(one, first_byte_s=0.1, total_s=total_s, now_s=now_s)
    here.clock.advance(2.0)


async def test_defect_every_combo_scores_nothing() -> None:
    here = here_with(combo("c-small", "small/m"), combo("c-strong", "strong/m"))

    result = await best(here)

    first = result["recommendedCombo"]
    assert (first["name"], first["id"]) == ("c-strong", "cmb-c-strong")
    assert (first["likelyModel"], first["probability"], first["fitness"]) == ("strong/m", 1.0, 0.95)
    assert first["expectedCost"] > 0.01
    assert first["expectedLatencyMs"] is None
    assert "fitness for coding 0.95" in first["reason"]
    assert "its speed is not measured yet" in first["reason"]
    (other,) = result["alternatives"]
    assert other["name"] == "c-small"
    assert other["tradeoff"].startswith("cheaper ($0.000")
    assert other["tradeoff"].endswith("), but less fit for coding (0.40 instead of 0.95)")


async def test_the_kind_of_task_decides() -> None:
    rules = (
        FitnessRule("strong/", "coding", 0.2),
        FitnessRule("strong/", "planning", 0.95),
        FitnessRule("middle/", "coding", 0.95),
        FitnessRule("middle/", "planning", 0.2),
    )
    here = here_with(combo("a", "strong/m"), combo("b", "middle/m"), rules=rules)

    found = [(await best(here, task))["recommendedCombo"] for task in ("coding", "planning")]

    assert [one["name"] for one in found] == ["b", "a"]


@pytest.mark.parametrize(
    "task", ["coding", "review", "planning", "analysis", "debugging", "documentation"]
)
async def test_every_documented_task_is_answered(task: str) -> None:
    result = await best(five(), task)

    assert result["recommendedCombo"]["fitness"] >= 0.8
    assert len(result["alternatives"]) == 3


async def test_defect_the_budget_is_ignored() -> None:
    result = await best(five(), budgetConstraint=0.002)

    assert result["recommendedCombo"]["name"] == "c-small"
    assert result["recommendedCombo"]["expectedCost"] <= 0.002
    assert names(result["alternatives"]) == ["c-gift"]
    left_out = {one["name"]: one["reason"] for one in result["leftOut"]}
    assert sorted(left_out) == ["c-middle", "c-secret", "c-strong"]
    assert "price is unknown" in left_out["c-secret"]
    assert "$0.002000" in left_out["c-middle"]


async def test_a_budget_of_nothing_leaves_what_is_free() -> None:
    result = await best(five(), budgetConstraint=0)

    assert (result["recommendedCombo"]["name"], result["recommendedCombo"]["free"]) == (
        "c-gift",
        True,
    )
    assert (result["alternatives"], result["freeAlternative"]) == ([], None)


async def test_the_best_free_one_is_named_beside_the_best() -> None:
    here = here_with(
        combo("best", "strong/m"),
        combo("half-free", "gift/m", "strong/m"),
        combo("free", "gift/m"),
    )

    result = await best(here)

    assert result["freeAlternative"] == {"id": "cmb-free", "name": "free"}


async def test_defect_the_time_is_ignored() -> None:
    here = here_with(*(combo(f"c-{name}", f"{name}/m") for name in ("strong", "middle", "small")))
    measured(here, middle=8.0, small=0.5)

    free = await best(here)
    timed = await best(here, latencyConstraint=2000)
    strict = await best(here, latencyConstraint=100)

    assert free["recommendedCombo"]["name"] == "c-middle"
    assert free["recommendedCombo"]["expectedLatencyMs"] == pytest.approx(8000, rel=0.05)
    assert timed["recommendedCombo"]["name"] == "c-small"
    assert names(timed["alternatives"]) == ["c-strong"]
    assert "its speed is not measured yet" in timed["alternatives"][0]["tradeoff"]
    assert names(timed["leftOut"]) == ["c-middle"]
    assert "2 s is the most" in timed["leftOut"][0]["reason"]
    assert strict["recommendedCombo"]["name"] == "c-strong"
    assert names(strict["leftOut"]) == ["c-middle", "c-small"]


async def test_where_no_time_was_measured_the_speed_of_past_words_tells() -> None:
    here = here_with(combo("c-middle", "middle/m"))
    experience = here.gateway.route.preparer.experience
    length = dict(experience.lengths("m"))["code"]
    experience.restore([Seen("middle/m", ALL, 0, 0, 10, 1_000, 1_000 * 50_000)])

    result = await best(here)

    assert length < 1_000
    assert result["recommendedCombo"]["expectedLatencyMs"] == length * 50


async def test_a_combo_that_nobody_can_answer_for_is_left_out_with_the_reason() -> None:
    here = here_with(combo("c-strong", "strong/m"), combo("c-small", "small/m"))
    limited = UpstreamFailure("slow down", kind="rate_limited", retry_after_s=30.0)
    here.upstream.scripts["strong/m"] = failing(limited)

    async with client(here) as mine:
        await mine.call_tool(
            "omniroute_route_request",
            {"model": "strong/m", "messages": [{"role": "user", "content": "hello"}]},
        )
    result = await best(here)
    here.upstream.scripts["small/m"] = failing(limited)
    async with client(here) as mine:
        await mine.call_tool(
            "omniroute_route_request",
            {"model": "small/m", "messages": [{"role": "user", "content": "hello"}]},
        )
    none = await best(here)

    assert result["recommendedCombo"]["name"] == "c-small"
    assert result["leftOut"] == [
        {
            "id": "cmb-c-strong",
            "name": "c-strong",
            "reason": "nobody could answer now: strong/m: rate limited, next try in 30 s",
        }
    ]
    assert (none["recommendedCombo"], none["alternatives"]) == (None, [])
    assert names(none["leftOut"]) == ["c-strong", "c-small"]


@pytest.mark.parametrize("strategy", ["random", "round-robin", "least-used"])
async def test_a_combo_whose_first_changes_is_weighed_by_how_often_each_is_first(
    strategy: str,
) -> None:
    here = here_with(combo("mix", "strong/m", "small/m", strategy=strategy))

    result = await best(here)

    first = result["recommendedCombo"]
    assert first["probability"] == 0.5
    assert first["fitness"] == pytest.approx((0.95 + 0.40) / 2)


async def test_only_combos_that_the_key_may_use_are_recommended() -> None:
    here = five()
    bound = structs.replace(AGENT, models=("c-small",))

    async with client(here, bound) as mine:
        result = values(
            await mine.call_tool("omniroute_best_combo_for_task", {"taskType": "coding"})
        )

    assert result["recommendedCombo"]["name"] == "c-small"
    assert result["alternatives"] == []


async def test_no_provider_is_called_and_nothing_is_recorded() -> None:
    here = five()

    await best(here)

    assert (here.upstream.calls, here.ledger.records) == ([], [])


async def test_without_an_active_combo_the_error_says_what_to_do() -> None:
    here = here_with(combo("asleep", "small/m", active=False))

    async with client(here) as mine:
        result = await mine.call_tool("omniroute_best_combo_for_task", {"taskType": "coding"})

    assert facts(result)["code"] == "not_found"
    assert "omniroute_switch_combo" in words(result)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "taskType is missing"),
        ({"taskType": "cooking"}, "taskType must be one of"),
        ({"taskType": "coding", "budgetConstraint": -1}, "budgetConstraint must be at least 0"),
        ({"taskType": "coding", "latencyConstraint": 0}, "latencyConstraint must be more than 0"),
    ],
)
async def test_wrong_arguments_name_the_field(arguments: dict[str, Any], told: str) -> None:
    async with client(five()) as mine:
        result = await mine.call_tool("omniroute_best_combo_for_task", arguments)

    assert facts(result)["code"] == "bad_request"
    assert told in words(result)
