"""`omniroute --mcp` as a client starts it: a process of its own, spoken to line by line."""

import json
import queue
import select
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.processes import OMNIROUTE, free_port, plain_environment

WAIT_S = 30


class Relay:
    """`omniroute --mcp` in a process of its own, spoken to line by line."""

    def __init__(self, process: "subprocess.Popen[bytes]", *, listens: bool) -> None:
        self.process = process
        self._said: queue.Queue[bytes] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        if listens:
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

    def answer(self, number: int) -> dict[str, Any]:
        """Give the answer to a request, past all that is said beside it."""
        while True:
            heard = self.hear()
            if heard.get("id") == number:
                return heard

    def end(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait()
        if self._listener.is_alive():
            self._listener.join(WAIT_S)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()

    def call(self, number: int, tool: str, arguments: dict[str, Any], meta: object = None) -> None:
        params: dict[str, Any] = {"name": tool, "arguments": arguments}
        if meta is not None:
            params["_meta"] = meta
        self.say({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})

    def is_heard(self) -> None:
        """Wait until it says something, without reading it."""
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout.fileno()], [], [], WAIT_S)
        assert readable

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
def relay(environment: dict[str, str], *command: str, listens: bool = True) -> Iterator[Relay]:
    """Run a relay; whatever it does, it is gone when the block ends.

    Args:
        command: what to run in its place.
        listens: read what it says, as it comes.
    """
    process = subprocess.Popen(
        command or (*OMNIROUTE, "--mcp"),
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    one = Relay(process, listens=listens)
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
