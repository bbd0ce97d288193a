"""Models, their aliases and what can be asked, in the shapes that OmniRoute documents."""

from typing import Any

import pytest

from omniroute.routing.catalog.names import OLD_NAMES
from omniroute.routing.model import Caller
from omniroute.server.api.model_catalog import rows
from tests.fakes import World, account, combo, failing, world
from tests.management.routes import Api, api
from tests.routing.asking import answered, fails

pytestmark = pytest.mark.anyio

READER = Caller("reader", frozenset({"read:models"}))


def opened(here: World | None = None) -> tuple[World, Api]:
    made = here or world(account("one", "m", "n"), account("two", enabled=False))
    return made, api(*rows(made.gateway), callers={"reader": READER})


async def test_models_come_with_their_alias_and_whether_they_can_be_asked() -> None:
    _, routes = opened()
    await routes.put("/api/models", {"model": "one/n", "alias": "quick"})

    few = (await routes.get("/api/models", key="reader"))["models"]
    every = (await routes.get("/api/models?all=true"))["models"]

    assert few == [
        {
            "provider": "one",
            "model": "m",
            "fullModel": "one/m",
            "alias": None,
            "available": True,
        },
        {
            "provider": "one",
            "model": "n",
            "fullModel": "one/n",
            "alias": "quick",
            "available": True,
        },
    ]
    assert (every[2]["fullModel"], every[2]["available"]) == ("two/m", False)


async def test_a_model_that_cannot_be_asked_is_listed_until_it_is_asked_for_again() -> None:
    scripts = {"one/old": failing(fails("model_gone")), "two/m": failing(fails("tls"))}
    trio = combo("trio", "one/old", "two/m", "three/m")
    accounts = (account("one", "old"), account("two"), account("three"))
    here, routes = opened(world(*accounts, combos=[trio], scripts=scripts))
    await answered(here, "trio")

    shown = await routes.get("/api/models/availability")
    listed = {one["fullModel"]: one["available"] for one in (await models(routes))}
    wish = {"provider": "one", "model": "old"}
    first = await routes.post("/api/models/availability", wish)
    again = await routes.post("/api/models/availability", wish)

    assert shown["unavailableCount"] == 2
    assert [(one["provider"], one["model"], one["status"]) for one in shown["models"]] == [
        ("two", "", "unavailable"),
        ("one", "old", "cooldown"),
    ]
    assert [one["remainingMs"] for one in shown["models"]] == [30_000, 600_000]
    assert listed == {"one/old": False, "two/m": False, "three/m": True}
    assert (first, again) == (
        {"success": True, "removed": True},
        {"success": True, "removed": False},
    )


async def models(routes: Api) -> Any:
    return (await routes.get("/api/models"))["models"]


async def test_aliases_are_one_map() -> None:
    _, routes = opened()

    kept = await routes.put("/api/models/alias", {"model": "one/m", "alias": "quick"})
    shown = await routes.get("/api/models/alias")
    removed = await routes.call("DELETE", "/api/models/alias?alias=quick")
    unnamed = await routes.call("DELETE", "/api/models/alias")
    missing = await routes.call("DELETE", "/api/models/alias?alias=quick")

    assert kept == {"success": True, "model": "one/m", "alias": "quick"}
    assert shown == {"aliases": {"quick": "one/m"}}
    assert removed.json() == {"success": True}
    assert (unnamed.status_code, missing.status_code) == (400, 404)


async def test_names_that_stand_for_others_are_ours_and_the_users() -> None:
    _, routes = opened()
    path = "/api/settings/model-aliases"

    first = await routes.post(path, {"from": "gpt-4", "to": "one/m"})
    put = await routes.put(path, {"aliases": {"quick": "one/n"}})
    removed = await routes.call("DELETE", f"{path}?from=quick")
    own = await routes.call("DELETE", f"{path}?from=gpt-4")

    assert first["builtIn"] == OLD_NAMES
    assert (first["custom"], first["all"]["gpt-4"]) == ({"gpt-4": "one/m"}, "one/m")
    assert (put["custom"], put["all"]["gpt-4"]) == ({"quick": "one/n"}, OLD_NAMES["gpt-4"])
    assert removed.json()["custom"] == {}
    assert own.status_code == 404


async def test_the_catalogue_holds_providers_that_are_known_and_those_of_accounts() -> None:
    _, routes = opened(world(account("mine", "m"), account("openai", "gpt-special")))

    catalog = (await routes.get("/api/models/catalog"))["catalog"]

    assert catalog["mine"] == {
        "provider": "mine",
        "active": True,
        "models": [{"id": "m", "name": "m", "type": "chat", "custom": True}],
    }
    openai = next(one for one in catalog.values() if one["provider"] == "openai")
    custom = {one["id"]: one["custom"] for one in openai["models"]}
    assert custom["gpt-special"]
    assert not all(custom.values())
    assert any(not one["active"] for one in catalog.values())


async def test_an_accounts_models_say_who_names_them() -> None:
    _, routes = opened(world(account("one", "m"), account("groq", models=())))

    own = await routes.get("/api/providers/acc-one/models")
    known = await routes.get("/api/providers/groq/models")
    denied = await routes.call("GET", "/api/providers/groq/models", key="reader")

    assert own["models"] == [{"id": "m", "name": "m"}]
    assert (own["source"], known["source"]) == ("account", "catalogue")
    assert known["models"]
    assert denied.status_code == 403
