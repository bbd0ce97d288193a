"""The first honest baseline: added latency and CPU per request, as ratios of one run.

    make bench            python -m benchmarks.run [--rounds 5] [--requests 2000]

Every round measures every target in a shuffled order, so that a machine whose speed drifts
disturbs all alike; figures are medians over the rounds. "Added" is a target's time less the
direct call's of the same round. CPU is what the kernel charged to the target's processes.
Absolute times say something about this machine only: quote the ratios.
"""

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import leaving, starting
from benchmarks.targets import Target, cpu_ns, gateway, nginx, rss_mb, upstream

LOAD_S_MAX = 300
WHOLE = (
    b'{"model":"gpt-4o","messages":[{"role":"system","content":"You are terse."},'
    b'{"role":"user","content":"%s"}],"temperature":0.2}'
)
STREAM = WHOLE.replace(b'"temperature":0.2', b'"temperature":0.2,"stream":true')
CHUNKS = 100


def load(
    target: Target, body: Path, *, connections: int, requests: int, core: int
) -> dict[str, float]:
    """Run the load once; gives its figures and `cpu_us` per request."""
    before = cpu_ns(target.process) if target.process else 0
    command = [
        sys.executable,
        "-m",
        "benchmarks.load",
        str(target.port),
        "/v1/chat/completions",
        str(connections),
        str(requests),
        str(body),
        *([target.key] if target.key else []),
    ]
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=LOAD_S_MAX,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    if done.returncode:
        raise SystemExit(f"the load on {target.name} failed:\n{done.stderr}")
    figures: dict[str, float] = json.loads(done.stdout)
    if figures["errors"]:
        raise SystemExit(f"{target.name}: {figures['errors']} requests failed")
    spent = cpu_ns(target.process) - before if target.process else 0
    figures["cpu_us"] = spent / 1000 / figures["requests"]
    return figures


def measure(
    rounds: int, requests: int, folder: Path
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Give for each target its medians, and for each its memory after the load."""
    cores = sorted(os.sched_getaffinity(0))
    own, other = cores[0], cores[-1]
    bodies = {"whole": folder / "whole.json", "stream": folder / "stream.json"}
    bodies["whole"].write_bytes(WHOLE % (b"word " * 50))
    bodies["stream"].write_bytes(STREAM % (b"word " * 50))
    cases = (
        ("c1", "whole", 1, requests),
        ("c32", "whole", 32, requests),
        ("s1", "stream", 1, requests // 5),
    )
    seen: dict[str, dict[str, list[float]]] = {}
    with ExitStack() as opened:
        port = opened.enter_context(upstream(other))
        found = [
            Target("direct", port),
            opened.enter_context(nginx(folder / "nginx", port, own)),
            opened.enter_context(gateway(folder / "gateway", port, own)),
        ]
        targets = [target for target in found if target is not None]
        for number in range(rounds + 1):
            order = random.sample(targets, len(targets))
            for case, body, connections, count in cases:
                got = {
                    target.name: load(
                        target, bodies[body], connections=connections, requests=count, core=other
                    )
                    for target in order
                }
                if number:
                    keep(seen, case, got)
            print(
                f"round {number} of {rounds}{' (warm-up)' if not number else ''}", file=sys.stderr
            )
        memory = {target.name: rss_mb(target.process) for target in targets if target.process}
    medians = {
        name: {figure: statistics.median(values) for figure, values in figures.items()}
        for name, figures in seen.items()
    }
    return medians, memory


def keep(
    seen: dict[str, dict[str, list[float]]], case: str, got: dict[str, dict[str, float]]
) -> None:
    """Note one case of one round, times less the direct call's."""
    for name, figures in got.items():
        mine = seen.setdefault(name, {})
        mine.setdefault(f"{case} cpu us", []).append(figures["cpu_us"])
        mine.setdefault(f"{case} per s", []).append(figures["per_s"])
        for part in ("p50_us", "p99_us"):
            added = figures[part] - got["direct"][part]
            mine.setdefault(f"{case} added {part[:3]} us", []).append(added)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--only", choices=["load", "leaving", "starting"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="omniroute-bench-") as name:
        folder = Path(name)
        print(
            f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}\n"
        )
        if arguments.only in (None, "load"):
            show(*measure(arguments.rounds, arguments.requests, folder))
        if arguments.only in (None, "leaving"):
            leaving.report(folder / "leaving")
        if arguments.only in (None, "starting"):
            starting.report(folder / "starting")
    return 0


def show(medians: dict[str, dict[str, float]], memory: dict[str, float]) -> None:
    """Print the table and the ratios to nginx."""
    figures = list(next(iter(medians.values())))
    print(f"{'':<22}" + "".join(f"{name:>12}" for name in medians))
    for figure in figures:
        print(f"{figure:<22}" + "".join(f"{mine[figure]:>12,.0f}" for mine in medians.values()))
    print(f"{'RSS MB after':<22}" + "".join(f"{memory.get(name, 0):>12,.0f}" for name in medians))
    print(
        "\nc1, c32: 1 and 32 connections, whole answers of 1 KB; "
        f"s1: streams of {CHUNKS} events in a burst"
    )
    ours = medians["omniroute"]
    if "nginx" not in medians:
        print("nginx is not installed: no ratios to it")
        return
    peer = medians["nginx"]
    for figure in ("c1 added p50 us", "c1 cpu us", "c32 cpu us", "s1 cpu us"):
        print(f"omniroute / nginx, {figure}: {ours[figure] / peer[figure]:.1f}")


if __name__ == "__main__":
    sys.exit(main())
