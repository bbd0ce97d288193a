"""Within what a request meets no gate, worked out once for a snapshot and not for each request.

Most requests are ordinary and most providers are well: then every gate of filters.py keeps every
candidate, and a list that is tried in its order gives the same verdicts each time. What a request
has to stay within for that depends on the snapshot alone. This is a short way to a Decision and
never to another one: whatever is not plainly within goes the long way.
"""

from math import inf

from msgspec import Struct

from ..model import Candidate, Capability, RouteRequest, Snapshot, Verdict
from ..moment import CandidateState
from .draw import ONE_Q32
from .stay import stay_of

KEPT_MAX = 1024
"""Targets whose latest snapshot's calm is remembered; the oldest go."""


class Calm(Struct, frozen=True):
    """What a request meets no gate within.

    Attributes:
        from_s: when the last candidate's rest is over.
        tokens_max: the least context.
        tools, images: whether no model is known to take none.
        verdicts: on every request, where the list's order is the order of trying.
    """

    pairs: tuple[tuple[Candidate, CandidateState], ...]
    kinds: frozenset[Capability]
    from_s: float
    tokens_max: float
    tools: bool
    images: bool
    verdicts: tuple[Verdict, ...] | None

    def keeps_all(self, request: RouteRequest) -> bool:
        """Whether no gate refuses the request any candidate."""
        if request.allowed or request.guard is not None or request.spend_usd_nanos_max is not None:
            return False
        features = request.operation.features
        return (
            request.at_s >= self.from_s
            and request.operation.kind in self.kinds
            and features.input_tokens + (features.output_tokens_max or 0) <= self.tokens_max
            and (self.tools or not features.tools)
            and (self.images or not features.images)
        )

    def verdicts_on(self, request: RouteRequest) -> tuple[Verdict, ...] | None:
        """Give the verdicts in the order of trying; None where the request has a say in them."""
        return self.verdicts if request.moment is None or stay_of(request) is None else None


_known: dict[tuple[str, str], tuple[Snapshot, Calm | None]] = {}


def calm_of(snapshot: Snapshot) -> Calm | None:
    """Give what a request meets no gate within; None while a circuit is not closed."""
    key = (snapshot.target, snapshot.mode)
    known = _known.get(key)
    if known is None or known[0] is not snapshot:
        if known is None and len(_known) >= KEPT_MAX:
            del _known[next(iter(_known))]
        known = _known[key] = snapshot, _calm(snapshot)
    return known[1]


def _calm(snapshot: Snapshot) -> Calm | None:
    candidates, states = snapshot.candidates, snapshot.states
    if not candidates or any(one.open_until_s for one in states):
        return None
    facts = [one.facts for one in candidates]
    pairs = tuple(zip(candidates, states, strict=True))
    return Calm(
        pairs=pairs,
        kinds=frozenset.intersection(*(frozenset(one.capabilities) for one in facts)),
        from_s=max(one.cooldown_until_s for one in states),
        tokens_max=min(inf if (room := one.context_tokens_max) is None else room for one in facts),
        tools=all(one.tools is not False for one in facts),
        images=all(one.images is not False for one in facts),
        verdicts=_in_order(snapshot, pairs),
    )


def _in_order(
    snapshot: Snapshot, pairs: tuple[tuple[Candidate, CandidateState], ...]
) -> tuple[Verdict, ...] | None:
    if snapshot.strategy != "priority" or any(one.step is not None for one, _ in pairs):
        return None
    return tuple(
        Verdict(candidate, True, "ok", first_q32=0 if place else ONE_Q32)
        for place, (candidate, _) in enumerate(pairs)
    )
