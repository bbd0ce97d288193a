"""What MCP costs: the CPU of a tool call by transport and era, and how many clients are held.

    python -m benchmarks.mcp_calls [--rounds 5] [--calls 200] [--clients 900]

A call is made over HTTP on one connection that is kept, and over stdio through the relay, whose
own CPU is told apart; each in the newer era and in the older one with a session. The median over
the rounds counts, each with the ways in a shuffled order; the first one warms all up.

A client that is held has a session of the older era with its stream open, which is the dearest
one to have, and calls a tool CALLS_HELD times in `--seconds`, all of them spread evenly. Held are
as many as asked for, if none of their calls fails and no stream ends. A gateway has at most 1000
sessions.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks.machine import cores, cpu_ns, pinned, rss_mb, settled_cpu_ns
from benchmarks.programs import programs
from benchmarks.targets import Target, gateway, upstream

HEALTH, ROUTE = "omniroute_get_health", "omniroute_route_request"
NEWER, OLDER = "2026-07-28", "2025-11-25"
META = {
    "io.modelcontextprotocol/protocolVersion": NEWER,
    "io.modelcontextprotocol/clientCapabilities": {},
}
ACCEPT = "application/json, text/event-stream"
ANSWER_S_MAX = 60.0
CALLS_HELD = 2
"""Calls that each client makes while it is held."""
OPENING_AT_ONCE = 16

Call = Callable[[str, dict[str, Any]], bytes]


@dataclass(frozen=True)
class Way:
    """One way to call a tool.

    Attributes:
        process: the relay's, None where there is none.
    """

    words: str
    call: Call
    process: int | None = None


def message(number: int, method: str, params: object) -> bytes:
    """Give a request as a line."""
    said = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(said).encode()


def hello(number: int) -> bytes:
    """Give what opens a session."""
    about = {"name": "benchmark", "version": "1"}
    told = {"protocolVersion": OLDER, "capabilities": {}, "clientInfo": about}
    return message(number, "initialize", told)


class Http:
    """A client over HTTP, of one era."""

    def __init__(self, target: Target, *, newer: bool) -> None:
        self._connection = HTTPConnection("127.0.0.1", target.port, timeout=ANSWER_S_MAX)
        self._newer = newer
        self._headers = {
            "authorization": f"Bearer {target.key}",
            "accept": ACCEPT,
            "content-type": "application/json",
            "mcp-protocol-version": NEWER if newer else OLDER,
        }
        if not newer:
            self._headers["mcp-session-id"] = self._ask(hello(0), {})[1]

    def call(self, tool: str, arguments: dict[str, Any]) -> bytes:
        """Call a tool and give what came."""
        params: dict[str, Any] = {"name": tool, "arguments": arguments}
        named: dict[str, str] = {}
        if self._newer:
            params["_meta"] = META
            named = {"mcp-method": "tools/call", "mcp-name": tool}
        return self._ask(message(1, "tools/call", params), named)[0]

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _ask(self, body: bytes, headers: dict[str, str]) -> tuple[bytes, str]:
        self._connection.request("POST", "/mcp", body, {**self._headers, **headers})
        answer = self._connection.getresponse()
        return answer.read(), answer.headers.get("mcp-session-id", "")


class Stdio:
    """A client of the relay, of one era."""

    def __init__(self, process: "subprocess.Popen[bytes]", *, newer: bool) -> None:
        self._process = process
        self._newer = newer
        self._number = 0
        if not newer:
            self._ask(hello(0))

    def call(self, tool: str, arguments: dict[str, Any]) -> bytes:
        """Call a tool and give what came."""
        params: dict[str, Any] = {"name": tool, "arguments": arguments}
        if self._newer:
            params["_meta"] = META
        self._number += 1
        return self._ask(message(self._number, "tools/call", params))

    def _ask(self, line: bytes) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()
        while b'"id"' not in (heard := self._process.stdout.readline()):
            if not heard:
                raise SystemExit("the relay has ended")
        return heard


@contextmanager
def relay(target: Target, core: int) -> "Iterator[subprocess.Popen[bytes]]":
    """Run `omniroute --mcp` for a gateway."""
    assert target.key is not None
    process = subprocess.Popen(
        [*pinned(core), sys.executable, "-m", "omniroute.server.cli.main", "--mcp"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "OMNIROUTE_BASE_URL": f"http://127.0.0.1:{target.port}",
            "OMNIROUTE_API_KEY": target.key,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def ways(target: Target, core: int) -> Iterator[list[Way]]:
    """Give every way to call a tool of a gateway."""
    with ExitStack() as stack:
        found = []
        for newer, era in ((True, "newer era"), (False, "older era")):
            http = stack.enter_context(closing(Http(target, newer=newer)))
            found.append(Way(f"HTTP, {era}", http.call))
            process = stack.enter_context(relay(target, core))
            stdio = Stdio(process, newer=newer)
            found.append(Way(f"stdio, {era}", stdio.call, process.pid))
        yield found


def call_us(target: Target, way: Way, tool: str, calls: int) -> tuple[float, float, float]:
    """Give for one call the time, the gateway's CPU and the relay's, in microseconds."""
    assert target.process is not None
    asks: dict[str, Any] = {}
    if tool == ROUTE:
        asks = {"model": target.model, "messages": [{"role": "user", "content": "hello"}]}
    spent = cpu_ns(target.process), process_cpu_ns(way.process)
    began_s = time.perf_counter()
    for _ in range(calls):
        answer = way.call(tool, asks)
        if b'"isError":false' not in answer.replace(b" ", b""):
            raise SystemExit(f"{way.words}: {answer[:600]!r}")
    took_s = time.perf_counter() - began_s
    own = settled_cpu_ns(target.process) - spent[0]
    relays = process_cpu_ns(way.process) - spent[1]
    return took_s / calls * 1e6, own / calls / 1000, relays / calls / 1000


def process_cpu_ns(pid: int | None) -> int:
    """Give the CPU of one process with the threads that have ended, to a hundredth of a second.

    The relay has a thread for each call. Source: proc(5), /proc/pid/stat, fields 14 and 15.
    """
    if pid is None:
        return 0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def tell_calls(target: Target, core: int, rounds: int, calls: int) -> None:
    """Measure and tell what calls cost."""
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    with ways(target, core) as every:
        for seed in range(rounds + 1):
            order = [(way, tool) for way in every for tool in (HEALTH, ROUTE)]
            random.Random(seed).shuffle(order)
            for way, tool in order:
                told = call_us(target, way, tool, calls)
                found.setdefault((way.words, tool), []).append(told)
        memory = statistics.median(rss_mb(way.process) for way in every if way.process is not None)
    for (words, tool), runs in sorted(found.items()):
        took, own, relays = (statistics.median(column) for column in zip(*runs[1:], strict=True))
        beside = f", relay {relays:4.0f} us" if relays else ""
        print(f"{words}, {tool}: {took:5.0f} us, CPU of the gateway {own:4.0f} us{beside}")
    print(f"a relay holds {memory:.0f} MB")


@dataclass
class Held:
    """What clients are to do, and what became of them."""

    every_s: float
    opening: asyncio.Semaphore
    streams: int = 0
    ended: int = 0
    failed: int = 0
    took_s: list[float] = field(default_factory=list)


def head(target: Target, method: str, session: str, body: bytes = b"") -> bytes:
    """Give a request of the older era."""
    named = f"mcp-session-id: {session}\r\n" if session else ""
    return (
        f"{method} /mcp HTTP/1.1\r\nhost: 127.0.0.1:{target.port}\r\nconnection: close\r\n"
        f"authorization: Bearer {target.key}\r\naccept: {ACCEPT}\r\n{named}"
        f"content-type: application/json\r\nmcp-protocol-version: {OLDER}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body


async def asked(target: Target, session: str, body: bytes) -> bytes:
    """Post a message on a connection of its own and give all that came."""
    async with asyncio.timeout(ANSWER_S_MAX):
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        writer.write(head(target, "POST", session, body))
        answer = await reader.read()
        writer.close()
        return answer


async def client(target: Target, place: float, held: Held) -> None:
    """Open a session with its stream, and call a tool again and again until cancelled."""
    async with held.opening:
        opened = await asked(target, "", hello(0))
        session = opened.partition(b"mcp-session-id: ")[2].partition(b"\r\n")[0].decode()
        if not session:
            held.failed += 1
            return
        begun = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
        await asked(target, session, begun)
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        writer.write(head(target, "GET", session))
        if b" 200 " not in await reader.readuntil(b"\r\n\r\n"):
            held.failed += 1
            return
    held.streams += 1
    listening = asyncio.create_task(reader.read())
    try:
        await asyncio.sleep(place * held.every_s)
        while not listening.done():
            began_s = time.perf_counter()
            answer = await asked(
                target, session, message(1, "tools/call", {"name": HEALTH, "arguments": {}})
            )
            held.took_s.append(time.perf_counter() - began_s)
            held.failed += b'"isError":false' not in answer
            await asyncio.sleep(held.every_s)
        held.ended += 1
    finally:
        listening.cancel()
        writer.close()


async def hold(target: Target, clients: int, seconds: float) -> Held:
    """Hold so many clients for so long after the last has come."""
    held = Held(seconds / CALLS_HELD, asyncio.Semaphore(OPENING_AT_ONCE))
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(client(target, place / clients, held)) for place in range(clients)
        ]
        while held.streams + held.failed < clients:
            await asyncio.sleep(0.1)
        held.took_s.clear()
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
    return held


def tell_held(target: Target, clients: int, seconds: float) -> None:
    """Measure and tell how many clients are held."""
    assert target.process is not None
    before = rss_mb(target.process)
    spent, began_s = cpu_ns(target.process), time.perf_counter()
    held = asyncio.run(hold(target, clients, seconds))
    share = (cpu_ns(target.process) - spent) / 1e9 / (time.perf_counter() - began_s)
    after = rss_mb(target.process)
    took = sorted(held.took_s)
    print(
        f"{held.streams} of {clients} clients held, {held.ended} streams ended, {held.failed} "
        f"calls failed; {len(took)} calls, p50 {took[len(took) // 2] * 1e3:.1f} ms, p99 "
        f"{took[len(took) * 99 // 100] * 1e3:.1f} ms, {share:.0%} of a core; memory "
        f"{before:.0f} to {after:.0f} MB, {(after - before) * 1024 / clients:.0f} KB a client"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description="What MCP costs.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--clients", type=int, default=900)
    parser.add_argument("--seconds", type=float, default=20.0)
    wanted = parser.parse_args(arguments)
    own, other = cores()
    os.sched_setaffinity(0, {other})
    print(f"{platform.machine()}, Python {platform.python_version()}")
    with (
        tempfile.TemporaryDirectory(prefix="omniroute-mcp-") as name,
        upstream(programs(), other) as provider,
        gateway(Path(name) / "gateway", provider, own) as target,
    ):
        tell_calls(target, other, wanted.rounds, wanted.calls)
        tell_held(target, wanted.clients, wanted.seconds)


if __name__ == "__main__":
    main()
