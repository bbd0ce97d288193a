"""Why a candidate has its score: the parts that it is the sum of. Pure, like the decision.

The parts are worked out again from the stored request and snapshot by the same figures that
the strategy used; a strategy without a score has none.
"""

from dataclasses import dataclass, fields

from ..accounting.cost import expected_usd_nanos
from ..model import Candidate, Decision, RouteRequest, Snapshot, Strategy
from .auto import MODES, Kept, task_of, terms_of
from .balance import narrowed
from .classic import PACKS, factors_of_kept, weights_of
from .stay import stay_of

CACHE = "saved by the session's prompt cache in USD"
FIGURES: dict[Strategy, str] = {
    "least-used": "calls by this combo",
    "p2c": "seconds to the first byte times calls, by weight",
    "headroom": "free share of the model's freest account",
    "context-fit": "share of the context filled",
}
"""What the score of a strategy is that has one figure alone."""


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
    """Give the parts of a kept candidate's score; they sum to it.

    In US dollars with auto and cost-optimized, else in the figure's own unit; the scores of
    policy classic-6f are plain numbers.
    """
    if snapshot.strategy in FIGURES:
        figures = [
            one.score for one in decision.verdicts if one.kept and one.candidate == candidate
        ]
        name = FIGURES[snapshot.strategy]
        return tuple(_factor(name, one, 1.0) for one in figures[:1] if one is not None)
    if snapshot.strategy not in ("auto", "cost-optimized"):
        return ()
    pairs = zip(snapshot.candidates, snapshot.states, decision.verdicts, strict=True)
    kept = [(one, state) for one, state, verdict in pairs if verdict.kept]
    request = narrowed(request, [at for at, one in enumerate(decision.verdicts) if one.kept])
    place = next((place for place, (one, _) in enumerate(kept) if one == candidate), None)
    if place is None:
        return ()
    if snapshot.strategy == "auto" and snapshot.mode in PACKS:
        return _classic(snapshot, request, kept, place)
    if snapshot.strategy == "auto":
        return _auto(snapshot.mode, request, kept, place)
    cost = expected_usd_nanos(candidate, request.operation.features)
    return () if cost is None else (_factor("expected cost in USD", cost / 1e9, 1.0),)


def _auto(mode: str, request: RouteRequest, kept: Kept, place: int) -> tuple[Factor, ...]:
    wish, terms = MODES[mode], terms_of(mode, request, kept)[place]
    lack = f"lack of fitness for {task_of(mode, request)}"
    cached = () if stay_of(request) is None else (_factor(CACHE, terms.saved_usd, 1.0),)
    return (
        _factor("success rate", terms.success, wish.answer_usd),
        _factor(lack, 1.0 - terms.fitness, -wish.answer_usd * terms.success),
        _factor("expected cost in USD", terms.cost_usd + terms.saved_usd, -1.0),
        *cached,
        _factor("seconds to the first byte", terms.first_byte_s, -wish.second_usd),
    )


def _classic(
    snapshot: Snapshot, request: RouteRequest, kept: Kept, place: int
) -> tuple[Factor, ...]:
    found = factors_of_kept(snapshot.mode, request, kept)[place]
    weights = weights_of(snapshot.mode, snapshot.preference)
    return tuple(
        _factor(one.name, getattr(found, one.name), getattr(weights, one.name))
        for one in fields(found)
    )


def _factor(name: str, value: float, weight: float) -> Factor:
    return Factor(name, value, weight, value * weight)
