"""How long it takes to start: the gateway to its first answer, `--help`, the MCP relay."""

import json
import os
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.targets import free_port

RUNS = 5
WAIT_S_MAX = 20.0
OMNIROUTE = (sys.executable, "-m", "omniroute.server.cli.main")


def environment(folder: Path) -> dict[str, str]:
    """Give a plain environment with an own data folder; compiled files are kept, as for users."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "HOME": str(folder), "DATA_DIR": str(folder / "data")}


def first_answer_s(folder: Path) -> float:
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
        [*OMNIROUTE, "serve", "--port", str(port), "--no-open"],
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


def help_s(folder: Path) -> float:
    """Give the seconds that `omniroute --help` takes."""
    began = time.perf_counter()
    subprocess.run([*OMNIROUTE, "--help"], check=True, capture_output=True, env=environment(folder))
    return time.perf_counter() - began


def relay_ready_s(folder: Path) -> float:
    """Give the seconds until `omniroute --mcp` has taken a line, a gateway running or not.

    A relay that is ready refuses a broken line at once, without the gateway.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        [*OMNIROUTE, "--mcp"],
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


def report(folder: Path) -> None:
    """Print the medians and the worst of RUNS, the first start (a new database) apart."""
    folder.mkdir()
    print("\nstarts, seconds (median, worst)")
    print(f"{'first start ever':<32}{first_answer_s(folder):>7.2f}")
    for name, once in (
        ("start to first answer", first_answer_s),
        ("omniroute --help", help_s),
        ("omniroute --mcp ready", relay_ready_s),
    ):
        times = [once(folder) for _ in range(RUNS)]
        print(f"{name:<32}{statistics.median(times):>7.2f}{max(times):>7.2f}")
