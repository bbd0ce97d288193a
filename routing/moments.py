"""What is counted of a target's candidates right now, as far as its strategy reads it."""

from itertools import pairwise
from typing import assert_never

from .health.loads import Loads
from .health.tallies import Tallies
from .model import Snapshot
from .moment import Moment


def moment_of(
    snapshot: Snapshot, places: int | None, loads: Loads, tallies: Tallies
) -> Moment | None:
    """Give the facts to decide on, None where the strategy reads none. Changes nothing.

    Args:
        snapshot: the target, its candidates and its strategy.
        places: how many calls may be under way to one candidate, None without a bound.
        loads: of every candidate.
        tallies: of every combo.
    """
    name, candidates = snapshot.combo or snapshot.target, snapshot.candidates
    match snapshot.strategy:
        case "priority" | "p2c":
            moment = _loads_of(snapshot, loads)
        case "round-robin":
            moment = Moment(turn=tallies.turn(name))
        case "least-used":
            moment = Moment(uses=tallies.uses(name, candidates))
        case "last-known-good":
            moment = Moment(last_good=tallies.last_good(name, candidates))
        case "fill-first" | "headroom":
            moment = Moment(free_ppm=tuple(loads.free_ppm(one, places) for one in candidates))
        case "weighted" | "random" | "cost-optimized" | "context-fit" | "auto":
            moment = None
        case strategy:
            assert_never(strategy)
    return moment


def _loads_of(snapshot: Snapshot, loads: Loads) -> Moment | None:
    if snapshot.strategy == "priority" and not _has_groups(snapshot):
        return None
    return Moment(
        in_flight=tuple(map(loads.in_flight, snapshot.candidates)),
        wait_us=tuple(map(loads.wait_us, snapshot.candidates)),
    )


def _has_groups(snapshot: Snapshot) -> bool:
    """Whether a model stands in the list for several accounts."""
    candidates = snapshot.candidates
    return any(
        (one.provider, one.model) == (other.provider, other.model)
        for one, other in pairwise(candidates)
    )
