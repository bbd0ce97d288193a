"""A key's limits hold at every door that asks a model, and each refuses in its clients' words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from omniroute.routing.rates import Rates
from omniroute.server.compose import Composed
from omniroute.server.store.key_terms import KeyTerms

from .whole import client, opened

pytestmark = pytest.mark.anyio

MODEL = "sim/fast@latency=0"
HELLO = [{"role": "user", "content": "hello there"}]
TOOL = {"name": "omniroute_route_request", "arguments": {"model": MODEL, "messages": HELLO}}
TASK = {"messages": HELLO, "metadata": {"model": MODEL}}
Doors = Mapping[str, tuple[str, dict[str, Any]]]
OPENAI: Doors = {
    "chat": ("/v1/chat/completions", {"model": MODEL, "messages": HELLO}),
    "stream": ("/v1/chat/completions", {"model": MODEL, "messages": HELLO, "stream": True}),
    "responses": ("/v1/responses", {"model": MODEL, "input": "hello"}),
    "completions": ("/v1/completions", {"model": MODEL, "prompt": "hello"}),
    "embeddings": ("/v1/embeddings", {"model": "sim/embed@latency=0", "input": "hello"}),
    "scoped": ("/v1/providers/sim/chat/completions", {"model": MODEL, "messages": HELLO}),
}


async def limited(gateway: Composed, **rates: int) -> str:
    terms = KeyTerms("limited", ("full",), rates=Rates(**rates))
    return (await gateway.parts.storage.keys.create(terms, actor="test")).text


async def asked_twice(folder: Path, path: str, body: Any, **headers: str) -> tuple[Any, Any]:
    """Ask with a key that may ask once a minute."""
    # With workers MCP needs no session.
    async with opened(folder, OMNIROUTE_WORKERS="2") as gateway:
        key = await limited(gateway, requests_per_minute=1)
        async with client(gateway, authorization=f"Bearer {key}", **headers) as http:
            return await http.post(path, json=body), await http.post(path, json=body)


@pytest.mark.parametrize("door", OPENAI)
async def test_openais_clients_are_told_of_a_rate_limit(tmp_path: Path, door: str) -> None:
    first, second = await asked_twice(tmp_path, *OPENAI[door])

    assert first.status_code == 200, first.text
    assert second.status_code == 429
    assert 1 <= int(second.headers["retry-after"]) <= 62
    error = second.json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert "1 requests a minute" in error["message"]
    assert "x-should-retry" not in second.headers


async def test_anthropics_clients_are_told_in_their_words(tmp_path: Path) -> None:
    body = {"model": MODEL, "max_tokens": 50, "messages": HELLO}
    first, second = await asked_twice(tmp_path, "/v1/messages", body)

    assert first.status_code == 200
    assert second.status_code == 429
    assert int(second.headers["retry-after"]) >= 1
    assert second.json()["error"]["type"] == "rate_limit_error"


async def test_geminis_clients_are_told_in_theirs(tmp_path: Path) -> None:
    path = f"/v1beta/models/{MODEL}:generateContent"
    body = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
    first, second = await asked_twice(tmp_path, path, body)

    assert first.status_code == 200
    assert second.status_code == 429
    error = second.json()["error"]
    assert error["status"] == "RESOURCE_EXHAUSTED"
    assert any("retryDelay" in one for one in error["details"])


async def test_ollamas_clients_are_told_in_theirs(tmp_path: Path) -> None:
    first, second = await asked_twice(tmp_path, "/api/chat", {"model": MODEL, "messages": HELLO})

    assert first.status_code == 200
    assert second.status_code == 429
    assert "1 requests a minute" in second.json()["error"]


async def test_an_mcp_tool_says_when_to_come_again(tmp_path: Path) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": TOOL}
    version = {
        "mcp_protocol_version": "2025-11-25",
        "accept": "application/json, text/event-stream",
    }
    first, second = await asked_twice(tmp_path, "/mcp", call, **version)

    assert '"isError":false' in first.text.replace(" ", "")
    assert '"isError":true' in second.text.replace(" ", "")
    assert "rate_limit_exceeded" in second.text
    assert "retryAfterS" in second.text


async def test_an_a2a_task_fails_with_the_limit_as_its_policy(tmp_path: Path) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": TASK}
    first, second = await asked_twice(tmp_path, "/a2a", call)

    assert first.json()["result"]["task"]["state"] == "completed"
    told = second.json()["result"]
    assert told["task"]["state"] == "failed"
    assert told["metadata"]["policy_verdict"]["allowed"] is False
    assert "1 requests a minute" in told["metadata"]["policy_verdict"]["reason"]


@pytest.mark.parametrize("door", ["chat", "stream", "embeddings", "completions"])
async def test_answers_say_what_is_left_of_the_minute(tmp_path: Path, door: str) -> None:
    path, body = OPENAI[door]
    async with opened(tmp_path) as gateway:
        key = await limited(gateway, requests_per_minute=3, tokens_per_minute=10_000)
        free = await limited(gateway, concurrency_max=5)
        async with client(gateway, authorization=f"Bearer {key}") as http:
            answers = [await http.post(path, json=body) for _ in range(2)]
        async with client(gateway, authorization=f"Bearer {free}") as http:
            other = await http.post(path, json=body)

    left = [int(one.headers["x-omniroute-requests-remaining"]) for one in answers]
    tokens = [int(one.headers["x-omniroute-tokens-remaining"]) for one in answers]
    assert left == [2, 1]
    assert 0 < tokens[0] < 10_000
    assert not [name for name in other.headers if name.endswith("-remaining")]


async def test_what_asks_no_model_counts_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway:
        key = await limited(gateway, requests_per_minute=1)
        async with client(gateway, authorization=f"Bearer {key}") as http:
            listed = [(await http.get("/v1/models")).status_code for _ in range(5)]
            unknown = await http.post(
                "/v1/chat/completions", json={"model": "nobody/x", "messages": HELLO}
            )
            asked = await http.post(
                "/v1/chat/completions", json={"model": MODEL, "messages": HELLO}
            )

    assert listed == [200] * 5
    assert unknown.status_code == 404
    assert asked.status_code == 200


async def test_a_lifted_limit_lets_the_next_request_in(tmp_path: Path) -> None:
    path, body = OPENAI["chat"]
    async with opened(tmp_path) as gateway:
        key = await limited(gateway, requests_per_minute=1)
        async with (
            client(gateway, authorization=f"Bearer {key}") as http,
            client(gateway, authorization=f"Bearer {gateway.token}") as admin,
        ):
            statuses = [(await http.post(path, json=body)).status_code for _ in range(2)]
            key_id = key[8:20]
            await admin.patch(f"/api/keys/{key_id}", json={"requests_per_minute": None})
            statuses.append((await http.post(path, json=body)).status_code)

    assert statuses == [200, 429, 200]


async def test_a_model_list_takes_a_star_anywhere(tmp_path: Path) -> None:
    path, body = OPENAI["chat"]
    async with opened(tmp_path) as gateway:
        terms = KeyTerms("few", ("full",), models=("s*/*a*t@*",))
        key = (await gateway.parts.storage.keys.create(terms, actor="test")).text
        async with client(gateway, authorization=f"Bearer {key}") as http:
            allowed = await http.post(path, json=body)
            refused = await http.post(path, json={**body, "model": "sim/smart"})

    assert allowed.status_code == 200
    assert refused.status_code in (403, 503)
    assert "model list" in refused.text
