"""Prompts and completion, asked for by the official MCP client in memory, in both eras."""

from collections.abc import Sequence
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import (
    Completion,
    GetPromptResult,
    PromptReference,
    ResourceTemplateReference,
    TextContent,
)

from omniroute.routing.access import SCOPES
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Caller
from omniroute.tools.prompts import PROMPTS
from omniroute.tools.table import TABLE
from tests.fakes import ADMIN, World, account, combo, failing, world
from tests.tools.test_resources import asked
from tests.tools.test_tools import AGENT, OTHER, client

pytestmark = pytest.mark.anyio

ERAS = ("legacy", "2026-07-28")
COMBO = ResourceTemplateReference(uri="omniroute://combos/{combo}")
MODEL = ResourceTemplateReference(uri="omniroute://models/{+model}")
PROVIDER = ResourceTemplateReference(uri="omniroute://providers/{provider}/models")
DECISION = ResourceTemplateReference(uri="omniroute://decisions/{requestId}")


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def words(result: GetPromptResult) -> str:
    (message,) = result.messages
    assert message.role == "user"
    assert isinstance(message.content, TextContent)
    return message.content.text


def broken() -> World:
    return world(scripts={"two/m": failing(UpstreamFailure("it broke", kind="server_error"))})


async def test_the_prompts_are_listed_with_their_arguments(era: str) -> None:
    async with client(world(), era=era) as mine:
        listed = (await mine.list_prompts()).prompts

    arguments = {
        one.name: [(given.name, given.required) for given in one.arguments or []] for one in listed
    }
    assert arguments == {
        "choose_combo": [("task", True), ("budget", False), ("latency", False)],
        "investigate_request": [("requestId", False)],
        "weekly_cost_review": [("budget", False)],
    }
    assert all(one.title and one.description for one in listed)


async def test_choosing_a_combo_brings_the_combos_and_the_limits(era: str) -> None:
    here = world(combos=[combo("fast", "one/m")])
    given = {"task": "review a patch", "budget": "$0.05", "latency": "1500"}

    async with client(here, era=era) as mine:
        told = words(await mine.get_prompt("choose_combo", given))

    assert "Task: review a patch" in told
    assert "at most $0.05" in told
    assert "at most 1500 ms" in told
    assert '"name":"fast"' in told
    assert "omniroute_simulate_route" in told


async def test_a_request_is_investigated_with_its_story(era: str) -> None:
    here = broken()
    request_id = await asked(here, model="two/m")

    async with client(here, era=era) as mine:
        told = words(await mine.get_prompt("investigate_request", {"requestId": request_id}))

    assert f"why request {request_id}" in told
    assert "two/m failed with server_error" in told
    assert 'with model "two/m"' in told


async def test_without_an_id_the_newest_failure_is_investigated(era: str) -> None:
    here = broken()
    failed = await asked(here, model="two/m")
    await asked(here)

    async with client(here, era=era) as mine:
        told = words(await mine.get_prompt("investigate_request"))

    assert f"why request {failed}" in told


async def test_where_nothing_failed_the_prompt_says_so(era: str) -> None:
    here = world()
    await asked(here)

    async with client(here, era=era) as mine:
        with pytest.raises(MCPError, match="none of the newest 100 requests of this key failed"):
            await mine.get_prompt("investigate_request")


async def test_another_keys_request_is_not_told(era: str) -> None:
    here = broken()
    request_id = await asked(here, model="two/m")

    async with client(here, OTHER, era=era) as theirs:
        with pytest.raises(MCPError, match="no request") as named:
            await theirs.get_prompt("investigate_request", {"requestId": request_id})
        with pytest.raises(MCPError, match="none of the newest"):
            await theirs.get_prompt("investigate_request")

    assert named.value.code == -32602


async def test_the_weekly_review_brings_what_was_spent_and_names_its_limit(era: str) -> None:
    here = world()
    await asked(here)

    async with client(here, era=era) as mine:
        told = words(await mine.get_prompt("weekly_cost_review", {"budget": "25"}))

    assert "A week may cost at most $25." in told
    assert '"period":"week"' in told
    assert '"period":"month"' in told
    assert '"requestCount":1' in told
    assert '"byProvider":[{"name":"one"' in told


STEPS = {
    "choose_combo": (
        "omniroute_best_combo_for_task",
        "omniroute_list_combos",
        "omniroute_simulate_route",
        "omniroute_list_models_catalog",
    ),
    "investigate_request": (
        "omniroute_explain_route",
        "omniroute_get_health",
        "omniroute_check_quota",
        "omniroute_simulate_route",
    ),
    "weekly_cost_review": (
        "omniroute_list_combos",
        "omniroute_get_provider_metrics",
        "omniroute_list_models_catalog",
        "omniroute_simulate_route",
    ),
}


@pytest.mark.parametrize("name", STEPS)
async def test_a_key_that_may_all_is_led_to_every_tool_of_the_prompt(name: str) -> None:
    here = broken()
    await asked(here, ADMIN, model="two/m")
    given = {"task": "any"} if name == "choose_combo" else {}

    async with client(here, ADMIN) as mine:
        told = words(await mine.get_prompt(name, given))

    steps = [f"{number}. {tool}, " for number, tool in enumerate(STEPS[name], start=1)]
    assert [one for one in steps if f"\n{one}" in told] == steps
    assert {tool for tools in STEPS.values() for tool in tools} <= {one.name for one in TABLE}


@pytest.mark.parametrize("row", PROMPTS, ids=lambda row: row.name)
async def test_a_prompt_names_only_tools_that_the_key_may_call(row: Any, era: str) -> None:
    here = broken()
    few = Caller("key-few", frozenset({row.scope}))
    await asked(here, Caller("key-few", AGENT.scopes), model="two/m")
    given = {"task": "any"} if row.name == "choose_combo" else {}

    async with client(here, few, era=era) as mine:
        callable_ = {tool.name for tool in (await mine.list_tools()).tools}
        told = words(await mine.get_prompt(row.name, given))

    named = {tool.name for tool in TABLE if tool.name in told}
    assert named <= callable_


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("choose_combo", {}, "task is missing"),
        ("choose_combo", {"task": "  "}, "task is missing"),
        ("choose_combo", {"task": "x" * 4001}, "task has at most 4000 characters"),
        ("choose_combo", {"task": "x", "budget": "much"}, "budget must be a number above 0"),
        ("choose_combo", {"task": "x", "budget": "-1"}, "budget must be a number above 0"),
        ("choose_combo", {"task": "x", "latency": "inf"}, "latency must be a number above 0"),
        ("choose_combo", {"task": "x", "mood": "good"}, "no argument 'mood'; known are task"),
        ("no_such_prompt", {}, "no prompt is named 'no_such_prompt'; known are choose_combo"),
    ],
)
async def test_wrong_arguments_are_named(
    name: str, given: dict[str, str], told: str, era: str
) -> None:
    async with client(world(), era=era) as mine:
        with pytest.raises(MCPError) as refused:
            await mine.get_prompt(name, given)

    assert refused.value.code == -32602
    assert told in str(refused.value)


@pytest.mark.parametrize("row", PROMPTS, ids=lambda row: row.name)
async def test_a_prompt_is_seen_and_got_by_the_scope_of_its_facts(row: Any, era: str) -> None:
    less = Caller("key-less", frozenset(SCOPES) - {row.scope})

    async with client(world(), less, era=era) as mine:
        listed = [one.name for one in (await mine.list_prompts()).prompts]
        with pytest.raises(MCPError, match=f"lacks scope {row.scope}") as refused:
            await mine.get_prompt(row.name, {"task": "any"})

    assert row.scope in SCOPES
    assert row.name not in listed
    assert refused.value.code == -32003


async def completed(mine: Client, reference: Any, argument: str, typed: str = "") -> Completion:
    return (await mine.complete(reference, {"name": argument, "value": typed})).completion


@pytest.mark.parametrize(
    ("reference", "argument", "typed", "expected"),
    [
        (COMBO, "combo", "", ["fast", "very fast", "Fast code"]),
        (COMBO, "combo", "fast", ["fast", "Fast code", "very fast"]),
        (COMBO, "combo", "VERY", ["very fast"]),
        (COMBO, "combo", "none", []),
        (PROVIDER, "provider", "", ["one", "two"]),
        (PROVIDER, "provider", "t", ["two"]),
        (MODEL, "model", "two/", ["two/m", "two/org/large"]),
        (MODEL, "model", "large", ["two/org/large"]),
        (PromptReference(name="choose_combo"), "task", "co", ["coding"]),
        (PromptReference(name="choose_combo"), "budget", "1", []),
    ],
)
async def test_names_are_completed_and_those_that_begin_so_come_first(
    reference: Any, argument: str, typed: str, expected: Sequence[str], era: str
) -> None:
    combos = [combo(name, "one/m") for name in ("fast", "very fast", "Fast code")]
    here = world(account("one"), account("two", "m", "org/large"), combos=combos)

    async with client(here, era=era) as mine:
        found = await completed(mine, reference, argument, typed)

    assert found.values == expected
    assert (found.total, found.has_more) == (len(expected), False)


async def test_a_completion_has_at_most_a_hundred_values_and_counts_all(era: str) -> None:
    here = world(combos=[combo(f"c{number}", "one/m") for number in range(130)])

    async with client(here, era=era) as mine:
        found = await completed(mine, COMBO, "combo", "c")

    assert (len(found.values), found.total, found.has_more) == (100, 130, True)


async def test_ids_of_failed_requests_are_offered_first(era: str) -> None:
    here = broken()
    failed = await asked(here, model="two/m")
    answered = await asked(here)
    await asked(here, OTHER)

    async with client(here, era=era) as mine:
        found = await completed(mine, DECISION, "requestId")

    assert found.values == [failed, answered]


async def test_a_restricted_key_is_offered_the_models_it_may_ask_for(era: str) -> None:
    caller = Caller(AGENT.key_id, AGENT.scopes, ("two/*",))

    async with client(world(), caller, era=era) as mine:
        found = await completed(mine, MODEL, "model")

    assert found.values == ["two/m"]


@pytest.mark.parametrize(
    ("reference", "argument", "told"),
    [
        (ResourceTemplateReference(uri="omniroute://none/{x}"), "x", "no such resource template"),
        (PromptReference(name="none"), "x", "no such prompt"),
        (COMBO, "name", "no argument 'name'; known are combo"),
    ],
)
async def test_what_cannot_be_completed_is_said(
    reference: Any, argument: str, told: str, era: str
) -> None:
    async with client(world(), era=era) as mine:
        with pytest.raises(MCPError, match=told) as refused:
            await completed(mine, reference, argument)

    assert refused.value.code == -32602


async def test_a_completion_needs_the_scope_of_what_it_offers(era: str) -> None:
    less = Caller("key-less", frozenset(SCOPES) - {"read:combos"})

    async with client(world(), less, era=era) as mine:
        with pytest.raises(MCPError, match="lacks scope read:combos"):
            await completed(mine, COMBO, "combo")
