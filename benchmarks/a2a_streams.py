"""What the A2A agent costs: the CPU of a send, and 10,000 streams that wait for a task.

    python -m benchmarks.a2a_streams [--sends 800] [--rounds 5] [--streams 10000] [--seconds 20]

A send waits for its answer, which the upstream of the other benchmarks gives at once; its CPU is
what the kernel charged to the gateway, storing included. The median over the rounds counts.

The streams follow TASKS tasks, whose model stalls after its first word: nothing is to be said on
them but heartbeats. Meanwhile a client asks for a task on a connection of its own, PROBES times a
second; the time of those calls says what the streams cost everyone else. They are held once by the
process that runs the tasks, and once by a second one on the same data folder.
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from benchmarks.cases import CASES, body_of
from benchmarks.machine import cores, cpu_ns, free_port, rss_mb, running, settled_cpu_ns
from benchmarks.programs import Programs, programs, run_load
from benchmarks.targets import (
    OMNIROUTE,
    Target,
    answering,
    gateway,
    gateway_environment,
    upstream,
)

SEND_CPU_US_MAX = 1_500
STREAMS_MIB_MAX = 500
PROBE_P99_MS_MAX = 50
TASKS = 100
PROBES = 50
OPENING_AT_ONCE = 32
ANSWER_S_MAX = 60.0
STALLS = "sim/fast@latency=0,fault=stall,after=1,seconds=3000"
LONG_S = "3000"
PATIENT = {"OMNIROUTE_A2A_TASK_S": LONG_S, "OMNIROUTE_IDLE_S": LONG_S, "OMNIROUTE_TOTAL_S": LONG_S}


@dataclass
class Streams:
    """The streams that are held, and what became of them."""

    opened: int = 0
    ended: int = 0
    took_s: list[float] = field(default_factory=list[float])


def request(target: Target, method: str, params: object) -> bytes:
    """Give a call of version 1.0 as HTTP."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    return (
        f"POST /a2a HTTP/1.1\r\nhost: 127.0.0.1:{target.port}\r\na2a-version: 1.0\r\n"
        f"authorization: Bearer {target.key}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body


async def asked(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, call: bytes
) -> dict[str, object]:
    """Give the result of a call."""
    writer.write(call)
    async with asyncio.timeout(ANSWER_S_MAX):
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer = json.loads(await reader.readexactly(size))
    if "result" not in answer:
        raise SystemExit(f"{call!r}: {answer!r}")
    result: dict[str, object] = answer["result"]
    return result


async def started(target: Target) -> list[str]:
    """Start the tasks that stall and give their ids."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    found = []
    for number in range(TASKS):
        message = {"messageId": f"m-{number}", "role": "ROLE_USER", "parts": [{"text": "go on"}]}
        params = {
            "message": message,
            "metadata": {"model": STALLS},
            "configuration": {"returnImmediately": True},
        }
        sent = await asked(reader, writer, request(target, "SendMessage", params))
        task = sent["task"]
        assert isinstance(task, dict)
        found.append(str(task["id"]))
    writer.close()
    return found


async def stream(target: Target, task_id: str, opening: asyncio.Semaphore, held: Streams) -> None:
    """Follow a task until the stream ends."""
    async with opening, asyncio.timeout(ANSWER_S_MAX):
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=2**12)
        writer.write(request(target, "SubscribeToTask", {"id": task_id}))
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise SystemExit(f"a stream was refused: {head!r}")
        await reader.readuntil(b"\n\n")
    held.opened += 1
    try:
        while await reader.read(2**12):
            pass
        held.ended += 1
    finally:
        writer.transport.abort()


async def probe(target: Target, task_id: str, held: Streams, seconds: float) -> None:
    """Ask for a task again and again, and note how long each answer took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=2**20)
    call = request(target, "GetTask", {"id": task_id})
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        began_s = time.perf_counter()
        await asked(reader, writer, call)
        held.took_s.append(time.perf_counter() - began_s)
        await asyncio.sleep(1 / PROBES)
    writer.close()


patient = partial(
    gateway, OMNIROUTE_A2A_TASK_S=LONG_S, OMNIROUTE_IDLE_S=LONG_S, OMNIROUTE_TOTAL_S=LONG_S
)


@contextmanager
def another(folder: Path, provider: int, core: int, target: Target) -> Iterator[Target]:
    """Run a second gateway on the data folder of the first."""
    second = replace(target, port=free_port())
    command = [*OMNIROUTE, "serve", "--port", str(second.port), "--no-open"]
    environment = gateway_environment(folder, provider) | PATIENT
    with running(*command, environment=environment, core=core) as process:
        yield answering(replace(second, process=process), time.perf_counter())


async def hold(
    target: Target, ids: Sequence[str], count: int, seconds: float
) -> tuple[Streams, float, float]:
    """Hold so many streams for so long; gives them, the memory in MiB, and the share of a core."""
    assert target.process is not None
    held, opening = Streams(), asyncio.Semaphore(OPENING_AT_ONCE)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(stream(target, ids[place % len(ids)], opening, held))
            for place in range(count)
        ]
        while held.opened < count:
            await asyncio.sleep(0.1)
        spent, began_s = cpu_ns(target.process), time.perf_counter()
        await probe(target, ids[0], held, seconds)
        share = (cpu_ns(target.process) - spent) / 1e9 / (time.perf_counter() - began_s)
        memory = rss_mb(target.process)
        for task in tasks:
            task.cancel()
    return held, memory, share


def tell_streams(
    target: Target, ids: Sequence[str], count: int, seconds: float, where: str
) -> bool:
    """Measure and tell what streams cost; gives whether they keep to the bounds."""
    assert target.process is not None
    before = rss_mb(target.process)
    held, memory, share = asyncio.run(hold(target, ids, count, seconds))
    took_ms = sorted(1e3 * one for one in held.took_s)
    p99 = took_ms[len(took_ms) * 99 // 100]
    print(
        f"{held.opened:,} idle streams of {len(ids)} tasks {where}: {held.ended} ended early; "
        f"memory {before:.0f} to {memory:.0f} MiB (at most {STREAMS_MIB_MAX}), "
        f"{(memory - before) * 1024 / count:.1f} KiB a stream; a probe's p50 "
        f"{statistics.median(took_ms):.1f} ms, p99 {p99:.1f} ms (at most {PROBE_P99_MS_MAX}), "
        f"{share:.0%} of a core"
    )
    return not held.ended and memory < STREAMS_MIB_MAX and p99 < PROBE_P99_MS_MAX


def tell_sends(target: Target, made: Programs, folder: Path, rounds: int, sends: int) -> bool:
    """Measure and tell what a send costs; gives whether it keeps to the bound."""
    assert target.process is not None
    case = next(one for one in CASES if one.name == "a2a")
    body = folder / "send.json"
    body.write_bytes(body_of(case, target.model))
    words = (str(target.port), case.path, str(case.connections), str(sends), str(body))
    found = []
    for _ in range(rounds + 1):
        before = cpu_ns(target.process)
        figures = run_load([*made.load, *words, target.key], cores()[1])
        if figures["errors"]:
            raise SystemExit(f"{figures['errors']:.0f} sends failed")
        found.append((settled_cpu_ns(target.process) - before) / 1000 / figures["requests"])
    spent_us = statistics.median(found[1:])
    print(
        f"message/send, {case.connections} connections: CPU {spent_us:.0f} us a send "
        f"({min(found[1:]):.0f} to {max(found[1:]):.0f}; at most {SEND_CPU_US_MAX})"
    )
    return spent_us <= SEND_CPU_US_MAX


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and tell; give an exit status."""
    parser = argparse.ArgumentParser(description="What the A2A agent costs.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sends", type=int, default=800)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    wanted = parser.parse_args(arguments)
    own, other = cores()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.sched_setaffinity(0, {other})
    print(f"{platform.machine()}, Python {platform.python_version()}")
    made = programs()
    with (
        tempfile.TemporaryDirectory(prefix="omniroute-a2a-") as name,
        upstream(made, other) as provider,
        patient(Path(name) / "gateway", provider, own) as target,
    ):
        kept = tell_sends(target, made, Path(name), wanted.rounds, wanted.sends)
        ids = asyncio.run(started(target))
        kept &= tell_streams(target, ids, wanted.streams, wanted.seconds, "of this process")
        with another(Path(name) / "gateway", provider, own, target) as second:
            kept &= tell_streams(second, ids, wanted.streams, wanted.seconds, "of another process")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
