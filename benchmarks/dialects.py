"""What a translated stream costs: a client of one dialect and a provider of another.

    python -m benchmarks.dialects

An OpenAI and an Anthropic client ask the same gateway in turns for the same stream of an OpenAI
provider, event by event and in a burst. What is told is the CPU of the gateway for each chunk,
as the kernel charged it, and how many times that of bytes that are passed on as they come. The
median over ROUNDS counts, each with the two in the other order than the one before; the first
one warms both up.
"""

import json
import platform
import socket
import statistics
import tempfile
from pathlib import Path

from benchmarks.machine import cores, cpu_ns, settled_cpu_ns
from benchmarks.programs import programs
from benchmarks.targets import Target, gateway, upstream

ROUNDS = 9
STREAMS = 12
EVENTS = 400
EVERY_US = 300
TIMES_MAX = 3.0
"""What a translated chunk may cost, as a multiple of one that is passed on."""
LAST = b"0\r\n\r\n"
ANSWER_S_MAX = 60.0
PATHS = {"openai_chat": "/v1/chat/completions", "anthropic": "/v1/messages"}
WAYS = {
    "event by event": f"You are terse. pace={EVERY_US}x{EVENTS}",
    "in a burst": "You are terse.",
}


def request_of(target: Target, dialect: str, told: str) -> bytes:
    """Give the request for a stream, as a client of a dialect writes it."""
    user = {"role": "user", "content": "word " * 50}
    body: dict[str, object] = {"model": target.model, "stream": True, "max_tokens": 1_000}
    if dialect == "anthropic":
        body |= {"system": told, "messages": [user]}
    else:
        body["messages"] = [{"role": "system", "content": told}, user]
    data = json.dumps(body).encode()
    head = (
        f"POST {PATHS[dialect]} HTTP/1.1\r\nhost: 127.0.0.1:{target.port}\r\n"
        f"authorization: Bearer {target.key}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def chunk_us(target: Target, dialect: str, told: str) -> float:
    """Give the gateway's CPU for each chunk of some streams, in microseconds."""
    assert target.process is not None
    request, events = request_of(target, dialect, told), 0
    before = cpu_ns(target.process)
    with socket.create_connection(("127.0.0.1", target.port), ANSWER_S_MAX) as connection:
        for _ in range(STREAMS):
            connection.sendall(request)
            answer = b""
            while not answer.endswith(LAST):
                data = connection.recv(2**16)
                if not data:
                    raise SystemExit(f"the gateway hung up: {answer[:300]!r}")
                answer += data
            if b" 200 " not in answer[:16]:
                raise SystemExit(f"the gateway refused: {answer[:600]!r}")
            events += answer.count(b"data: ")
    return (settled_cpu_ns(target.process) - before) / 1000 / events


def measured(target: Target, told: str) -> dict[str, float]:
    """Give the CPU for each chunk by the client's dialect."""
    found: dict[str, list[float]] = {dialect: [] for dialect in PATHS}
    for place in range(ROUNDS + 1):
        for dialect in list(PATHS)[:: 1 if place % 2 else -1]:
            found[dialect].append(chunk_us(target, dialect, told))
    return {dialect: statistics.median(times[1:]) for dialect, times in found.items()}


def main() -> None:
    """Measure and tell."""
    own, other = cores()
    print(f"{platform.machine()}, Python {platform.python_version()}")
    with (
        tempfile.TemporaryDirectory(prefix="omniroute-dialects-") as name,
        upstream(programs(), other) as provider,
        gateway(Path(name) / "gateway", provider, own) as target,
    ):
        for way, told in WAYS.items():
            times = measured(target, told)
            ratio = times["anthropic"] / times["openai_chat"]
            print(
                f"a chunk {way}: passed on {times['openai_chat']:.1f} us, for an Anthropic client "
                f"{times['anthropic']:.1f} us, {ratio:.1f} times (at most {TIMES_MAX:.0f})"
            )


if __name__ == "__main__":
    main()
