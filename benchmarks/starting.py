"""How long it takes to start: the gateway to its first answer, `--help`, the MCP relay."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import free_port
from benchmarks.targets import OMNIROUTE, plain_environment

RUNS = 5
WAIT_S_MAX = 20.0


def environment(folder: Path) -> dict[str, str]:
    """Give a plain environment with an own data folder; compiled files are kept, as for users."""
    return {**plain_environment(folder), "DATA_DIR": str(folder / "data")}


def first_answer_s(folder: Path, program: Sequence[str] = OMNIROUTE) -> float:
    """Give the seconds from the start of the process to its first answered chat."""
    port = free_port()
    body = json.dumps({"model": "sim/fast", "messages": [{"role": "user", "content": "hi"}]})
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        body.encode(),
        {"content-type": "application/json"},
    )
    began = time.perf_counter()
    process = subprocess.Popen(
        [*program, "serve", "--port", str(port), "--no-open"],
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while time.perf_counter() - began < WAIT_S_MAX:
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    answer.read()
                    return time.perf_counter() - began
            except (OSError, urllib.error.URLError):
                time.sleep(0.005)
        raise TimeoutError("the gateway did not answer")
    finally:
        process.terminate()
        process.wait(WAIT_S_MAX)


def help_s(folder: Path, program: Sequence[str] = OMNIROUTE) -> float:
    """Give the seconds that `omniroute --help` takes."""
    began = time.perf_counter()
    subprocess.run([*program, "--help"], check=True, capture_output=True, env=environment(folder))
    return time.perf_counter() - began


def relay_ready_s(folder: Path, program: Sequence[str] = OMNIROUTE) -> float:
    """Give the seconds until `omniroute --mcp` has taken a line, a gateway running or not.

    A relay that is ready refuses a broken line at once, without the gateway.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        [*program, "--mcp"],
        env={**environment(folder), "OMNIROUTE_BASE_URL": "http://127.0.0.1:9"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(b"not json\n")
        process.stdin.flush()
        process.stdout.readline()
        return time.perf_counter() - began
    finally:
        process.stdin.close()
        process.wait(WAIT_S_MAX)


def measured(folder: Path, program: Sequence[str] = OMNIROUTE) -> dict[str, list[float]]:
    """Give the seconds of RUNS starts of each sort, the first start (a new database) apart."""
    folder.mkdir()
    found = {"first start ever, with a new database": [first_answer_s(folder, program)]}
    for name, once in (
        ("start to first answer", first_answer_s),
        ("omniroute --help", help_s),
        ("omniroute --mcp ready", relay_ready_s),
    ):
        found[name] = [once(folder, program) for _ in range(RUNS)]
    return found
