"""Other gateways, each pinned by a lock in a folder of its own: `make bench ARGS=--peers`.

An environment is made once per content of its lock, as those of the tests are. A peer runs as
its manual says, as one process, with a key and without a database; what it would write to its
terminal goes to a file, as ours does.

smg's own defaults are a line of its log for each answered request (`--log-level info`; the
manual's page on logging), metrics for Prometheus, a history in memory, retries and circuit
breakers, and `--backend openai` is its mode for providers. All of that stays on, and is close to
what ours does with everything on. Of the other settings tried none changes a request's CPU much:
at 32 connections 102 us so, 100 as `--enable-igw` with a registered worker, 112 as a router of
own workers with its default policy, 110 with JSON lines in a folder as well, 150 with
`--log-level debug`, and 87 with its log and its history off.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.machine import free_port, running
from benchmarks.targets import Target, answering, plain_environment
from tests.foreign import python_of_lock

FOLDER = Path(__file__).parent / "peers"
KEY = "sk-bench"

LITELLM = """
model_list:
  - model_name: bench
    litellm_params: {{model: openai/gpt-4o, api_base: "http://127.0.0.1:{upstream}/v1", api_key: x}}
  - model_name: bench-pair
    litellm_params:
      {{model: anthropic/claude-sonnet-4-5, api_base: "http://127.0.0.1:{upstream}", api_key: x}}
general_settings: {{master_key: {key}}}
"""
LITELLM_SHARE = 0.05
"""It takes some 15 ms a request: a twentieth of the requests is enough to tell."""


def versions() -> dict[str, str]:
    """Give each peer's pinned version, from what its lock is made of."""
    found = {}
    for path in sorted(FOLDER.glob("*/requirements.in")):
        found[path.parent.name] = path.read_text().rpartition("==")[2].strip()
    return found


@contextmanager
def litellm(folder: Path, upstream_port: int, core: int, python: str) -> Iterator[Target]:
    """Run LiteLLM's proxy on a Python, with one model and a master key."""
    made = python_of_lock(FOLDER / "litellm/requirements.txt", python)
    folder.mkdir()
    config = folder / "config.yaml"
    config.write_text(LITELLM.format(upstream=upstream_port, key=KEY))
    environment = {
        **plain_environment(folder),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
    }
    port = free_port()
    words = ["--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    began = time.perf_counter()
    with running(
        str(made.with_name("litellm")), *words, environment=environment, folder=folder, core=core
    ) as pid:
        target = Target("litellm", port, pid, key=KEY, model="bench", share=LITELLM_SHARE)
        yield answering(replace(target, pair_model="bench-pair"), began)


@contextmanager
def smg(folder: Path, upstream_port: int, core: int, python: str) -> Iterator[Target]:
    """Run smg (Rust, started by a Python) as a gateway to an OpenAI endpoint, with a key."""
    made = python_of_lock(FOLDER / "smg/requirements.txt", python)
    folder.mkdir()
    environment = {**plain_environment(folder), "OPENAI_API_KEY": "x"}
    port = free_port()
    words = [
        *("launch", "--backend", "openai", "--api-key", KEY),
        *("--worker-urls", f"http://127.0.0.1:{upstream_port}"),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--prometheus-host", "127.0.0.1", "--prometheus-port", str(free_port())),
    ]
    began = time.perf_counter()
    with running(
        str(made.with_name("smg")), *words, environment=environment, folder=folder, core=core
    ) as pid:
        yield answering(Target("smg", port, pid, key=KEY), began)
