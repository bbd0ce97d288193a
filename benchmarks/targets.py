"""What is measured: a direct call, nginx where it is installed, and this gateway.

Each target is a process (or none) between the load and the upstream, on ports of loopback
that the run picked. The gateway runs as a user starts it, with a key, health, records and
everything else on.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_S_MAX = 20.0
STOP_S_MAX = 10.0

NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Target:
    """Something that answers, and the process to charge for it."""

    name: str
    port: int
    process: int | None = None
    key: str | None = None


def free_port() -> int:
    """Give a port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    """Wait until something accepts connections."""
    ends = time.monotonic() + START_S_MAX
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.005)
        else:
            return


@contextmanager
def running(*command: str, environment: dict[str, str] | None = None, core: int) -> Iterator[int]:
    """Run a program on one core and give its process id; it is ended at the end."""
    pinned = ["taskset", "-c", str(core)] if shutil.which("taskset") else []
    process = subprocess.Popen(
        [*pinned, *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def upstream(core: int) -> Iterator[int]:
    """Run the upstream and give its port."""
    port = free_port()
    with running(sys.executable, "-m", "benchmarks.upstream", str(port), core=core):
        wait_for(port)
        yield port


@contextmanager
def nginx(folder: Path, upstream_port: int, core: int) -> Iterator[Target | None]:
    """Run nginx as a plain proxy; None where it is not installed."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        yield None
        return
    port = free_port()
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, upstream=upstream_port, port=port))
    with running(program, "-c", str(config), "-p", str(folder), core=core) as pid:
        wait_for(port)
        yield Target("nginx", port, pid)


def gateway_environment(folder: Path, upstream_port: int) -> dict[str, str]:
    """Give the environment of a gateway whose only provider is the upstream."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {
        **kept,
        "HOME": str(folder),
        "DATA_DIR": str(folder / "data"),
        "OPENAI_API_KEY": "sk-fake-upstream",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream_port}/v1",
    }


@contextmanager
def gateway(folder: Path, upstream_port: int, core: int) -> Iterator[Target]:
    """Run this gateway with one key."""
    folder.mkdir()
    environment = gateway_environment(folder, upstream_port)
    omniroute = [sys.executable, "-m", "omniroute.server.cli.main"]
    made = subprocess.run(
        [*omniroute, "keys", "add", "--name", "bench", "--scope", "full", "--json"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    key = json.loads(made.stdout)["secret"]
    port = free_port()
    command = [*omniroute, "serve", "--port", str(port), "--no-open"]
    with running(*command, environment=environment, core=core) as pid:
        wait_until_ready(port)
        yield Target("omniroute", port, pid, key)


def wait_until_ready(port: int) -> None:
    """Wait until the gateway says that it takes work."""
    ends = time.monotonic() + START_S_MAX
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=1):
                return
        except (OSError, urllib.error.URLError):
            if time.monotonic() > ends:
                raise
            time.sleep(0.005)


def cpu_ns(pid: int) -> int:
    """Give the nanoseconds that a process and its children have been on a processor."""
    total = 0
    for child in (pid, *_children(pid)):
        for task in Path(f"/proc/{child}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total


def rss_mb(pid: int) -> float:
    """Give the resident memory of a process and its children in megabytes."""
    total = 0
    for child in (pid, *_children(pid)):
        status = Path(f"/proc/{child}/status").read_text()
        total += int(status.partition("VmRSS:")[2].split()[0])
    return total / 1024


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]
