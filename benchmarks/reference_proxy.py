"""The least that a gateway in Python does for a chat: what ours is measured against in `make test`.

    python -m benchmarks.reference_proxy PORT UPSTREAM_PORT DATABASE

On uvicorn and the same loop as ours, the same sorts of work, each once and plainly: look up the
key, decode the body and encode it with another model's name, forward it on a kept connection,
read the usage of the answer, store a row through one writing thread. So what slows the machine
slows both alike. It must not be made faster or slower: benchmarks/check.py knows how much more
than this our own path may cost.
"""

import asyncio
import json
import queue
import sqlite3
import sys
import threading
import uuid
from typing import Any, cast

import httptools
import uvicorn

KEYS = {b"Bearer none": "everybody"}
ROWS_MAX = 500


class Connection(asyncio.Protocol):
    """A kept connection to the upstream: one answer at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes) -> "asyncio.Future[bytes]":
        self._parser, self._parts = httptools.HttpResponseParser(self), list[bytes]()
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answered

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self._answered.set_result(b"".join(self._parts))


class Proxy:
    """The callable; `idle` are the connections that wait, `rows` what is to be stored."""

    def __init__(self, upstream: int, rows: "queue.SimpleQueue[tuple[str, str]]") -> None:
        self._upstream, self._rows = upstream, rows
        self._idle: list[Connection] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        caller = KEYS[dict(scope["headers"])[b"authorization"]]
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        request = json.loads(body)
        asked = {**request, "model": "gpt-4o"}
        body = json.dumps(asked).encode()
        head = b"POST %b HTTP/1.1\r\nhost: upstream\r\ncontent-length: %d\r\n\r\n"
        connection = self._idle.pop() if self._idle else await self._connect()
        answer = await connection.ask(head % (scope["raw_path"], len(body)) + body)
        self._idle.append(connection)
        told = {"caller": caller, "model": request["model"], **json.loads(answer)["usage"]}
        self._rows.put((uuid.uuid4().hex, json.dumps(told)))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(Connection, "127.0.0.1", self._upstream))[1]


def store(path: str, rows: "queue.SimpleQueue[tuple[str, str]]") -> None:
    """Write what comes, as many rows at once as there are."""
    database = sqlite3.connect(path)
    database.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        "CREATE TABLE outcomes (id TEXT PRIMARY KEY, told TEXT)"
    )
    while True:
        batch = [rows.get()]
        while len(batch) < ROWS_MAX and not rows.empty():
            batch.append(rows.get())
        with database:
            database.executemany("INSERT INTO outcomes VALUES (?, ?)", batch)


if __name__ == "__main__":
    waiting: "queue.SimpleQueue[tuple[str, str]]" = queue.SimpleQueue()
    threading.Thread(target=store, args=(sys.argv[3], waiting), daemon=True).start()
    proxy = Proxy(int(sys.argv[2]), waiting)
    uvicorn.run(proxy, port=int(sys.argv[1]), lifespan="off", access_log=False, log_level="error")
