"""What the gateway costs beside a direct call, nginx and pinned peers, in one interleaved run.

    make bench            python -m benchmarks.run [--rounds 5] [--scale 1.0] [--peers]
                          [--python /usr/bin/python3]

Every round puts every case to every target in a shuffled order, so that a machine whose speed
drifts disturbs all alike. "Added" is a target's time less the direct call's of the same round.
CPU is what the kernel charged to all processes of the target, until they were quiet again.
Absolute times say something about this machine only: quote the ratios, which are made pair by
pair within a round. With `--python` the gateway runs on that Python as well, beside itself on the
benchmark's own, and that one is compared with the others: the run tells what each was built
with (see pythons.py). The run is kept as JSON; `python -m benchmarks.report` makes
docs/performance.md from it.
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import authority, deciding, leaving, other_gateways, pythons, report, soak, starting
from benchmarks.cases import CASES, HELD, PATHS, Case, body_of
from benchmarks.machine import cores, cpu_ns, facts, rss_mb, settled_cpu_ns
from benchmarks.programs import Programs, programs, run_load
from benchmarks.results import AUTO, DIRECT, NGINX, OURS, Figures, Results, Round, write
from benchmarks.targets import (
    COMBO_AUTO,
    OMNIROUTE,
    Target,
    gateway,
    nginx,
    tls_upstream,
    upstream,
)

LAST = Path(__file__).parent.parent / "build/benchmark.json"
WARM_UP_SHARE = 0.25
OPEN_FILES_NEEDED = 3 * HELD.connections
PEEK_S = 0.25
DECISIONS = 3000
ANSWER_S_MAX = 60.0
NOT_BUILT = (
    "providers in the network, HTTP/2, more than two cores and several workers; other pairs of "
    "dialects than a client of OpenAI's before a provider of Anthropic's"
)


@dataclass(frozen=True)
class Gateway:
    """Our gateway on one Python: what it is called in the figures, and what starts it."""

    name: str
    python: str
    program: tuple[str, ...]


@dataclass(frozen=True)
class Bench:
    """What a run has at hand."""

    folder: Path
    programs: Programs
    core: int
    """Of the load."""
    gateways: tuple[Gateway, ...]
    """Ours, on each Python; the last is the one that is judged."""

    def load(self, target: Target, case: Case, scale: float) -> Figures:
        """Put a case to a target once; gives the load's figures and the CPU that it took."""
        port, model = target.port, target.model
        if case.tls:
            assert target.tls_port is not None
            port, model = target.tls_port, target.tls_model
        if case.pair:
            assert target.pair_model is not None
            model = target.pair_model
        body = self.folder / f"{case.name}-{model}.json"
        if not body.exists():
            body.write_bytes(body_of(case, model))
            _must_answer(target, case, body)
        requests = int(case.requests * scale * target.share)
        if case.kind == "paced":
            requests = max(requests, case.connections)
        words = [str(port), case.path, str(case.connections), str(max(requests, 1)), str(body)]
        words += [target.key or "none", str(case.ramp_s), "stay", case.headers]
        before = cpu_ns(target.process) if target.process else 0
        figures = run_load([*self.programs.load, *words], self.core)
        spent_us = (settled_cpu_ns(target.process) - before) / 1000 if target.process else 0.0
        figures["cpu_us"] = spent_us / figures["requests"]
        if figures["events"]:
            figures["event_cpu_us"] = spent_us / figures["events"]
        return figures


def main() -> int:
    """Measure, print and keep; give an exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of requests")
    parser.add_argument("--peers", action="store_true", help="also LiteLLM and smg")
    parser.add_argument("--python", help="also the gateway on this one, and judge that")
    parser.add_argument("--soak", type=int, help="also a soak of so many requests")
    known = [case.name for case in (*CASES, HELD)]
    parser.add_argument("--cases", nargs="+", choices=known, default=known, help="only these")
    parser.add_argument("--only", choices=["load", "leaving", "starting", "deciding", "soak"])
    parser.add_argument("--json", type=Path, default=LAST, help="where the figures are kept")
    arguments = parser.parse_args()
    _allow_open_files()
    with tempfile.TemporaryDirectory(prefix="omniroute-bench-") as name:
        results = measure(arguments, Path(name))
    print(report.text(results))
    arguments.json.parent.mkdir(exist_ok=True)
    write(results, arguments.json)
    print(f"Kept in {arguments.json}; `python -m benchmarks.report` makes the documents from it.")
    return 0


def measure(arguments: argparse.Namespace, folder: Path) -> Results:
    """Do what was asked for; the rest stays empty, and is said not to be measured."""
    wanted: str | None = arguments.only
    own, other = cores()
    bench = Bench(folder, programs(), other, _gateways(arguments.python))
    judged = bench.gateways[-1]
    builds = pythons.builds([one.python for one in bench.gateways], own)
    results = Results(
        made=facts(),
        command=_command(arguments),
        compiled=True,
        versions={},
        rounds=[],
        held={},
        memory_mb={},
        starts_s={},
        left_ms={},
        deciding_us={},
        not_measured=[NOT_BUILT],
        pythons={one.name: build for one, build in zip(bench.gateways, builds, strict=True)},
        judged=judged.name,
    )
    if wanted in (None, "starting"):
        say("starts")
        results.starts_s |= starting.measured(folder / "starting", judged.program)
    if wanted in (None, "leaving"):
        say("clients that leave")
        results.left_ms |= leaving.measured(folder / "leaving", judged.program)
    if wanted in (None, "deciding"):
        say("decisions")
        results.deciding_us |= deciding.measured_on(judged.program[0], DECISIONS)
    if wanted in (None, "load"):
        _measure_load(arguments, bench, results)
    if arguments.soak and wanted in (None, "soak"):
        say(f"a soak of {arguments.soak:,} requests")
        results.soak |= soak.measured(folder / "soak", arguments.soak, judged.program[0])
    return results


def _command(arguments: argparse.Namespace) -> str:
    """Give the words by which the figures can be made again."""
    words = f"python -m benchmarks.run --rounds {arguments.rounds} --scale {arguments.scale:g}"
    if arguments.only:
        words += f" --only {arguments.only}"
    if len(arguments.cases) <= len(CASES):
        words += " --cases " + " ".join(arguments.cases)
    if arguments.soak:
        words += f" --soak {arguments.soak}"
    if arguments.python:
        words += f" --python {arguments.python}"
    return words + (" --peers" if arguments.peers else "")


def _gateways(python: str | None) -> tuple[Gateway, ...]:
    """Give our gateway on the benchmark's own Python, and on another one if it is named."""
    ours = Gateway(OURS, sys.executable, OMNIROUTE)
    if python is None:
        return (ours,)
    say(f"an environment for {python}")
    program = pythons.gateway_of(python)
    [build] = pythons.builds([python], cores()[0])
    return ours, Gateway(f"{OURS} (python {build.version})", python, program)


def _measure_load(arguments: argparse.Namespace, bench: Bench, results: Results) -> None:
    results.compiled = bench.programs.compiled
    if not results.compiled:
        results.not_measured.append(
            "the true pace of the fastest: no C compiler, so Python's load and upstream were used"
        )
    cases = [case for case in CASES if case.name in arguments.cases]
    with ExitStack() as opened:
        targets = _open(opened, bench, results, with_peers=arguments.peers)
        for target in targets:
            if target.start_s is not None and target.name != AUTO:
                results.starts_s[f"{target.name}, pinned, beside the others"] = [target.start_s]
        memory = {"idle": _memory(targets)}
        of_mcp = [case for case in cases if case.kind == "mcp"]
        results.rounds = _rounds(arguments, bench, targets, [c for c in cases if c not in of_mcp])
        memory["after"] = _memory(targets)
        if HELD.name in arguments.cases:
            _hold(bench, targets, results)
        if of_mcp:
            # The SDK is loaded by its first use and stays: what the others are compared with is
            # the memory of what all have done.
            more = _rounds(arguments, bench, targets, of_mcp)
            results.rounds = [one | two for one, two in zip(results.rounds, more, strict=True)]
            memory["mcp"] = _memory([one for one in targets if _fits(one, of_mcp[0])])
    for part, of_targets in memory.items():
        for name, rss in of_targets.items():
            results.memory_mb.setdefault(name, {})[part] = rss


def _rounds(
    arguments: argparse.Namespace, bench: Bench, targets: list[Target], cases: list[Case]
) -> list[Round]:
    """Give the rounds that count, after one that warms up."""
    found: list[Round] = []
    for number in range(arguments.rounds + 1):
        say(f"round {number} of {arguments.rounds}" if number else "warm-up")
        scale = arguments.scale * (1 if number else WARM_UP_SHARE)
        found.append(_round(bench, targets, cases, scale))
    return found[1:]


def _open(opened: ExitStack, bench: Bench, results: Results, *, with_peers: bool) -> list[Target]:
    """Start everything, each once; gives the targets."""
    own = cores()[0]
    port = opened.enter_context(upstream(bench.programs, bench.core))
    certificates = authority.make(bench.folder / "certificates")
    tls_port = opened.enter_context(
        tls_upstream(bench.folder / "tls", certificates, port, bench.core)
    )
    tls = (tls_port, certificates) if tls_port is not None else None
    targets = [Target(DIRECT, port)]
    proxy = opened.enter_context(nginx(bench.folder / NGINX, port, own, tls))
    if proxy is None:
        results.not_measured.append("nginx, and TLS to the upstream: nginx is not installed")
    else:
        targets.append(proxy)
        results.versions[NGINX] = _nginx_version()
    for one in bench.gateways:
        ours = opened.enter_context(gateway(bench.folder / one.name, port, own, tls, one.program))
        targets.append(replace(ours, name=one.name))
    targets.append(replace(ours, name=AUTO, model=COMBO_AUTO, tls_port=None, pair_model=None))
    if not with_peers:
        results.not_measured.append("LiteLLM and smg: the run was without --peers")
        return targets
    pinned = other_gateways.versions()
    for name, start in (("litellm", other_gateways.litellm), ("smg", other_gateways.smg)):
        say(f"starting {name} {pinned[name]}")
        try:
            python = bench.gateways[-1].python
            targets.append(opened.enter_context(start(bench.folder / name, port, own, python)))
            results.versions[name] = pinned[name]
        except (OSError, subprocess.SubprocessError) as error:
            say(f"{name} could not be started: {error}")
            results.not_measured.append(f"{name}: it could not be installed or started here")
    return targets


def _round(bench: Bench, targets: list[Target], cases: list[Case], scale: float) -> Round:
    """Put every case to every target, in an order of its own each time."""
    got: Round = {}
    for case in random.sample(cases, len(cases)):
        able = [one for one in targets if _fits(one, case)]
        order = random.sample(able, len(able))
        got[case.name] = {target.name: bench.load(target, case, scale) for target in order}
    return got


def _fits(target: Target, case: Case) -> bool:
    if case.path in PATHS.values():
        return target.name.startswith(OURS) and target.name != AUTO
    if case.pair and target.pair_model is None:
        return False
    return not (case.heavy and target.share < 1) and (not case.tls or target.tls_port is not None)


def _must_answer(target: Target, case: Case, body: Path) -> None:
    """Raise SystemExit unless a case's request gets the answer that is to be measured."""
    if not case.expected:
        return
    headers = {"content-type": "application/json", "accept": "*/*"}
    headers["authorization"] = f"Bearer {target.key}"
    headers |= dict(line.split(": ") for line in case.headers.splitlines())
    url = f"http://127.0.0.1:{target.port}{case.path}"
    with urllib.request.urlopen(
        urllib.request.Request(url, body.read_bytes(), headers), timeout=ANSWER_S_MAX
    ) as answer:
        told = answer.read()
    if case.expected not in told:
        raise SystemExit(f"{target.name}, {case.name}: {told[:500]!r}")


def _hold(bench: Bench, targets: list[Target], results: Results) -> None:
    """Hold many streams at once, each target once, and look at its memory meanwhile."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < OPEN_FILES_NEEDED:
        results.not_measured.append(f"{HELD.words}: this machine allows too few open files")
        return
    for target in targets:
        if target.name not in (DIRECT, NGINX, results.judged):
            continue
        say(f"{HELD.words}: {target.name}")
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(bench.load, target, HELD, 1.0)
            peak = 0.0
            while not running.done():
                peak = max(peak, rss_mb(target.process) if target.process else 0.0)
                time.sleep(PEEK_S)
            results.held[target.name] = {**running.result(), "rss_mb_peak": peak}


def _memory(targets: list[Target]) -> dict[str, float]:
    return {one.name: rss_mb(one.process) for one in targets if one.process and one.name != AUTO}


def _nginx_version() -> str:
    done = subprocess.run(
        ["nginx", "-v"],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/bin:/usr/local/bin"},
    )
    return done.stderr.rpartition("/")[2].strip()


def _allow_open_files() -> None:
    """Raise the limit of open files as far as it goes, for us and what we start."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def say(words: str) -> None:
    """Tell who waits what is being done."""
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
