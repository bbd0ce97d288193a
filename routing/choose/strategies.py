"""The strategies: how the candidates that passed the gates are put in order.

A table of pure functions. Each gets the request, the kept candidates with their states and a
seed, and gives the order, the probability with which each could have been first, and a score
where it has one. A model that several accounts serve is one candidate to a strategy, and its
accounts are chosen among after that (accounts.py); p2c alone sees each account. What a strategy
needs to know is in the snapshot or, when it changes with every request, in the request's
`moment`; nothing is remembered here.
"""

from collections.abc import Callable

from ..accounting.cost import expected_usd_nanos
from ..model import RouteRequest, Strategy
from .accounts import asked_of, full, models_of, steps_of
from .autos import rank_auto
from .balance import (
    by_priority,
    context_fit,
    fill_first,
    headroom,
    last_known_good,
    least_used,
    round_robin,
    two_choices,
)
from .ranking import Kept, Ranking, certain, draw
from .stay import settled


def rank(strategy: Strategy, mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    """Put the kept candidates in order; none gives an empty ranking."""
    if not kept:
        return Ranking((), (), ())
    choose = STRATEGIES[strategy]
    if strategy in ALONE or all(one.step is None for one, _ in kept):
        return settled(strategy, request, choose(mode, request, kept, seed))
    behind = full(request, kept) if strategy in ("fill-first", "headroom") else frozenset[int]()
    steps = steps_of(request, kept, seed, behind=behind)
    if steps is None:
        return settled(strategy, request, choose(mode, request, kept, seed))
    models = choose(mode, asked_of(request, kept, steps), models_of(kept, steps), seed)
    return settled(strategy, request, steps.spread(models))


def _weighted(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    return draw([float(one.weight) for one, _ in kept], request, kept, seed)


def _random(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    return draw([1.0] * len(kept), request, kept, seed)


def _cheapest(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    """Order by expected cost; an unknown price comes last, it is not taken for free."""
    costs = [expected_usd_nanos(one, request.operation.features) for one, _ in kept]
    order = sorted(range(len(kept)), key=lambda i: (costs[i] is None, costs[i] or 0, i))
    return certain(tuple(order), tuple(None if one is None else one / 1e9 for one in costs))


def _auto(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    """Draw by the policy of the mode, as the built-in autos do."""
    return rank_auto(None, mode, request, kept, seed)


STRATEGIES: dict[Strategy, Callable[[str, RouteRequest, Kept, bytes], Ranking]] = {
    "priority": by_priority,
    "weighted": _weighted,
    "random": _random,
    "round-robin": round_robin,
    "least-used": least_used,
    "cost-optimized": _cheapest,
    "fill-first": fill_first,
    "p2c": two_choices,
    "last-known-good": last_known_good,
    "headroom": headroom,
    "context-fit": context_fit,
    "auto": _auto,
}
ALONE: frozenset[Strategy] = frozenset({"p2c", "auto"})
"""Those that see every account: p2c takes each for itself, auto has a score for each."""
