"""Who would answer: the same decision as a live request's, with what it would cost."""

import pytest
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Caller, Features, Operation, RouteRequest
from omniroute.server.api.simulate import rows
from tests.fakes import ADMIN, World, account, combo, failing, world
from tests.management.routes import api

pytestmark = pytest.mark.anyio

SIZE = Features(stream=True, input_tokens=200, input_tokens_max=900, output_tokens_max=50)


def asked(here: World, request_id: str) -> RouteRequest:
    operation = Operation("chat", "openai_chat", b"{}", SIZE, "duo", forward=False)
    return RouteRequest(request_id, "duo", operation, here.clock.now())


async def test_the_id_and_features_of_a_live_request_give_its_decision() -> None:
    here = world(combos=[combo("duo", "one/m", "two/m", strategy="random")])
    (await here.gateway.route.open(asked(here, "req_live"), ADMIN)).close()
    live = here.ledger.records[-1].outcome.decision
    assert live is not None

    found = await api(*rows(here.gateway)).post(
        "/api/simulate",
        {
            "model": "duo",
            "prompt_tokens": 200,
            "prompt_tokens_max": 900,
            "max_tokens": 50,
            "stream": True,
            "request_id": "req_live",
        },
    )

    assert [one["name"] for one in found["candidates"]] == [one.name for one in live.order]
    assert found["snapshot_id"] == live.snapshot_id
    assert [one["first_share"] for one in found["candidates"]] == [0.5, 0.5]
    assert found["candidates"][0]["expected_usd_nanos"] == 200 * 1000 + 50 * 2000
    assert found["candidates"][0]["worst_usd_nanos"] == 900 * 1000 + 50 * 2000
    assert found["changes"] is None
    assert len(here.upstream.calls) == 1


async def test_a_recorded_request_decided_again_says_what_has_changed() -> None:
    here = world(combos=[combo("duo", "one/m", "two/m")])
    here.upstream.scripts["one/m"] = failing(
        UpstreamFailure("down", kind="rate_limited", retry_after_s=30.0)
    )
    (await here.gateway.route.open(asked(here, "req_live"), ADMIN)).close()

    found = await api(*rows(here.gateway)).post("/api/simulate", {"like": "req_live"})

    assert (found["request_id"], found["target"]) == ("req_live", "duo")
    changes = {(one["name"], one["what"]): (one["before"], one["now"]) for one in found["changes"]}
    assert changes[("one/m", "turn")] == ("1", "not tried")
    assert changes[("one/m", "verdict")] == ("ok", "cooling_down")
    assert changes[("two/m", "turn")] == ("2", "1")
    assert changes[("two/m", "chance")] == ("0.0%", "100.0%")


async def test_nothing_changed_gives_no_changes() -> None:
    here = world(combos=[combo("duo", "one/m", "two/m", strategy="random")])
    here.gateway.route.begin(asked(here, "req_live"), ADMIN).close()

    found = await api(*rows(here.gateway)).post("/api/simulate", {"like": "req_live"})

    assert found["changes"] == []


async def test_another_keys_request_is_not_decided_again() -> None:
    here = world()
    mine = Caller("key-mine", frozenset({"write:route", "read:usage"}))
    reply = here.gateway.route.begin(
        RouteRequest(
            "req_theirs", "one/m", Operation("chat", "openai_chat", b"{}", SIZE), here.clock.now()
        ),
        ADMIN,
    )
    reply.close()

    answer = await api(*rows(here.gateway), callers={"mine": mine}).call(
        "POST", "/api/simulate", {"like": "req_theirs"}, key="mine"
    )

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "model"),
        ({"model": "one/m", "prompt_tokens": -1}, "prompt_tokens"),
        ({"model": "one/m", "max_tokens": 10**12}, "max_tokens"),
        ({"model": "one/m", "budget_usd_nanos": -5}, "budget_usd_nanos"),
    ],
)
async def test_a_wish_that_is_wrong_is_refused_by_its_field(
    wish: dict[str, object], field: str
) -> None:
    here = world()

    answer = await api(*rows(here.gateway)).call("POST", "/api/simulate", wish)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)


async def test_a_key_that_may_not_route_may_not_simulate() -> None:
    reader = Caller("key-reader", frozenset({"read:usage"}))

    answer = await api(*rows(world().gateway), callers={"reader": reader}).call(
        "POST", "/api/simulate", {"model": "one/m"}, key="reader"
    )

    assert answer.status_code == 403


async def test_a_sessions_next_request_is_simulated_where_it_would_stay() -> None:
    twins = [account("one", account_id=name) for name in ("a", "b", "c")]
    here = world(*twins)
    live = structs.replace(asked(here, "req_live"), target="one/m", session_id="conversation 1")
    (await here.gateway.route.open(live, ADMIN)).close()
    winner = here.ledger.records[-1].outcome.winner
    assert winner is not None

    by_name = await api(*rows(here.gateway)).post(
        "/api/simulate", {"model": "one/m", "session": "conversation 1"}
    )
    again = await api(*rows(here.gateway)).post("/api/simulate", {"like": "req_live"})

    for found in (by_name, again):
        assert found["candidates"][0]["account_id"] == winner.account_id
        assert found["candidates"][0]["detail"].startswith("the session stays")
        assert found["candidates"][0]["first_share"] == 1.0


async def test_a_draft_is_decided_on_in_the_place_of_what_is_stored() -> None:
    here = world(combos=[combo("duo", "one/m", "two/m"), combo("outer", "duo")])
    stored = here.gateway.view.configs.current().combos
    door = api(*rows(here.gateway))

    turned = {"name": "duo", "models": [{"target": "two/m"}, {"target": "one/m"}]}
    found = await door.post("/api/simulate", {"model": "duo", "draft": turned})
    outer = await door.post("/api/simulate", {"model": "outer", "draft": turned})
    plain = await door.post("/api/simulate", {"model": "duo"})
    circle = {"name": "duo", "models": [{"target": "outer"}]}
    refused = await door.call("POST", "/api/simulate", {"model": "duo", "draft": circle})

    assert [one["name"] for one in found["candidates"]] == ["two/m", "one/m"]
    assert [one["name"] for one in outer["candidates"]] == ["two/m", "one/m"]
    assert [one["name"] for one in plain["candidates"]] == ["one/m", "two/m"]
    assert refused.status_code == 400
    assert here.gateway.view.configs.current().combos == stored
