"""A combo in the lab: the same run from the same seed, and nothing real is called."""

import json
from typing import Any

import pytest

from omniroute.server.api.lab import rows
from tests.fakes import World, account, combo, world
from tests.management.routes import api

pytestmark = pytest.mark.anyio


def here() -> World:
    return world(
        account("one", dialect="anthropic"),
        account("two"),
        account("three"),
        combos=[
            combo("trio", "one/m", "two/m", "three/m"),
            combo("drawn", "one/m", "two/m", strategy="random"),
            combo("off", "one/m", active=False),
        ],
    )


async def run(where: World, **wish: object) -> list[Any]:
    answer = await api(*rows(where.gateway)).call("POST", "/api/lab", wish)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_the_next_model_answers_while_one_fails_and_nothing_real_is_called() -> None:
    where = here()

    *_, last = await run(where, combo="trio", requests=60, faults="1=unavailable@11-30")

    first, second, third = last["models"]
    assert (last["number"], last["answered"], last["failed"]) == (60, 60, 0)
    assert last["fallbacks"] >= 1
    assert first["last_failure"] == "server_error"
    assert first["answered"] + second["answered"] == 60
    assert second["answered"] >= 20
    assert third["calls"] == 0
    assert where.upstream.calls == []
    assert where.ledger.records == []
    assert where.health.breakers == {}


async def test_a_circuit_opens_in_the_lab_and_closes_again() -> None:
    frames = await run(here(), combo="trio", requests=100, faults="1=unavailable@11-40")

    states = [frame["models"][0]["state"] for frame in frames]
    assert set(states) > {"ok"}
    assert states[0] == states[-1] == "ok"


async def test_the_same_seed_gives_the_same_run_and_another_one_another() -> None:
    first = await run(here(), combo="drawn", requests=40, seed=7)
    again = await run(here(), combo="drawn", requests=40, seed=7)
    other = await run(here(), combo="drawn", requests=40, seed=8)

    assert first == again
    assert first != other


async def test_when_every_model_fails_the_requests_do() -> None:
    script = "1=unavailable,2=hang_up,3=model_gone"

    *_, last = await run(here(), combo="trio", requests=10, faults=script)

    assert (last["answered"], last["failed"]) == (0, 10)


@pytest.mark.parametrize(
    ("wish", "status", "told"),
    [
        ({"combo": "nowhere"}, 404, "no combo is named"),
        ({"combo": "off"}, 404, "no combo is named"),
        ({"combo": "trio", "requests": 0}, 400, "requests is a number"),
        ({"combo": "trio", "faults": "1"}, 400, "no fault is named"),
        ({"combo": "trio", "faults": "first=unavailable"}, 400, "PLACE=FAULT"),
        ({"combo": "trio", "faults": "1=unavailable@x-3"}, 400, "PLACE=FAULT"),
        ({"combo": "trio", "faults": "4=unavailable"}, 400, "models are 1 to 3"),
        ({"combo": "trio", "faults": "1=earthquake"}, 400, "no fault is named 'earthquake'"),
    ],
)
async def test_a_run_that_makes_no_sense_is_refused(
    wish: dict[str, object], status: int, told: str
) -> None:
    answer = await api(*rows(here().gateway)).call("POST", "/api/lab", wish)

    assert answer.status_code == status
    assert told in answer.json()["error"]["message"]


async def test_a_draft_is_tried_before_it_is_stored() -> None:
    where = here()
    draft = {"name": "trio", "models": [{"target": "three/m"}, {"target": "one/m"}]}

    *_, last = await run(where, combo="trio", requests=10, faults="1=unavailable@1-5", draft=draft)

    assert [one["model"] for one in last["models"]] == ["three/m", "one/m"]
    assert (last["answered"], last["models"][1]["answered"] > 0) == (10, True)
