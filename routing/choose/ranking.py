"""What a strategy gives, and the two ways to make it: an order that is certain, and a draw."""

from collections.abc import Sequence

from msgspec import Struct

from ..model import Candidate, RouteRequest
from ..moment import CandidateState
from .draw import ONE_Q32, draw_order, quantise

Kept = Sequence[tuple[Candidate, CandidateState]]


class Ranking(Struct, frozen=True, gc=False):
    """Positions in the order of trying; the rest is by position.

    `details` says in words what is to be said of a candidate beside its score; empty for nothing.
    """

    order: tuple[int, ...]
    first_q32: tuple[int, ...]
    scores: tuple[float | None, ...]
    details: tuple[str, ...] = ()


def certain(order: tuple[int, ...], scores: tuple[float | None, ...]) -> Ranking:
    """Give an order whose first is first with certainty."""
    first = tuple(ONE_Q32 if place == order[0] else 0 for place in range(len(order)))
    return Ranking(order, first, scores)


def draw(weights: Sequence[float], request: RouteRequest, kept: Kept, seed: bytes) -> Ranking:
    """Give an order drawn by weights, keyed by the request's id, or by its session's.

    So all requests of a session draw alike, in every process: the order changes only as far as
    the weights do.
    """
    moment = request.moment
    by_session = moment is not None and moment.stay is not None
    key = (request.session_id if by_session else None) or request.request_id
    first = quantise(weights)
    names = [f"{one.account_id}|{one.model}" for one, _ in kept]
    order = draw_order(first, names, seed=seed, key=key)
    return Ranking(order, first, (None,) * len(kept))
