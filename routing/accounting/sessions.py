"""Who answered a session last: where its next request likely finds its prompt cached.

The idea: providers keep the prompt of a conversation for some minutes, by account and model, and
read it again for a fraction of its price. The next request of the conversation begins with the
same tokens, so it is cheaper and quicker where the last one was. This book remembers that one
candidate for each session and target. What it is worth is the decision's matter: see
choose/stay.py and choose/auto.py.

It acts only on requests that name a session, from the second one on. It holds while the cache is
likely warm: as long as the provider is known to keep it, counted from the end of the last
answer, or as long as the combo says. A request that another candidate answered moves the
session there; one that nobody answered leaves it nowhere. A gate is never argued with.

How much is cached is counted, not hoped: a provider that caches by itself has what it read and
wrote of the last request; Anthropic's format caches what the client marks, so there it is what
the last answer reported as read from the cache or written to it.

The book is this process's own, in memory and bounded. Several processes agree without it as far
as draws go: those of a session are keyed by the session, see choose/ranking.py.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import nlargest

from ..catalog.providers import CACHE_S, provider_named
from ..conversation import Usage
from ..model import Candidate, Outcome, RouteRequest
from ..moment import Stay

SEATS_MAX = 10_000
"""Sessions remembered; the one that was quiet for longest goes."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a session's last request was answered, and how much of it is cached there."""

    account_id: str
    model: str
    at_s: float
    tokens: int


@dataclass(slots=True)
class Sessions:
    """The seats of this process's sessions, `seats_max` at most. Holds no clock."""

    seats_max: int = SEATS_MAX
    _seats: OrderedDict[tuple[str, str], Seat] = field(
        default_factory=OrderedDict[tuple[str, str], Seat]
    )

    def __len__(self) -> int:
        return len(self._seats)

    def newest(
        self, limit: int, before: tuple[float, str, str] | None = None
    ) -> list[tuple[tuple[str, str], Seat]]:
        """Give the seats that were used last, by session id and target, newest first.

        Args:
            limit: how many.
            before: only seats before this time, session id and target.
        """
        every = self._seats.items()
        seats = every if before is None else [one for one in every if place_of(*one) < before]
        return nlargest(limit, seats, key=lambda one: place_of(*one))

    def stay(
        self, request: RouteRequest, candidates: Sequence[Candidate], session_s: float | None
    ) -> Stay | None:
        """Give what is known of the request's session; None where it must not matter.

        Args:
            request: a session's.
            candidates: of its target.
            session_s: how long the combo has sessions stay, 0 never; None for as long as the
                provider keeps a prompt.
        """
        if session_s == 0:
            return None
        seat = self._seats.get((request.session_id or "", request.target))
        if seat is None:
            return Stay()
        age_s = max(request.at_s - seat.at_s, 0.0)
        for place, one in enumerate(candidates):
            if (one.account_id, one.model) == (seat.account_id, seat.model):
                if age_s > (cached_s(one.provider) if session_s is None else session_s):
                    break
                tokens = min(seat.tokens, request.operation.features.input_tokens)
                return Stay(place, tokens, round(age_s))
        return Stay()

    def note(self, outcome: Outcome, *, now_s: float) -> None:
        """Take note of who answered a session's request, at its end."""
        request, winner = outcome.request, outcome.winner
        if request.session_id is None or outcome.status == "refused":
            return
        key = (request.session_id, request.target)
        if winner is None or outcome.status == "failed":
            self._seats.pop(key, None)
            return
        usage = outcome.usage if outcome.usage_source == "reported" else None
        tokens = _cached_tokens(winner, usage, request.operation.features.input_tokens)
        self.put(key, Seat(winner.account_id, winner.model, now_s, tokens))

    def put(self, key: tuple[str, str], seat: Seat) -> None:
        """Give a session and target their seat."""
        self._seats[key] = seat
        self._seats.move_to_end(key)
        if len(self._seats) > self.seats_max:
            self._seats.popitem(last=False)


def place_of(key: tuple[str, str], seat: Seat) -> tuple[float, str, str]:
    """Give where a seat stands among others: when it was used, and whose it is."""
    return seat.at_s, *key


def cached_s(provider: str) -> float:
    """Give for how many seconds a provider likely keeps a prompt that is not used."""
    known = provider_named(provider)
    return CACHE_S if known is None else known.cache_s


def _cached_tokens(winner: Candidate, usage: Usage | None, input_tokens: int) -> int:
    if winner.dialect == "anthropic":
        return 0 if usage is None else usage.cached_input_tokens + usage.cache_write_tokens
    return input_tokens if usage is None else usage.input_tokens
