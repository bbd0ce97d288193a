"""How many tokens a conversation has: counted by a provider of the dialect, or estimated."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from omniroute.routing.model import Dialect
from tests.upstream.servers import Exchange, whole

from .mounted import BODIES, Mounted, mounted

pytestmark = pytest.mark.anyio

PATHS: dict[Dialect, str] = {
    "anthropic": "/v1/messages/count_tokens",
    "openai_responses": "/v1/responses/input_tokens",
    "gemini": "/v1beta/models/one/m:countTokens",
}
COUNTED: dict[Dialect, bytes] = {
    "anthropic": b'{"input_tokens": 41, "x_new": 1}',
    "openai_responses": b'{"object": "response.input_tokens", "input_tokens": 41}',
    "gemini": b'{"totalTokens": 41, "promptTokensDetails": []}',
}
WORDS: dict[Dialect, str] = {
    "anthropic": "input_tokens",
    "openai_responses": "input_tokens",
    "gemini": "totalTokens",
}
ALL: tuple[Dialect, ...] = ("anthropic", "openai_responses", "gemini")


@dataclass
class Counting:
    """A provider that counts, or refuses to."""

    answer: bytes
    status: str = "200 OK"
    asked: list[Exchange] = field(default_factory=list[Exchange])

    async def script(self, exchange: Exchange) -> None:
        self.asked.append(exchange)
        await exchange.send(whole(self.answer, status=self.status))


async def count(here: Mounted, dialect: Dialect, body: Any = None, query: str = "") -> Any:
    asked = BODIES[dialect] if body is None else body
    return await here.client.post(PATHS[dialect] + query, json=asked)


@pytest.mark.parametrize("dialect", ALL)
async def test_a_provider_of_the_dialect_counts_itself(dialect: Dialect, tmp_path: Path) -> None:
    provider = Counting(COUNTED[dialect])

    async with mounted(tmp_path, (dialect, provider.script)) as here:
        answer = await count(here, dialect)

    assert (answer.status_code, answer.content) == (200, COUNTED[dialect])
    assert "x-omniroute-estimated" not in answer.headers
    asked = provider.asked[0]
    assert asked.head.decode().split(" ")[1] == PATHS[dialect].replace("one/m", "m")
    assert json.loads(asked.body).get("model", "m") == "m"


async def test_a_body_that_gemini_wraps_is_counted_for_the_routed_model(tmp_path: Path) -> None:
    provider = Counting(COUNTED["gemini"])
    wrapped = {"generateContentRequest": {"model": "models/one/m", **BODIES["gemini"]}}

    async with mounted(tmp_path, ("gemini", provider.script)) as here:
        answer = await count(here, "gemini", wrapped)

    assert answer.json()["totalTokens"] == 41
    assert json.loads(provider.asked[0].body)["generateContentRequest"]["model"] == "models/m"


async def test_betas_reach_the_provider_that_counts(tmp_path: Path) -> None:
    provider = Counting(COUNTED["anthropic"])

    async with mounted(tmp_path, ("anthropic", provider.script)) as here:
        await here.client.post(
            f"{PATHS['anthropic']}?beta=true",
            json=BODIES["anthropic"],
            headers={"anthropic-beta": "token-counting-2024-11-01"},
        )

    assert b"anthropic-beta: token-counting-2024-11-01" in provider.asked[0].head
    assert b"/count_tokens?beta=true " in provider.asked[0].head


@pytest.mark.parametrize("dialect", ALL)
async def test_a_provider_of_another_dialect_makes_it_an_estimate_that_says_so(
    dialect: Dialect, tmp_path: Path
) -> None:
    provider = Counting(b"{}")

    async with mounted(tmp_path, ("openai_chat", provider.script)) as here:
        answer = await count(here, dialect)

    assert (answer.status_code, answer.headers["x-omniroute-estimated"]) == (200, "true")
    assert answer.json()[WORDS[dialect]] == 6
    assert provider.asked == []


@pytest.mark.parametrize("status", ["404 Not Found", "500 Broken", "401 Unauthorized"])
async def test_a_provider_that_cannot_count_is_replaced_by_an_estimate(
    status: str, tmp_path: Path
) -> None:
    provider = Counting(b'{"error": {"message": "no"}}', status)

    async with mounted(tmp_path, ("anthropic", provider.script)) as here:
        first, second = await count(here, "anthropic"), await count(here, "anthropic")
        health = await here.client.get("/api/alerts")

    assert first.json() == second.json() == {"input_tokens": 6}
    # Who has no such endpoint is not asked each time.
    assert len(provider.asked) == (1 if status.startswith("404") else 2)
    assert "circuit" not in health.text


async def test_a_provider_that_refuses_the_conversation_is_told_as_it_is(tmp_path: Path) -> None:
    said = b'{"type":"error","error":{"type":"invalid_request_error","message":"messages: odd"}}'
    provider = Counting(said, "400 Bad Request")

    async with mounted(tmp_path, ("anthropic", provider.script)) as here:
        answer = await count(here, "anthropic")

    assert (answer.status_code, answer.content) == (400, said)


async def test_an_image_counts_as_an_image_and_not_as_its_bytes(tmp_path: Path) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "A" * 400_000}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "what is this"}]
    body = {"model": "sim/fast", "messages": [{"role": "user", "content": content}]}

    async with mounted(tmp_path) as here:
        answer = await count(here, "anthropic", body)

    assert 1_000 < answer.json()["input_tokens"] < 2_000


async def test_tools_and_the_system_prompt_count(tmp_path: Path) -> None:
    more = {
        "system": "s" * 400,
        "tools": [{"name": "t", "description": "d" * 400, "input_schema": {"type": "object"}}],
    }

    async with mounted(tmp_path) as here:
        plain = await count(here, "anthropic", BODIES["anthropic"] | {"model": "sim/fast"})
        full = await count(here, "anthropic", BODIES["anthropic"] | {"model": "sim/fast"} | more)

    assert full.json()["input_tokens"] - plain.json()["input_tokens"] > 200


@pytest.mark.parametrize("dialect", ALL)
async def test_what_is_wrong_is_said_in_the_dialects_words(
    dialect: Dialect, tmp_path: Path
) -> None:
    async with mounted(tmp_path) as here:
        nowhere = await count(here, dialect, BODIES[dialect] | {"model": "no-such-model"})
        odd = await here.client.post(PATHS[dialect], content=b"{")

    # Gemini's model stands in the path, where it is known to nobody here.
    assert (nowhere.status_code, odd.status_code) == (404, 400)
    assert nowhere.json()["error"]["message"]
    assert odd.headers["x-should-retry"] == "false"
