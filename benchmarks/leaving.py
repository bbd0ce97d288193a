"""How soon a client that leaves before the first byte frees the upstream.

A provider that never answers counts its connections; each of CLIENTS clients asks through the
gateway, waits until the provider has the request, and closes. The time is from that close to
the provider seeing its own connection end.
"""

import asyncio
import json
import os
import time
from pathlib import Path

from benchmarks.targets import Target, free_port, gateway

CLIENTS = 1000
AT_ONCE = 50
WAIT_S_MAX = 10.0


class Silent(asyncio.Protocol):
    """A provider that takes a request and says nothing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.mark: bytes = b""
        self.gone_s: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if b"mark-" in self._seen and self._seen.rstrip().endswith(b"}"):
            self.mark = self._seen.partition(b"mark-")[2][:6]
            REQUESTS[self.mark].set_result(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.gone_s.done():
            self.gone_s.set_result(time.perf_counter())


REQUESTS: dict[bytes, "asyncio.Future[Silent]"] = {}


async def leave(target: Target, number: int) -> float:
    """Ask, wait until the provider has it, leave; gives the seconds until it is freed."""
    mark = b"%06d" % number
    REQUESTS[mark] = asyncio.get_running_loop().create_future()
    body = json.dumps(
        {
            "model": "gpt-4o",
            "stream": number % 2 == 0,
            "messages": [{"role": "user", "content": f"mark-{mark.decode()}"}],
        }
    ).encode()
    _, writer = await asyncio.open_connection("127.0.0.1", target.port)
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n"
        % ((target.key or "").encode(), len(body))
        + body
    )
    async with asyncio.timeout(WAIT_S_MAX):
        provider = await REQUESTS[mark]
        left_s = time.perf_counter()
        writer.transport.abort()
        return await provider.gone_s - left_s


async def measure(target: Target, upstream_port: int) -> list[float]:
    """Give the seconds of every client, in order of size."""
    server = await asyncio.get_running_loop().create_server(
        Silent, "127.0.0.1", upstream_port, backlog=1024
    )
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> float:
        async with room:
            return await leave(target, number)

    async with server:
        return sorted(await asyncio.gather(*(one(number) for number in range(CLIENTS))))


def report(folder: Path) -> None:
    """Print the times."""
    port = free_port()
    core = sorted(os.sched_getaffinity(0))[0]
    with gateway(folder, port, core) as target:
        times_s = asyncio.run(measure(target, port))
    p50, p99 = times_s[len(times_s) // 2], times_s[int(len(times_s) * 0.99)]
    print(
        f"\nclients that left before the first byte: {len(times_s)} of {CLIENTS} freed the "
        f"upstream; p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, "
        f"worst {times_s[-1] * 1000:.1f} ms"
    )
