"""The load where no C compiler is: what load.c does, in Python.

    python -m benchmarks.load PORT PATH CONNECTIONS REQUESTS BODY_FILE
                              [KEY [RAMP_S [stay|leave [HEADERS]]]]

A closed loop: each connection sends its next request when its answer is complete. Prints one
line of JSON; benchmarks/load.c says what the figures are.
"""

import asyncio
import json
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import uvloop

WARM_UP_SHARE = 10
ANSWER_S_MAX = 240
STAMP = re.compile(rb"t=(\d{7,})")
LAST_WHOLE, LAST_STREAM = b"0\r\n\r\n", b"data: [DONE]"


@dataclass
class Seen:
    """What all connections have seen; with `leaves` they end at their answers' first bytes."""

    leaves: bool = False

    times_ns: list[int] = field(default_factory=list)
    first_ns: list[int] = field(default_factory=list)
    lags_ns: list[int] = field(default_factory=list)
    events: int = 0
    errors: int = 0
    at_once: int = 0
    at_once_most: int = 0


class Client(asyncio.Protocol):
    """One connection; `ask` gives when the answer is complete."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._answered: asyncio.Future[bool] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes) -> asyncio.Future[bool]:
        """Send a request; gives whether its answer was whole and of status 200."""
        self._size, self._needed, self._tail, self._status = 0, -1, b"", 0
        self._stream = self._done = False
        self.first_ns = 0
        self._answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answered

    def data_received(self, data: bytes) -> None:
        if self._needed == -1:
            data = self._tail + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._tail = data
                return
            self._read_head(data[:end].lower(), end + 4)
        self.first_ns = self.first_ns or time.perf_counter_ns()
        self._size += len(data)
        if self._stream:
            self._read_events(data)
        self._tail = (self._tail + data)[-24:]
        whole = self._size >= self._needed if self._needed else self._tail.endswith(LAST_WHOLE)
        if self._seen.leaves:
            self._done = whole = True
            self.transport.abort()
        if whole and self._answered is not None and not self._answered.done():
            self._seen.at_once -= 1
            self._answered.set_result(self._status == 200 and (self._done or not self._stream))

    def _read_head(self, head: bytes, size: int) -> None:
        self._status = int(head[9:12])
        at = head.find(b"content-length:")
        self._needed = size + int(head[at + 15 :].split(b"\r", 1)[0]) if at >= 0 else 0
        self._stream = b"text/event-stream" in head
        self._seen.at_once += 1
        self._seen.at_once_most = max(self._seen.at_once_most, self._seen.at_once)

    def _read_events(self, data: bytes) -> None:
        """Count events and note how old they are; one that two reads share may go unread."""
        now_ns = time.monotonic_ns()
        self._seen.events += data.count(b"data: ")
        self._seen.lags_ns += [now_ns - int(stamp) for stamp in STAMP.findall(data)]
        self._done = self._done or LAST_STREAM in self._tail + data

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(ConnectionError("the connection was lost"))


async def worker(port: int, request: bytes, share: int, seen: Seen, wait_s: float) -> None:
    """Send `share` requests on one connection."""
    await asyncio.sleep(wait_s)
    loop = asyncio.get_running_loop()
    client = None
    for number in range(share):
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                if client is None:
                    _, client = await loop.create_connection(
                        lambda: Client(seen), "127.0.0.1", port
                    )
                began_ns = time.perf_counter_ns()
                good = await client.ask(request)
        except OSError:  # a time-out is one, too
            seen.errors, client = seen.errors + 1, None
            continue
        seen.errors += not good
        if good and (number * WARM_UP_SHARE >= share or share == 1):
            seen.times_ns.append(time.perf_counter_ns() - began_ns)
            seen.first_ns.append(client.first_ns - began_ns)
        client = None if seen.leaves else client
    if client is not None:
        client.transport.close()


def percentile_us(times_ns: list[int], share: float) -> float:
    times_ns.sort()
    return times_ns[int(len(times_ns) * share)] / 1000 if times_ns else 0.0


async def main() -> None:
    port, path, connections, requests = int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:5])
    body = Path(sys.argv[5]).read_bytes()
    key = f"authorization: Bearer {sys.argv[6]}\r\n" if len(sys.argv) > 6 else ""
    ramp_s = float(sys.argv[7]) if len(sys.argv) > 7 else 0.0
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"{key}{''.join(sys.argv[9:])}accept: */*\r\nuser-agent: load/1\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    seen = Seen(leaves=sys.argv[8:9] == ["leave"])
    share = max(requests // connections, 1)
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for place in range(connections):
            wait_s = ramp_s * place / connections
            group.create_task(worker(port, head.encode() + body, share, seen, wait_s))
    took_s = time.perf_counter() - began
    result = {
        "requests": share * connections,
        "errors": seen.errors,
        "per_s": round(share * connections / took_s, 1),
        "p50_us": percentile_us(seen.times_ns, 0.5),
        "p99_us": percentile_us(seen.times_ns, 0.99),
        "first_p50_us": percentile_us(seen.first_ns, 0.5),
        "first_p99_us": percentile_us(seen.first_ns, 0.99),
        "events": seen.events,
        "lag_p50_us": percentile_us(seen.lags_ns, 0.5),
        "lag_p99_us": percentile_us(seen.lags_ns, 0.99),
        "at_once": seen.at_once_most,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    uvloop.run(main())
