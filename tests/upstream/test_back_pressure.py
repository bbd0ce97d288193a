"""A client that reads slowly holds its provider back through the whole gateway, measured."""

import asyncio
import json
import socket
from pathlib import Path

import psutil
import pytest

from tests import processes

from .servers import DONE, FINISH, SSE_HEAD, WAIT_S, Exchange, chunked, serving

pytestmark = pytest.mark.anyio

MIB = 2**20
PART_BYTES = 16_000
PARTS = 2_000
GROWTH_BYTES_MAX = 8 * MIB
"""What one slow client may cost the gateway; what waits is some 30 MiB."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def event(size: int) -> bytes:
    """Give an event with content of that size."""
    choice = {"index": 0, "delta": {"content": "x" * size}, "finish_reason": None}
    body = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**body, "choices": [choice]}).encode() + b"\n\n"


async def test_a_client_that_reads_nothing_stops_the_provider_and_costs_little_memory(
    tmp_path: Path,
) -> None:
    part, sent = chunked(event(PART_BYTES)), 0

    async def script(exchange: Exchange) -> None:
        nonlocal sent
        await exchange.send(SSE_HEAD)
        for _ in range(PARTS):
            await exchange.send(part)
            sent += 1
        await exchange.send(chunked(FINISH, DONE) + b"0\r\n\r\n")

    async with serving(script) as server:
        started = processes.gateway(
            tmp_path, OPENAI_API_KEY="sk-fake-openai", OPENAI_BASE_URL=server.url
        )
        gateway = await asyncio.to_thread(started.__enter__)
        try:
            process = psutil.Process(gateway.process.pid)
            before = process.memory_info().rss
            reader, writer = await slow_client(gateway.port)
            stalled = await until_still(lambda: sent)
            grown = process.memory_info().rss - before
            async with asyncio.timeout(4 * WAIT_S):
                answered = await reader.read(-1)
            writer.close()
        finally:
            await asyncio.to_thread(started.__exit__, None, None, None)

    assert 0 < stalled < PARTS / 2
    assert grown < GROWTH_BYTES_MAX
    assert answered.count(b"x" * PART_BYTES) == PARTS


async def slow_client(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask for a stream and read only the head of the answer."""
    connected = socket.socket()
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    connected.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connected, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=connected, limit=64 * 1024)
    body = b'{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}'
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nconnection: close\r\n"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (port, len(body), body)
    )
    async with asyncio.timeout(WAIT_S):
        head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head
    return reader, writer


async def until_still(count: object) -> int:
    """Give a count once it has not changed for a while."""
    assert callable(count)
    last, still = -1, 0
    async with asyncio.timeout(2 * WAIT_S):
        while still < 10:
            await asyncio.sleep(0.05)
            now: int = count()
            still = still + 1 if now == last and now else 0
            last = now
    return last
