"""Providers that pack their answers, seen by the clients of a whole gateway."""

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest
from backports import zstd

from tests.upstream.servers import ANSWER, EVENTS, Exchange, Script, chunked, whole

from .mounted import mounted
from .vendors import Heard, Told, shop

pytestmark = pytest.mark.anyio

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda body: bytes(brotli.compress(body, quality=5)),
    "zstd": zstd.compress,
}
SOUND = bytes(number * number % 251 for number in range(100_000))
VECTORS = {
    "object": "list",
    "model": "text-embedding-3-small",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}],
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}


def packing(coding: str, answer: bytes, events: bytes) -> Script:
    """Give a provider that packs what it answers, whole or streamed."""
    body, stream = PACKERS[coding](answer), PACKERS[coding](events)
    lines = b"content-encoding: %s\r\n" % coding.encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    streamed = head + lines + b"transfer-encoding: chunked\r\n\r\n" + chunked(stream)

    async def script(exchange: Exchange) -> None:
        asked = json.loads(exchange.body)
        await exchange.send(
            streamed + b"0\r\n\r\n" if asked.get("stream") else whole(body, headers=lines)
        )

    return script


async def plain(exchange: Exchange) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    streamed = head + b"transfer-encoding: chunked\r\n\r\n" + chunked(EVENTS) + b"0\r\n\r\n"
    await exchange.send(streamed if json.loads(exchange.body).get("stream") else whole(ANSWER))


@pytest.mark.parametrize("coding", PACKERS)
async def test_a_client_gets_a_packed_answer_as_it_was_meant(tmp_path: Path, coding: str) -> None:
    async with mounted(tmp_path, ("openai_chat", packing(coding, ANSWER, EVENTS))) as here:
        passed = [await here.ask("openai_chat", stream=one) for one in (False, True)]
        translated = [await here.ask("anthropic", stream=one) for one in (False, True)]

    assert [one.content for one in passed] == [ANSWER, EVENTS]
    assert ["hello" in one.text for one in translated] == [True, True]
    assert not any("content-encoding" in one.headers for one in (*passed, *translated))


@pytest.mark.parametrize("coding", PACKERS)
async def test_after_a_bomb_the_next_provider_answers(tmp_path: Path, coding: str) -> None:
    """What keeps a stream alive is no content, so another may still be asked."""
    bomb = packing(coding, b"[" * 20_000_000, b": " + b"x" * 20_000_000)
    both = {"name": "both", "models": [{"target": "one/m"}, {"target": "two/m"}]}

    async with mounted(tmp_path, ("openai_chat", bomb), ("openai_chat", plain)) as here:
        await here.client.post("/api/combos", json={**both, "strategy": "priority"})
        answers = [await here.ask("openai_chat", "both", stream=one) for one in (False, True)]
        names = [one.headers["x-request-id"] for one in answers]
        ledger = here.composed.parts.storage.ledger
        stories = [await ledger.find(name, key_id=None) for name in names]

    assert [one.content for one in answers] == [ANSWER, EVENTS]
    assert [one.headers["x-omniroute-provider"] for one in answers] == ["two", "two"]
    failures = [[at.failure for at in one.outcome.attempts] for one in stories if one is not None]
    assert failures == [["too_large", None]] * 2


async def test_packed_vectors_and_sounds_are_read_as_well(tmp_path: Path) -> None:
    def vendor(heard: Heard) -> Told:
        if heard.path.endswith("/embeddings"):
            return Told(PACKERS["gzip"](json.dumps(VECTORS).encode()), coding="gzip")
        return Told(PACKERS["zstd"](SOUND), "audio/mpeg", coding="zstd")

    async with shop(tmp_path, "openai", vendor) as here:
        vectors = await here.ask("embeddings", model="openai/text-embedding-3-small", input="hello")
        sound = await here.ask(
            "audio/speech", model="openai/gpt-4o-mini-tts", input="hello", voice="alloy"
        )

    assert vectors.json()["data"][0]["embedding"] == [0.5, 0.25], vectors.text
    assert sound.content == SOUND
    assert "content-encoding" not in sound.headers
