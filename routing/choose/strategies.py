"""The strategies: how the candidates that passed the gates are put in order.

A table of pure functions. Each gets the request, the kept candidates with their states and a
seed, and gives the order, the probability with which each could have been first, and a score
where it has one. What a strategy needs to know is in the snapshot; nothing is remembered here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..accounting.cost import expected_usd_nanos
from ..model import Candidate, CandidateState, RouteRequest, Strategy
from .draw import ONE_Q32, draw_order, quantise

Kept = Sequence[tuple[Candidate, CandidateState]]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Positions in the order of trying; `first_q32` and `scores` are by position."""

    order: tuple[int, ...]
    first_q32: tuple[int, ...]
    scores: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Mode:
    """What a mode of `auto` cares for, in US dollars: a vector of preferences.

    Attributes:
        answer_usd: what a good answer is worth.
        second_usd: what a second of waiting for the first byte costs.
        temperature_usd: how far apart two utilities must be to matter: spreads the draws.
    """

    answer_usd: float
    second_usd: float
    temperature_usd: float


MODES: dict[str, Mode] = {
    "balanced": Mode(answer_usd=0.05, second_usd=0.002, temperature_usd=0.0005),
    "coding": Mode(answer_usd=0.10, second_usd=0.001, temperature_usd=0.0005),
    "fast": Mode(answer_usd=0.05, second_usd=0.02, temperature_usd=0.0005),
    "cheap": Mode(answer_usd=0.005, second_usd=0.0002, temperature_usd=0.0001),
    "smart": Mode(answer_usd=0.25, second_usd=0.001, temperature_usd=0.001),
    "offline": Mode(answer_usd=0.05, second_usd=0.002, temperature_usd=0.0005),
}
FLOOR = 0.0025
"""The least probability of a kept candidate in `auto`: keeps its estimates alive."""
UNTRIED_FIRST_BYTE_S = 1.0


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
    """Weigh success, cost and waiting in dollars; draw by softmax with a floor.

    An unknown price counts as the dearest known one among the candidates.
    """
    wish = MODES[mode]
    costs = [expected_usd_nanos(one, request.operation.features) for one, _ in kept]
    dearest = max((cost for cost in costs if cost is not None), default=0)
    utilities = [
        wish.answer_usd * state.success
        - (dearest if cost is None else cost) / 1e9
        - wish.second_usd * _first_byte_s(state)
        for cost, (_, state) in zip(costs, kept, strict=True)
    ]
    top = max(utilities)
    shares = [math.exp((one - top) / wish.temperature_usd) for one in utilities]
    floor = min(FLOOR, 1.0 / len(kept))
    total = math.fsum(shares)
    weights = [(1.0 - floor * len(kept)) * share / total + floor for share in shares]
    drawn = _drawn(weights, request, kept, seed)
    return Ranking(drawn.order, drawn.first_q32, tuple(utilities))


def _first_byte_s(state: CandidateState) -> float:
    known = state.first_byte_ms
    return UNTRIED_FIRST_BYTE_S if known is None else known / 1000


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
