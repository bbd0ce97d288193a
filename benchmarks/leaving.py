"""How soon a client that leaves before the first byte frees the upstream.

A provider that never answers counts its connections; each of CLIENTS clients asks through the
gateway, waits until the provider has the request, and closes. The time is from that close to
the provider seeing its own connection end.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.machine import cores, free_port
from benchmarks.programs import programs
from benchmarks.targets import OMNIROUTE, Target, gateway, upstream

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
        % (target.key.encode(), len(body))
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


def measured(folder: Path, program: Sequence[str] = OMNIROUTE) -> dict[str, float]:
    """Give how many clients left and freed the upstream, and the milliseconds that it took."""
    port = free_port()
    core, other = cores()
    with ExitStack() as opened:
        # The gateway's first answer comes from a provider that speaks; then a silent one takes
        # its port.
        speaking = opened.enter_context(ExitStack())
        speaking.enter_context(upstream(programs(), other, port))
        target = opened.enter_context(gateway(folder, port, core, program=program))
        speaking.close()
        times_s = asyncio.run(measure(target, port))
    return {
        "clients": CLIENTS,
        "freed": len(times_s),
        "p50": times_s[len(times_s) // 2] * 1000,
        "p99": times_s[int(len(times_s) * 0.99)] * 1000,
        "worst": times_s[-1] * 1000,
    }
