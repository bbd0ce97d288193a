"""The cheap and the free tier: whom a degrading budget leaves among the candidates.

The idea: whoever set such a budget would rather have a cheaper answer than none. So when it
comes to that (see guard.py), only a tier of the candidates stays, and a request is refused only
when not even that can be paid.

- `free`: every price is known and 0.
- `cheap`: a million tokens, 60 of 100 of them input, cost at most CHEAP_MTOK_USD_NANOS, or at
  most CHEAP_TIMES what those of the cheapest candidate do. So a list of dear models keeps its
  cheapest.

The yardstick is the cheapest of those who could answer this request, also while it rests or its
circuit is open: a provider that is unwell for a minute does not make a dear one cheap. A price
that is not known is in no tier. Like every gate this reads the request, the candidates and
their prices, and nothing else.
"""

from collections.abc import Sequence

from ..accounting.clamp import least_bound
from ..guard import Guard
from ..model import Candidate, Price, RouteRequest
from .filters import Refusal

CHEAP_MTOK_USD_NANOS = 1_000_000_000
CHEAP_TIMES = 2
RESTING = frozenset({"circuit_open", "circuit_probing", "cooling_down"})


def within_tier(
    request: RouteRequest,
    guard: Guard,
    candidates: Sequence[Candidate],
    refusals: Sequence[Refusal | None],
) -> list[Refusal | None]:
    """Give the refusals, with those of candidates that are outside of the guard's tier."""
    able = [
        one
        for one, refusal in zip(candidates, refusals, strict=True)
        if refusal is None or refusal[0] in RESTING
    ]
    if not _in_force(request, guard, able):
        return list(refusals)
    prices = [mtok_usd_nanos(one.facts.price) for one in able if one.facts.price is not None]
    cheapest = min(prices, default=0)
    return [
        _outside(guard, one, cheapest) if refusal is None else refusal
        for one, refusal in zip(candidates, refusals, strict=True)
    ]


def mtok_usd_nanos(price: Price) -> int:
    """Give what a million tokens cost, 60 of 100 of them input."""
    return (price.input * 3 + price.output * 2) // 5


def _in_force(request: RouteRequest, guard: Guard, able: Sequence[Candidate]) -> bool:
    left = guard.left_usd_nanos
    if left is None:
        return True
    features = request.operation.features
    return any(least_bound(one, features).usd_nanos > left for one in able)


def _outside(guard: Guard, candidate: Candidate, cheapest: int) -> Refusal | None:
    price = candidate.facts.price
    if price is None:
        return "unknown_price", f"a budget allows only {guard.tier} models now; set its price"
    cost = mtok_usd_nanos(price)
    if guard.tier == "free":
        limit = 0
        kept = not any((price.input, price.output, price.cache_write, price.cached_input))
    else:
        limit = max(CHEAP_MTOK_USD_NANOS, CHEAP_TIMES * cheapest)
        kept = cost <= limit
    if kept:
        return None
    return "too_dear", (
        f"a budget allows only {guard.tier} models now, up to ${limit / 1e9:.2f} for a million "
        f"tokens, and its cost ${cost / 1e9:.2f}"
    )
