"""What a decision costs: CPU time for 20 candidates and a prompt of 2,000 characters.

    make bench            python -m benchmarks.deciding [--decisions 5000]

One decision is what a request pays before anybody is called: the features of its body, the
family of its question among them, and `decide` on a prepared snapshot. CPU time of this one
thread, so that a busy machine disturbs little; the collector runs as it does in the gateway.
"""

import argparse
import json
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from omniroute.routing.catalog.fitness import fitness_of
from omniroute.routing.catalog.lengths import lengths_of
from omniroute.routing.choose.decide import decide
from omniroute.routing.model import Candidate, ModelFacts, Price, RouteRequest, Snapshot
from omniroute.routing.moment import CandidateState, Expected
from omniroute.routing.wire.operations import operation_of_body

ROOT = Path(__file__).parent.parent
CANDIDATES = 20
PROMPT_CHARS = 2000
WARM_UP = 200
WORDS = "Solve 3 x + 4 = 19, then explain in Python how the integral of the curve was found. "
SEED = b"a benchmark's seed"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; give an exit status."""
    parser = argparse.ArgumentParser(description="CPU time of a decision.")
    parser.add_argument("--decisions", type=int, default=5000)
    decisions: int = parser.parse_args(arguments).decisions
    print(
        f"a decision's CPU, {CANDIDATES} candidates, a prompt of {PROMPT_CHARS} characters; "
        f"CPython {platform.python_version()}, {decisions} decisions"
    )
    for name, (p50, p99) in measured(decisions).items():
        print(f"  {name:<10} p50 {p50:7.1f} us   p99 {p99:7.1f} us")
    return 0


def measured(decisions: int) -> dict[str, tuple[float, float]]:
    """Give the median and the 99th percentile of each part, in microseconds."""
    body, snapshot = _body(), _snapshot()
    asked = _request(body, 0)

    def read(number: int) -> None:
        _request(body, number)

    def choose(number: int) -> None:
        decide(asked, snapshot, SEED, snapshot_id="s")

    def both(number: int) -> None:
        decide(_request(body, number), snapshot, SEED, snapshot_id="s")

    steps = {"features": read, "decide": choose, "both": both}
    return {name: _measured(step, decisions) for name, step in steps.items()}


def measured_on(python: str, decisions: int) -> dict[str, tuple[float, float]]:
    """Give `measured` of another Python, which has the gateway installed."""
    tell = f"print(json.dumps(measured({decisions})))"
    program = f"import json; from benchmarks.deciding import measured; {tell}"
    done = subprocess.run(
        [python, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return {name: (p50, p99) for name, (p50, p99) in json.loads(done.stdout).items()}


def _measured(step: Callable[[int], None], times: int) -> tuple[float, float]:
    """Give the median and the 99th percentile of a step, in microseconds."""
    for number in range(WARM_UP):
        step(number)
    spent = []
    for number in range(times):
        before = time.thread_time_ns()
        step(number)
        spent.append(time.thread_time_ns() - before)
    spent.sort()
    return spent[times // 2] / 1000, spent[times * 99 // 100] / 1000


def _body() -> bytes:
    prompt = (WORDS * (PROMPT_CHARS // len(WORDS) + 1))[:PROMPT_CHARS]
    return json.dumps({"model": "auto", "messages": [{"role": "user", "content": prompt}]}).encode()


def _request(body: bytes, number: int) -> RouteRequest:
    target, operation, _ = operation_of_body("openai_chat", body)
    return RouteRequest(f"req_{number:032x}", target, operation, at_s=0.0)


def _snapshot() -> Snapshot:
    models = ("gpt-5.5", "claude-sonnet-5", "gemini-2.5-pro", "deepseek-v3.2", "star-mini")
    candidates = tuple(
        Candidate(
            f"account-{number}",
            f"provider-{number}",
            models[number % len(models)],
            "openai_chat",
            ModelFacts(context_tokens_max=200_000, price=Price(number * 10**8, number * 10**9)),
            fitness=fitness_of(models[number % len(models)]),
            expected=Expected(lengths_of(models[number % len(models)]), 10_000),
        )
        for number in range(CANDIDATES)
    )
    states = tuple(
        CandidateState(success=1 - number / 100, first_byte_ms=200 + 50 * number)
        for number in range(CANDIDATES)
    )
    return Snapshot("auto", None, "auto", candidates, states, config_version=1)


if __name__ == "__main__":
    raise SystemExit(main())
