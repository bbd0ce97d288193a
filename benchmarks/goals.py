"""What the fast path is to reach, line by line, and what a run says to each.

A line is judged by the median of its rounds. At most two of them may be missed, and those that
compare with nginx and smg may not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from benchmarks.results import NGINX, Results, Spread, ratios, spread

LITELLM, SMG = "litellm", "smg"
MISSED_MAX = 2
STREAMS_HELD = 4000


@dataclass(frozen=True, slots=True)
class Goal:
    """One line: a figure of each round, and the bound that it keeps to."""

    words: str
    way: Literal["at most", "at least"]
    bound: float
    values: Callable[[Results], list[float]]
    unit: str = ""
    binding: bool = False
    without: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A line with what a run says to it; `met` is None when it was not measured."""

    goal: Goal
    figure: Spread | None
    met: bool | None


def _ratio(case: str, figure: str, peer: str) -> Callable[[Results], list[float]]:
    """Give what reads ours to a peer's."""

    def values(results: Results) -> list[float]:
        ours, theirs = (results.values(case, name, figure) for name in (results.judged, peer))
        return ratios(ours, theirs)

    return values


def _throughput(case: str, peer: str) -> Callable[[Results], list[float]]:
    """Give what reads our throughput per core to a peer's: CPU a request, turned over."""

    def values(results: Results) -> list[float]:
        ours, theirs = (results.values(case, name, "cpu_us") for name in (results.judged, peer))
        return ratios(theirs, ours)

    return values


def _added(case: str, peer: str) -> Callable[[Results], list[float]]:
    """Give what reads our added p50 to a peer's."""

    def values(results: Results) -> list[float]:
        ours, theirs = (results.added(case, name, "p50_us") for name in (results.judged, peer))
        return ratios(ours, theirs)

    return values


def _more_than(case: str, share: float) -> Callable[[Results], list[float]]:
    """Give what reads by how much our CPU a request is more than a multiple of nginx's."""

    def values(results: Results) -> list[float]:
        ours, theirs = (results.values(case, name, "cpu_us") for name in (results.judged, NGINX))
        return [a - share * b for a, b in zip(ours, theirs, strict=True)] if theirs else []

    return values


def _memory(results: Results) -> list[float]:
    names = (results.judged, LITELLM)
    ours, theirs = (results.memory_mb.get(name, {}).get("after") for name in names)
    return [ours / theirs] if ours and theirs else []


def _held(results: Results) -> list[float]:
    figures = results.held.get(results.judged)
    return [figures["at_once"] - figures["errors"]] if figures else []


def _start(results: Results) -> list[float]:
    return results.starts_s.get("start to first answer", [])


GOALS = (
    Goal("LiteLLM: throughput per core, c32", "at least", 60, _throughput("c32", LITELLM), "x"),
    Goal("LiteLLM: added p50, c1", "at most", 1 / 50, _added("c1", LITELLM), "x"),
    Goal("LiteLLM: memory after the load", "at most", 1 / 4, _memory, "x"),
    Goal("smg: throughput per core, c32", "at least", 2, _throughput("c32", SMG), "x", True),
    Goal("smg: added p50, c1", "at most", 1, _added("c1", SMG), "x", True),
    Goal("smg: CPU a paced chunk", "at most", 1, _ratio("paced", "event_cpu_us", SMG), "x", True),
    Goal("nginx: added p50, c1", "at most", 3, _added("c1", NGINX), "x", True),
    Goal("nginx: CPU a request, c32", "at most", 6, _ratio("c32", "cpu_us", NGINX), "x", True),
    Goal(
        "nginx: CPU a paced chunk",
        "at most",
        2.5,
        _ratio("paced", "event_cpu_us", NGINX),
        "x",
        binding=True,
    ),
    Goal(
        "prompt of 100,000 tokens: CPU more than nginx's",
        "at most",
        1000,
        _more_than("large", 1),
        " us",
    ),
    Goal(
        "TLS to the upstream: CPU more than 1.5 times nginx's, c32",
        "at most",
        60,
        _more_than("tls-c32", 1.5),
        " us",
    ),
    Goal(
        "500 streams at once: errors",
        "at most",
        0,
        lambda results: results.values("s500", results.judged, "errors"),
    ),
    Goal(
        "500 streams at once: p99 chunk lag to nginx's",
        "at most",
        3,
        _ratio("s500", "lag_p99_us", NGINX),
        "x",
    ),
    Goal("streams held at once, without an error", "at least", STREAMS_HELD, _held),
    Goal("start to the first answered request", "at most", 1.0, _start, " s"),
    Goal(
        "growth of memory over the soak",
        "at most",
        5,
        lambda results: [results.soak["growth_mib"]] if results.soak else [],
        " MiB",
        without="`make test-long` measures and bounds it",
    ),
)


def judged(results: Results) -> list[Judged]:
    """Give every line with its figure."""
    found = []
    for goal in GOALS:
        figure = spread(goal.values(results))
        met = None
        if figure is not None:
            met = (
                figure.median <= goal.bound
                if goal.way == "at most"
                else figure.median >= goal.bound
            )
        found.append(Judged(goal, figure, met))
    return found


def verdict(lines: list[Judged]) -> str:
    """Give the sum of it in one sentence."""
    missed = [line for line in lines if line.met is False]
    unknown = [line for line in lines if line.met is None]
    binding = [line for line in missed if line.goal.binding]
    words = f"{len(lines) - len(missed) - len(unknown)} met, {len(missed)} missed"
    if unknown:
        words += f", {len(unknown)} not measured here"
    if binding or len(missed) > MISSED_MAX:
        return f"{words}: not there yet."
    return f"{words}."


def shown(judged_line: Judged) -> tuple[str, str, str]:
    """Give a line's bound, its figure with its spread, and what that makes."""
    goal, figure = judged_line.goal, judged_line.figure
    bound = f"{goal.way} {number(goal.bound)}{goal.unit}"
    if figure is None:
        return bound, goal.without or "-", "not measured here"
    words = f"{number(figure.median)}{goal.unit}"
    if figure.least != figure.most:
        words += f" ({number(figure.least)} to {number(figure.most)})"
    return bound, words, "met" if judged_line.met else "**missed**"


def number(value: float) -> str:
    """Give a figure with as many digits as it deserves."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"
