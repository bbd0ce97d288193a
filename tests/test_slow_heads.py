"""Thousands of clients that never end the head of their request, against a whole gateway."""

import asyncio
import resource
import time
from collections import Counter

import pytest

from omniroute.server.pace import HEAD_S_MAX
from tests.processes import RunningGateway

pytestmark = pytest.mark.anyio

CLIENTS = 5000
AT_ONCE = 500
TRICKLES = 4
WAIT_S = 60.0
BEGUN = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"


class SlowClient(asyncio.Protocol):
    """Begins a head, adds to it again and again, and never ends it."""

    def __init__(self, ended: "asyncio.Future[str]", began_s: float) -> None:
        self.began_s = began_s
        self.answer = b""
        self._ended = ended
        self._left = TRICKLES

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(BEGUN)
        self._trickle(transport)

    def data_received(self, data: bytes) -> None:
        self.answer += data

    def connection_lost(self, exc: Exception | None) -> None:
        lived_s = time.monotonic() - self.began_s
        word = self.answer.partition(b"\r\n")[0].decode()
        if word.endswith("408 Request Timeout") and lived_s < HEAD_S_MAX - 0.5:
            word = "too early"
        self._ended.set_result(word)

    def _trickle(self, transport: asyncio.WriteTransport) -> None:
        if self._left and not transport.is_closing():
            self._left -= 1
            transport.write(b"x-a: 1\r\n")
            asyncio.get_running_loop().call_later(1.0, self._trickle, transport)


@pytest.fixture
def many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < CLIENTS + 500:
        resource.setrlimit(resource.RLIMIT_NOFILE, (CLIENTS + 500, hard))


@pytest.mark.usefixtures("many_files")
async def test_five_thousand_slow_heads_end_at_the_deadline_and_hold_nobody_up(
    running_gateway: RunningGateway,
) -> None:
    loop = asyncio.get_running_loop()
    port = running_gateway.port
    ends: list[asyncio.Future[str]] = []

    async def connect() -> None:
        ended: asyncio.Future[str] = loop.create_future()
        ends.append(ended)
        # Before the gateway can have accepted it: its own clock begins there.
        began_s = time.monotonic()
        await loop.create_connection(lambda: SlowClient(ended, began_s), "127.0.0.1", port)

    for _ in range(CLIENTS // AT_ONCE):
        await asyncio.gather(*(connect() for _ in range(AT_ONCE)))
    meanwhile = await asyncio.to_thread(running_gateway.call, "GET", "/health")
    async with asyncio.timeout(WAIT_S):
        words = Counter(await asyncio.gather(*ends))

    # Who does not read before the other side closes may see a reset in place of the words.
    refused = words.pop("HTTP/1.1 408 Request Timeout") + words.pop("", 0)
    assert words == Counter()
    assert refused == CLIENTS
    assert meanwhile.status == 200
