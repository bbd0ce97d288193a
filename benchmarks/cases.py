"""What is asked of every target: one row a case."""

import json
from dataclasses import dataclass
from typing import Literal

Kind = Literal["whole", "burst", "paced", "large", "a2a"]

EVENTS = 103
"""Events of a stream of 100 chunks: those, the end, the usage and [DONE]."""
PROMPT_TOKENS_LARGE = 100_000
BYTES_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Case:
    """So many requests of one kind on so many connections.

    `every_us` and `events` say how a paced stream runs. `heavy` cases are not put to a target
    that could not keep up with them.
    """

    name: str
    kind: Kind
    connections: int
    requests: int
    words: str
    every_us: int = 0
    events: int = 100
    tls: bool = False
    heavy: bool = False
    ramp_s: float = 0.0

    @property
    def path(self) -> str:
        """Give the door that is knocked at; A2A's is ours alone."""
        return "/a2a" if self.kind == "a2a" else "/v1/chat/completions"


CASES = (
    Case("c1", "whole", 1, 2000, "1 connection, whole answers of 1 KB"),
    Case("c32", "whole", 32, 4000, "32 connections, whole answers of 1 KB"),
    Case("c128", "whole", 128, 4000, "128 connections, whole answers of 1 KB"),
    Case("burst", "burst", 8, 200, "8 connections, streams of 100 chunks in a burst"),
    Case("paced", "paced", 16, 16, "16 streams, 100 chunks, one every 20 ms", every_us=20_000),
    Case(
        "s500",
        "paced",
        500,
        500,
        "500 streams at once, 60 chunks, one every 50 ms",
        every_us=50_000,
        events=60,
        heavy=True,
    ),
    Case("large", "large", 1, 200, "1 connection, a prompt of 100,000 tokens (400 KB)"),
    Case("tls-c1", "whole", 1, 1000, "1 connection, TLS to the upstream", tls=True),
    Case("tls-c32", "whole", 32, 4000, "32 connections, TLS to the upstream", tls=True),
    Case("a2a", "a2a", 8, 800, "8 connections, A2A sends that the same combo answers"),
)
HELD = Case(
    "held",
    "paced",
    4000,
    4000,
    "4,000 streams at once, 6 chunks, one every 2 s",
    every_us=2_000_000,
    events=6,
    heavy=True,
    ramp_s=5.0,
)


def body_of(case: Case, model: str) -> bytes:
    """Give the request that a case sends; the pace of its stream stands where all pass it on."""
    if case.kind == "a2a":
        return _send(model)
    told = "You are terse."
    if case.kind == "paced":
        told += f" pace={case.every_us}x{case.events}"
    prompt = "word " * 50
    if case.kind == "large":
        prompt = "word " * (PROMPT_TOKENS_LARGE * BYTES_A_TOKEN // 5)
    body = {
        "model": model,
        "messages": [{"role": "system", "content": told}, {"role": "user", "content": prompt}],
        "temperature": 0.2,
        **({"stream": True} if case.kind in ("burst", "paced") else {}),
    }
    return json.dumps(body, separators=(",", ":")).encode()


def _send(model: str) -> bytes:
    """Give an A2A message that asks the same of the same model, in the native dialect."""
    params = {
        "skill": "smart-routing",
        "messages": [{"role": "user", "content": "word " * 50}],
        "metadata": {"model": model},
    }
    send = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": params}
    return json.dumps(send, separators=(",", ":")).encode()
