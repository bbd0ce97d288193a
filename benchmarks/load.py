"""A closed-loop load: each connection sends its next request when its answer is complete.

    python -m benchmarks.load PORT PATH CONNECTIONS REQUESTS BODY_FILE [KEY]

Prints one line of JSON: times in microseconds, requests per second, errors. Nothing of the
answers is parsed beyond where they end, so that it costs little beside what it measures.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

WARM_UP_SHARE = 10
ANSWER_S_MAX = 60


class Client(asyncio.Protocol):
    """One connection; `ask` gives when the answer is complete."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._answered: asyncio.Future[int] | None = None
        self._size, self._needed = 0, -1
        self._tail = b""

    def ask(self, request: bytes) -> asyncio.Future[int]:
        """Send a request; gives the status of its answer."""
        self._size, self._needed, self._tail, self._status = 0, -1, b"", 0
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
            head = data[:end].lower()
            self._status = int(head[9:12])
            at = head.find(b"content-length:")
            self._needed = end + 4 + int(head[at + 15 :].split(b"\r", 1)[0]) if at >= 0 else 0
        self._size += len(data)
        self._tail = (self._tail + data)[-7:]
        whole = self._size >= self._needed if self._needed else self._tail.endswith(b"0\r\n\r\n")
        if whole and self._answered is not None and not self._answered.done():
            self._answered.set_result(self._status)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(ConnectionError("the connection was lost"))


async def worker(port: int, request: bytes, share: int, times_ns: list[int]) -> int:
    """Send `share` requests on one connection. Gives how many failed."""
    _, client = await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", port)
    errors = 0
    for number in range(share):
        began = time.perf_counter_ns()
        async with asyncio.timeout(ANSWER_S_MAX):
            status = await client.ask(request)
        errors += status != 200
        if number * WARM_UP_SHARE >= share:
            times_ns.append(time.perf_counter_ns() - began)
    client.transport.close()
    return errors


async def main() -> None:
    port, path, connections, requests = int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:5])
    body = Path(sys.argv[5]).read_bytes()
    key = f"authorization: Bearer {sys.argv[6]}\r\n" if len(sys.argv) > 6 else ""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"{key}accept: */*\r\nuser-agent: load/1\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    times_ns: list[int] = []
    share = max(requests // connections, 1)
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(worker(port, head.encode() + body, share, times_ns))
            for _ in range(connections)
        ]
    took_s = time.perf_counter() - began
    times_ns.sort()
    result = {
        "requests": share * connections,
        "errors": sum(task.result() for task in tasks),
        "per_s": round(share * connections / took_s, 1),
        "p50_us": times_ns[len(times_ns) // 2] / 1000,
        "p99_us": times_ns[int(len(times_ns) * 0.99)] / 1000,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    uvloop.run(main())
