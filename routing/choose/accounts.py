"""Several accounts for one model: the strategy chooses the model, then P2C one of its accounts.

The idea: how many accounts a provider has says how much it bears, not how much of the work a
model should get. So candidates of one step (the same model at equal accounts, see
model.Candidate) are one entry to every strategy but p2c, which balances places, not models:
it takes every account for itself. Within a step the less loaded of two accounts that are
picked at random comes first (balance.two_choices), and the other accounts are its fallbacks, by
their load, before the next model. A failure counts as a long wait, so who failed of late is
seldom first, but is tried again; gates have taken out who must not be tried at all. A session
that may stay with one of them does (stay.py).

An account's probability of being first is that of its model times its own within the step. The
two draws are keyed apart, so that they are independent. A target where every model has one
account is decided as if there were no steps.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from msgspec import structs

from ..model import Decision, RouteRequest, Verdict
from ..moment import CandidateState, Moment, Stay
from .balance import NOTHING, free_ppm, narrowed, two_choices
from .draw import ONE_Q32
from .ranking import Kept, Ranking
from .stay import settled

STAGE = "|account"
"""What stands behind the request's id in the draw among accounts."""
ANY_STATE = CandidateState()


@dataclass(frozen=True, slots=True)
class Steps:
    """The kept candidates by the models that they serve.

    Attributes:
        places: of each step its accounts' positions, in the order of trying.
        chances: by the same positions, the probability times 2**32 of being first in the step.
    """

    places: tuple[tuple[int, ...], ...]
    chances: tuple[tuple[int, ...], ...]

    def expected(self, figures: Sequence[float]) -> list[float]:
        """Give what to expect of each step, of a figure that each candidate has."""
        return [
            sum(figures[place] * chance for place, chance in zip(places, chances, strict=True))
            / ONE_Q32
            for places, chances in zip(self.places, self.chances, strict=True)
        ]

    def spread(self, models: Ranking, scores: tuple[float | None, ...] | None = None) -> Ranking:
        """Give the order of the candidates from that of their steps.

        Args:
            models: by step.
            scores: by candidate; without them each has that of its step.
        """
        count = sum(map(len, self.places))
        first, own = [0] * count, [0] * count
        for step, (places, chances) in enumerate(zip(self.places, self.chances, strict=True)):
            part = models.first_q32[step]
            for place, chance in zip(places, chances, strict=True):
                first[place], own[place] = part * chance // ONE_Q32, step
            likeliest = max(places, key=first.__getitem__)
            first[likeliest] += part - sum(first[place] for place in places)
        order = tuple(place for step in models.order for place in self.places[step])
        scores = scores or tuple(models.scores[step] for step in own)
        details = tuple(models.details[step] for step in own) if models.details else ()
        return Ranking(order, tuple(first), scores, details)


def steps_of(
    request: RouteRequest, kept: Kept, seed: bytes, *, behind: Container[int] = ()
) -> Steps | None:
    """Give the steps, None where every candidate is one.

    Args:
        request: its moment has the waits and the calls under way of the kept.
        kept: the candidates that may be tried.
        seed: the key of this gateway's draws.
        behind: positions that come last in their step, never first beside others.
    """
    if all(one.step is None for one, _ in kept):
        return None
    found: dict[int, list[int]] = {}
    for place, (one, _) in enumerate(kept):
        found.setdefault(-1 - place if one.step is None else one.step, []).append(place)
    drawn = [_drawn(request, kept, seed, places, behind) for places in found.values()]
    return Steps(tuple(one for one, _ in drawn), tuple(chances for _, chances in drawn))


def models_of(kept: Kept, steps: Steps) -> Kept:
    """Give one candidate for each step; of its state strategies over lists read nothing more."""
    return [(kept[min(places)][0], ANY_STATE) for places in steps.places]


def asked_of(request: RouteRequest, kept: Kept, steps: Steps) -> RouteRequest:
    """Give the request with its facts by step: the calls of each, and its freest account."""
    moment, free = request.moment or NOTHING, free_ppm(request, kept)
    good = [place for place, group in enumerate(steps.places) if moment.last_good in group]
    return structs.replace(
        request,
        moment=Moment(
            turn=moment.turn,
            uses=tuple(moment.uses[places[0]] for places in steps.places) if moment.uses else (),
            free_ppm=tuple(max(free[place] for place in places) for places in steps.places),
            last_good=good[0] if good else None,
            # Which account it is, is settled; the draw among models is the session's own still.
            stay=None if moment.stay is None else Stay(),
        ),
    )


def full(request: RouteRequest, kept: Kept) -> frozenset[int]:
    """Give the positions of those without a free place."""
    return frozenset(place for place, free in enumerate(free_ppm(request, kept)) if not free)


def share_q32(decision: Decision, verdict: Verdict) -> int:
    """Give the probability, times 2**32, with which a candidate's model could have been first."""
    if decision.strategy == "p2c" or verdict.candidate.step is None:
        return verdict.first_q32
    step = verdict.candidate.step
    return sum(one.first_q32 for one in decision.verdicts if one.candidate.step == step)


def told(decision: Decision) -> tuple[Verdict, ...]:
    """Give the verdicts for people, with both chances where a model has several accounts."""
    return tuple(
        structs.replace(one, detail=_product(one, share_q32(decision, one)))
        if one.kept and decision.strategy != "p2c" and one.candidate.step is not None
        else one
        for one in decision.verdicts
    )


def _product(one: Verdict, model: int) -> str:
    first, account = one.first_q32 / ONE_Q32, one.first_q32 / model if model else 0.0
    words = f"{first:.1%}: its model {model / ONE_Q32:.1%}, this account {account:.1%} of it"
    return f"{one.detail}; {words}" if one.detail else words


def _drawn(
    request: RouteRequest, kept: Kept, seed: bytes, places: list[int], behind: Container[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give a step's accounts in the order of trying, with their chances."""
    front = [place for place in places if place not in behind] or places
    last = [place for place in places if place not in front]
    if len(front) == 1:
        return (*front, *last), (ONE_Q32, *(0 for _ in last))
    asked = structs.replace(
        narrowed(request, front),
        request_id=request.request_id + STAGE,
        session_id=None if request.session_id is None else request.session_id + STAGE,
    )
    ranking = two_choices("", asked, [kept[place] for place in front], seed)
    ranking = settled("p2c", asked, ranking)
    order = [front[place] for place in ranking.order]
    chances = [ranking.first_q32[place] for place in ranking.order]
    return (*order, *last), (*chances, *(0 for _ in last))
