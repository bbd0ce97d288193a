"""The strategies that share work out: they read what the gateway counts, as request facts.

What is counted changes with every request, so it is no part of the snapshot: the engine puts
it into `request.moment`, only what the strategy reads, and it is stored with the decision.
Here it is by the kept candidates' positions; a fact that is missing counts as "all alike".

- round-robin: the turn's candidate first, then on in a circle.
- least-used: by how often the combo has called each, the least first.
- fill-first: list order, but candidates without a free place come after those with one.
- p2c: the less loaded of two that are picked at random, with replacement; accounts of one
  model, too, are drawn by it (accounts.py).
- last-known-good: the candidate that last answered for the combo, then list order.
- headroom: by the share of each that is free, the most first: of its places or of its
  provider's rate limits, whichever is less.
- context-fit: the smallest context that holds the request; unknown ones last.

Ties keep the list's order, except with p2c, where they are drawn.
"""

from collections.abc import Sequence
from itertools import groupby

from msgspec import structs

from ..model import Candidate, RouteRequest, Strategy
from ..moment import Moment, Stay
from .ranking import Kept, Ranking, certain, draw

UNTRIED_WAIT_US = 1_000_000
"""The most that is taken for the wait of candidates that have not answered yet."""

ALL_PPM = 1_000_000

COUNTING: frozenset[Strategy] = frozenset(
    {"round-robin", "least-used", "fill-first", "p2c", "last-known-good", "headroom"}
)
"""Those that read what is counted at the moment."""

NOTHING = Moment()


def round_robin(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    """Start at the turn's candidate and walk on in a circle."""
    count = len(kept)
    start = _moment(request).turn % count
    order = tuple((start + step) % count for step in range(count))
    return certain(order, (None,) * count)


def least_used(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    """Order by the calls that the combo has made of each; the score is their number."""
    uses = _moment(request).uses or (0,) * len(kept)
    order = sorted(range(len(kept)), key=lambda place: (uses[place], place))
    return certain(tuple(order), tuple(map(float, uses)))


def fill_first(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    """Keep the list's order, but put those that are full behind those that are not."""
    free = free_ppm(request, kept)
    order = sorted(range(len(kept)), key=lambda place: (free[place] == 0, place))
    return certain(tuple(order), (None,) * len(kept))


def two_choices(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    """Draw as if two were picked at random and the less loaded taken; the rest by their load.

    Of two picks with replacement out of n, the one of rank r (1 is the least loaded) is taken
    with probability (2(n - r) + 1) / n**2; those of equal load share theirs. The load is
    seconds to the first byte (a peak-sensitive average) times calls under way and this one,
    by weight; it is the score. Weight 0 beside weights is never taken before another.

    Source: M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001).
    """
    loads = _loads(request, kept)
    count = len(kept)
    ranked = sorted((load, place) for place, load in enumerate(loads) if load is not None)
    chances = [0.0] * count
    begun = 0
    for _, tied in groupby(ranked, key=lambda one: one[0]):
        places = [place for _, place in tied]
        # The ranks of a group of equals are consecutive, so their mean is at its middle.
        middle = begun + (len(places) + 1) / 2
        for place in places:
            chances[place] = 2 * (len(ranked) - middle) + 1
        begun += len(places)
    drawn = draw(chances, request, kept, seed)
    turns = {place: turn for turn, place in enumerate(drawn.order)}
    rest = sorted(drawn.order[1:], key=lambda place: (*_last_if_none(loads[place]), turns[place]))
    return Ranking((drawn.order[0], *rest), drawn.first_q32, tuple(loads))


def last_known_good(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    """Put the candidate that last answered first; without one keep the list's order."""
    good = _moment(request).last_good
    order = sorted(range(len(kept)), key=lambda place: (place != good, place))
    return certain(tuple(order), (None,) * len(kept))


def headroom(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    """Order by the share of each that is free, which is the score."""
    free = free_ppm(request, kept)
    order = sorted(range(len(kept)), key=lambda place: (-free[place], place))
    return certain(tuple(order), tuple(one / ALL_PPM for one in free))


def context_fit(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    """Order by context size, the smallest that fits first; the score is the share it fills.

    Those that do not fit never come here: a gate has refused them. So long contexts are left
    to the requests that need them.
    """
    features = request.operation.features
    needed = features.input_tokens + (features.output_tokens_max or 0)
    rooms = [one.facts.context_tokens_max for one, _ in kept]
    order = sorted(range(len(kept)), key=lambda place: (*_last_if_none(rooms[place]), place))
    return certain(tuple(order), tuple(needed / room if room else None for room in rooms))


def by_priority(mode: str, request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    """Keep the list's order."""
    return certain(tuple(range(len(kept))), (None,) * len(kept))


def narrowed(
    request: RouteRequest, places: Sequence[int], among: Sequence[Candidate] = ()
) -> RouteRequest:
    """Give the request with its facts about these candidates alone, by their new positions.

    Where the one that last answered is not left, another account of its model `among` all stands
    for it.
    """
    moment = request.moment
    if moment is None:
        return request
    return structs.replace(
        request,
        moment=Moment(
            turn=moment.turn,
            uses=_of(moment.uses, places),
            in_flight=_of(moment.in_flight, places),
            wait_us=_of(moment.wait_us, places),
            free_ppm=_of(moment.free_ppm, places),
            last_good=_good_of(moment.last_good, places, among),
            stay=_stay(moment.stay, places),
        ),
    )


def _good_of(
    last_good: int | None, places: Sequence[int], among: Sequence[Candidate]
) -> int | None:
    if last_good is None or last_good in places:
        return None if last_good is None else places.index(last_good)
    step = among[last_good].step if among else None
    equals = (new for new, place in enumerate(places) if among and among[place].step == step)
    return None if step is None else next(equals, None)


def _stay(stay: Stay | None, places: Sequence[int]) -> Stay | None:
    if stay is None or stay.place is None:
        return stay
    return structs.replace(stay, place=places.index(stay.place)) if stay.place in places else Stay()


def _of(values: tuple[int, ...], places: Sequence[int]) -> tuple[int, ...]:
    return tuple(values[place] for place in places) if values else ()


def _moment(request: RouteRequest) -> Moment:
    return request.moment or NOTHING


def _last_if_none(value: float | None) -> tuple[bool, float]:
    return value is None, value or 0.0


def _loads(request: RouteRequest, kept: Kept) -> list[float | None]:
    """Give each candidate's load in seconds; None where its weight forbids it.

    One that has not answered yet counts as the quickest, so that it is tried, but not as slow as
    those that only fail.
    """
    moment, count = _moment(request), len(kept)
    waits_us = moment.wait_us or (0,) * count
    in_flight = moment.in_flight or (0,) * count
    quickest = min([UNTRIED_WAIT_US, *(wait for wait in waits_us if wait)])
    weighted = any(one.weight for one, _ in kept)
    loads: list[float | None] = []
    for place, (candidate, _) in enumerate(kept):
        weight = candidate.weight if weighted else 1
        busy_us = (waits_us[place] or quickest) * (in_flight[place] + 1)
        loads.append(busy_us / weight / 1_000_000 if weight else None)
    return loads


def free_ppm(request: RouteRequest, kept: Kept) -> list[int]:
    """Give the free share of each in millionths: of its places or its rate limits."""
    places = _moment(request).free_ppm or (ALL_PPM,) * len(kept)
    limits = [1.0 if one.headroom is None else one.headroom for _, one in kept]
    return [min(own, round(left * ALL_PPM)) for own, left in zip(places, limits, strict=True)]
