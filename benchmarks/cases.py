"""What is asked of every target: one row a case."""

import json
from dataclasses import dataclass
from typing import Literal

Kind = Literal["whole", "burst", "paced", "large", "a2a", "mcp"]

EVENTS = 103
"""Events of a stream of 100 chunks: those, the end, the usage and [DONE]."""
PATHS: dict[Kind, str] = {"a2a": "/a2a", "mcp": "/mcp"}
EXPECTED: dict[Kind, bytes] = {"a2a": b'"result":', "mcp": b'"isError":false'}
MCP_VERSION = "2026-07-28"
MCP_META = "io.modelcontextprotocol/"
HEALTH, ROUTE = "omniroute_get_health", "omniroute_route_request"
PROMPT_TOKENS_LARGE = 100_000
BYTES_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Case:
    """So many requests of one kind on so many connections.

    `every_us` and `events` say how a paced stream runs; `tool` is what an MCP call calls. A `pair`
    goes to an upstream of Anthropic's dialect. `heavy` cases are not put to a target that could
    not keep up with them.
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
    pair: bool = False
    tool: str = ""
    ramp_s: float = 0.0

    @property
    def path(self) -> str:
        """Give the door that is knocked at; A2A's and MCP's are ours alone."""
        return PATHS.get(self.kind, "/v1/chat/completions")

    @property
    def headers(self) -> str:
        """Give the lines that a request needs beside the usual ones."""
        if self.kind != "mcp":
            return ""
        told = {"protocol-version": MCP_VERSION, "method": "tools/call", "name": self.tool}
        return "".join(f"mcp-{name}: {value}\r\n" for name, value in told.items())

    @property
    def expected(self) -> bytes:
        """Give bytes that an answer holds, where a failure would have the status 200 as well."""
        return EXPECTED.get(self.kind, b"")


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
    Case("pair-c32", "whole", 32, 2000, "32 connections, Anthropic's dialect upstream", pair=True),
    Case(
        "pair-burst",
        "burst",
        8,
        200,
        "8 connections, streams of 100 chunks in a burst, Anthropic's dialect upstream",
        pair=True,
    ),
    Case("a2a", "a2a", 8, 800, "8 connections, A2A sends that the same combo answers"),
    Case("mcp-health", "mcp", 8, 400, "8 connections, MCP calls of get_health", tool=HEALTH),
    Case(
        "mcp-route",
        "mcp",
        8,
        400,
        "8 connections, MCP calls of route_request that the same combo answers",
        tool=ROUTE,
    ),
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
    if case.kind == "mcp":
        return _call(case.tool, model)
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


def _call(tool: str, model: str) -> bytes:
    """Give an MCP call as clients of the newest protocol version send it, without a session."""
    arguments = {}
    if tool == ROUTE:
        arguments = {"model": model, "messages": [{"role": "user", "content": "word " * 50}]}
    meta = {
        f"{MCP_META}protocolVersion": MCP_VERSION,
        f"{MCP_META}clientInfo": {"name": "load", "version": "1"},
        f"{MCP_META}clientCapabilities": {},
    }
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return json.dumps(call, separators=(",", ":")).encode()
