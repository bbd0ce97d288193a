"""What is measured: a direct call, nginx where it is installed, and this gateway.

Each target is a process (or none) between the load and the upstream, on ports of loopback
that the run picked. The gateway runs as a user starts it, with a key, a budget, health,
records and everything else on; what is asked for is a priority combo of three models.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.authority import Certificates
from benchmarks.machine import START_S_MAX, ended, free_port, running, wait_for
from benchmarks.programs import Programs

COMBO, COMBO_AUTO, COMBO_TLS, COMBO_PAIR = "bench", "bench-auto", "bench-tls", "bench-pair"
OPENAI_MODELS = (
    "gpt-4o gpt-4o-mini gpt-4.1 gpt-4.1-mini gpt-4.1-nano gpt-4-turbo gpt-5 gpt-5-mini gpt-5-nano "
    "gpt-5.1 gpt-5.2 gpt-5.4 gpt-5.4-mini gpt-5.4-nano gpt-5.5 o1 o3 o3-mini o4-mini gpt-3.5-turbo"
)
CLAUDE_MODELS = ("claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5")
TWENTY = tuple(f"openai/{name}" for name in OPENAI_MODELS.split())
OMNIROUTE = (sys.executable, "-m", "omniroute.server.cli.main")

NGINX = """
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  client_max_body_size 8m;
  client_body_buffer_size 1m;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  proxy_http_version 1.1;
  proxy_set_header connection "";
  proxy_buffering off;
  {servers}
}}
"""
PROXY = """
  upstream {name} {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass {scheme}://{name}; }} }}
"""
TRUSTING = """
  proxy_ssl_verify on;
  proxy_ssl_trusted_certificate {authority};
  proxy_ssl_name 127.0.0.1;
  proxy_ssl_session_reuse on;
"""
TERMINATOR = """
  upstream plain {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} ssl backlog=4096;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    location / {{ proxy_pass http://plain; }}
  }}
"""


@dataclass(frozen=True)
class Target:
    """Something that answers, and the process to charge for it.

    `tls_port` and `tls_model` lead to the same upstream by TLS; None where there is no way.
    `pair_model` is one that the upstream serves in Anthropic's dialect; None as well. A `share`
    below 1 is for what is so slow that the full number of requests would take minutes.
    """

    name: str
    port: int
    process: int | None = None
    key: str = ""
    model: str = "gpt-4o"
    tls_port: int | None = None
    tls_model: str = "gpt-4o"
    pair_model: str | None = None
    share: float = 1.0
    start_s: float | None = field(default=None, compare=False)


@contextmanager
def upstream(commands: Programs, core: int, port: int | None = None) -> Iterator[int]:
    """Run the upstream and give its port, a free one when none is named."""
    port = port or free_port()
    with running(*commands.upstream, str(port), core=core):
        wait_for(port)
        yield port


@contextmanager
def tls_upstream(
    folder: Path, certificates: Certificates, upstream_port: int, core: int
) -> Iterator[int | None]:
    """Run an nginx that speaks TLS before the upstream; None where it is not installed."""
    port = free_port()
    words = TERMINATOR.format(
        port=port,
        upstream=upstream_port,
        certificate=certificates.certificate,
        key=certificates.key,
    )
    with _nginx(folder, words, core) as pid:
        if pid is None:
            yield None
            return
        wait_for(port)
        yield port


@contextmanager
def nginx(
    folder: Path, upstream_port: int, core: int, tls: tuple[int, Certificates] | None = None
) -> Iterator[Target | None]:
    """Run nginx as a plain proxy; None where it is not installed."""
    port, tls_port = free_port(), None
    words = PROXY.format(name="provider", upstream=upstream_port, port=port, scheme="http")
    if tls is not None:
        tls_port = free_port()
        words += TRUSTING.format(authority=tls[1].authority)
        words += PROXY.format(name="secure", upstream=tls[0], port=tls_port, scheme="https")
    began = time.perf_counter()
    with _nginx(folder, words, core) as pid:
        if pid is None:
            yield None
            return
        yield answering(Target("nginx", port, pid, tls_port=tls_port), began)


@contextmanager
def _nginx(folder: Path, servers: str, core: int) -> Iterator[int | None]:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        yield None
        return
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, servers=servers))
    with running(program, "-c", str(config), "-p", str(folder), folder=folder, core=core) as pid:
        yield pid


def plain_environment(folder: Path) -> dict[str, str]:
    """Give an environment without anything of the machine's user but the path."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "HOME": str(folder)}


def gateway_environment(folder: Path, upstream_port: int) -> dict[str, str]:
    """Give the environment of a gateway whose providers, of both dialects, are the upstream."""
    base = f"http://127.0.0.1:{upstream_port}/v1"
    return {
        **plain_environment(folder),
        "DATA_DIR": str(folder / "data"),
        "OPENAI_API_KEY": "sk-fake-upstream",
        "OPENAI_BASE_URL": base,
        "ANTHROPIC_API_KEY": "sk-fake-upstream",
        "ANTHROPIC_BASE_URL": base,
    }


@contextmanager
def gateway(
    folder: Path,
    upstream_port: int,
    core: int,
    tls: tuple[int, Certificates] | None = None,
    program: Sequence[str] = OMNIROUTE,
    **more: str,
) -> Iterator[Target]:
    """Run this gateway with one key that has a budget, and its combos.

    `more` are further variables of its environment. Where there is an upstream with TLS it is
    the provider groq, and its authority is trusted.
    """
    folder.mkdir()
    environment = gateway_environment(folder, upstream_port) | more
    if tls is not None:
        environment |= {
            "GROQ_API_KEY": "sk-fake-upstream",
            "GROQ_BASE_URL": f"https://127.0.0.1:{tls[0]}/v1",
            "SSL_CERT_FILE": str(tls[1].authority),
        }
    key = _configured(environment, with_tls=tls is not None)
    target = Target("omniroute", free_port(), key=key, model=COMBO, pair_model=COMBO_PAIR)
    if tls is not None:
        target = replace(target, tls_port=target.port, tls_model=COMBO_TLS)
    command = [*program, "serve", "--port", str(target.port), "--no-open"]
    began = time.perf_counter()
    with running(*command, environment=environment, folder=folder, core=core) as pid:
        yield answering(replace(target, process=pid), began)


def _configured(environment: dict[str, str], *, with_tls: bool) -> str:
    """Make the combos and the key that the load presents; gives the key."""

    def omniroute(*words: str) -> str:
        done = subprocess.run(
            [*OMNIROUTE, *words], env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    omniroute("combos", "add", COMBO, *TWENTY[:3])
    omniroute("combos", "add", COMBO_PAIR, *(f"anthropic/{name}" for name in CLAUDE_MODELS))
    omniroute("combos", "add", COMBO_AUTO, "--strategy", "auto", *TWENTY)
    if with_tls:
        omniroute("combos", "add", COMBO_TLS, "groq/llama-3.3-70b-versatile")
    made = omniroute(
        *("keys", "add", "--name", "bench", "--scope", "full", "--json"),
        *("--budget-usd", "100000", "--budget-period", "month"),
    )
    secret: str = json.loads(made)["secret"]
    return secret


def answering(target: Target, began: float) -> Target:
    """Wait for a target's first answer to a chat; gives it with the seconds since it began.

    Raises:
        OSError: it ended, or gave no answer in time.
    """
    body = {"model": target.model, "messages": [{"role": "user", "content": "hi"}]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{target.port}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {target.key}"},
    )
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                answer.read()
                return replace(target, start_s=time.perf_counter() - began)
        except (OSError, urllib.error.URLError):
            if time.perf_counter() - began > START_S_MAX or ended(target.process):
                raise
            time.sleep(0.005)
