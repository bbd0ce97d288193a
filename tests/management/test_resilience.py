"""The management API on resilience: what stands in the way, and its reset."""

import pytest

from omniroute.routing.model import Caller
from omniroute.server.api.resilience import rows
from tests.fakes import ADMIN, World, account, combo, failing, world
from tests.management.routes import Api, api
from tests.routing.asking import answered, fails

pytestmark = pytest.mark.anyio

WRITER = Caller("writer", frozenset({"write:config"}))


async def troubled() -> tuple[World, Api]:
    """Give a gateway with a model that is gone, and one whose certificate is not valid."""
    here = world(
        account("one", "old"),
        account("two"),
        account("three"),
        combos=[combo("trio", "one/old", "two/m", "three/m")],
        scripts={
            "one/old": failing(fails("model_gone")),
            "two/m": failing(fails("tls")),
        },
    )
    assert await answered(here, "trio") == "hello"
    return here, api(*rows(here.gateway), callers={"writer": WRITER})


async def test_what_stands_in_the_way_is_shown_with_its_reason() -> None:
    _, routes = await troubled()

    shown = await routes.get("/api/resilience")

    why = "the provider does not serve this model"
    gone = {"provider": "one", "account_id": "acc-one", "model": "old", "reason": why}
    assert shown["lockouts"] == [gone | {"times": 1, "remaining_s": 600}]
    assert shown["rests"] == [gone | {"remaining_s": 600}]
    (circuit,) = shown["circuits"]
    assert (circuit["provider"], circuit["model"], circuit["state"]) == ("two", "", "OPEN")
    assert (circuit["failures"], circuit["next_try_s"]) == (1, 30)


async def test_a_reset_ends_what_it_names_and_tells_how_many() -> None:
    here, routes = await troubled()

    one = await routes.post("/api/resilience/reset", {"account": "one", "model": "old"})
    rest = await routes.post("/api/resilience/reset", {}, key="writer")
    missing = await routes.call("POST", "/api/resilience/reset", {"account": "nobody"})

    assert (one, rest) == ({"reset_count": 1}, {"reset_count": 1})
    assert missing.status_code == 404
    assert here.gateway.view.health(ADMIN).cooldowns == ()
    assert here.gateway.view.health(ADMIN).circuits == ()


async def test_who_may_only_change_the_profile_is_not_shown_what_stands_in_the_way() -> None:
    _, routes = await troubled()

    answer = await routes.call("PUT", "/api/resilience", {"profile": "aggressive"}, key="writer")

    assert (answer.json()["profile"], answer.json()["circuits"]) == ("aggressive", [])


async def test_alerts_are_given_the_newest_first() -> None:
    _, routes = await troubled()

    found = (await routes.get("/api/alerts"))["alerts"]

    assert [(one["name"], one["provider"]) for one in found] == [
        ("circuit_opened", "two"),
        ("model_locked_out", "one"),
    ]
    assert found[0]["detail"] == "tls: open for 30 s"
