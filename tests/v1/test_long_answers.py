"""Clients that ask for longer answers than the model of another vendor can write."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.upstream.servers import ANSWER, Exchange, serving, whole

from .mounted import HELLO, mounted

pytestmark = pytest.mark.anyio

LONGEST = 16_384
"""What gpt-4o can write, which OpenAI refuses to be asked for more of."""


@dataclass
class Heard:
    asked: list[Exchange] = field(default_factory=list[Exchange])

    async def script(self, exchange: Exchange) -> None:
        self.asked.append(exchange)
        await exchange.send(whole(ANSWER))


async def test_claude_codes_bound_is_lowered_to_what_the_model_can_write(tmp_path: Path) -> None:
    provider = Heard()
    body = {"model": "openai/gpt-4o", "max_tokens": 128_000, "messages": HELLO}

    async with (
        serving(provider.script) as server,
        mounted(tmp_path, OPENAI_API_KEY="sk-fake", OPENAI_BASE_URL=server.url) as here,
    ):
        answer = await here.client.post("/v1/messages", json=body)

    sent = json.loads(provider.asked[0].body)["max_tokens"]
    assert answer.status_code == 200, answer.text
    assert sent == LONGEST
    assert answer.headers["x-omniroute-dropped"] == "max_tokens"


async def test_a_bound_is_lowered_to_what_the_model_can_write(tmp_path: Path) -> None:
    body = {"model": "sim/fast@latency=0", "max_tokens": 64_000, "messages": HELLO}

    async with mounted(tmp_path) as here:
        answer = await here.client.post("/v1/messages", json=body)

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-omniroute-dropped"] == "max_tokens"


async def test_anthropics_clients_hear_from_anthropic_itself_that_a_bound_is_too_high(
    tmp_path: Path,
) -> None:
    """Claude Code finds the figures in these words, and asks again with a lower bound."""
    said = (
        b'{"type":"error","error":{"type":"invalid_request_error","message":"input length and '
        b'`max_tokens` exceed context limit: 100000 + 128000 > 200000"}}'
    )
    asked: list[Exchange] = []

    async def script(exchange: Exchange) -> None:
        asked.append(exchange)
        await exchange.send(whole(said, status="400 Bad Request"))

    words = "word " * 80_000
    messages = [{"role": "user", "content": words}]
    body = {"model": "claude-sonnet-4-5", "max_tokens": 128_000, "messages": messages}
    async with (
        serving(script) as server,
        mounted(tmp_path, ANTHROPIC_API_KEY="sk-fake", ANTHROPIC_BASE_URL=server.url) as here,
    ):
        answer = await here.client.post("/v1/messages", json=body)

    assert len(asked) == 1
    assert (answer.status_code, answer.content) == (400, said)


async def test_a_conversation_without_room_for_an_answer_is_still_too_long(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "word " * 101_000}]
    body = {"model": "sim/fast@latency=0", "max_tokens": 64_000, "messages": messages}

    async with mounted(tmp_path) as here:
        answer = await here.client.post("/v1/messages", json=body)

    assert answer.status_code == 400
    assert "too long" in answer.json()["error"]["message"]


async def test_a_bound_in_the_providers_own_dialect_stays_as_it_is(tmp_path: Path) -> None:
    provider = Heard()
    body = {"model": "openai/gpt-4o", "max_tokens": 64_000, "messages": HELLO}

    async with (
        serving(provider.script) as server,
        mounted(tmp_path, OPENAI_API_KEY="sk-fake", OPENAI_BASE_URL=server.url) as here,
    ):
        answer = await here.client.post("/v1/chat/completions", json=body)

    assert json.loads(provider.asked[0].body)["max_tokens"] == 64_000
    assert "x-omniroute-dropped" not in answer.headers
