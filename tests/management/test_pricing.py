"""Prices of the user's own: over the table, in budgets, and for requests on record."""

from pathlib import Path
from typing import Any

import pytest

from omniroute.routing.model import Caller
from omniroute.server.api.pricing import rows
from tests.fakes import ADMIN, World, account, world
from tests.management.routes import Api, api
from tests.routing.asking import ask
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

READER = Caller("reader", frozenset({"read:models"}))
CHAT = {
    "model": "sim/fast@latency=0,pace=0",
    "messages": [{"role": "user", "content": "hello there"}],
}


def routes(here: World) -> Api:
    nothing: Any = None
    return api(*rows(here.gateway, nothing, nothing), callers={"reader": READER})


async def cost_of_hello(here: World, target: str = "one/m") -> int | None:
    """Give what 10 tokens of input and 2 of output have cost."""
    reply = await here.gateway.route.open(ask(here, target), ADMIN)
    assert [piece async for piece in reply]
    reply.close()
    assert reply.outcome is not None
    return reply.outcome.cost_usd_nanos


async def test_a_price_of_the_users_own_counts_from_the_next_request_on() -> None:
    here = world()
    mine = routes(here)
    before = await cost_of_hello(here)

    told = await mine.call("PATCH", "/api/pricing", {"one": {"m": {"input": 3, "output": 0.5}}})
    after = await cost_of_hello(here)
    other = await cost_of_hello(here, "two/m")

    assert told.status_code == 200
    assert told.json()["one"]["m"] == {
        "input": 3,
        "output": 0.5,
        "cached": None,
        "reasoning": 0.5,
        "cache_creation": None,
        "unit": None,
        "source": "override",
    }
    assert (before, after, other) == (14_000, 31_000, 14_000)


async def test_what_a_change_leaves_out_stays_and_null_takes_it_away() -> None:
    here = world()
    mine = routes(here)

    first = (await mine.call("PATCH", "/api/pricing", {"one": {"m": {"cached": 0.25}}})).json()
    second = (await mine.call("PATCH", "/api/pricing", {"one": {"m": {"output": 9}}})).json()
    third = (await mine.call("PATCH", "/api/pricing", {"one": {"m": None}})).json()

    assert (first["one"]["m"]["input"], first["one"]["m"]["cached"]) == (1, 0.25)
    assert (second["one"]["m"]["output"], second["one"]["m"]["cached"]) == (9, 0.25)
    assert (third["one"]["m"]["output"], third["one"]["m"]["cached"]) == (2, None)
    assert await cost_of_hello(here) == 14_000


async def test_a_pattern_prices_models_and_the_longest_one_counts() -> None:
    here = world(account("one", "m", "mini"))
    wish = {"one": {"m*": {"input": 5, "output": 5}, "mini": {"input": 1, "output": 1}}}

    await routes(here).call("PATCH", "/api/pricing", wish)

    assert await cost_of_hello(here, "one/m") == 60_000
    assert await cost_of_hello(here, "one/mini") == 12_000


async def test_prices_are_taken_away_by_model_by_provider_or_all() -> None:
    here = world()
    mine = routes(here)
    price = {"input": 5, "output": 5}
    await mine.call("PATCH", "/api/pricing", {"one": {"m": price, "n": price}, "two": {"m": price}})

    async def left(query: str) -> list[str]:
        assert (await mine.call("DELETE", f"/api/pricing{query}")).status_code == 200
        return [target for target, _ in here.configs.current().prices]

    assert await left("?provider=one&model=n") == ["one/m", "two/m"]
    assert await left("?provider=one") == ["two/m"]
    assert await left("") == []
    assert (await mine.call("DELETE", "/api/pricing")).status_code == 404
    assert (await mine.call("DELETE", "/api/pricing?model=m")).status_code == 400


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"one": {"m": {"input": -1}}}, "the body is not right"),
        ({"one": {"m": {"input": 2_000_000}}}, "the body is not right"),
        ({"one": {"m": {"inptu": 1}}}, "the body is not right"),
        ({"one": {"m": {"reasoning": 7}}}, "reasoning tokens are a part of the output"),
        ({"one": {"*x": {"input": 1, "output": 1}}}, "stands at the end"),
        ({"one": {"": {"input": 1, "output": 1}}}, "a price is for provider/model"),
        ({"one": {"new*": {"input": 1}}}, "give input and output both"),
    ],
)
async def test_what_is_no_price_is_refused(wish: object, told: str) -> None:
    """DEFECT of the ancestor: reasoning tokens, a part of the output, were paid twice."""
    here = world()

    answer = await routes(here).call("PATCH", "/api/pricing", wish)

    assert answer.status_code == 400
    assert told in answer.text
    assert here.configs.current().prices == ()


async def test_who_may_read_models_sees_prices_and_cannot_change_them() -> None:
    mine = routes(world(account("openai", models=())))

    shown = await mine.get("/api/pricing", key="reader")
    defaults = await mine.get("/api/pricing/defaults", key="reader")
    models = (await mine.get("/api/pricing/models", key="reader"))["models"]
    changed = await mine.call("PATCH", "/api/pricing", {}, key="reader")
    removed = await mine.call("DELETE", "/api/pricing", key="reader")

    assert shown["openai"]
    assert set(defaults) > {"openai", "anthropic"}
    assert all(one["priced"] for one in models)
    assert (changed.status_code, removed.status_code) == (403, 403)


async def test_budgets_keep_what_was_spent_when_prices_change(tmp_path: Path) -> None:
    """A whole gateway: the price is stored, audited, and read again by the next process."""
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        budget = {"key_id": "local", "terms": {"cap_usd_nanos": 10**9, "period": "month"}}
        await caller.post("/api/budgets", json=budget, headers=token)
        await caller.post("/v1/chat/completions", json=CHAT)
        await gateway.parts.storage.flush()
        before = (await caller.get("/api/budgets", headers=token)).json()["budgets"]
        wish = {"sim": {"fast*": {"input": 50, "output": 50}}}
        patched = await caller.patch("/api/pricing", json=wish, headers=token)
        repriced = (await caller.post("/api/pricing/reprice", json={}, headers=token)).json()
        after = (await caller.get("/api/budgets", headers=token)).json()["budgets"]
        usage = (await caller.get("/api/usage/analytics", headers=token)).json()
        log = (await caller.get("/api/audit/log", headers=token)).json()["entries"]
    async with opened(tmp_path) as gateway:
        kept = gateway.parts.gateway.view.facts_in_force("sim", "fast@latency=0,pace=0").price

    assert patched.status_code == 200
    assert before[0]["spent_usd_nanos"] == after[0]["spent_usd_nanos"] > 0
    assert (repriced["requests"], repriced["changed"], repriced["after"]) == (1, 1, None)
    assert repriced["repricedCost"] > repriced["cost"] > 0
    summary = usage["summary"]["usage"]
    assert summary["repricedCost"] == pytest.approx(repriced["repricedCost"])
    assert summary["knownCost"] == pytest.approx(repriced["cost"])
    assert [one["action"] for one in log][:2] == ["pricing.reprice", "pricing.put"]
    assert kept is not None
    assert kept.input == 50 * 10**9
