"""`omniroute --dev`: a port of loopback where MCP is served and nothing else."""

import asyncio
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from tests.processes import Answer, free_port, plain_environment, run_command

pytestmark = pytest.mark.anyio

ERAS = ("legacy", "2026-07-28")
WAIT_S = 30.0
SERVE = """
import sys
from omniroute.server import listeners, serve
from omniroute.server.cli.main import main
listeners.MCP_PORT = serve.MCP_PORT = int(sys.argv[1])
sys.exit(main(["serve", "--dev", "--no-open", *sys.argv[2:]]))
"""
"""The command, with a port that two tests at once do not share."""
CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}


class Ports:
    """A gateway with `--dev`: where it listens, and for MCP alone."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port, self.mcp_port = free_port(), free_port()
        self.environment = plain_environment(home)

    def ask(self, port: int, method: str, path: str, body: object = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent: Mapping[str, str] = {"content-type": "application/json", **named}
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{port}{path}"
        request = urllib.request.Request(url, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def new_key(self, scope: str) -> str:
        made = run_command(
            *("keys", "add", "--name", scope, "--scope", scope, "--json"),
            environment=self.environment,
        )
        secret: str = json.loads(made.stdout)["secret"]
        return secret


@contextmanager
def serving(home: Path, *words: str) -> Iterator[Ports]:
    ports = Ports(home)
    with (home / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", SERVE, str(ports.mcp_port)),
                *("--port", str(ports.port), *words),
            ],
            env=ports.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            ends_s = time.monotonic() + WAIT_S
            while time.monotonic() < ends_s:
                try:
                    if ports.ask(ports.port, "GET", "/ready").status == 200:
                        break
                except OSError:
                    time.sleep(0.02)
            yield ports
        finally:
            process.terminate()
            process.wait(WAIT_S)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    with serving(tmp_path_factory.mktemp("dev")) as one:
        yield one


@asynccontextmanager
async def client(port: int, era: str, key: str | None = None) -> AsyncIterator[Client]:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    url = f"http://127.0.0.1:{port}/mcp"
    async with (
        asyncio.timeout(WAIT_S),
        httpx2.AsyncClient(headers=headers, timeout=WAIT_S) as http,
        Client(streamable_http_client(url, http_client=http), mode=era) as one,
    ):
        yield one


@pytest.mark.parametrize("era", ERAS)
async def test_tools_are_called_there_as_at_the_gateways_own_port(ports: Ports, era: str) -> None:
    async with client(ports.mcp_port, era) as there, client(ports.port, era) as here:
        asked = await there.call_tool("omniroute_route_request", CHAT)
        assert isinstance(asked.structured_content, dict)
        request_id = asked.structured_content["routing"]["requestId"]
        told = await here.call_tool("omniroute_explain_route", {"requestId": request_id})

    assert isinstance(told.structured_content, dict)
    assert told.structured_content["status"] == "answered"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/", None),
        ("GET", "/health", None),
        ("GET", "/v1/models", None),
        ("POST", "/v1/chat/completions", CHAT),
        ("POST", "/v1/responses", {"model": "auto", "input": "hello"}),
        ("POST", "/v1beta/models/auto:generateContent", {"contents": []}),
        ("GET", "/api/keys", None),
        ("POST", "/a2a", {}),
        ("GET", "/.well-known/agent-card.json", None),
        ("POST", "/api/mcp/stream", {}),
        ("GET", "/mcp/../v1/models", None),
        ("GET", "//mcp", None),
    ],
)
def test_nothing_else_is_answered_there(ports: Ports, method: str, path: str, body: object) -> None:
    answer = ports.ask(ports.mcp_port, method, path, body)

    assert answer.status == 404
    assert "this port answers MCP at /mcp alone" in str(answer.json()["error"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"host": "evil.example"}, 421), ({"origin": "https://evil.example"}, 403)],
)
def test_host_and_origin_are_checked_there(
    ports: Ports, headers: dict[str, str], status: int
) -> None:
    assert ports.ask(ports.mcp_port, "POST", "/mcp", {}, **headers).status == status


def test_only_this_machine_reaches_it(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0") as ports:
        with socket.create_connection(("127.0.0.2", ports.port), WAIT_S):
            pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", ports.mcp_port), WAIT_S)


async def test_keys_and_their_scopes_count_there(tmp_path: Path) -> None:
    with serving(tmp_path) as ports:
        reader = ports.new_key("readonly")
        keyless = ports.ask(ports.mcp_port, "POST", "/mcp", {})
        async with client(ports.mcp_port, "2026-07-28", reader) as mine:
            with pytest.raises(MCPError, match="lacks scope write:route"):
                await mine.call_tool("omniroute_route_request", CHAT)

    assert keyless.status == 401


@pytest.mark.skipif(sys.platform != "linux", reason="several workers need Linux")
@pytest.mark.parametrize("era", ERAS)
async def test_several_workers_serve_it_and_each_request_may_be_anothers(
    tmp_path: Path, era: str
) -> None:
    with serving(tmp_path, "--workers", "2") as ports:
        async with client(ports.mcp_port, era) as one, client(ports.port, era) as two:
            answers: list[Any] = [
                await mine.call_tool("omniroute_get_health")
                for mine in (one, two)
                for _ in range(4)
            ]
        refused = ports.ask(ports.mcp_port, "GET", "/health")

    assert [answer.is_error for answer in answers] == [False] * 8
    assert refused.status == 404


def test_a_port_that_is_taken_is_named_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-c", SERVE, str(number), "--port", str(free_port())],
            env=plain_environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )

    assert done.returncode == 69
    assert f"Cannot listen on 127.0.0.1:{number}, where --dev serves MCP" in done.stderr
    assert "Leave out --dev" in done.stderr
