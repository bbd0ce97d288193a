"""Why a candidate has its score: the parts that it is the sum of. Pure, like the decision.

The parts are worked out again from the stored request and snapshot by the same figures that
the strategy used; a strategy without a score has none.
"""

from dataclasses import dataclass

from ..accounting.cost import expected_usd_nanos
from ..model import Candidate, CandidateState, Decision, RouteRequest, Snapshot
from .strategies import MODES, UNTRIED_FIRST_BYTE_S


@dataclass(frozen=True, slots=True)
class Factor:
    """One part of a score: `contribution` is `value` times `weight`, in the score's unit."""

    name: str
    value: float
    weight: float
    contribution: float


def factors_of(
    request: RouteRequest, snapshot: Snapshot, decision: Decision, candidate: Candidate
) -> tuple[Factor, ...]:
    """Give the parts of a kept candidate's score, in US dollars; they sum to it."""
    if snapshot.strategy not in ("auto", "cost-optimized"):
        return ()
    features = request.operation.features
    costs = {
        id(one.candidate): expected_usd_nanos(one.candidate, features)
        for one in decision.verdicts
        if one.kept
    }
    place = next(
        (place for place, one in enumerate(decision.verdicts) if one.candidate == candidate), None
    )
    if place is None or not decision.verdicts[place].kept:
        return ()
    cost = costs[id(decision.verdicts[place].candidate)]
    if snapshot.strategy == "cost-optimized":
        return () if cost is None else (_factor("expected cost in USD", cost / 1e9, 1.0),)
    known = [one for one in costs.values() if one is not None]
    # A price that is not known counts as the dearest known one, as in the strategy.
    counted = max(known, default=0) if cost is None else cost
    return _auto(snapshot.mode, counted / 1e9, snapshot.states[place])


def _auto(mode: str, cost_usd: float, state: CandidateState) -> tuple[Factor, ...]:
    wish = MODES[mode]
    known_ms = state.first_byte_ms
    wait_s = UNTRIED_FIRST_BYTE_S if known_ms is None else known_ms / 1000
    return (
        _factor("success rate", state.success, wish.answer_usd),
        _factor("expected cost in USD", cost_usd, -1.0),
        _factor("seconds to the first byte", wait_s, -wish.second_usd),
    )


def _factor(name: str, value: float, weight: float) -> Factor:
    return Factor(name, value, weight, value * weight)
