"""Trials of keys, accounts and combos, in the shapes that OmniRoute documents."""

from typing import Any

import pytest

from omniroute.routing.errors import UpstreamFailure
from omniroute.server.api.account_trials import rows
from tests.fakes import World, account, combo, failing, world
from tests.management.routes import Api, api

pytestmark = pytest.mark.anyio

OWN_URLS = ("http://127.0.0.1:20128",)
SECRET = "sk-fake-to-be-tried-0123456789"


def opened(*accounts: Any, **more: Any) -> tuple[World, Api]:
    here = world(*accounts, **more)
    return here, api(*rows(here.gateway, here.upstream, own_urls=OWN_URLS))


def down() -> Any:
    return failing(UpstreamFailure("down", kind="server_error"))


async def test_a_key_is_tried_and_not_kept() -> None:
    here, routes = opened()
    wish = {"provider": "openai", "apiKey": SECRET}

    good = await routes.post("/api/providers/validate", wish)
    (call,) = here.upstream.calls
    here.upstream.scripts[call.candidate.name] = down()
    bad = await routes.post("/api/providers/validate", wish)

    assert good == {"valid": True, "error": None}
    assert call.account.credential == SECRET
    assert (bad["valid"], "down" in bad["error"]) == (False, True)
    assert len(here.gateway.view.configs.current().accounts) == 2


async def test_what_is_no_account_is_refused_without_its_key() -> None:
    here, routes = opened()
    wish = {"provider": "mine", "apiKey": SECRET, "baseUrl": "http://127.0.0.1:20128/v1"}

    answer = await routes.call("POST", "/api/providers/validate", wish)

    assert answer.status_code == 400
    assert SECRET not in answer.text
    assert here.upstream.calls == []


async def test_accounts_are_tried_in_a_batch() -> None:
    accounts = (account("one"), account("two"), account("off", enabled=False))
    _, routes = opened(*accounts, scripts={"two/m": down()})

    told = await routes.post("/api/providers/test-batch", {"mode": "all"})

    assert told["summary"] == {"total": 2, "passed": 1, "failed": 1}
    one, two = told["results"]
    assert (one["connectionId"], one["valid"], one["error"]) == ("acc-one", True, None)
    assert (two["connectionName"], two["valid"], two["latencyMs"]) == ("two", False, None)
    assert (told["mode"], told["testedAt"]) == ("all", "2023-11-14T22:13:20Z")


@pytest.mark.parametrize(
    ("mode", "tried"),
    [
        ({"mode": "provider", "providerId": "two"}, ["two"]),
        ({"mode": "apikey"}, ["one", "two"]),
        ({"mode": "free"}, ["openai"]),
        ({"mode": "compatible"}, ["one", "two"]),
        ({"mode": "oauth"}, []),
    ],
)
async def test_a_batch_is_of_a_kind(mode: dict[str, str], tried: list[str]) -> None:
    _, routes = opened(account("one"), account("two"), account("openai", credential=None))

    told = await routes.post("/api/providers/test-batch", mode)

    assert [one["provider"] for one in told["results"]] == tried


@pytest.mark.parametrize("wish", [{"mode": "provider"}, {"mode": "some"}, {}])
async def test_a_batch_of_nobody_knows_whom_is_refused(wish: dict[str, str]) -> None:
    _, routes = opened()

    answer = await routes.call("POST", "/api/providers/test-batch", wish)

    assert answer.status_code == 400


async def test_a_combos_models_are_tried_in_its_order() -> None:
    _, routes = opened(
        account("one"),
        account("two"),
        combos=[combo("duo", "one/m", "two/m")],
        scripts={"one/m": down()},
    )

    told = await routes.post("/api/combos/test", {"comboName": "duo"})
    missing = await routes.call("POST", "/api/combos/test", {"comboName": "trio"})

    assert (told["comboName"], told["strategy"]) == ("duo", "priority")
    assert told["resolvedBy"] == "two/m"
    one, two = told["results"]
    assert (one["status"], "down" in one["error"]) == ("error", True)
    assert (two["model"], two["status"], two["error"]) == ("two/m", "ok", None)
    assert missing.status_code == 404
