"""Strategy `auto`, put in order: by its own policy or the documented one, built-in or a user's.

A user-made auto sets what the built-in ones have fixed: the weights, the share that explores, and
what a request is expected to cost at most. A candidate that is dearer than that has probability 0
and comes after the others, the cheapest of them first; where every candidate is dearer, the
cheapest comes first: this bound ranks and never refuses. An unknown price is dearer than any.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..accounting.cost import expected_usd_nanos
from ..model import RouteRequest
from ..preference import EXPLORED, Preference
from . import auto, classic
from .accounts import models_of, steps_of
from .ranking import Kept, Ranking, certain, draw

DEARER = "dearer than its auto's budget cap"
"""What the verdict on a candidate says that comes last for its cost."""


def rank_auto(
    preference: Preference | None, mode: str, request: RouteRequest, kept: Kept, seed: bytes
) -> Ranking:
    """Draw who is first among the kept candidates; none gives an empty ranking.

    Args:
        preference: of a user-made auto, None of a built-in one.
        mode: as classic.mode_in_force gives it.
        request: what is asked.
        kept: the candidates that passed the gates.
        seed: of the draw.
    """
    if not kept:
        return Ranking((), (), ())
    if classic.is_classic(mode):
        scores = classic.scores(classic.weights_of(mode, preference), mode, request, kept)
        excluded = frozenset(range(len(kept))) - {*classic.admitted(request, kept, scores)}
    else:
        scores, excluded = auto.utilities(mode, request, kept), frozenset[int]()
    steps = steps_of(request, kept, seed, behind=excluded)
    if steps is None:
        return _ranked(preference, mode, request, _Pool(kept, scores, excluded), seed)
    gone = (at for at, places in enumerate(steps.places) if places[0] in excluded)
    models = _Pool(models_of(kept, steps), tuple(steps.expected(scores)), frozenset(gone))
    return steps.spread(_ranked(preference, mode, request, models, seed), scores)


@dataclass(frozen=True, slots=True)
class _Pool:
    """What is drawn from: the candidates, or one for each model that several accounts serve."""

    kept: Kept
    scores: tuple[float, ...]
    excluded: frozenset[int]


def _ranked(
    preference: Preference | None, mode: str, request: RouteRequest, pool: _Pool, seed: bytes
) -> Ranking:
    kept, scores, is_classic = pool.kept, pool.scores, classic.is_classic(mode)
    costs, within = _within(preference, request, kept)
    if not within:
        order = sorted(range(len(kept)), key=lambda place: (costs[place], place))
        return _told(certain(tuple(order), scores), within)
    explored = None if preference is None else preference.explored
    if is_classic:
        places = [one for one in within if one not in pool.excluded] or within
        parts = classic.shares(mode, scores, places, EXPLORED if explored is None else explored)
    else:
        places = within
        parts = _spread(auto.shares(mode, [scores[one] for one in within], explored), within, kept)
    drawn = draw(parts, request, kept, seed)
    if not is_classic and len(within) == len(kept):
        return Ranking(drawn.order, drawn.first_q32, scores)
    # A policy that draws all puts them in drawn order, the documented one by score.
    turns = {place: turn for turn, place in enumerate(drawn.order)}
    order = sorted(
        range(len(kept)),
        key=lambda place: (
            turns[place] != 0,
            costs[place] if place not in within else -1.0,
            place not in places,
            -scores[place] if is_classic else turns[place],
            place,
        ),
    )
    return _told(Ranking(tuple(order), drawn.first_q32, scores), within)


def _within(
    preference: Preference | None, request: RouteRequest, kept: Kept
) -> tuple[list[float], list[int]]:
    """Give what each candidate will probably cost, and the places of those within the cap.

    Without a cap the costs are not worked out.
    """
    cap = None if preference is None else preference.cost_usd_nanos_max
    if cap is None:
        return [], list(range(len(kept)))
    features = request.operation.features
    known = [expected_usd_nanos(one, features) for one, _ in kept]
    costs = [math.inf if one is None else float(one) for one in known]
    return costs, [place for place, cost in enumerate(costs) if cost <= cap]


def _spread(parts: Sequence[float], places: Sequence[int], kept: Kept) -> list[float]:
    shares = [0.0] * len(kept)
    for place, part in zip(places, parts, strict=True):
        shares[place] = part
    return shares


def _told(ranking: Ranking, within: Sequence[int]) -> Ranking:
    places = range(len(ranking.order))
    if len(within) == len(places):
        return ranking
    details = tuple("" if place in within else DEARER for place in places)
    return Ranking(ranking.order, ranking.first_q32, ranking.scores, details)
