"""Whole processes: a gateway and commands as a user starts them, each in a folder of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.canaries.secrets import canary

START_S_MAX = 30.0
STOP_S_MAX = 40.0
COMMAND_S_MAX = 60.0
OMNIROUTE = (sys.executable, "-m", "omniroute.server.cli.main")


def plain_environment(home: Path, **more: str) -> dict[str, str]:
    """Give an environment without anything of the machine's user but the path."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    secret = {"UNRELATED_API_TOKEN": canary("environment")}
    return {**kept, "HOME": str(home), "DATA_DIR": str(home / "data"), **secret, **more}


def free_port() -> int:
    """Give a port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Answer:
    """What an HTTP call gave."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class RunningGateway:
    """A gateway in a process of its own."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    home: Path
    environment: dict[str, str]

    @property
    def data_dir(self) -> Path:
        return self.home / "data"

    @property
    def admin_key(self) -> str:
        """The token of the runtime file: an administrator's."""
        runtime = json.loads((self.data_dir / "runtime" / "gateway.json").read_text())
        token: str = runtime["token"]
        return token

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and give its answer, whatever the status."""
        sent = {"cookie": f"session={canary('cookie')}", "x-secret": canary("header")}
        sent |= headers or {}
        if key is not None:
            sent["authorization"] = f"Bearer {key}"
        data = body if isinstance(body, bytes) else None
        if body is not None and data is None:
            data = json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        request = urllib.request.Request(self.url + path, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=COMMAND_S_MAX) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def command(self, *words: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run one command on the same data folder."""
        return run_command(*words, environment=self.environment, stdin=stdin)

    def new_key(self, *words: str) -> str:
        """Make a key with the command line and give it."""
        made = self.command("keys", "add", *words, "--json")
        assert made.returncode == 0, made.stderr
        secret: str = json.loads(made.stdout)["secret"]
        return secret


def run_command(
    *words: str, environment: dict[str, str], stdin: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run `omniroute` with these words."""
    return subprocess.run(
        [*OMNIROUTE, *words],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=COMMAND_S_MAX,
        check=False,
    )


@contextmanager
def gateway(
    home: Path, *words: str, program: Sequence[str] = OMNIROUTE, **environment: str
) -> Iterator[RunningGateway]:
    """Run a gateway on a port of its own until the block ends.

    Args:
        program: what is run in the place of `omniroute`.
    """
    port = free_port()
    variables = plain_environment(home, **environment)
    home.mkdir(parents=True, exist_ok=True)
    log = (home / "gateway.log").open("wb")
    process = subprocess.Popen(
        [*program, "serve", "--port", str(port), "--no-open", *words],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    running = RunningGateway(f"http://127.0.0.1:{port}", port, process, home, variables)
    try:
        _wait_until_ready(running)
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _wait_until_ready(running: RunningGateway) -> None:
    ends = time.monotonic() + START_S_MAX
    while time.monotonic() < ends:
        if running.process.poll() is not None:
            break
        try:
            if running.call("GET", "/ready").status == 200:
                return
        except OSError:
            time.sleep(0.01)
    log = (running.home / "gateway.log").read_text(errors="replace")
    raise AssertionError(f"the gateway did not start:\n{log}")
