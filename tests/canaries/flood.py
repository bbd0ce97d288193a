"""A gateway that is given secrets wherever anybody can give it one, and all that it then says."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count

from tests.workers.clients import Client

from .secrets import canary, found_in

MCP = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
ACCOUNTS = 100
WRONG_KEYS = 1_000
NO_LOG = 900
PROMPTS = 400
LOGGED = 200
HEADERS = 450
BAD_BODIES = 300
AT_ONCE = 4


@dataclass
class Said:
    """What a gateway has answered, as far as no secret may be in it."""

    leaks: list[str] = field(default_factory=list[str])
    answers: int = 0

    def take(self, where: str, head: dict[str, str], body: bytes) -> None:
        """Look at one answer, its headers among it."""
        self.answers += 1
        text = "\n".join(f"{name}: {value}" for name, value in head.items()).encode()
        self.leaks += [f"{where}: {words}" for words in found_in(text + b"\n" + body)]


def at_once(port: int, jobs: Iterator["Job"], said: Said) -> None:
    """Send many requests on a few connections, and look at what they are answered."""

    def work(share: list[Job]) -> None:
        client = Client(port)
        try:
            for job in share:
                heard = client.ask(job.method, job.path, job.body, **job.headers)
                if job.is_looked_at or heard.status >= 400:
                    said.take(f"{job.method} {job.path}", heard.headers, heard.body)
                else:
                    said.take(f"{job.method} {job.path}", heard.headers, b"")
        finally:
            client.close()

    todo = list(jobs)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(work, todo[at::AT_ONCE]) for at in range(AT_ONCE)]:
            done.result()


@dataclass(frozen=True)
class Job:
    """One request; a good answer is looked at unless it says again what was asked."""

    method: str
    path: str
    body: object = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    is_looked_at: bool = False


def chat(prompt: str, model: str = "sim/fast@latency=0") -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": prompt}]}


def prompts(key: str, number: int) -> Iterator[Job]:
    """Give requests of a key that keeps no content, at every door that takes a prompt."""
    for at in range(number):
        text = canary("prompt")
        sent = {"authorization": f"Bearer {key}"}
        system = {"role": "system", "content": canary("system prompt")}
        whole = {**chat(text), "messages": [system, *[{"role": "user", "content": text}]]}
        yield (
            Job("POST", "/v1/chat/completions", whole, sent),
            Job("POST", "/v1/chat/completions", {**whole, "stream": True}, sent),
            Job("POST", "/v1/messages", {**chat(text), "max_tokens": 20}, sent),
            Job(
                "POST",
                "/v1/responses",
                {"model": "sim/fast@latency=0", "input": text, "store": True},
                {**sent, "idempotency-key": f"name-{at}"},
            ),
            Job(
                "POST",
                "/v1/completions",
                {"model": "sim/fast@latency=0", "prompt": text},
                sent,
            ),
            Job("POST", "/v1/embeddings", {"model": "sim/embed", "input": text}, sent),
            Job(
                "POST",
                "/mcp",
                called("omniroute_route_request", chat(text)),
                sent | MCP,
            ),
            Job("POST", "/a2a", asked(text), sent),
        )[at % 8]


def logged(key: str, number: int) -> Iterator[Job]:
    """Give requests of a key that has its prompts kept, at doors that keep none by themselves."""
    for at in range(number):
        text, sent = canary("logged prompt"), {"authorization": f"Bearer {key}"}
        yield (
            Job("POST", "/v1/chat/completions", chat(text), sent),
            Job("POST", "/v1/chat/completions", {**chat(text), "stream": True}, sent),
            Job("POST", "/v1/messages", {**chat(text), "max_tokens": 20}, sent),
            Job("POST", "/v1/embeddings", {"model": "sim/embed", "input": text}, sent),
        )[at % 4]


def called(tool: str, arguments: object) -> dict[str, object]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def asked(text: str) -> dict[str, object]:
    params = {
        "skill": "smart-routing",
        "messages": [{"role": "user", "content": text}],
        "metadata": {"model": "sim/fast@latency=0"},
    }
    return {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": params}


def wrong_keys(number: int) -> Iterator[Job]:
    """Give requests with credentials that are not ours."""
    paths = ("/v1/chat/completions", "/v1/messages", "/mcp", "/a2a", "/api/keys", "/metrics")
    for at in range(number):
        path, secret = paths[at % len(paths)], canary("wrong key")
        method = "GET" if path in ("/api/keys", "/metrics") else "POST"
        body = None if method == "GET" else chat("hello")
        named = ("authorization", "x-api-key", "api-key", "x-goog-api-key")[at % 4]
        value = f"Bearer {secret}" if named == "authorization" else f"sk-omni-{secret}"
        if at % 5 == 0:
            path = f"/v1beta/models/sim/fast:generateContent?key={secret}"
            yield Job("POST", path, {"contents": []})
        else:
            yield Job(method, path, body, {named: value})


def headers(key: str, number: int) -> Iterator[Job]:
    """Give good requests with secrets in headers and queries that mean nothing here."""
    for at in range(number):
        sent = {
            "authorization": f"Bearer {key}",
            "cookie": f"session={canary('cookie')}",
            "x-aws-secret": canary("header"),
            "proxy-authorization": f"Basic {canary('header')}",
            "user-agent": canary("user agent"),
        }
        query = f"?token={canary('query')}"
        yield (
            Job("POST", f"/v1/chat/completions{query}", chat("hello"), sent, True),
            Job("GET", f"/v1/models{query}", None, sent, True),
            Job("GET", f"/api/status{query}", None, sent, True),
        )[at % 3]


def bad_bodies(key: str, number: int) -> Iterator[Job]:
    """Give requests whose bodies are wrong, with secrets in them."""
    paths = ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/mcp", "/a2a", "/api/keys")
    for at in range(number):
        secret, path = canary("bad body"), paths[at % len(paths)]
        bodies: tuple[object, ...] = (
            {"model": 7, "messages": secret},
            {"model": "sim/fast", "messages": [{"role": "user", "content": [secret]}]},
            {"model": "sim/fast", "messages": [{"role": "user"}], "temperature": secret},
            [secret],
            {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": 1, "x": secret}},
        )
        yield Job("POST", path, bodies[at % len(bodies)], {"authorization": f"Bearer {key}"} | MCP)


async def unkind(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as a provider that says again, in an error, which key it was sent."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            await reader.readexactly(int(lines.get("content-length", "0")))
            key = lines.get("authorization", "").removeprefix("Bearer ")
            status = ("401 Unauthorized", "400 Bad Request", "500 Oops")[next(_turns) % 3]
            words = f"Incorrect API key provided: {key}. You sent {lines.get('authorization')}"
            body = json.dumps({"error": {"message": words, "type": "x", "code": key}}).encode()
            writer.write(
                f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-request-id: {key}\r\n"
                f"openai-organization: {key}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
                + body
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


_turns = count()
