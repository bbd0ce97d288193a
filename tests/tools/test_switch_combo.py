"""omniroute_switch_combo: a combo that is off resolves nowhere, through whatever door."""

from pathlib import Path
from typing import Any

import pytest

from omniroute.routing.model import Caller, Config
from tests.fakes import World, account, combo, world
from tests.processes import gateway
from tests.tools.test_tools import client, facts, values, words
from tests.tools.test_writes import connected

pytestmark = pytest.mark.anyio

SCOPES = frozenset({"write:combos", "read:combos", "read:models", "write:route"})
AGENT = Caller("key-agent", SCOPES)
QUESTION = {"messages": [{"role": "user", "content": "say hello"}]}
OFF = {"comboId": "duo", "active": False}
ON = {"comboId": "duo", "active": True}


def duo() -> World:
    here = world(
        account("one"),
        account("two"),
        combos=[combo("duo", "one/m"), combo("outer", "duo", "two/m"), combo("alone", "duo")],
    )
    here.configs.config = with_alias(here.configs.config, "usual", "duo")
    return here


def with_alias(config: Config, name: str, target: str) -> Config:
    return Config(
        version=config.version,
        accounts=config.accounts,
        combos=config.combos,
        aliases=((name, target),),
        seed=config.seed,
    )


async def test_the_answer_is_the_combo_as_it_is_now() -> None:
    here = duo()

    async with client(here, AGENT) as mine:
        off = values(await mine.call_tool("omniroute_switch_combo", OFF))
        again = values(await mine.call_tool("omniroute_switch_combo", OFF))
        on = values(
            await mine.call_tool("omniroute_switch_combo", {"comboId": "cmb-duo", "active": True})
        )

    assert off == again
    assert off == {"success": True, "combo": {"id": "cmb-duo", "name": "duo", "enabled": False}}
    assert on["combo"]["enabled"] is True


async def test_defect_the_router_ignores_that_a_combo_is_inactive() -> None:
    here = duo()
    asked = [
        {"model": "duo"},
        {"model": "usual"},
        {"model": "auto", "combo": "duo"},
        {"model": "auto", "combo": "cmb-duo"},
        {"model": "alone"},
    ]

    async with client(here, AGENT) as mine:
        await mine.call_tool("omniroute_switch_combo", OFF)
        refused = [
            await mine.call_tool("omniroute_route_request", {**one, **QUESTION}) for one in asked
        ]
        simulated = await mine.call_tool(
            "omniroute_simulate_route", {"model": "duo", "promptTokenEstimate": 5}
        )
        sent = len(here.upstream.calls)
        outer = await mine.call_tool("omniroute_route_request", {"model": "outer", **QUESTION})
        await mine.call_tool("omniroute_switch_combo", ON)
        answered = await mine.call_tool("omniroute_route_request", {"model": "duo", **QUESTION})

    assert [facts(one)["code"] for one in (*refused, simulated)] == ["model_not_found"] * 6
    assert all("switch" in words(one) for one in (*refused[:4], simulated))
    assert sent == 0
    assert values(outer)["routing"]["provider"] == "two"
    assert values(answered)["routing"]["provider"] == "one"


async def test_defect_an_inactive_combo_is_listed_as_enabled() -> None:
    here = duo()

    async with client(here, AGENT) as mine:
        await mine.call_tool("omniroute_switch_combo", OFF)
        combos = values(await mine.call_tool("omniroute_list_combos"))["combos"]
        models = values(await mine.call_tool("omniroute_list_models_catalog"))["models"]

    assert {one["name"]: one["enabled"] for one in combos} == {
        "duo": False,
        "outer": True,
        "alone": True,
    }
    assert not {"duo", "alone"} & {one["id"] for one in models}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"active": False}, "comboId is missing"),
        ({"comboId": "duo"}, "active is missing"),
        ({"comboId": "duo", "active": "no"}, "active must be true or false"),
        ({"comboId": "", "active": True}, "comboId must have at least 1"),
        ({"comboId": "nobody", "active": True}, "no combo is named 'nobody'"),
    ],
)
async def test_what_cannot_be_switched_is_said_and_nothing_changes(
    arguments: dict[str, Any], told: str
) -> None:
    here = duo()
    before = here.configs.config

    async with client(here, AGENT) as mine:
        result = await mine.call_tool("omniroute_switch_combo", arguments)

    assert told in words(result)
    assert result.is_error
    assert here.configs.config.combos == before.combos


async def test_switching_holds_at_every_door_and_after_a_restart(tmp_path: Path) -> None:
    body = {"model": "mine", **QUESTION}
    with gateway(tmp_path) as running:
        running.command("combos", "add", "mine", "sim/fast")
        key = running.new_key(*(word for one in sorted(SCOPES) for word in ("--scope", one)))
        async with connected(running, key) as mine:
            off = values(
                await mine.call_tool("omniroute_switch_combo", {"comboId": "mine", "active": False})
            )
        refused = running.call("POST", "/v1/chat/completions", body, key=key)
        listed = running.call("GET", "/v1/models", key=key).json()["data"]
        one = running.call("GET", "/v1/models/mine", key=key)
    with gateway(tmp_path) as running:
        again = running.call("POST", "/v1/chat/completions", body, key=key)
        async with connected(running, key) as mine:
            await mine.call_tool("omniroute_switch_combo", {"comboId": "mine", "active": True})
        answered = running.call("POST", "/v1/chat/completions", body, key=key)

    assert off["combo"]["enabled"] is False
    assert (refused.status, one.status, again.status, answered.status) == (404, 404, 404, 200)
    assert refused.json()["error"]["code"] == "model_not_found"
    assert "mine" not in [one["id"] for one in listed]
