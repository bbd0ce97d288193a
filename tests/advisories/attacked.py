"""A gateway as an attacker finds it: a process with keys, a provider that notes, and a trap.

Every test here tries what one published advisory of this field describes, against us; its
docstring has the link. Whatever is sent goes to loopback.
"""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.processes import Answer, RunningGateway, gateway

SECRET = "sk-fake-provider-secret-that-nobody-may-see"
WAIT_S = 60.0
CHAT = {"model": "mine/m", "messages": [{"role": "user", "content": "hello"}]}
SIMULATED = {"model": "sim/fast", "messages": [{"role": "user", "content": "hello"}]}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
MCP = {"accept": "application/json, text/event-stream"}
METADATA = (
    "http://169.254.169.254/latest/meta-data",
    "http://[::ffff:169.254.169.254]/v1",
    "http://0xa9fea9fe/v1",
    "http://2852039166/v1",
    "http://[fd00:ec2::254]/v1",
)
_ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


class Provider(ThreadingHTTPServer):
    """Answers any chat, and notes path, headers and body of each."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        named = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append((self.path, named, body))
        told = json.dumps(_ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@dataclass
class Attacked:
    """What is attacked, and what the attacker holds.

    Attributes:
        admin, agent, reader, other, narrow: keys: of an administrator, of one who asks models,
            of one who reads health, of another one who asks models, of one for one model alone.
        ids: the ids of those keys.
        trap: where nothing of ours may ever connect to.
    """

    running: RunningGateway
    provider: Provider
    trap: Provider
    keys: dict[str, str] = field(default_factory=dict[str, str])
    ids: dict[str, str] = field(default_factory=dict[str, str])

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        who: str | None = None,
        **headers: str,
    ) -> Answer:
        """Send one request as the holder of a key, nobody by default."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        key = None if who is None else self.keys[who]
        return self.running.call(method, path, body, key=key, headers=named)

    def raw(self, request: bytes) -> bytes:
        """Send bytes on a connection of their own; give what comes, up to the end of a head."""
        with socket.create_connection(("127.0.0.1", self.running.port), WAIT_S) as line:
            got = b""
            with suppress(ConnectionError):
                line.sendall(request)
                while b"\r\n\r\n" not in got and (part := line.recv(65536)):
                    got += part
            return got

    def status(self, request: bytes) -> int:
        """Give the status of the first answer to these bytes, 0 for none."""
        got = self.raw(request)
        return int(got.split(b" ", 2)[1]) if got.startswith(b"HTTP/") else 0

    def leave(self, request: bytes) -> None:
        """Send bytes and go away without a look at the answer."""
        with socket.create_connection(("127.0.0.1", self.running.port), WAIT_S) as line:
            line.sendall(request)

    @property
    def is_well(self) -> bool:
        """Whether the gateway still answers."""
        return self.ask("GET", "/ready").status == 200


@contextmanager
def providing() -> Iterator[Provider]:
    """Run a provider."""
    with Provider() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


@contextmanager
def attacked(home: Path, **variables: str) -> Iterator[Attacked]:
    """Run a gateway with keys, an account at a provider, and a trap."""
    with (
        providing() as provider,
        providing() as trap,
        gateway(home, **variables) as running,
    ):
        made = Attacked(running, provider, trap, {"token": running.admin_key})
        wishes: Mapping[str, dict[str, Any]] = {
            "admin": {"scopes": ["full", "admin"]},
            "agent": {"scopes": ["agent"]},
            "reader": {"scopes": ["read:health"]},
            "other": {"scopes": ["full"]},
            "narrow": {"scopes": ["write:route"], "models": ["sim/fast"]},
        }
        for name, wish in wishes.items():
            told = made.ask("POST", "/api/keys", {"name": name, **wish}, "token").json()
            made.keys[name], made.ids[name] = told["secret"], told["key"]["key_id"]
        account = {
            "provider": "mine",
            "base_url": f"{provider.url}/v1",
            "dialect": "openai_chat",
            "key": SECRET,
            "models": ["m"],
        }
        added = made.ask("POST", "/api/providers", account, "admin")
        assert added.status == 201, added.body
        yield made
