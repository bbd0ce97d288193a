"""omniroute_check_quota: what providers told of their limits, and nothing made up."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.gateway import Gateway
from omniroute.routing.quotas import TokenStanding
from tests.fakes import World, account, failing, world
from tests.tools.test_tools import AGENT, client, facts, served, values, words

pytestmark = pytest.mark.anyio

READER = structs.replace(AGENT, scopes=AGENT.scopes | {"read:quota"})
QUESTION = {"messages": [{"role": "user", "content": "say hello"}]}
TOLD = {
    b"anthropic-ratelimit-requests-limit": b"50",
    b"anthropic-ratelimit-requests-remaining": b"42",
    b"anthropic-ratelimit-requests-reset": b"30",
    b"anthropic-ratelimit-tokens-limit": b"40000",
    b"anthropic-ratelimit-tokens-remaining": b"10000",
    b"anthropic-ratelimit-tokens-reset": b"45",
}
FIGURES = ("quotaUsed", "quotaTotal", "percentRemaining", "resetAt", "source", "dimension", "model")


async def quotas(here: World, *asked: str, **arguments: str) -> dict[str, Any]:
    """Give the answer after these models were asked."""
    async with client(here, READER) as mine:
        for model in asked:
            await mine.call_tool("omniroute_route_request", {"model": model, **QUESTION})
        return values(await mine.call_tool("omniroute_check_quota", arguments))


def figures(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in FIGURES)


async def test_where_nothing_is_known_nothing_is_made_up() -> None:
    result = await quotas(world())

    assert result["meta"] == {
        "generatedAt": "2023-11-14T22:13:20.000Z",
        "filters": {"provider": None, "connectionId": None},
        "totalProviders": 2,
    }
    one, two = result["providers"]
    assert (one["name"], one["provider"], one["connectionId"]) == ("one", "one", "acc-one")
    assert figures(one) == (None, None, None, None, "unknown", None, None)
    assert (one["tokenStatus"], one["tokenExpiresAt"]) == ("valid", None)
    assert (one["resting"], one["windows"], one["enabled"]) == ([], [], True)
    assert two["provider"] == "two"


async def test_the_tightest_limit_that_a_provider_told_is_the_figure() -> None:
    here = world()
    here.upstream.headers["one/m"] = TOLD

    one, two = (await quotas(here, "one/m"))["providers"]

    reset = "2023-11-14T22:14:05.000Z"
    assert figures(one) == (30000, 40000, 25.0, reset, "provider", "tokens-minute", "m")
    assert {(row["dimension"], row["model"], row["remaining"]) for row in one["windows"]} == {
        ("requests-minute", "m", 42),
        ("tokens-minute", "m", 10_000),
    }
    assert {row["source"] for row in one["windows"]} == {"provider"}
    assert figures(two)[0] is None


async def test_figures_that_are_old_are_not_told_as_new_ones() -> None:
    here = world()
    here.upstream.headers["one/m"] = TOLD
    await quotas(here, "one/m")

    here.clock.advance(120.0)
    one, _ = (await quotas(here))["providers"]

    assert one["quotaTotal"] is not None
    assert (one["quotaUsed"], one["percentRemaining"], one["resetAt"]) == (None, None, None)


async def test_a_rest_leaves_nothing_until_it_ends() -> None:
    here = world()
    limited = UpstreamFailure("slow down", kind="rate_limited", retry_after_s=30.0)
    here.upstream.scripts["one/m"] = failing(limited)

    one, _ = (await quotas(here, "one/m"))["providers"]
    here.clock.advance(31.0)
    later, _ = (await quotas(here))["providers"]

    assert one["percentRemaining"] == 0.0
    assert [(row["model"], row["reason"]) for row in one["resting"]] == [("m", "rate limited")]
    assert (later["resting"], later["source"]) == ([], "profile")
    assert later["quotaTotal"] == 100
    assert 0.0 < later["percentRemaining"] < 100.0


async def test_a_refused_credential_is_expired_until_it_works_again() -> None:
    here = world()
    here.upstream.scripts["one/m"] = failing(UpstreamFailure("who are you?", kind="auth"))

    refused, other = (await quotas(here, "one/m"))["providers"]
    here.clock.advance(121.0)
    still, _ = (await quotas(here))["providers"]
    del here.upstream.scripts["one/m"]
    mended, _ = (await quotas(here, "one/m"))["providers"]

    assert [one["tokenStatus"] for one in (refused, other, still, mended)] == [
        "expired",
        "valid",
        "expired",
        "valid",
    ]
    assert (refused["percentRemaining"], refused["resting"][0]["model"]) == (0.0, None)
    assert (still["percentRemaining"], still["resting"]) == (None, [])


@pytest.mark.parametrize(
    ("ends_in_s", "renewing", "status"),
    [
        (901.0, False, "valid"),
        (900.0, False, "expiring"),
        (1.0, False, "expiring"),
        (0.0, False, "expired"),
        (-5.0, False, "expired"),
        (-5.0, True, "refreshing"),
        (200.0, True, "refreshing"),
    ],
)
async def test_a_token_stands_as_its_time_says(
    ends_in_s: float, renewing: bool, status: str
) -> None:
    here = world(account("one"))
    standing = TokenStanding(here.clock.now() + ends_in_s, renewing)
    view = replace(here.gateway.view, token_of=lambda account: standing)

    async with served(Gateway(here.gateway.route, view, here.gateway.control), READER) as mine:
        (one,) = values(await mine.call_tool("omniroute_check_quota"))["providers"]

    assert one["tokenStatus"] == status
    assert one["tokenExpiresAt"].startswith("2023-11-14T22:")


async def test_accounts_are_found_by_provider_alias_id_and_name() -> None:
    home = replace(account("one"), account_id="acc-home", name="home")
    here = world(account("gemini"), account("one"), home)

    by_alias = await quotas(here, provider="google")
    by_provider = await quotas(here, provider="one")
    by_name = await quotas(here, connectionId="home")
    by_both = await quotas(here, provider="one", connectionId="acc-one")

    ids = [
        [one["connectionId"] for one in result["providers"]]
        for result in (by_alias, by_provider, by_name, by_both)
    ]
    assert ids == [["acc-gemini"], ["acc-one", "acc-home"], ["acc-home"], ["acc-one"]]
    assert by_alias["meta"]["filters"] == {"provider": "gemini", "connectionId": None}


@pytest.mark.parametrize(
    "arguments",
    [
        {"provider": "nobody"},
        {"connectionId": "acc-none"},
        {"provider": "one", "connectionId": "x"},
    ],
)
async def test_an_account_that_is_not_there_is_not_found(arguments: dict[str, str]) -> None:
    async with client(world(), READER) as mine:
        result = await mine.call_tool("omniroute_check_quota", arguments)

    assert facts(result)["code"] == "not_found"
    assert "there are accounts of one, two" in words(result)


async def test_a_simulation_knows_what_is_left() -> None:
    here = world()
    here.upstream.headers["one/m"] = TOLD

    async with client(here, READER) as mine:
        await mine.call_tool("omniroute_route_request", {"model": "one/m", **QUESTION})
        here.clock.advance(2.0)
        result = values(
            await mine.call_tool(
                "omniroute_simulate_route", {"model": "one/m", "promptTokenEstimate": 5}
            )
        )

    assert result["simulatedPath"][0]["quotaAvailable"] == 25.0
