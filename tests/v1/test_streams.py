"""Streams from a provider's socket to a client's: what passes, and who is told when it stops."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import uvicorn

from omniroute.routing.model import Dialect, Outcome
from omniroute.server.bounds import Bounds
from omniroute.server.edge import Connection
from omniroute.server.exchange import Door, Head
from omniroute.server.refused import Refused
from omniroute.server.turnstile import Turnstile
from omniroute.server.v1.chat import ChatDoor
from tests.fakes import account
from tests.upstream.servers import (
    DONE,
    EVENT,
    FINISH,
    SSE_HEAD,
    WAIT_S,
    Exchange,
    Script,
    Server,
    chunked,
    serving,
    upstream,
)

from .door import Setting, setting

pytestmark = pytest.mark.anyio

FREED_S_MAX = 0.1
ENDS = b"0\r\n\r\n"
USAGE = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":9,"total_tokens":12}}\n\n'
)
ERROR = b'data: {"error":{"message":"it is too hot here","type":"server_error"}}\n\n'


@dataclass
class Running:
    """A gateway's door on a port, and its provider."""

    there: Setting
    port: int
    provider: Server

    async def open(
        self, path: str = "/v1/chat/completions", model: str = "openai/m"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Ask for a stream."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        messages = [{"role": "user", "content": "hi"}]
        body = json.dumps({"model": model, "stream": True, "max_tokens": 9, "messages": messages})
        writer.write(
            f"POST {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n"
            f"content-length: {len(body)}\r\n\r\n{body}".encode()
        )
        return reader, writer

    async def ask(self, path: str = "/v1/chat/completions", model: str = "openai/m") -> bytes:
        """Ask for a stream and give the body of its answer."""
        reader, writer = await self.open(path, model)
        try:
            async with asyncio.timeout(WAIT_S):
                assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
                body = b""
                while size := int(await reader.readuntil(b"\r\n"), 16):
                    body += (await reader.readexactly(size + 2))[:-2]
                return body
        finally:
            writer.close()

    async def outcome(self) -> Outcome:
        """Give what was recorded of the one request."""
        records = self.there.here.ledger.records
        async with asyncio.timeout(WAIT_S):
            while not records:
                await asyncio.sleep(0.001)
        return records[-1].outcome


@dataclass
class App:
    """Has one hot door."""

    door: ChatDoor
    busy: int = 0
    last_s: float = 0.0
    turnstile: Turnstile = field(default_factory=Turnstile)
    bounds: Bounds = field(default_factory=Bounds)
    refused: Refused = field(default_factory=Refused)

    def hot_door(self, head: Head) -> Door | None:
        return self.door


@asynccontextmanager
async def running(
    script: Script, *, dialect: Dialect = "openai_chat", hold_s: float = 10.0
) -> AsyncIterator[Running]:
    """Run a door whose provider does what the script says."""
    async with serving(script) as provider, upstream() as made:
        accounts = [account("openai", "m", base_url=provider.url)]
        there = setting(*accounts, dialect=dialect, upstream=made, hold_s=hold_s)
        config = uvicorn.Config(
            cast(Any, App(there.door)), http=Connection, port=0, lifespan="off", log_config=None
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        async with asyncio.timeout(WAIT_S):
            while not server.started:
                await asyncio.sleep(0.001)
        try:
            yield Running(there, server.servers[0].sockets[0].getsockname()[1], provider)
        finally:
            server.should_exit = True
            await task


@pytest.mark.parametrize("seed", range(8))
async def test_a_client_gets_the_providers_bytes_however_they_were_cut(seed: int) -> None:
    events = [EVENT, EVENT.replace(b"hello", b"x" * 3000), b": still here\n\n"]
    body = EVENT + b"".join(random.Random(seed).choices(events, k=50)) + FINISH + USAGE + DONE

    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD)
        left, cuts = body, random.Random(seed)
        while left:
            size = cuts.choice((1, 7, len(EVENT), 5000))
            await exchange.send(chunked(left[:size]))
            left = left[size:]
            await asyncio.sleep(0)
        await exchange.send(ENDS)

    async with running(script) as here:
        got = await here.ask()
        outcome = await here.outcome()

    assert got == body.replace(USAGE, b"")
    assert (outcome.status, outcome.usage_source) == ("answered", "reported")
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (3, 9)
    assert outcome.finish == "stop"


async def test_usage_that_comes_long_after_the_finish_is_still_paid_for() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT, FINISH))
        await asyncio.sleep(0.05)
        await exchange.send(chunked(USAGE[:40]))
        await asyncio.sleep(0.01)
        await exchange.send(chunked(USAGE[40:], DONE) + ENDS)

    async with running(script) as here:
        got = await here.ask()
        outcome = await here.outcome()

    assert got == EVENT + FINISH + DONE
    assert (outcome.usage.output_tokens, outcome.usage_source) == (9, "reported")


async def test_a_client_that_leaves_frees_the_provider_within_milliseconds() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD)
        while True:
            await exchange.send(chunked(EVENT))
            await asyncio.sleep(0.001)

    async with running(script) as here:
        reader, writer = await here.open()
        async with asyncio.timeout(WAIT_S):
            await reader.readuntil(EVENT)
            await reader.readuntil(EVENT)
        began = asyncio.get_running_loop().time()
        writer.transport.abort()
        async with asyncio.timeout(WAIT_S):
            await here.provider.gone.wait()
        took_s = asyncio.get_running_loop().time() - began
        outcome = await here.outcome()

    assert took_s < FREED_S_MAX
    assert (outcome.status, outcome.usage_source) == ("client_gone", "estimated")
    assert outcome.usage.output_tokens > 0


async def test_a_provider_that_breaks_off_is_told_of_in_an_event_after_what_came() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await asyncio.sleep(0.01)
        await exchange.send(chunked(EVENT))
        exchange.close()

    async with running(script) as here:
        got = await here.ask()
        outcome = await here.outcome()

    assert got.startswith(EVENT + EVENT)
    assert b'"error"' in got[2 * len(EVENT) :]
    assert DONE not in got
    assert (outcome.status, outcome.attempts[0].failure) == ("failed", "truncated")


async def test_a_providers_own_error_event_goes_on_and_fails_the_request() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await asyncio.sleep(0.01)
        await exchange.send(chunked(EVENT, ERROR) + ENDS)

    async with running(script) as here:
        got = await here.ask()
        outcome = await here.outcome()

    assert got == EVENT + EVENT + ERROR
    assert outcome.status == "failed"
    assert "it is too hot here" in outcome.error_detail


async def test_another_dialects_stream_is_rendered_as_it_comes() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        for part in (EVENT[:50], EVENT[50:] + EVENT, FINISH + USAGE + DONE):
            await asyncio.sleep(0.005)
            await exchange.send(chunked(part))
        await exchange.send(ENDS)

    async with running(script, dialect="anthropic") as here:
        got = await here.ask("/v1/messages")
        outcome = await here.outcome()

    assert got.count(b'"text_delta","text":"hello"') == 3
    assert got.rstrip().endswith(b'data: {"type":"message_stop"}')
    assert (outcome.status, outcome.usage.output_tokens) == ("answered", 9)


async def test_another_dialects_error_inside_becomes_the_clients() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await asyncio.sleep(0.005)
        await exchange.send(chunked(ERROR) + ENDS)

    async with running(script, dialect="anthropic") as here:
        got = await here.ask("/v1/messages")
        outcome = await here.outcome()

    assert got.count(b"event: error") == 1
    assert b"message_stop" not in got
    assert outcome.status == "failed"


async def test_a_stream_that_was_kept_alive_goes_on_with_its_content() -> None:
    async def script(exchange: Exchange) -> None:
        await asyncio.sleep(0.1)
        await exchange.send(SSE_HEAD + chunked(EVENT))
        await asyncio.sleep(0.005)
        await exchange.send(chunked(EVENT, FINISH, DONE) + ENDS)

    async with running(script, hold_s=0.02) as here:
        got = await here.ask()

    assert got == b": keep-alive\n\n" + EVENT + EVENT + FINISH + DONE
