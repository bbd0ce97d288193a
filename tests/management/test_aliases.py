"""The management API on names that stand for others, and that they do."""

from urllib.parse import quote

import pytest

from omniroute.routing.catalog.names import ALIASES_MAX
from omniroute.routing.catalog.prices import facts_of
from omniroute.routing.catalog.resolve import resolve
from omniroute.routing.model import Caller
from omniroute.server.api.aliases import PATH, rows
from tests.fakes import World, account, world
from tests.management.routes import Api, api

pytestmark = pytest.mark.anyio

READER = Caller("reader", frozenset({"read:combos"}))


def opened() -> tuple[World, Api]:
    here = world(account("one"))
    return here, api(*rows(here.gateway), callers={"reader": READER})


def stands_for(here: World, name: str) -> str:
    found = resolve(here.gateway.view.configs.current(), name, facts=facts_of)
    return found.candidates[0].name


async def test_an_alias_is_kept_and_asked_for_until_it_is_removed() -> None:
    here, routes = opened()

    kept = await routes.put(PATH, {"name": "claude-haiku-*", "target": "one/m"})
    asked = stands_for(here, "claude-haiku-9")
    await routes.put(PATH, {"name": "fast", "target": "claude-haiku-1"})
    listed = await routes.get(PATH)
    removed = await routes.call("DELETE", f"{PATH}/{quote('claude-haiku-*', safe='')}")
    gone = await routes.call("DELETE", f"{PATH}/nobody")

    assert (removed.status_code, gone.status_code) == (204, 404)
    assert kept == {"name": "claude-haiku-*", "target": "one/m"}
    assert asked == "one/m"
    assert listed == {"aliases": [kept, {"name": "fast", "target": "claude-haiku-1"}]}
    assert await routes.get(PATH) == {
        "aliases": [{"name": "fast", "target": "claude-haiku-1"}],
    }


@pytest.mark.parametrize(
    ("name", "target", "word"),
    [
        ("", "one/m", "name has"),
        ("x" * 257, "one/m", "name has"),
        ("fast", "", "target has"),
        ("fast", "one/*", "without wildcards"),
        ("fast", "fast", "itself"),
        ("auto", "one/m", "gateway's own"),
        ("auto/fast", "one/m", "gateway's own"),
        ("fast\n", "one/m", "printable"),
    ],
)
async def test_an_alias_that_could_not_be_used_is_refused(
    name: str, target: str, word: str
) -> None:
    _, routes = opened()

    told = await routes.call("PUT", PATH, {"name": name, "target": target})

    assert told.status_code == 400
    assert word in told.text


async def test_there_is_a_bound_and_what_is_there_may_still_change() -> None:
    here, routes = opened()
    for number in range(ALIASES_MAX):
        await here.configs.put_alias(f"a{number}", "one/m", actor="test")

    told = await routes.call("PUT", PATH, {"name": "more", "target": "one/m"})
    changed = await routes.put(PATH, {"name": "a7", "target": "one/n"})

    assert f"at most {ALIASES_MAX}" in told.text
    assert changed["target"] == "one/n"


async def test_who_may_only_read_combos_changes_no_alias() -> None:
    _, routes = opened()

    told = await routes.call("PUT", PATH, {"name": "a", "target": "one/m"}, key="reader")

    assert told.status_code == 403
    assert await routes.get(PATH, key="reader") == {"aliases": []}
