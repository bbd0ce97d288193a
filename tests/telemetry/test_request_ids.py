"""Every answer names its request, whatever door gave it, and the log knows it by the same name."""

import json
import logging
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from omniroute.server.app import build_app
from omniroute.server.exchange import Exchange as ServerExchange
from omniroute.server.gate import Gate
from omniroute.server.rights import ANYONE, Right
from tests.v1.mounted import mounted
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

CHAT = {"model": "sim/fast@latency=0", "messages": [{"role": "user", "content": "hello"}]}
MCP = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
ROUTE = {
    **CALL,
    "params": {
        "name": "omniroute_route_request",
        "arguments": {"model": "sim/fast@latency=0", "messages": CHAT["messages"]},
    },
}
EVERY_DOOR: tuple[tuple[str, str, object], ...] = (
    ("GET", "/", None),
    ("GET", "/health", None),
    ("GET", "/ready", None),
    ("GET", "/metrics", None),
    ("GET", "/openapi.json", None),
    ("GET", "/api/status", None),
    ("GET", "/api/requests/nobody", None),
    ("GET", "/nothing/here", None),
    ("PUT", "/v1/chat/completions", CHAT),
    ("GET", "/v1/models", None),
    ("POST", "/v1/chat/completions", CHAT),
    ("POST", "/v1/chat/completions", {"model": "nobody/knows", "messages": []}),
    ("POST", "/v1/messages", {**CHAT, "max_tokens": 9}),
    ("POST", "/v1/messages/count_tokens", {**CHAT, "max_tokens": 9}),
    ("POST", "/v1/completions", {"model": "sim/fast@latency=0", "prompt": "hello"}),
    ("POST", "/api/chat", CHAT),
    ("POST", "/v1beta/models/sim/fast@latency=0:generateContent", {"contents": []}),
    ("POST", "/mcp", ROUTE),
    ("POST", "/mcp", {**CALL, "params": {"name": "nothing", "arguments": {}}}),
    ("GET", "/.well-known/agent-card.json", None),
    ("POST", "/a2a", {"jsonrpc": "2.0", "id": 1, "method": "tasks/list"}),
    ("POST", "/a2a", {"nothing": 1}),
)


async def test_every_answer_of_every_door_names_its_request_once(tmp_path: Path) -> None:
    named = []
    async with opened(tmp_path, OMNIROUTE_WORKERS="2") as gateway, client(gateway) as http:
        for method, path, body in EVERY_DOOR:
            answer = await http.request(method, path, json=body, headers=MCP)
            named += answer.headers.get_list("x-request-id")

    assert len(named) == len(EVERY_DOOR)
    assert len(set(named)) == len(EVERY_DOOR)
    assert all(one.startswith("req_") for one in named)


async def test_a_request_over_mcp_is_on_record_under_the_id_that_its_answer_names(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, OMNIROUTE_WORKERS="2") as gateway, client(gateway) as http:
        answer = await http.post("/mcp", json=ROUTE, headers=MCP)
        request_id = answer.headers["x-request-id"]
        record = await gateway.parts.storage.ledger.find(request_id, key_id=None)
        calls = (await http.get("/api/mcp/audit")).text

    assert record is not None
    assert record.outcome.request.door == "mcp"
    assert request_id in calls


async def test_a_refusal_names_its_request_in_head_and_body_alike(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        answer = await http.get("/v1/nothing", headers={"anthropic-version": "2023-06-01"})

    assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_a_fault_of_ours_is_logged_under_the_id_that_its_answer_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(request: Request) -> Response:
        raise KeyError("my diary")

    async def fails_hot(exchange: ServerExchange) -> None:
        raise KeyError("my diary")

    async with mounted(tmp_path) as here:
        front = here.composed.app
        gate = Gate(here.composed.parts.authenticator, [Right("GET", "/fails", ANYONE)])
        front.app = build_app([Route("/fails", fails, methods=["GET"])], gate, front)
        cast(dict[str, Any], front._hot)["/fails-hot"] = (fails_hot, ANYONE)
        with caplog.at_level(logging.ERROR):
            cold = await here.client.get("/fails")
            hot = await here.client.post("/fails-hot", json={})

    logged = [vars(one).get("request_id") for one in caplog.records]
    assert (cold.status_code, hot.status_code) == (500, 500)
    assert logged[-1] == hot.headers["x-request-id"]
    assert cold.headers["x-request-id"] in logged
    assert "diary" not in json.dumps([cold.text, hot.text])
