"""The figures of one run, and what is told from them: differences and ratios within rounds."""

import statistics
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.pythons import Build

OURS, AUTO, DIRECT, NGINX = "omniroute", "omniroute auto", "direct", "nginx"

Figures = dict[str, float]
Round = dict[str, dict[str, Figures]]
"""By case and then by target."""


class Results(msgspec.Struct, kw_only=True):
    """One run, as it is kept in JSON."""

    made: dict[str, str]
    command: str
    compiled: bool
    versions: dict[str, str]
    rounds: list[Round]
    held: dict[str, Figures]
    memory_mb: dict[str, Figures]
    starts_s: dict[str, list[float]]
    left_ms: Figures
    deciding_us: dict[str, tuple[float, float]]
    not_measured: list[str]
    soak: Figures = {}
    pythons: dict[str, Build] = {}
    """By the target that runs on it."""
    judged: str = OURS
    """The target that is compared with the others: ours, on the Python that users have."""

    @property
    def targets(self) -> list[str]:
        """Give the targets in the order in which they were opened, ours last."""
        found = {name: None for one in self.rounds for case in one.values() for name in case}
        order = [DIRECT, NGINX, "litellm", "smg", OURS, self.judged, AUTO]
        return [name for name in dict.fromkeys(order) if name in found]

    def values(self, case: str, target: str, figure: str) -> list[float]:
        """Give a figure of each round; empty when it was not measured."""
        return [
            one[case][target][figure]
            for one in self.rounds
            if figure in one.get(case, {}).get(target, {})
        ]

    def added(self, case: str, target: str, figure: str) -> list[float]:
        """Give a time less the direct call's of the same round."""
        direct = self.values(case, DIRECT, figure)
        mine = self.values(case, target, figure)
        return [a - b for a, b in zip(mine, direct, strict=True)] if direct and mine else []

    def errors(self, target: str) -> int:
        """Give how many of a target's requests failed, of all rounds."""
        return int(
            sum(
                figures.get("errors", 0)
                for one in [*self.rounds, {"held": self.held}]
                for case in one.values()
                for name, figures in case.items()
                if name == target
            )
        )


@dataclass(frozen=True, slots=True)
class Spread:
    """A median of rounds, and the least and the most of them."""

    median: float
    least: float
    most: float


def spread(values: list[float]) -> Spread | None:
    """Give what rounds say together; None when there is nothing."""
    return Spread(statistics.median(values), min(values), max(values)) if values else None


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    """Give ours to theirs, pair by pair within a round."""
    pairs = zip(ours, theirs, strict=True) if ours and theirs else ()
    return [a / b for a, b in pairs if b]


def read(path: Path) -> Results:
    """Give the run that a file keeps."""
    return msgspec.json.decode(path.read_bytes(), type=Results)


def write(results: Results, path: Path) -> None:
    """Keep a run in a file, so that a change of one figure is a change of one line."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
