"""Health in the shapes that OmniRoute documents, and that scripts of its users read."""

import pytest
from msgspec import structs

from omniroute.routing.model import Caller
from omniroute.server.api.monitoring import rows
from tests.fakes import ADMIN, World, account, combo, failing, world
from tests.management.routes import Api, api
from tests.routing.asking import answered, ask, fails

pytestmark = pytest.mark.anyio

READER = Caller("reader", frozenset({"read:health"}))
QUOTAS = Caller("quotas", frozenset({"read:quota"}))


async def troubled() -> tuple[World, Api]:
    """Give a gateway with a model that is gone, and one whose certificate is not valid."""
    here = world(
        account("one", "old"),
        account("two"),
        account("three"),
        combos=[combo("trio", "one/old", "two/m", "three/m")],
        scripts={"one/old": failing(fails("model_gone")), "two/m": failing(fails("tls"))},
    )
    assert await answered(here, "trio") == "hello"
    return here, api(*rows(here.gateway), callers={"reader": READER, "quotas": QUOTAS})


async def test_health_has_the_documented_figures() -> None:
    _, routes = await troubled()

    shown = await routes.get("/api/monitoring/health", key="reader")

    assert (shown["status"], shown["setupComplete"]) == ("degraded", True)
    assert shown["timestamp"] == "2023-11-14T22:13:20Z"
    assert shown["system"]["version"] == "0.0.0-test"
    assert shown["system"]["uptime"] == 0
    assert shown["system"]["memoryUsage"]["rss"] > 2**20
    two = shown["providerHealth"]["two"]
    assert (two["state"], two["failures"]) == ("OPEN", 1)
    assert two["lastFailure"] == "2023-11-14T22:13:20Z"
    closed = {"state": "CLOSED", "failures": 0, "lastFailure": None}
    assert shown["providerHealth"]["three"] == closed
    (locked,) = shown["lockouts"]
    assert (locked["connectionId"], locked["model"]) == ("acc-one", "old")
    assert locked["remainingMs"] == 600_000


async def test_a_gateway_without_trouble_is_healthy() -> None:
    shown = await api(*rows(world().gateway)).get("/api/monitoring/health")

    assert (shown["status"], shown["lockouts"]) == ("healthy", [])


async def test_a_deletion_closes_every_circuit() -> None:
    here, routes = await troubled()

    ended = (await routes.call("DELETE", "/api/monitoring/health")).json()
    denied = await routes.call("DELETE", "/api/monitoring/health", key="reader")

    assert (ended["success"], ended["resetCount"]) == (True, 2)
    assert here.gateway.view.health(ADMIN).circuits == ()
    assert denied.status_code == 403


async def test_rate_limits_tell_what_accounts_are_held_to_and_how_busy_they_are() -> None:
    here, routes = await troubled()
    reply = await here.gateway.route.open(ask(here, "three/m"), ADMIN)

    shown = await routes.get("/api/rate-limits", key="reader")
    reply.close()
    after = await routes.get("/api/rate-limits")

    by_id = {one["connectionId"]: one for one in shown["connections"]}
    three = by_id["acc-three"]
    assert (three["rateLimitProtection"], three["enabled"], three["active"]) == (True, True, False)
    assert (three["running"], three["queued"]) == (1, 0)
    assert shown["overview"]["acc-three"]["running"] == 1
    assert after["overview"]["acc-three"]["running"] == 0
    assert [one["model"] for one in shown["lockouts"]] == ["old"]


async def test_policies_name_circuits_and_who_is_locked() -> None:
    _, routes = await troubled()

    shown = await routes.get("/api/policies")

    breakers = {one["name"]: one for one in shown["circuitBreakers"]}
    assert breakers["acc-two"]["state"] == "OPEN"
    assert breakers["acc-two"]["nextTryMs"] == 30_000
    (locked,) = shown["lockedIdentifiers"]
    assert locked["identifier"] == "acc-one/old"
    assert locked["lockedUntil"] == "2023-11-14T22:23:20Z"


@pytest.mark.parametrize("identifier", ["acc-one/old", "one/old", "acc-one", "one"])
async def test_who_is_locked_can_be_unlocked_by_each_of_its_names(identifier: str) -> None:
    _, routes = await troubled()

    ended = await routes.post("/api/policies", {"action": "unlock", "identifier": identifier})
    shown = await routes.get("/api/policies")

    assert ended["resetCount"] == 1
    assert shown["lockedIdentifiers"] == []


@pytest.mark.parametrize("identifier", ["nobody", "nobody/m"])
async def test_nobody_cannot_be_unlocked(identifier: str) -> None:
    _, routes = await troubled()
    wish = {"action": "unlock", "identifier": identifier}

    assert (await routes.call("POST", "/api/policies", wish)).status_code == 404


async def test_a_refused_credential_is_an_error_of_its_account() -> None:
    here = world(
        account("one"),
        account("two"),
        combos=[combo("duo", "one/m", "two/m")],
        scripts={"one/m": failing(fails("auth"))},
    )
    routes = api(*rows(here.gateway), callers={"quotas": QUOTAS})
    before = await routes.get("/api/token-health", key="quotas")

    await answered(here, "duo")
    after = await routes.get("/api/token-health")

    assert before == {
        "total": 2,
        "healthy": 2,
        "errored": 0,
        "warning": 0,
        "lastCheckAt": None,
        "status": "healthy",
    }
    assert (after["healthy"], after["errored"], after["status"]) == (1, 1, "error")


async def test_sessions_tell_who_answered_them_last() -> None:
    here = world(account("one"))
    routes = api(*rows(here.gateway), callers={"reader": READER})
    request = structs.replace(ask(here, "one/m"), session_id="ses_fake")
    reply = await here.gateway.route.open(request, ADMIN)
    assert [piece async for piece in reply]
    reply.close()

    shown = await routes.get("/api/sessions")
    denied = await routes.call("GET", "/api/sessions", key="reader")

    (one,) = shown["sessions"]
    assert (shown["count"], one["target"], one["connectionId"]) == (1, "one/m", "acc-one")
    assert (one["provider"], one["model"]) == ("one", "m")
    assert one["lastActiveAt"] == "2023-11-14T22:13:20Z"
    assert denied.status_code == 403
