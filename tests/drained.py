"""A whole gateway that is told to end under load, and what each of its clients saw of it.

Streams of every dialect and protocol run for ever; whole requests come at a steady rate over
connections that are kept. Whoever asked is held to what the gateway itself has recorded: a
request that it took has its answer.
"""

import asyncio
import json
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.processes import RunningGateway, gateway

ENDLESS = "sim/fast@latency=0,words=100000,pace=0.1"
SPLIT = "sim/fast@latency=0,words=100000,pace=0.02,chunk=7"
BRIEF = "sim/fast@latency=0.02"
STOPPING = '"code":"gateway_stopping"'
WAIT_S = 120.0
ASKERS = 20
PAUSE_S = 0.1
"""Twenty that ask ten times a second."""
HELLO = [{"role": "user", "content": "hello"}]
V03 = {
    "kind": "message",
    "messageId": "m",
    "role": "user",
    "parts": [{"kind": "text", "text": "x"}],
}
V10 = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "x"}]}
ROUTE = "omniroute_route_request"
ERA = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": ERA,
    "io.modelcontextprotocol/clientCapabilities": {},
    "progressToken": "p",
}
CALL = {"name": ROUTE, "arguments": {"model": ENDLESS, "messages": HELLO}, "_meta": META}


@dataclass(frozen=True)
class Kind:
    """A kind of stream: how it is asked for, and by what its last event is known.

    `ends` stands in the last event when the gateway has ended it.
    """

    name: str
    path: str
    body: object
    ends: str
    headers: tuple[str, ...] = ()


def rpc(method: str, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def chats(model: str) -> tuple[Kind, ...]:
    """Give a stream of each dialect."""
    chat = {"model": model, "messages": HELLO, "stream": True}
    gemini = f"/v1beta/models/{model}:streamGenerateContent?alt=sse"
    contents = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
    return (
        Kind("chat", "/v1/chat/completions", chat, STOPPING),
        Kind("messages", "/v1/messages", {**chat, "max_tokens": 90_000}, '"type":"error"'),
        Kind(
            "responses", "/v1/responses", {"model": model, "input": "x", "stream": True}, STOPPING
        ),
        Kind("gemini", gemini, contents, '"error"'),
        Kind("completions", "/v1/completions", {**chat, "prompt": "x"}, STOPPING),
        Kind("ollama", "/api/chat", chat, '"error"'),
    )


AGENTS = (
    Kind(
        "a2a native",
        "/a2a",
        rpc("message/stream", skill="smart-routing", messages=HELLO, metadata={"model": ENDLESS}),
        '"failed"',
    ),
    Kind(
        "a2a 0.3",
        "/a2a",
        rpc("message/stream", message=V03, metadata={"model": ENDLESS}),
        '"failed"',
    ),
    Kind(
        "a2a 1.0",
        "/a2a",
        rpc("SendStreamingMessage", message=V10, metadata={"model": ENDLESS}),
        "TASK_STATE_FAILED",
        ("a2a-version: 1.0",),
    ),
    Kind(
        "mcp",
        "/mcp",
        rpc("tools/call", **CALL),
        STOPPING,
        (
            "accept: application/json, text/event-stream",
            f"mcp-protocol-version: {ERA}",
            "mcp-method: tools/call",
            f"mcp-name: {ROUTE}",
        ),
    ),
)
KINDS = (*chats(ENDLESS), *chats(SPLIT), *AGENTS)


@dataclass
class Seen:
    """What the clients saw.

    Attributes:
        streams: by kind, whether each ended as it should, or what it ended with.
        answered: the names of whole requests that were answered well.
        lost: of those that were not, with what came instead.
        exit_status: of the gateway, and how long its end took.
    """

    streams: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    answered: set[str] = field(default_factory=set[str])
    lost: dict[str, str] = field(default_factory=dict[str, str])
    taken: dict[str, str] = field(default_factory=dict[str, str])
    exit_status: int | None = None
    took_s: float = 0.0

    def badly_ended(self) -> Counter[tuple[str, str]]:
        return Counter(one for one in self.streams if one[1] != "well")

    def failed(self) -> dict[str, str]:
        """Requests that the gateway had taken, and that got no good answer."""
        return {name: words for name, words in self.lost.items() if name in self.taken}


def head(kind: Kind, body: bytes) -> bytes:
    lines = [f"POST {kind.path} HTTP/1.1", "host: localhost", "content-type: application/json"]
    lines += [f"content-length: {len(body)}", *kind.headers]
    return "\r\n".join([*lines, "", ""]).encode()


async def stream(port: int, kind: Kind, seen: Seen, begun: asyncio.Semaphore) -> None:
    """Follow one stream to its end.

    A machine with too much to do may not store a task in time: who is told so asks again.
    """
    body = json.dumps(kind.body).encode()
    got = b""
    while b"chunked" not in got:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head(kind, body) + body)
        got = await reader.readuntil(b"\r\n\r\n")
        if b"chunked" not in got:
            writer.close()
            await asyncio.sleep(PAUSE_S)
    begun.release()
    got += await reader.read()
    while not reader.at_eof():
        got += await reader.read()
    writer.close()
    seen.streams.append((kind.name, how_it_ended(kind, got)))


def how_it_ended(kind: Kind, got: bytes) -> str:
    """Give "well", or what is not as it should be."""
    first, _, rest = got.partition(b"\r\n\r\n")
    if b" 200 " not in first.partition(b"\r\n")[0]:
        return first.partition(b"\r\n")[0].decode()
    data, is_whole = unchunked(rest)
    if not is_whole:
        return "cut off"
    lines = [one.strip() for one in data.split(b"\n") if one.strip()]
    events = [one.removeprefix(b"data:").strip() for one in lines if one[:1] in b"d{"]
    for event in events:
        try:
            json.loads(event)
        except ValueError:
            return f"not JSON: {event[-200:]!r}"
    last = events[-1].decode().replace('": ', '":')
    return "well" if kind.ends in last else f"ends with {last[-300:]}"


def unchunked(data: bytes) -> tuple[bytes, bool]:
    """Give what the chunks hold, and whether the last one came."""
    parts: list[bytes] = []
    while True:
        size, found, rest = data.partition(b"\r\n")
        if not found:
            return b"".join(parts), False
        length = int(size, 16)
        if not length:
            return b"".join(parts), True
        parts.append(rest[:length])
        data = rest[length + 2 :]


async def ask_again_and_again(port: int, asker: int, seen: Seen) -> None:
    """Ask over kept connections until the gateway takes no more."""
    body = json.dumps({"model": BRIEF, "messages": HELLO}).encode()
    number = 0
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return
        keeps = True
        while keeps:
            number += 1
            name = f"asker-{asker}-{number}"
            kind = Kind("whole", "/v1/chat/completions", None, "", (f"x-request-id: {name}",))
            try:
                writer.write(head(kind, body) + body)
                first = await reader.readuntil(b"\r\n\r\n")
                length = int(first.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
                answer = await reader.readexactly(length)
            except (OSError, EOFError) as error:
                seen.lost[name] = repr(error)
                break
            if b" 200 " in first.partition(b"\r\n")[0] and b'"choices"' in answer:
                seen.answered.add(name)
            else:
                seen.lost[name] = (first + answer).decode()
            keeps = b"connection: close" not in first.lower()
            await asyncio.sleep(PAUSE_S)
        writer.close()


async def told_to_end(running: RunningGateway, streams: int, seen: Seen) -> None:
    """Have all of them ask, end the gateway in the middle of it, and wait for everyone."""
    begun, port = asyncio.Semaphore(0), running.port
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        for number in range(streams):
            group.create_task(stream(port, KINDS[number % len(KINDS)], seen, begun))
        for asker in range(ASKERS):
            group.create_task(ask_again_and_again(port, asker, seen))
        for _ in range(streams):
            await begun.acquire()
        while len(seen.answered) < ASKERS:
            await asyncio.sleep(0.01)
        began_s = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        seen.exit_status = await loop.run_in_executor(None, running.process.wait, WAIT_S)
        seen.took_s = time.monotonic() - began_s


def drained(home: Path, *words: str, streams: int = 100, shutdown_s: float) -> Seen:
    """Run a gateway, end it under load and give what was seen."""
    seen = Seen()
    with gateway(home, *words, OMNIROUTE_SHUTDOWN_S=str(shutdown_s)) as running:
        asyncio.run(told_to_end(running, streams, seen))
    seen.taken = taken(home / "data" / "storage.sqlite")
    return seen


def taken(path: Path) -> dict[str, str]:
    """Give the whole requests that the gateway has on record, and how it says they ended."""
    sql = "SELECT client_request_id, status FROM outcomes WHERE client_request_id LIKE 'asker-%'"
    with closing(sqlite3.connect(path)) as database:
        rows: Sequence[tuple[str, str]] = database.execute(sql).fetchall()
    return dict(rows)
