"""What keeps a stream alive while a candidate is replaced by the next: harmless to the SDKs."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from omniroute.routing.model import Dialect
from tests.upstream.servers import DONE, EVENT, FINISH, SSE_HEAD, Exchange, chunked, whole

from .mounted import BODIES, Mounted, mounted

pytestmark = pytest.mark.anyio

HOLD_S = "0.02"
PAIR = {"name": "pair", "models": [{"target": "one/m"}, {"target": "two/m"}]}
IDLE: dict[Dialect, str] = {
    "openai_chat": ": keep-alive\n\n",
    "openai_responses": ": keep-alive\n\n",
    "anthropic": "event: ping\n",
    "gemini": 'data: {"candidates"',
}


async def slow_and_broken(exchange: Exchange) -> None:
    await asyncio.sleep(0.1)
    await exchange.send(whole(b'{"error":{"message":"broken"}}', status="500 Broken"))


async def good(exchange: Exchange) -> None:
    await asyncio.sleep(0.1)
    await exchange.send(SSE_HEAD + chunked(EVENT, EVENT, FINISH, DONE) + b"0\r\n\r\n")


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Mounted]:
    async with mounted(
        tmp_path,
        ("openai_chat", slow_and_broken),
        ("openai_chat", good),
        OMNIROUTE_FIRST_BYTE_HOLD_S=HOLD_S,
    ) as opened:
        made = await opened.client.post("/api/combos", json=PAIR)
        assert made.status_code == 201, made.text
        yield opened


def base(here: Mounted) -> str:
    return str(here.client.base_url).rstrip("/")


@pytest.mark.parametrize("dialect", BODIES)
async def test_a_stream_is_kept_alive_while_the_next_model_is_tried(
    here: Mounted, dialect: Dialect
) -> None:
    answer = await here.ask(dialect, "pair", stream=True)

    assert answer.status_code == 200
    assert answer.text.startswith(IDLE[dialect])
    assert answer.text.count("hello") >= 2
    assert "error" not in answer.text.replace('"error":null', "")


async def test_openais_sdk_takes_no_notice_in_chats_and_responses(here: Mounted) -> None:
    client = openai.AsyncOpenAI(base_url=f"{base(here)}/v1", api_key="sk-fake", max_retries=0)

    chat = await client.chat.completions.create(
        model="pair", messages=[{"role": "user", "content": "hi"}], stream=True
    )
    said = [chunk.choices[0].delta.content or "" async for chunk in chat if chunk.choices]
    async with client.responses.stream(model="pair", input="hi") as stream:
        response = await stream.get_final_response()
    await client.close()

    assert ("".join(said), response.output_text) == ("hellohello", "hellohello")


async def test_anthropics_sdk_takes_no_notice(here: Mounted) -> None:
    client = anthropic.AsyncAnthropic(base_url=base(here), api_key="sk-fake", max_retries=0)

    async with client.messages.stream(
        model="pair", max_tokens=50, messages=[{"role": "user", "content": "hi"}]
    ) as stream:
        message = await stream.get_final_message()
    await client.close()

    assert [block.model_dump()["text"] for block in message.content] == ["hellohello"]


async def test_googles_sdk_takes_no_notice(here: Mounted) -> None:
    options = types.HttpOptions(base_url=base(here))
    client = genai.Client(api_key="sk-fake", http_options=options)

    stream = await client.aio.models.generate_content_stream(model="pair", contents="hi")
    said = [chunk.text async for chunk in stream]
    await client.aio.aclose()

    # What is idle has a text that its users can add to others.
    assert said[0] == ""
    assert "".join(text or "" for text in said) == "hellohello"


async def test_a_json_array_is_kept_alive_between_its_items(here: Mounted) -> None:
    path = "/v1beta/models/pair:streamGenerateContent"

    answer = await here.client.post(path, json=BODIES["gemini"])

    chunks = json.loads(answer.text)
    assert answer.text.startswith("[\n")
    parts = [part for one in chunks for part in one["candidates"][0]["content"].get("parts", [])]
    assert "".join(part.get("text", "") for part in parts) == "hellohello"


@pytest.mark.parametrize("dialect", BODIES)
async def test_a_failure_of_the_last_one_is_still_the_dialects_error(
    dialect: Dialect, tmp_path: Path
) -> None:
    async with mounted(
        tmp_path, ("openai_chat", slow_and_broken), OMNIROUTE_FIRST_BYTE_HOLD_S=HOLD_S
    ) as here:
        answer = await here.ask(dialect, "one/m", stream=True)

    assert answer.text.startswith(IDLE[dialect])
    last = [line for line in answer.text.splitlines() if line.startswith("data: ")][-1]
    error = json.loads(last.removeprefix("data: "))["error"]
    assert "500" in error["message"]
