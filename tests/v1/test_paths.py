"""Paths: those that were meant, those that are not served, and what is said of them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from omniroute.routing.model import Dialect
from omniroute.server.paths import meant

from .mounted import BODIES, Mounted, mounted

pytestmark = pytest.mark.anyio

FAST = "sim/fast@latency=0"
WRONG = "method_not_allowed"
GENERATE = f"/models/{FAST}:generateContent"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Mounted]:
    async with mounted(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("openai_chat", "/chat/completions"),
        ("openai_chat", "/v1/v1/chat/completions"),
        ("openai_chat", "/v1/chat/completions/"),
        ("openai_chat", "/api/v1/chat/completions"),
        ("openai_chat", "/v1//chat/completions"),
        ("openai_chat", "/v1beta/openai/chat/completions"),
        ("anthropic", "/messages"),
        ("anthropic", "/v1/messages/"),
        ("anthropic", "/v1/v1/messages"),
        ("anthropic", "/v1/v1/messages?beta=true"),
        ("openai_responses", "/responses"),
        ("openai_responses", "/v1/v1/responses"),
        ("openai_responses", "/codex"),
        ("openai_responses", "/codex/responses"),
        ("openai_responses", "/codex/v1/responses"),
        ("gemini", f"/v1/v1beta{GENERATE}"),
        ("gemini", f"/v1beta/v1beta{GENERATE}"),
        ("gemini", f"/api/v1beta{GENERATE}"),
        ("gemini", f"/v1{GENERATE}"),
        ("gemini", GENERATE),
    ],
)
async def test_a_path_that_is_nearly_right_is_answered_as_what_was_meant(
    here: Mounted, dialect: Dialect, path: str
) -> None:
    body = BODIES[dialect] | ({} if dialect == "gemini" else {"model": FAST})

    nearly = await here.client.post(path, json=body)
    right = await here.ask(dialect, FAST)

    assert (nearly.status_code, right.status_code) == (200, 200), nearly.text
    assert nearly.json().keys() == right.json().keys()


@pytest.mark.parametrize("path", ["/models", "/v1/v1/models", "/v1/models/", "/v1", "/v1/"])
async def test_the_list_of_models_is_found_under_what_clients_ask_for(
    here: Mounted, path: str
) -> None:
    answer = await here.client.get(path)

    assert answer.json()["object"] == "list"


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/sim/fast"])
async def test_googles_sdks_find_their_lists_below_v1_as_well(here: Mounted, path: str) -> None:
    googles = {"x-goog-api-client": "google-genai-sdk/3.4.0"}

    theirs = (await here.client.get(path, headers=googles)).json()
    others = (await here.client.get(path)).json()

    assert "models" in theirs or theirs["name"] == "models/sim/fast"
    assert others["object"] in ("list", "model")


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/mcp", "/mcp/", "/a2a", "/a2a/", "/health", "/openapi.json"),
        *("/v1/messages", "/v1beta/models/a/b:generateContent", "/api/keys", "/v1/models/a/v1"),
        *("/v1/models/llama3:latest", "/v1/models/a:b/c"),
        *("/v1beta/models", "/.well-known/agent.json", "/api/mcp/stream", "/v1x/messages"),
    ],
)
def test_a_path_that_is_right_stays_as_it_is(path: str) -> None:
    assert meant(path) == path


def words(answer: httpx.Response) -> tuple[Any, ...]:
    """Give what is said of an error where each dialect's clients look."""
    said = answer.json()
    error = said["error"]
    return said.get("type"), error.get("type"), error.get("code"), error.get("status")


@pytest.mark.parametrize(
    ("path", "said", "known"),
    [
        ("/v1/nothing", (None, "invalid_request_error", "not_found", None), "/v1/messages"),
        ("/v1/chat", (None, "invalid_request_error", "not_found", None), "/v1/chat/completions"),
        ("/v1/messages/x", ("error", "not_found_error", None, None), "/v1/messages"),
        ("/v1/responses/x/y", (None, "invalid_request_error", "not_found", None), "/v1/responses"),
        ("/v1beta/nothing", (None, None, 404, "NOT_FOUND"), "/v1beta/models/"),
        ("/api/nothing", (None, "invalid_request_error", "not_found", None), "/api/keys"),
        ("/v2/nothing", (None, "invalid_request_error", "not_found", None), "README"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_path_that_is_not_served_is_a_404_in_its_dialect_that_names_those_that_are(
    here: Mounted, method: str, path: str, said: tuple[Any, ...], known: str
) -> None:
    answer = await here.client.request(method, path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-should-retry"] == "false"
    assert words(answer) == said
    assert known in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "said", "allowed"),
    [
        ("/v1/chat/completions", (None, "invalid_request_error", WRONG, None), "POST"),
        ("/v1/messages", ("error", "invalid_request_error", None, None), "POST"),
        ("/v1/v1/messages", ("error", "invalid_request_error", None, None), "POST"),
        (f"/v1beta{GENERATE}", (None, None, 405, "INVALID_ARGUMENT"), "GET, HEAD, POST"),
    ],
)
async def test_a_wrong_method_is_a_405_in_the_paths_dialect_that_says_the_right_one(
    here: Mounted, path: str, said: tuple[Any, ...], allowed: str
) -> None:
    answer = await here.client.put(path)

    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert words(answer) == said


async def test_a_get_route_asked_by_another_method_says_its_own(here: Mounted) -> None:
    answer = await here.client.post("/v1/models", json={})

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_a_client_that_speaks_anthropics_api_is_answered_in_its_words(here: Mounted) -> None:
    answer = await here.client.get("/v1/nothing", headers={"anthropic-version": "2023-06-01"})

    assert words(answer) == ("error", "not_found_error", None, None)
    assert answer.json()["request_id"] == answer.headers["request-id"]


async def test_what_claude_code_asks_before_its_first_request_is_answered(here: Mounted) -> None:
    heads = [await here.client.head(path) for path in ("/", "/api/hello")]
    got = await here.client.get("/api/hello")

    assert [one.status_code for one in heads] == [200, 200]
    assert (got.status_code, got.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("sent", "body_of", "told"),
    [
        ("openai_chat", "gemini", "/v1beta/models/{model}:generateContent"),
        ("openai_chat", "openai_responses", "/v1/responses"),
        ("anthropic", "openai_responses", "/v1/responses"),
        ("anthropic", "gemini", "/v1beta/models/{model}:generateContent"),
        ("openai_responses", "openai_chat", "/v1/chat/completions"),
        ("openai_responses", "gemini", "/v1beta/models/{model}:generateContent"),
        ("gemini", "anthropic", "/v1/messages"),
        ("gemini", "openai_responses", "/v1/responses"),
    ],
)
async def test_a_body_of_another_dialect_is_told_where_it_belongs(
    here: Mounted, sent: Dialect, body_of: Dialect, told: str
) -> None:
    right = await here.ask(sent, FAST)
    path = right.request.url.raw_path.decode()

    answer = await here.client.post(path, json={"model": FAST, **BODIES[body_of]})

    assert answer.status_code == 400
    assert told in answer.json()["error"]["message"]


async def test_a_host_that_is_not_ours_is_refused_in_the_paths_dialect(here: Mounted) -> None:
    refused = await here.client.get("/v1/messages", headers={"host": "evil.example"})

    assert refused.status_code == 421
    assert words(refused) == ("error", "invalid_request_error", None, None)
