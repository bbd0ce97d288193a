"""A session stays where its prompt is likely cached. Pure, like every strategy.

What `accounting/sessions.py` knows is in the request's moment. What it does differs:

- auto, policy utility: nothing here; what the cache saves is part of the utility (auto.py).
  Policy classic-6f is as documented and knows no sessions.
- p2c, random and weighted draw among equals: the session stays with its candidate.
- every other strategy has an order of models that is somebody's wish, so that stands.
- among the accounts of one model, with every strategy, the session stays with its own
  (accounts.py), unless that is full and others are not.

A candidate that a gate refused is not here at all.
"""

from msgspec import structs

from ..accounting.cost import cache_saving_usd_nanos
from ..model import RouteRequest, Strategy, Verdict
from ..moment import Stay
from .draw import ONE_Q32
from .ranking import Ranking

DRAWN = ("p2c", "random", "weighted")
TOLD = "the session"
"""What the words begin with that are made when a decision is read."""


def stay_of(request: RouteRequest) -> Stay | None:
    """Give where the request's session would stay, None where there is no such place."""
    moment = request.moment
    stay = None if moment is None else moment.stay
    return None if stay is None or stay.place is None else stay


def settled(strategy: Strategy, request: RouteRequest, ranking: Ranking) -> Ranking:
    """Give the ranking of a strategy that draws with the session's own candidate first.

    One of probability 0 comes after others by somebody's wish, and stays there.
    """
    stay = stay_of(request) if strategy in DRAWN else None
    if stay is None or stay.place is None or not ranking.first_q32[stay.place]:
        return ranking
    own = stay.place
    others = tuple(place for place in ranking.order if place != own)
    first = tuple(ONE_Q32 if place == own else 0 for place in range(len(ranking.order)))
    return structs.replace(ranking, order=(own, *others), first_q32=first)


def explained(
    request: RouteRequest, verdicts: tuple[Verdict, ...], *, first: int
) -> tuple[Verdict, ...]:
    """Give the verdicts, with words on why the session is where it is.

    Args:
        request: with its moment about all of the snapshot's candidates.
        verdicts: on all of them.
        first: the position of the one that will be tried first.
    """
    stay = stay_of(request)
    if stay is None or stay.place is None:
        return verdicts
    own = verdicts[stay.place]
    if not own.kept or own.detail:
        return verdicts
    words = f"last answer came from here {stay.age_s} s ago"
    if stay.tokens:
        words += f"; about {stay.tokens} tokens are likely in its prompt cache"
        saving = cache_saving_usd_nanos(own.candidate.facts.price, stay.tokens)
        if saving:
            words += f", which saves about ${saving / 1e9:.6f}"
    told = structs.replace(
        own,
        detail=f"{TOLD} stays: its {words}" if first == stay.place else f"{TOLD}'s {words}",
    )
    return (*verdicts[: stay.place], told, *verdicts[stay.place + 1 :])


def unexplained(request: RouteRequest, verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    """Give the verdicts without the words of `explained`, which are told anew when read."""
    stay = stay_of(request)
    if stay is None or stay.place is None:
        return verdicts
    own = verdicts[stay.place]
    if not own.kept or not own.detail.startswith(TOLD):
        return verdicts
    told = structs.replace(own, detail="")
    return (*verdicts[: stay.place], told, *verdicts[stay.place + 1 :])
