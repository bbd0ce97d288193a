"""POST /v1/providers/{provider}/...: one provider alone answers."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

HELLO = [{"role": "user", "content": "hello there"}]
SAID = "You said: hello there"
MODEL = "fast@latency=0"


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with opened(tmp_path) as gateway, client(gateway) as made:
        yield made


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("chat/completions", {"messages": HELLO}),
        ("messages", {"messages": HELLO, "max_tokens": 50}),
        ("responses", {"input": "hello there"}),
        ("completions", {"prompt": "hello there"}),
        ("chat/completions", {"messages": HELLO, "stream": True}),
    ],
)
@pytest.mark.parametrize("name", [MODEL, f"sim/{MODEL}", f"omniroute/sim/{MODEL}"])
async def test_every_endpoint_answers_with_the_models_name_as_the_providers(
    http: httpx2.AsyncClient, endpoint: str, body: dict[str, object], name: str
) -> None:
    answer = await http.post(f"/v1/providers/sim/{endpoint}", json={**body, "model": name})

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-omniroute-provider"] == "sim"
    assert SAID in answer.text or body.get("stream")


async def test_vectors_are_made_by_the_provider_too(http: httpx2.AsyncClient) -> None:
    body = {"model": "embed", "input": "hello"}

    answer = await http.post("/v1/providers/sim/embeddings", json=body)

    assert answer.status_code == 200, answer.text
    assert answer.json()["data"][0]["embedding"]


async def test_a_name_that_is_anothers_is_refused(http: httpx2.AsyncClient) -> None:
    body = {"model": "openai/gpt-4o", "messages": HELLO}

    openai_s = await http.post("/v1/providers/sim/chat/completions", json=body)
    anthropic_s = await http.post("/v1/providers/sim/messages", json={**body, "max_tokens": 5})

    assert (openai_s.status_code, openai_s.json()["error"]["param"]) == (400, "model")
    assert anthropic_s.status_code == 400
    assert anthropic_s.json()["error"]["type"] == "invalid_request_error"
    assert anthropic_s.json()["type"] == "error"


async def test_a_providers_own_name_with_a_slash_is_its_model(http: httpx2.AsyncClient) -> None:
    account = {
        "provider": "mine",
        "base_url": "http://127.0.0.1:1/v1",
        "dialect": "openai_chat",
        "models": ["anthropic/claude-opus-5-5"],
    }
    assert (await http.post("/api/providers", json=account)).status_code == 201

    listed = await http.post(
        "/v1/providers/mine/chat/completions",
        json={"model": "anthropic/claude-opus-5-5", "messages": HELLO},
    )
    models = (await http.get("/v1/providers/mine/models")).json()

    # Nobody listens there: it was asked, and nobody else.
    assert listed.status_code == 502, listed.text
    assert [one["id"] for one in models["data"]] == ["mine/anthropic/claude-opus-5-5"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/providers/none/chat/completions", {"model": "m", "messages": HELLO}, 404),
        ("/v1/providers/sim/nothing", {"model": "m"}, 404),
        ("/v1/providers/sim/chat/completions", {"messages": HELLO}, 400),
        ("/v1/providers/sim/chat/completions", [], 400),
    ],
)
async def test_what_is_not_there_is_json_that_says_so(
    http: httpx2.AsyncClient, path: str, body: object, status: int
) -> None:
    answer = await http.post(path, json=body)

    assert answer.status_code == status
    assert answer.json()["error"]["message"]


async def test_a_provider_without_an_account_has_no_models(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/v1/providers/none/models")).status_code == 404


async def test_a_key_is_needed_before_anything_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path, OMNIROUTE_REQUIRE_KEY="always") as gateway, client(gateway) as http:
        answer = await http.post("/v1/providers/none/nothing", json={})

    assert answer.status_code == 401
