"""What an answer tells of a request that could not go out as it was asked."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from omniroute.routing.model import Account
from tests.upstream.servers import Exchange, whole

from .mounted import KEY, Mounted, mounted

pytestmark = pytest.mark.anyio


async def answer(exchange: Exchange) -> None:
    await exchange.send(whole())


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Mounted]:
    async with mounted(tmp_path, ("openai_chat", answer)) as opened:
        yield opened


async def add(here: Mounted, provider: str, *models: str) -> None:
    url = here.providers[0].url
    account = Account(f"acc-{provider}", provider, "openai_chat", url, KEY, models=models)
    await here.composed.parts.storage.configs.put_account(account, actor="test")


async def test_what_a_provider_would_refuse_is_left_out_and_named(here: Mounted) -> None:
    await add(here, "groq", "m")
    message = {"role": "user", "name": "ada", "content": "hello there"}
    body = {"model": "groq/m", "messages": [message], "logit_bias": {"1": 1}, "seed": 7}

    told = await here.client.post("/v1/chat/completions", json=body)

    sent = json.loads(here.providers[0].requests[0].body)
    assert told.headers["x-omniroute-dropped"] == "logit_bias, messages.name"
    assert sent == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello there"}],
        "seed": 7,
    }


async def test_a_model_that_stands_in_for_a_retired_one_is_told(here: Mounted) -> None:
    await add(here, "mine", "gemini-2.5-pro")

    told = await here.ask("openai_chat", "gemini-1.5-pro")
    asked = await here.ask("openai_chat", "gemini-2.5-pro")

    assert told.headers["x-omniroute-replaced"] == "gemini-1.5-pro"
    assert told.headers["x-omniroute-model"] in ("gemini-2.5-pro", "m")
    assert "x-omniroute-replaced" not in asked.headers
