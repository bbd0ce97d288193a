"""The strategies: how the candidates that passed the gates are put in order.

A table of pure functions. Each gets the request, the kept candidates with their states and a
seed, and gives the order, the probability with which each could have been first, and a score
where it has one. What a strategy needs to know is in the snapshot; nothing is remembered here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..accounting.cost import expected_usd_nanos
from ..model import Candidate, CandidateState, RouteRequest, Strategy
from . import auto
from .draw import ONE_Q32, draw_order, quantise

Kept = Sequence[tuple[Candidate, CandidateState]]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Positions in the order of trying; `first_q32` and `scores` are by position."""

    order: tuple[int, ...]
    first_q32: tuple[int, ...]
    scores: tuple[float | None, ...]


def rank(strategy: Strategy, mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    """Put the kept candidates in order; none gives an empty ranking."""
    if not kept:
        return Ranking((), (), ())
    return STRATEGIES[strategy](mode, request, kept, seed)


def _priority(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    return _certain(tuple(range(len(kept))), (None,) * len(kept))


def _weighted(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    return _drawn([float(one.weight) for one, _ in kept], request, kept, seed)


def _random(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    return _drawn([1.0] * len(kept), request, kept, seed)


def _cheapest(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    """Order by expected cost; an unknown price comes last, it is not taken for free."""
    costs = [expected_usd_nanos(one, request.operation.features) for one, _ in kept]
    order = sorted(range(len(kept)), key=lambda i: (costs[i] is None, costs[i] or 0, i))
    return _certain(tuple(order), tuple(None if one is None else one / 1e9 for one in costs))


def _auto(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    """Draw by the utilities of auto.py."""
    utilities = auto.utilities(mode, request, kept)
    drawn = _drawn(auto.shares(mode, utilities), request, kept, seed)
    return Ranking(drawn.order, drawn.first_q32, utilities)


def _certain(order: tuple[int, ...], scores: tuple[float | None, ...]) -> Ranking:
    first = tuple(ONE_Q32 if place == order[0] else 0 for place in range(len(order)))
    return Ranking(order, first, scores)


def _drawn(weights: Sequence[float], request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    first = quantise(weights)
    names = [f"{one.account_id}|{one.model}" for one, _ in kept]
    order = draw_order(first, names, seed=seed, request_id=request.request_id)
    return Ranking(order, first, (None,) * len(kept))


STRATEGIES: dict[Strategy, Callable[[str, RouteRequest, Kept, bytes], Ranking]] = {
    "priority": _priority,
    "weighted": _weighted,
    "random": _random,
    "cost-optimized": _cheapest,
    "auto": _auto,
}
