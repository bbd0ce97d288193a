"""Errors name the tool that helps, as far as the key may call it."""

import pytest
from msgspec import structs

from omniroute.routing import errors
from omniroute.routing.errors import RoutingError, UpstreamFailure
from omniroute.routing.model import Caller
from omniroute.tools.hints import HINTS
from omniroute.tools.table import TABLE
from tests.fakes import World, combo, failing, world
from tests.test_docs import subclasses
from tests.tools.test_tools import AGENT, client, words

pytestmark = pytest.mark.anyio

ASK = {"model": "duo", "messages": [{"role": "user", "content": "say hello"}]}
ROUTES_ALONE = structs.replace(AGENT, scopes=frozenset({"write:route"}))
QUOTA = structs.replace(AGENT, scopes=AGENT.scopes | {"read:quota"})


def broken() -> World:
    down = failing(UpstreamFailure("down", kind="rate_limited", retry_after_s=30.0))
    here = world(combos=[combo("duo", "one/m", "two/m")], caps={"b": 0})
    here.upstream.scripts.update({"one/m": down, "two/m": down})
    return here


async def told(here: World, caller: Caller, **arguments: object) -> str:
    async with client(here, caller) as mine:
        return words(await mine.call_tool("omniroute_route_request", {**ASK, **arguments}))


async def test_an_error_names_the_tool_that_helps_and_that_the_key_may_call() -> None:
    here = broken()

    nowhere = await told(here, AGENT, model="nowhere")
    nothing = await told(here, ROUTES_ALONE, model="nowhere")
    poor = await told(here, structs.replace(AGENT, budget_ids=("b",)))
    poorer = await told(here, structs.replace(ROUTES_ALONE, budget_ids=("b",)))
    failed = await told(here, AGENT)
    resting = [await told(here, caller) for caller in (QUOTA, AGENT, ROUTES_ALONE)]

    assert "omniroute_list_models_catalog lists every name" in nowhere
    assert "omniroute_" not in nothing
    assert "omniroute_best_combo_for_task finds a combo" in poor
    assert "omniroute_simulate_route tells what each" in poorer
    assert "omniroute_explain_route tells how each attempt failed" in failed
    assert [one.partition("; omniroute_")[2].split()[0] for one in resting] == [
        "check_quota",
        "get_health",
        "simulate_route",
    ]


def test_hints_are_of_errors_and_tools_that_there_are() -> None:
    codes = {one.code for one in subclasses(RoutingError) if one.__module__ == errors.__name__}

    assert set(HINTS) <= codes
    assert {name for some in HINTS.values() for name, _ in some} <= {one.name for one in TABLE}
