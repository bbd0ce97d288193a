"""What was used, over the management API."""

from typing import Any

import pytest

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Caller
from omniroute.server.api.usage import rows
from tests.fakes import World, combo, failing, world
from tests.management.routes import Api, api
from tests.tools.test_tools import AGENT, OTHER
from tests.tools.test_usage import COST, DAY_S, ask

pytestmark = pytest.mark.anyio

EVERYBODY = {"agent": AGENT, "other": OTHER, "blind": Caller("key-blind", frozenset())}


def routes(here: World) -> Api:
    return api(*rows(here.gateway), callers=EVERYBODY)


async def used() -> World:
    """Give a gateway that two keys have used: a day of failures, and one of none."""
    here = world(combos=[combo("duo", "one/m", "two/m")])
    here.upstream.scripts["one/m"] = failing(UpstreamFailure("too much", kind="overloaded"))
    await ask(here, "duo")
    here.clock.advance(2 * DAY_S)
    await ask(here, "two/m", caller=OTHER, times=2)
    return here


async def test_analytics_have_the_documented_figures() -> None:
    """DEFECT of the ancestor: tools looked for these totals at another place."""
    report = await routes(await used()).get("/api/usage/analytics")

    summary = report["summary"]
    assert (report["range"], report["by"]) == ("30d", "provider")
    assert (summary["totalRequests"], summary["totalTokens"]) == (3, 36)
    assert summary["totalCost"] == pytest.approx(3 * COST)
    assert (summary["uniqueModels"], summary["uniqueAccounts"]) == (1, 1)
    assert summary["uniqueApiKeys"] == 2
    assert [(one["date"], one["requests"]) for one in report["dailyTrend"]] == [
        ("2023-11-14", 1),
        ("2023-11-16", 2),
    ]
    (model,) = report["byModel"]
    assert (model["name"], model["provider"], model["model"]) == ("two/m", "two", "m")
    assert [(one["name"], one["requests"]) for one in report["byApiKey"]] == [
        ("key-agent", 1),
        ("key-other", 2),
    ]
    assert [(one["name"], one["fallbacks"]) for one in report["byCombo"]] == [
        (None, 0),
        ("duo", 1),
    ]


async def test_analytics_tell_days_weekdays_and_models() -> None:
    here = await used()
    report = await routes(here).get("/api/usage/analytics")
    here.clock.advance(DAY_S)
    next_day = await routes(here).get("/api/usage/analytics?range=all")
    here.clock.advance(DAY_S)
    later = await routes(here).get("/api/usage/analytics?range=1d")

    assert report["modelNames"] == ["two/m"]
    assert report["byModel"][0]["pct"] == 100
    assert report["dailyByModel"] == [
        {"date": "2023-11-14", "two/m": 12},
        {"date": "2023-11-16", "two/m": 24},
    ]
    assert report["activityMap"] == {"2023-11-14": 12, "2023-11-16": 24}
    # A Tuesday and a Thursday.
    assert {one["day"]: one["totalTokens"] for one in report["weeklyPattern"]} == {
        "Sun": 0,
        "Mon": 0,
        "Tue": 12,
        "Wed": 0,
        "Thu": 24,
        "Fri": 0,
        "Sat": 0,
    }
    assert [one["avgTokens"] for one in report["weeklyPattern"]] == [
        *(None, None, 12, None, 24, None, None)
    ]
    assert [one["summary"]["streak"] for one in (report, next_day, later)] == [1, 1, 0]
    assert (later["dailyByModel"], later["activityMap"]) == ([], report["activityMap"])


@pytest.mark.parametrize(
    ("query", "requests"),
    [
        ("range=1d", 2),
        ("range=49h", 3),
        ("range=all", 3),
        ("range=ytd", 3),
        ("range=all&key=key-agent", 1),
        ("range=all&combo=duo", 1),
        ("range=all&provider=one", 0),
        ("range=all&model=two/m", 3),
    ],
)
async def test_a_range_and_filters_bound_what_is_added_up(query: str, requests: int) -> None:
    report = await routes(await used()).get(f"/api/usage/analytics?{query}")

    assert report["summary"]["totalRequests"] == requests


@pytest.mark.parametrize("by", ["provider", "model", "account", "combo", "key", "day", "hour"])
async def test_what_is_asked_for_comes_with_percentiles(by: str) -> None:
    report = await routes(await used()).get(f"/api/usage/analytics?by={by}")

    assert sum(row["requests"] for row in report["rows"]) == 3
    assert all(set(row["latency"]) == {"p50Ms", "p95Ms", "p99Ms"} for row in report["rows"])
    assert report["summary"]["usage"]["firstToken"] is not None


async def test_hours_are_named_by_their_beginning() -> None:
    report = await routes(await used()).get("/api/usage/analytics?by=hour&range=1d")

    assert [row["name"] for row in report["rows"]] == ["2023-11-16T22:00:00Z"]


@pytest.mark.parametrize("key", ["agent", "other"])
async def test_a_key_sees_its_own_even_when_it_asks_for_anothers(key: str) -> None:
    mine = routes(await used())

    report = await mine.get("/api/usage/analytics?key=key-admin", key=key)
    calls = await mine.get("/api/usage/calls?key=key-other", key="agent")

    assert report["summary"]["totalRequests"] == {"agent": 1, "other": 2}[key]
    assert [row["calls"] for row in calls["rows"]] == [1, 1]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("range=soon", "range is such as 12h"),
        ("range=0d", "range is such as 12h"),
        ("range=999999d", "range is such as 12h"),
        ("by=colour", "by is one of provider, account, model"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_what_can(query: str, told: str) -> None:
    answer = await routes(world()).call("GET", f"/api/usage/analytics?{query}")

    assert answer.status_code == 400
    assert told in answer.text


@pytest.mark.parametrize("path", ["analytics", "calls"])
async def test_usage_needs_its_scope(path: str) -> None:
    answer = await routes(world()).call("GET", f"/api/usage/{path}", key="blind")

    assert answer.status_code == 403


async def test_calls_tell_how_a_provider_did_where_another_answered() -> None:
    found = await routes(await used()).get("/api/usage/calls")

    one, two = found["rows"]
    assert (one["name"], one["calls"], one["failed"], one["successRate"]) == ("one", 1, 1, 0)
    assert (one["lastError"]["message"], one["lastError"]["kind"]) == ("too much", "overloaded")
    assert (one["latency"], one["avgLatencyMs"]) == (None, None)
    assert (two["name"], two["answered"], two["lastError"]) == ("two", 3, None)


async def test_the_documented_metrics_are_in_whole_percent() -> None:
    mine = routes(await used())

    providers: Any = await mine.get("/api/provider-metrics")
    combos: Any = await mine.get("/api/combos/metrics")
    duo: Any = await mine.get("/api/combos/metrics?combo=duo")
    missing = await mine.call("GET", "/api/combos/metrics?combo=trio")

    assert providers["metrics"]["two"] == {
        "totalRequests": 3,
        "totalSuccesses": 3,
        "successRate": 100,
        "avgLatencyMs": 0,
    }
    assert providers["metrics"]["one"]["avgLatencyMs"] is None
    assert list(combos["metrics"]) == ["duo"]
    assert combos["metrics"]["duo"]["fallbackRate"] == 100
    assert {**duo["metrics"], **combos["metrics"]["duo"]} == duo["metrics"]
    assert [one["name"] for one in duo["metrics"]["providers"]] == ["one", "two"]
    assert missing.status_code == 404


async def test_what_nobody_used_is_empty_and_has_no_rate() -> None:
    report = await routes(world()).get("/api/usage/analytics?range=all")

    assert report["summary"]["totalCost"] == 0
    assert report["summary"]["usage"]["successRate"] is None
    assert (report["rows"], report["dailyTrend"]) == ([], [])
