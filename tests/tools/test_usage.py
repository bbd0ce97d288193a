"""What tools tell of what was used: costs, the session, providers and combos."""

from collections.abc import Callable, Sequence
from typing import Any

import jsonschema
import pytest

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Call, Caller, ModelFacts, Piece
from omniroute.tools.metrics import ComboMetricsAsked, ProviderMetrics
from omniroute.tools.shapes import output_schema
from omniroute.tools.table import TABLE
from tests.fakes import ADMIN, PRICE, World, account, combo, failing, hello, world
from tests.tools.test_tools import AGENT, OTHER, QUESTION, client, facts, values, words

pytestmark = pytest.mark.anyio

DAY_S = 86_400.0
COST = 0.000014
"""Dollars of one `hello`: 10 tokens at 1 and 2 tokens at 2 dollars per million."""
SCHEMAS = {one.name: output_schema(one.gives) for one in TABLE}


def duo(**scripts: Any) -> World:
    return world(combos=[combo("duo", "one/m", "two/m")], scripts=scripts)


def taking(here: World, seconds: float) -> Callable[[Call], Sequence[Piece | UpstreamFailure]]:
    """Give a script that says hello after so long."""

    def answer(call: Call) -> Sequence[Piece | UpstreamFailure]:
        here.clock.advance(seconds)
        return hello(call)

    return answer


async def ask(here: World, model: str = "one/m", *, caller: Caller = AGENT, times: int = 1) -> None:
    """Have a key ask, whatever comes of it."""
    async with client(here, caller) as mine:
        for _ in range(times):
            await mine.call_tool("omniroute_route_request", {"model": model, **QUESTION})


async def told(here: World, tool: str, caller: Caller = AGENT, **arguments: Any) -> dict[str, Any]:
    """Give a tool's answer, which fits its schema."""
    async with client(here, caller) as mine:
        answer = values(await mine.call_tool(f"omniroute_{tool}", arguments))
    schema = SCHEMAS[f"omniroute_{tool}"]
    jsonschema.validate(answer, schema)
    assert set(answer) == set(schema["properties"])
    return answer


async def test_a_cost_report_has_real_totals_and_rows() -> None:
    """DEFECT of the ancestor: totals were 0, and rows were passed through raw."""
    here = duo()
    await ask(here, "one/m", times=2)
    await ask(here, "two/m")

    report = await told(here, "cost_report")

    assert report["totalCost"] == report["knownCost"] == pytest.approx(3 * COST)
    assert (report["requestCount"], report["unpricedRequests"]) == (3, 0)
    assert report["tokenCount"] == {
        "prompt": 30,
        "completion": 6,
        "cachedPrompt": 0,
        "reasoning": 0,
    }
    assert [(one["name"], one["requests"]) for one in report["byProvider"]] == [
        ("one", 2),
        ("two", 1),
    ]
    assert [(one["model"], one["cost"]) for one in report["byModel"]] == [
        ("one/m", pytest.approx(2 * COST)),
        ("two/m", pytest.approx(COST)),
    ]
    assert (report["unansweredRequests"], report["leftOut"]) == (0, 0)


@pytest.mark.parametrize(
    ("period", "requests"), [("session", 4), ("day", 1), ("week", 2), ("month", 3)]
)
async def test_a_period_reaches_so_far_back(period: str, requests: int) -> None:
    here = duo()
    for days in (40, 20, 3, 0):
        await ask(here)
        here.clock.advance(days * DAY_S if days != 40 else 20 * DAY_S)

    report = await told(here, "cost_report", period=period)

    assert (report["period"], report["requestCount"]) == (period, requests)


async def test_a_report_is_of_the_callers_own_key_and_of_all_for_admin() -> None:
    here = duo()
    await ask(here, caller=AGENT)
    await ask(here, caller=OTHER, times=2)

    mine = await told(here, "cost_report", AGENT)
    everybodys = await told(here, "cost_report", ADMIN)

    assert (mine["requestCount"], everybodys["requestCount"]) == (1, 3)


async def test_a_cost_that_is_not_known_is_null_beside_what_is_known() -> None:
    here = world(
        account("one"),
        account("two"),
        facts_by=lambda provider, model: ModelFacts(price=None if provider == "two" else PRICE),
    )
    await ask(here, "one/m")
    await ask(here, "two/m")

    report = await told(here, "cost_report")

    assert (report["totalCost"], report["unpricedRequests"]) == (None, 1)
    assert report["knownCost"] == pytest.approx(COST)
    assert [(one["name"], one["cost"]) for one in report["byProvider"]] == [
        ("one", pytest.approx(COST)),
        ("two", None),
    ]


async def test_the_tightest_budget_is_told_and_then_all() -> None:
    """DEFECT of the ancestor: the budget was always null."""
    here = world(caps={"wide": 9_000_000_000, "tight": 1_000_000_000})
    mine = Caller("key-agent", AGENT.scopes, budget_ids=("wide", "tight"))
    await ask(here, caller=mine)

    report = await told(here, "cost_report", mine)

    assert report["budget"] == {"limit": 1.0, "remaining": pytest.approx(1 - COST)}
    assert [one["id"] for one in report["budgets"]] == ["tight", "wide"]
    assert report["budgets"][0]["spent"] == pytest.approx(COST)


async def test_without_a_budget_none_is_told() -> None:
    report = await told(duo(), "cost_report")

    assert report["budget"] == {"limit": None, "remaining": None}
    assert (report["budgets"], report["byModel"], report["totalCost"]) == ([], [], 0)


async def test_a_snapshot_has_what_this_session_did() -> None:
    """DEFECT of the ancestor: mostly zeros."""
    here = duo()
    here.upstream.scripts["one/m"] = failing(UpstreamFailure("too much", kind="overloaded"))
    here.clock.advance(60)
    await ask(here, "duo")
    await ask(here, "nothing-of-that-name")
    await ask(here, "two/m")
    here.clock.advance(3_540)

    snapshot = await told(here, "get_session_snapshot")

    assert snapshot["sessionStart"] == "2023-11-14T22:13:20.000Z"
    assert (snapshot["duration"], snapshot["sessionOf"]) == ("1h 0m 0s", "gateway")
    assert (snapshot["requestCount"], snapshot["errors"], snapshot["fallbacks"]) == (3, 1, 1)
    assert snapshot["costTotal"] == pytest.approx(2 * COST)
    assert snapshot["tokenCount"]["prompt"] == 20
    assert snapshot["topModels"] == [{"model": "two/m", "count": 2}]
    assert snapshot["topProviders"] == [{"provider": "two", "count": 2}]
    assert snapshot["budgetGuard"] is None


async def test_a_snapshots_lists_end_after_five() -> None:
    models = [f"m{number}" for number in range(7)]
    here = world(account("one", *models))
    for number, model in enumerate(models):
        await ask(here, f"one/{model}", times=1 + (number == 6))

    snapshot = await told(here, "get_session_snapshot")

    assert [one["model"] for one in snapshot["topModels"]] == [
        "one/m6",
        *(f"one/m{number}" for number in range(4)),
    ]


async def test_a_snapshot_tells_how_the_guard_stands() -> None:
    here = duo()
    mine = Caller("key-agent", AGENT.scopes | {"write:config"}, budget_ids=("guard-key-agent",))

    async with client(here, mine) as writer:
        await writer.call_tool("omniroute_set_budget_guard", {"maxCost": 0.5, "action": "alert"})
    await ask(here, caller=mine)
    snapshot = await told(here, "get_session_snapshot", mine)

    assert snapshot["budgetGuard"] == {
        "active": True,
        "remaining": pytest.approx(0.5 - COST),
        "action": "alert",
        "limit": 0.5,
        "status": "active",
    }


async def test_a_providers_percentiles_are_measured() -> None:
    """DEFECT of the ancestor: percentiles were always 0."""
    here = duo()
    for milliseconds in range(1, 21):
        here.upstream.scripts["one/m"] = taking(here, milliseconds / 1000)
        await ask(here)

    metrics = await told(here, "get_provider_metrics", provider="one")

    assert (metrics["requestCount"], metrics["successRate"], metrics["errorRate"]) == (20, 1, 0)
    assert metrics["avgLatencyMs"] == pytest.approx(10.5)
    assert [metrics[f"p{percent}LatencyMs"] for percent in (50, 95, 99)] == [
        pytest.approx(10.0),
        pytest.approx(19.0),
        pytest.approx(20.0),
    ]
    assert metrics["p50FirstTokenMs"] == pytest.approx(10.0)
    assert metrics["lastError"] is None


async def test_a_providers_failures_count_where_another_one_answered() -> None:
    """DEFECT of the ancestor: the circuit was always CLOSED, and errors had no source."""
    here = duo()
    here.upstream.scripts["one/m"] = failing(
        UpstreamFailure("too much", kind="overloaded", provider_status=503)
    )
    await ask(here, "duo", times=8)

    one = await told(here, "get_provider_metrics", provider="one")
    two = await told(here, "get_provider_metrics", provider="two")

    assert one["requestCount"] > 0
    assert (one["successRate"], one["errorRate"], one["avgLatencyMs"]) == (0, 1, None)
    assert one["lastError"]["message"] == "too much"
    assert (one["lastError"]["kind"], one["lastError"]["providerStatus"]) == ("overloaded", 503)
    assert one["lastError"]["timestamp"] == "2023-11-14T22:13:20.000Z"
    assert (two["successRate"], two["circuitBreakerState"]) == (1, "CLOSED")


async def test_an_open_circuit_of_a_provider_is_told() -> None:
    here = duo()
    here.upstream.scripts["one/m"] = failing(
        UpstreamFailure("broken", kind="server_error", provider_status=500)
    )
    for _ in range(12):
        await ask(here, "one/m")
        here.clock.advance(20)
    here.upstream.scripts["one/m"] = hello

    metrics = await told(here, "get_provider_metrics", provider="one")

    assert metrics["circuitBreakerState"] != "CLOSED"
    assert metrics["openCircuits"]


async def test_a_providers_quota_is_the_tightest_that_it_told() -> None:
    here = duo()
    here.upstream.headers["one/m"] = {
        b"x-ratelimit-limit-requests": b"50",
        b"x-ratelimit-remaining-requests": b"42",
        b"x-ratelimit-reset-requests": b"30s",
        b"x-ratelimit-limit-tokens": b"1000",
        b"x-ratelimit-remaining-tokens": b"100",
    }
    await ask(here)

    metrics = await told(here, "get_provider_metrics", provider="one")
    other = await told(here, "get_provider_metrics", provider="two")

    assert (metrics["quotaInfo"]["used"], metrics["quotaInfo"]["total"]) == (900, 1000)
    assert other["quotaInfo"] == {"used": None, "total": None, "resetAt": None, "dimension": None}


async def test_metrics_of_a_provider_that_nobody_knows_say_whom_there_is() -> None:
    async with client(duo()) as mine:
        answer = await mine.call_tool("omniroute_get_provider_metrics", {"provider": "nobody"})

    assert "no account is at a provider named 'nobody'; known are one, two" in words(answer)
    assert facts(answer)["code"] == "not_found"


@pytest.mark.parametrize("named", ["cmb-duo", "duo"])
async def test_a_combos_metrics_are_found_by_its_id_and_its_name(named: str) -> None:
    """DEFECT of the ancestor: an id was passed where a name was filtered by: all combos came."""
    here = world(combos=[combo("duo", "one/m", "two/m"), combo("solo", "two/m")])
    here.upstream.scripts["one/m"] = failing(UpstreamFailure("too much", kind="overloaded"))
    await ask(here, "duo")
    here.upstream.scripts["one/m"] = hello
    here.clock.advance(120)
    await ask(here, "duo")
    await ask(here, "solo", times=3)

    metrics = await told(here, "get_combo_metrics", comboId=named)

    assert (metrics["combo"], metrics["requests"], metrics["successRate"]) == ("duo", 2, 1)
    assert (metrics["fallbackCount"], metrics["fallbackRequests"]) == (1, 1)
    assert metrics["costTotal"] == pytest.approx(2 * COST)
    rows = {one["provider"]: one for one in metrics["byProvider"]}
    assert (rows["one"]["requests"], rows["one"]["successRate"]) == (2, 0.5)
    assert rows["one"]["lastError"]["kind"] == "overloaded"
    assert (rows["two"]["requests"], rows["two"]["successRate"]) == (1, 1)


async def test_an_unused_combo_has_no_rates_and_an_unknown_one_is_not_found() -> None:
    here = duo()

    metrics = await told(here, "get_combo_metrics", comboId="duo")
    async with client(here) as mine:
        missing = await mine.call_tool("omniroute_get_combo_metrics", {"comboId": "trio"})

    assert (metrics["requests"], metrics["successRate"], metrics["avgLatency"]) == (0, None, None)
    assert (metrics["p99Latency"], metrics["byProvider"]) == (None, [])
    assert "no combo is named 'trio'; known are duo" in words(missing)


async def test_a_listed_combos_metrics_are_its_own() -> None:
    """DEFECT of the ancestor: metrics were looked up by id where they are kept by name."""
    here = duo()
    here.upstream.scripts["one/m"] = taking(here, 0.5)
    await ask(here, "duo")
    await ask(here, "one/m")

    listed = await told(here, "list_combos", includeMetrics=True)

    metrics = listed["combos"][0]["metrics"]
    assert (metrics["requestCount"], metrics["successRate"]) == (1, 1)
    assert metrics["avgLatencyMs"] == pytest.approx(500.0)


async def test_a_session_that_began_later_counts_from_then() -> None:
    here = duo()
    await ask(here)
    here.clock.advance(10)

    usage = here.gateway.view.usage

    assert usage.began("session", here.clock.unix() - 5) == here.clock.unix() - 5
    assert usage.began("session", here.clock.unix() + 99) == here.clock.unix()
    assert usage.began("session") == here.clock.unix() - 10


def test_metrics_reach_a_month_back_unless_told_otherwise() -> None:
    assert ProviderMetrics(provider="one").period == "month"
    assert ComboMetricsAsked(combo_id="duo").period == "month"
