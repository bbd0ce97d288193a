"""What is counted of a target's candidates right now, as far as its strategy reads it."""

from typing import assert_never

from .health.book import HealthBook
from .health.loads import Loads
from .health.tallies import Tallies
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
    in_flight: tuple[int, ...] = ()
    wait_us: tuple[int, ...] = ()
    if prepared.shared or snapshot.strategy == "p2c":
        in_flight = tuple(map(loads.in_flight, candidates))
        wait_us = health.peaks_us(candidates, now_s)
    moment = Moment(in_flight=in_flight, wait_us=wait_us) if in_flight else None
    match snapshot.strategy:
        case "round-robin":
            moment = Moment(tallies.turn(name), in_flight=in_flight, wait_us=wait_us)
        case "least-used":
            uses = tallies.uses(name, candidates)
            moment = Moment(uses=uses, in_flight=in_flight, wait_us=wait_us)
        case "last-known-good":
            last_good = tallies.last_good(name, candidates)
            moment = Moment(last_good=last_good, in_flight=in_flight, wait_us=wait_us)
        case "fill-first" | "headroom":
            places = prepared.patience.concurrency
            free_ppm = tuple(loads.free_ppm(one, places) for one in candidates)
            moment = Moment(free_ppm=free_ppm, in_flight=in_flight, wait_us=wait_us)
        case "priority" | "p2c" | "weighted" | "random" | "cost-optimized" | "context-fit" | "auto":
            pass
        case strategy:
            assert_never(strategy)
    return moment
