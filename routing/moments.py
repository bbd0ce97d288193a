"""What is counted of a target's candidates right now, as far as its strategy reads it."""

from itertools import pairwise
from typing import assert_never

from .health.book import HealthBook
from .health.loads import Loads
from .health.tallies import Tallies
from .model import Snapshot
from .moment import Moment
from .prepare import Prepared


def moment_of(
    prepared: Prepared, health: HealthBook, loads: Loads, tallies: Tallies, now_s: float
) -> Moment | None:
    """Give the facts to decide on, None where the strategy reads none. Changes nothing.

    Args:
        prepared: the target, its candidates and its strategy.
        health: of every candidate; read for its times.
        loads: of every candidate.
        tallies: of every combo.
        now_s: when the request came.
    """
    snapshot = prepared.snapshot
    name, candidates = snapshot.combo or snapshot.target, snapshot.candidates
    match snapshot.strategy:
        case "priority" | "p2c":
            moment = _loads_of(snapshot, health, loads, now_s)
        case "round-robin":
            moment = Moment(turn=tallies.turn(name))
        case "least-used":
            moment = Moment(uses=tallies.uses(name, candidates))
        case "last-known-good":
            moment = Moment(last_good=tallies.last_good(name, candidates))
        case "fill-first" | "headroom":
            places = prepared.patience.concurrency
            moment = Moment(free_ppm=tuple(loads.free_ppm(one, places) for one in candidates))
        case "weighted" | "random" | "cost-optimized" | "context-fit" | "auto":
            moment = None
        case strategy:
            assert_never(strategy)
    return moment


def _loads_of(snapshot: Snapshot, health: HealthBook, loads: Loads, now_s: float) -> Moment | None:
    if snapshot.strategy == "priority" and not _has_groups(snapshot):
        return None
    return Moment(
        in_flight=tuple(map(loads.in_flight, snapshot.candidates)),
        wait_us=health.peaks_us(snapshot.candidates, now_s),
    )


def _has_groups(snapshot: Snapshot) -> bool:
    """Whether a model stands in the list for several accounts."""
    candidates = snapshot.candidates
    return any(
        (one.provider, one.model) == (other.provider, other.model)
        for one, other in pairwise(candidates)
    )
