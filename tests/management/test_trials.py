"""A short real call to each model of a combo: at the same time, counted, recorded, bounded."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from omniroute.routing import trials
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Call, Caller
from omniroute.server.api.combos import rows
from tests.fakes import World, account, combo, failing, world
from tests.management.routes import Api, api

pytestmark = pytest.mark.anyio


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def trio() -> World:
    return world(
        account("one"),
        account("two"),
        account("three"),
        combos=[combo("inner", "two/m", "three/m"), combo("all", "one/m", "inner")],
    )


async def test_each_model_is_called_once_and_recorded_also_one_that_fails() -> None:
    here = trio()
    here.upstream.scripts["two/m"] = failing(UpstreamFailure("down", kind="server_error"))

    answer = await api(*rows(here.gateway)).call("POST", "/api/combos/all/test", {})

    models, *told = lines(answer.text)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert models == ["one/m", "two/m", "three/m"]
    by_model = {one["model"]: one for one in told}
    assert {name: one["ok"] for name, one in by_model.items()} == {
        "one/m": True,
        "two/m": False,
        "three/m": True,
    }
    assert (by_model["one/m"]["answer"], by_model["one/m"]["cost_usd_nanos"]) == ("hello", 14_000)
    assert "down" in by_model["two/m"]["error"]
    assert len(here.upstream.calls) == 3
    assert {one.outcome.request.request_id for one in here.ledger.records} == {
        one["request_id"] for one in told
    }
    assert {call.operation.features.output_tokens_max for call in here.upstream.calls} == {16}


async def test_the_calls_run_at_the_same_time() -> None:
    here = trio()
    waiting, all_wait = 0, asyncio.Event()
    answering = here.upstream.open

    class Together:
        async def open(self, call: Call) -> Any:
            nonlocal waiting
            waiting += 1
            if waiting == 3:
                all_wait.set()
            await asyncio.wait_for(all_wait.wait(), 10)
            return await answering(call)

    gateway = Gateway(
        replace(here.gateway.route, upstream=Together()), here.gateway.view, here.gateway.control
    )

    answer = await api(*rows(gateway)).call("POST", "/api/combos/all/test", {})

    assert [one["ok"] for one in lines(answer.text)[1:]] == [True, True, True]


async def test_a_model_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    here = trio()
    monkeypatch.setattr(trials, "TRIAL_S_MAX", 0.01)

    class Silent:
        async def open(self, call: Call) -> Any:
            await asyncio.Event().wait()

    gateway = Gateway(
        replace(here.gateway.route, upstream=Silent()), here.gateway.view, here.gateway.control
    )

    answer = await api(*rows(gateway)).call("POST", "/api/combos/inner/test", {"prompt": "hi"})

    assert [one["error"] for one in lines(answer.text)[1:]] == ["no answer within 0.01 s"] * 2
    assert [one.outcome.status for one in here.ledger.records] == ["client_gone"] * 2


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/combos/nowhere/test", {}, 404),
        ("/api/combos/one%2Fm/test", {}, 404),
        ("/api/combos/all/test", {"prompt": ""}, 400),
        ("/api/combos/all/test", {"prompt": "x" * 4_001}, 400),
    ],
)
async def test_what_cannot_be_tried_calls_nobody(path: str, body: object, status: int) -> None:
    here = trio()

    answer = await api(*rows(here.gateway)).call("POST", path, body)

    assert answer.status_code == status
    assert here.upstream.calls == []


async def test_only_a_key_that_may_route_may_test() -> None:
    here = trio()
    reader: Api = api(
        *rows(here.gateway), callers={"reader": Caller("key-r", frozenset({"read:combos"}))}
    )

    answer = await reader.call("POST", "/api/combos/all/test", {}, key="reader")

    assert answer.status_code == 403
