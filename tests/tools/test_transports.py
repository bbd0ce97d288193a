"""MCP with whole processes: a gateway, `omniroute --mcp` and the official client."""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, ResourceTemplateReference, TextResourceContents

from tests.processes import OMNIROUTE, RunningGateway, free_port, plain_environment

pytestmark = pytest.mark.anyio

ERAS = ("legacy", "2026-07-28")
TRANSPORTS = ("stdio", "http")
NAMES = [
    "omniroute_get_health",
    "omniroute_list_combos",
    "omniroute_list_models_catalog",
    "omniroute_route_request",
    "omniroute_simulate_route",
    "omniroute_explain_route",
    "omniroute_set_budget_guard",
    "omniroute_set_resilience_profile",
]
ASK: dict[str, Any] = {
    "model": "auto",
    "messages": [{"role": "user", "content": "say hello"}],
}
SLOW: dict[str, Any] = {**ASK, "model": "sim/fast@latency=60"}
WAIT_S = 30
READY_S = 0.6
"""Twice the figure that is asked for: tests share their machine."""


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def client(
    gateway: RunningGateway, transport: str, era: str, *, key: str | None = None
) -> AsyncIterator[Client]:
    async with asyncio.timeout(WAIT_S):
        if transport == "stdio":
            environment = dict(gateway.environment)
            if key is not None:
                environment["OMNIROUTE_API_KEY"] = key
            command, *words = (*OMNIROUTE, "--mcp")
            server = StdioServerParameters(command=command, args=words, env=environment)
            async with Client(server, mode=era) as one:
                yield one
        else:
            headers = {} if key is None else {"authorization": f"Bearer {key}"}
            async with (
                httpx2.AsyncClient(headers=headers, timeout=WAIT_S) as http,
                Client(
                    streamable_http_client(f"{gateway.url}/mcp", http_client=http), mode=era
                ) as one,
            ):
                yield one


def values(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


async def test_the_tools_are_listed_and_called(
    shared_gateway: RunningGateway, transport: str, era: str
) -> None:
    async with client(shared_gateway, transport, era) as mine:
        listed = [tool.name for tool in (await mine.list_tools()).tools]
        health = values(await mine.call_tool("omniroute_get_health"))
        combos = values(await mine.call_tool("omniroute_list_combos", {"includeMetrics": True}))
        models = values(await mine.call_tool("omniroute_list_models_catalog"))
        answer = values(await mine.call_tool("omniroute_route_request", ASK))
        request_id = answer["routing"]["requestId"]
        simulated = values(
            await mine.call_tool(
                "omniroute_simulate_route",
                {"model": "auto", "promptTokenEstimate": 10, "requestId": request_id},
            )
        )
        told = values(await mine.call_tool("omniroute_explain_route", {"requestId": request_id}))

    assert listed == NAMES
    assert health["simulatedOnly"] is True
    assert isinstance(combos["combos"], list)
    assert "auto" in [one["id"] for one in models["models"]]
    assert "say hello" in answer["response"]["content"]
    assert answer["routing"]["simulated"] is True
    assert simulated["requestId"] == told["requestId"] == request_id
    assert told["status"] == "answered"
    assert len(told["verdicts"]) == len(simulated["simulatedPath"])


async def test_resources_prompts_and_completion_are_there(
    shared_gateway: RunningGateway, transport: str, era: str
) -> None:
    template = ResourceTemplateReference(uri="omniroute://models/{+model}")

    async with client(shared_gateway, transport, era) as mine:
        answer = values(await mine.call_tool("omniroute_route_request", ASK))
        request_id = answer["routing"]["requestId"]
        listed = await mine.list_resources()
        kinds = await mine.list_resource_templates()
        names = await mine.complete(template, {"name": "model", "value": "sim/"})
        read = [
            await mine.read_resource(uri)
            for uri in (
                *(one.uri for one in listed.resources),
                f"omniroute://models/{names.completion.values[0]}",
                f"omniroute://decisions/{request_id}/text",
            )
        ]
        prompts = [one.name for one in (await mine.list_prompts()).prompts]
        prompt = await mine.get_prompt("investigate_request", {"requestId": request_id})
        with pytest.raises(MCPError) as missing:
            await mine.read_resource("omniroute://combos/none at all")

    (story,) = read[-1].contents
    assert isinstance(story, TextResourceContents)
    assert story.text.startswith(f"Request {request_id}")
    assert {"omniroute://health", "omniroute://combos"} <= {one.uri for one in listed.resources}
    assert len(kinds.resource_templates) == 5
    assert prompts == ["choose_combo", "investigate_request", "weekly_cost_review"]
    assert story.text.strip() in str(prompt.messages[0].content.text)  # type: ignore[union-attr]
    assert missing.value.data["uri"] == "omniroute://combos/none at all"


async def test_an_answer_is_told_as_it_comes(
    shared_gateway: RunningGateway, transport: str, era: str
) -> None:
    told: list[str] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async with client(shared_gateway, transport, era) as mine:
        answer = values(
            await mine.call_tool(
                "omniroute_route_request", {**ASK, "stream": True}, progress_callback=tell
            )
        )

    assert told
    assert told[-1] == answer["response"]["content"]


async def test_keys_bound_what_may_be_called_and_whose_requests_are_found(
    running_gateway: RunningGateway, transport: str, era: str
) -> None:
    agent = running_gateway.new_key("--name", "agent", "--scope", "agent")
    reader = running_gateway.new_key("--name", "reader", "--scope", "readonly")

    async with client(running_gateway, transport, era, key=agent) as mine:
        answer = values(await mine.call_tool("omniroute_route_request", ASK))
    async with client(running_gateway, transport, era, key=reader) as theirs:
        listed = [tool.name for tool in (await theirs.list_tools()).tools]
        with pytest.raises(MCPError, match="lacks scope write:route"):
            await theirs.call_tool("omniroute_route_request", ASK)
        foreign = await theirs.call_tool(
            "omniroute_explain_route", {"requestId": answer["routing"]["requestId"]}
        )

    assert "omniroute_route_request" not in listed
    assert foreign.is_error
    assert "is on record for this key" in str(foreign.content)


async def test_no_key_where_one_is_needed_is_told_in_words(
    running_gateway: RunningGateway, transport: str
) -> None:
    running_gateway.new_key("--name", "agent", "--scope", "agent")

    with pytest.raises((MCPError, ExceptionGroup)) as refused:
        async with client(running_gateway, transport, "legacy") as mine:
            await mine.list_tools()

    assert "needs a key" in _words(refused.value)


@pytest.mark.parametrize("path", ["/mcp", "/api/mcp/stream"])
def test_both_paths_are_served_without_a_redirect(
    shared_gateway: RunningGateway, path: str
) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }

    answer = shared_gateway.call(
        "POST", path, hello, headers={"accept": "application/json, text/event-stream"}
    )

    assert answer.status == 200
    assert b"serverInfo" in answer.body


class Relay:
    """`omniroute --mcp` in a process of its own, spoken to line by line."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self._said: queue.Queue[bytes] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._said.put(line)

    def say(self, message: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        heard: dict[str, Any] = json.loads(self._said.get(timeout=WAIT_S))
        return heard

    def end(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait()
        self._listener.join(WAIT_S)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()

    def call(self, number: int, tool: str, arguments: dict[str, Any]) -> None:
        params = {"name": tool, "arguments": arguments}
        self.say({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})

    def initialize(self) -> None:
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }
        self.say({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
        assert "result" in self.hear()
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})


@contextmanager
def relay(environment: dict[str, str], *command: str) -> Iterator[Relay]:
    """Run a relay; whatever it does, it is gone when the block ends."""
    process = subprocess.Popen(
        command or (*OMNIROUTE, "--mcp"),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    one = Relay(process)
    try:
        yield one
    finally:
        one.end()


@contextmanager
def alone(home: Path) -> Iterator[dict[str, str]]:
    """Give the environment of a data folder without a gateway, and end one that was started."""
    environment = plain_environment(home, PORT=str(free_port()))
    try:
        yield environment
    finally:
        for process in gateways_of(home):
            process.kill()
            wait_until_ended(process)


def gateways_of(home: Path) -> list[psutil.Process]:
    """Give the gateways that relays have started on the data folder."""
    folder = str(home / "data")
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if folder in (process.info["cmdline"] or []) and "serve" in process.info["cmdline"]
    ]


def pid_of(home: Path) -> int:
    runtime = json.loads((home / "data" / "runtime" / "gateway.json").read_text())
    return int(runtime["pid"])


def test_the_relay_is_ready_at_once(shared_gateway: RunningGateway) -> None:
    took: list[float] = []

    for _ in range(3):
        begun = time.perf_counter()
        with relay(shared_gateway.environment) as one:
            one.say("not a message")
            one.hear()
            took.append(time.perf_counter() - begun)

    assert min(took) < READY_S


def test_a_relay_starts_the_gateway_that_is_missing_and_another_when_it_dies(
    tmp_path: Path,
) -> None:
    with alone(tmp_path) as environment, relay(environment) as one:
        one.initialize()
        first = pid_of(tmp_path)
        os.kill(first, signal.SIGKILL)
        wait_until_ended(psutil.Process(first))

        one.call(1, "omniroute_get_health", {})
        heard = one.hear()

        assert "result" in heard, heard
        assert pid_of(tmp_path) != first


def test_two_relays_at_once_start_one_gateway(tmp_path: Path) -> None:
    with alone(tmp_path) as environment, relay(environment) as one, relay(environment) as two:
        one.initialize()
        two.initialize()

        assert len(gateways_of(tmp_path)) == 1


def test_a_runtime_file_that_names_a_stranger_does_not_keep_a_gateway_from_starting(
    tmp_path: Path,
) -> None:
    runtime = tmp_path / "data" / "runtime"
    runtime.mkdir(parents=True, mode=0o700)
    claim = {"pid": os.getpid(), "url": f"http://127.0.0.1:{free_port()}", "token": "fake"}
    (runtime / "gateway.json").write_text(json.dumps(claim))

    with alone(tmp_path) as environment, relay(environment) as one:
        one.initialize()

        assert len(gateways_of(tmp_path)) == 1


def test_a_gateway_that_cannot_start_is_told_with_its_words(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("this is no folder")

    with alone(tmp_path) as environment, relay(environment) as one:
        one.say({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        heard = one.hear()

    assert heard["error"]["code"] == -32603
    assert str(data) in heard["error"]["message"]


def test_the_end_of_input_ends_the_relay_and_what_it_runs(
    running_gateway: RunningGateway,
) -> None:
    with relay(running_gateway.environment) as one:
        one.initialize()
        one.call(1, "omniroute_route_request", SLOW)
        wait_until_busy(running_gateway)
        begun = time.perf_counter()
        assert one.process.stdin is not None
        one.process.stdin.close()

        assert one.process.wait(WAIT_S) == 0
        assert time.perf_counter() - begun < 1.0

    assert recorded(running_gateway) == "client_gone"


def test_a_dead_client_ends_the_relay_although_its_input_stays_open(
    shared_gateway: RunningGateway,
) -> None:
    command = [*OMNIROUTE, "--mcp"]
    parent = f"import subprocess, time; subprocess.Popen({command!r}); time.sleep(60)"
    with relay(shared_gateway.environment, sys.executable, "-c", parent) as one:
        one.say("not a message")
        one.hear()
        (child,) = psutil.Process(one.process.pid).children()
        one.process.kill()
        begun = time.perf_counter()

        wait_until_ended(child)

        assert time.perf_counter() - begun < 1.0


def test_a_cancelled_call_ends_at_the_gateway_and_is_never_answered(
    running_gateway: RunningGateway,
) -> None:
    with relay(running_gateway.environment) as one:
        one.initialize()
        one.call(1, "omniroute_route_request", SLOW)
        wait_until_busy(running_gateway)

        params = {"requestId": 1}
        one.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        one.call(2, "omniroute_get_health", {})

        assert one.hear()["id"] == 2
        assert recorded(running_gateway) == "client_gone"


NOISY = """
import ctypes, os, sys, threading, warnings
from omniroute.server.cli import relay_http
from omniroute.server.cli.main import main

def noise():
    print("a print")
    sys.stdout.write("a write\\n")
    sys.stdout.flush()
    os.write(1, b"bytes\\n")
    ctypes.CDLL(None).puts(b"a line of C")
    ctypes.CDLL(None).fflush(None)
    warnings.warn("a warning")

real = relay_http.Exchange.open
def noisy(*arguments):
    noise()
    return real(*arguments)

relay_http.Exchange.open = noisy
sys.exit(main(["--mcp"]))
"""


def test_nothing_but_protocol_reaches_standard_output(shared_gateway: RunningGateway) -> None:
    with relay(shared_gateway.environment, sys.executable, "-c", NOISY) as one:
        one.initialize()
        for number in range(1, 51):
            one.call(number, "omniroute_get_health", {})

        heard = [one.hear() for _ in range(50)]

    assert sorted(message["id"] for message in heard) == list(range(1, 51))
    assert all(message["jsonrpc"] == "2.0" for message in heard)


def wait_until_ended(process: psutil.Process) -> None:
    """Wait until it has ended; whoever inherited it may take note of that much later."""
    ends = time.monotonic() + WAIT_S
    while time.monotonic() < ends:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.01)
    raise AssertionError(f"process {process.pid} still runs")


def wait_until_busy(gateway: RunningGateway) -> None:
    """Wait until the gateway has begun to ask the model: the call has a connection open."""
    ends = time.monotonic() + WAIT_S
    while time.monotonic() < ends:
        connections = psutil.Process(gateway.process.pid).net_connections("tcp")
        if any(one.status == psutil.CONN_ESTABLISHED for one in connections):
            time.sleep(0.3)
            return
        time.sleep(0.02)
    raise AssertionError("the call never arrived")


def recorded(gateway: RunningGateway) -> str:
    """Give how the newest request ended, once it is on record."""
    ends = time.monotonic() + WAIT_S
    while time.monotonic() < ends:
        told = gateway.command("explain", "--last", "--json")
        if told.returncode == 0:
            status: str = json.loads(told.stdout)["request"]["status"]
            return status
        time.sleep(0.1)
    raise AssertionError(told.stderr)


def _words(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return " ".join(_words(one) for one in error.exceptions)
    return str(error)
