"""What choosing by kind of question is worth: realised quality and cost on public outcomes.

    python -m benchmarks.quality DATA_FOLDER [--splits 5]

DATA_FOLDER holds llmrouter_9.jsonl.gz (LLMRouter at 4e7a796, MIT): prompts of 13 tasks with the
score, 0 to 1, of each of nine open models. The rows are split by a keyed hash of the prompt: on
TRAINED of them each model's fitness by family is measured, shrunken to its mean; on the rest
`decide` chooses, as the gateway would, and what it chose is scored by the probability with which
it chose it, so that no draw adds noise. No row is on both sides, and the family is the one that
the gateway finds in the prompt, unless the line says that it was given.

Prices are by size, USD_A_BILLION for each billion parameters and a million input tokens, twice
that for output, as no provider's price is on record; lengths are the gateway's own expectations.
So costs compare policies with each other and say nothing in dollars.
"""

import argparse
import gzip
import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from statistics import fmean, stdev

from omniroute.routing.accounting.cost import expected_usd_nanos
from omniroute.routing.catalog.fitness import documented_fitness, fitness_of
from omniroute.routing.catalog.lengths import lengths_of
from omniroute.routing.choose.decide import decide
from omniroute.routing.choose.draw import ONE_Q32
from omniroute.routing.model import (
    Candidate,
    Features,
    ModelFacts,
    Operation,
    Price,
    RouteRequest,
    Snapshot,
)
from omniroute.routing.moment import CandidateState, Expected
from omniroute.routing.wire.families import family_of

FILE = "llmrouter_9.jsonl.gz"
TRAINED = 0.7
PRIOR = 20
"""How many answers a model's mean counts as in its fitness for a family."""
USD_A_BILLION = 0.01
SIZE = re.compile(r"(\d+(?:\.\d+)?)b(?![a-z])")
SIZE_UNKNOWN = 7.0
SEED = b"a benchmark's seed"
GIVEN = "given:"
"""What the name of a task begins with where it is given instead of found."""


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt: its task, its family as the gateway finds it, and each model's score."""

    task: str
    family: str
    input_tokens: int
    scores: Mapping[str, float]
    place: float


@dataclass(frozen=True, slots=True)
class Result:
    """What a policy came to, as means over the rows."""

    quality: float
    cost_nanos: float


Policy = Callable[[Row], Mapping[str, float]]
"""Gives the probability of each model to answer."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; give an exit status."""
    parser = argparse.ArgumentParser(description="What choosing by kind of question is worth.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--splits", type=int, default=5)
    options = parser.parse_args(arguments)
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    quality = list[float]()
    for split in range(options.splits):
        results = measured(read(options.folder / FILE, split))
        best = results["best single model"]
        quality.append(best.quality)
        for name, one in results.items():
            found[name].append((one.quality / best.quality, one.cost_nanos / best.cost_nanos))
    print(
        f"{options.splits} splits, {TRAINED:.0%} trained and the rest tested; the best single "
        f"model scores {fmean(quality):.3f}"
    )
    print(f"{'policy':<44} {'quality':>16} {'cost':>7}   beside the best single model")
    for name, ratios in found.items():
        gains = [100 * (ratio - 1) for ratio, _ in ratios]
        spread = stdev(gains) if len(gains) > 1 else 0.0
        cost = fmean(ratio for _, ratio in ratios)
        print(f"{name:<44} {fmean(gains):>+8.1f} % +-{spread:3.1f} {cost:>6.0%}")
    return 0


def read(path: Path, split: int) -> list[Row]:
    """Give the rows, with a place from 0 to 1 that is theirs in this split."""
    rows: list[Row] = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            fields = json.loads(line)
            task, prompt = fields.pop("task"), fields.pop("prompt")
            digest = blake2b(prompt.encode(), digest_size=8, key=f"split {split}".encode()).digest()
            rows.append(
                Row(
                    task=task,
                    family=family_of(prompt),
                    input_tokens=max(1, len(prompt) // 4),
                    scores=fields,
                    place=int.from_bytes(digest, "big") / 2**64,
                )
            )
    return rows


def measured(rows: Sequence[Row]) -> dict[str, Result]:
    """Give what each policy comes to on the rows that nothing was learned from."""
    trained = [row for row in rows if row.place < TRAINED]
    tested = [row for row in rows if row.place >= TRAINED]
    candidates = [_candidate(model) for model in sorted(rows[0].scores)]
    means = {one.model: fmean(row.scores[one.model] for row in trained) for one in candidates}
    best = max(means, key=means.__getitem__)
    by_family = _learned(trained, means, lambda row: row.family)
    by_task = _learned(trained, means, lambda row: GIVEN + row.task)
    shipped = [replace(one, fitness=fitness_of(one.model)) for one in candidates]
    documented = [replace(one, fitness=documented_fitness(one.model)) for one in candidates]
    fit = [replace(one, fitness=by_family[one.model]) for one in candidates]
    told = [replace(one, fitness=by_task[one.model]) for one in candidates]
    policies: dict[str, Policy] = {
        "best single model": lambda row: {best: 1.0},
        "random": lambda row: dict.fromkeys(row.scores, 1 / len(row.scores)),
        "classic-6f, as documented": _deciding(documented, "classic-6f"),
        "classic-6f, pack quality-first": _deciding(documented, "quality-first"),
        "auto smart, fitness measured": _deciding(fit, "smart"),
        "auto balanced, fitness measured": _deciding(fit, "balanced"),
        "auto cheap, fitness measured": _deciding(fit, "cheap"),
        "auto smart, fitness as shipped (in sample)": _deciding(shipped, "smart"),
        "auto smart, task given": _deciding(told, "smart", given=True),
        "oracle": lambda row: {max(row.scores, key=row.scores.__getitem__): 1.0},
    }
    return {name: _result(policy, tested, candidates) for name, policy in policies.items()}


def _candidate(model: str) -> Candidate:
    size = SIZE.search(model.lower())
    nanos = round((float(size[1]) if size else SIZE_UNKNOWN) * USD_A_BILLION * 1e9)
    return Candidate(
        model,
        "open",
        model,
        "openai_chat",
        ModelFacts(price=Price(nanos, 2 * nanos)),
        expected=Expected(lengths_of(model)),
    )


def _learned(
    rows: Sequence[Row], means: Mapping[str, float], kind_of: Callable[[Row], str]
) -> dict[str, tuple[tuple[str, float], ...]]:
    """Give each model's fitness by kind of question, shrunken to its mean."""
    kinds: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        kinds[kind_of(row)].append(row)
    return {
        model: tuple(
            (
                kind,
                (PRIOR * mean + math.fsum(row.scores[model] for row in of_kind))
                / (PRIOR + len(of_kind)),
            )
            for kind, of_kind in kinds.items()
        )
        for model, mean in means.items()
    }


def _deciding(candidates: Sequence[Candidate], mode: str, *, given: bool = False) -> Policy:
    states = (CandidateState(),) * len(candidates)
    snapshot = Snapshot(mode, None, "auto", tuple(candidates), states, config_version=1, mode=mode)

    def choose(row: Row) -> Mapping[str, float]:
        family = GIVEN + row.task if given else row.family
        request = RouteRequest("req", mode, _operation(row, family), at_s=0.0)
        decision = decide(request, snapshot, SEED, snapshot_id="s")
        return {one.candidate.model: one.first_q32 / ONE_Q32 for one in decision.verdicts}

    return choose


def _operation(row: Row, family: str) -> Operation:
    features = Features(input_tokens=row.input_tokens, family=family)
    return Operation("chat", "openai_chat", b"", features)


def _result(policy: Policy, rows: Sequence[Row], candidates: Sequence[Candidate]) -> Result:
    quality = cost = 0.0
    for row in rows:
        features = _operation(row, row.family).features
        costs = {one.model: expected_usd_nanos(one, features) or 0 for one in candidates}
        for model, share in policy(row).items():
            quality += share * row.scores[model]
            cost += share * costs[model]
    return Result(quality / len(rows), cost / len(rows))


if __name__ == "__main__":
    raise SystemExit(main())
