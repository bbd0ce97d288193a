"""Decide who answers. Pure: the same request, snapshot and seed give the same Decision.

Live routing, dry runs and replay call this one function. It reads no clock, no environment
and no database: the time is `request.at_s`, the world is the snapshot.
"""

from ..model import Decision, RouteRequest, Snapshot, Verdict
from .autos import rank_auto
from .balance import narrowed
from .classic import mode_in_force
from .filters import Refusal, gates_of, judge, with_early_probes
from .stay import explained
from .strategies import rank
from .tiers import within_tier


def decide(request: RouteRequest, snapshot: Snapshot, seed: bytes, *, snapshot_id: str) -> Decision:
    """Judge every candidate, and put those that may be tried in the strategy's order.

    Args:
        request: what is asked; its body is not read.
        snapshot: the candidates and their states.
        seed: the key of this gateway's draws, at most 64 bytes.
        snapshot_id: the snapshot's id, as record.snapshot_id gives it.

    Returns:
        A Decision with a verdict on every candidate, in the snapshot's order.
    """
    pairs = tuple(zip(snapshot.candidates, snapshot.states, strict=True))
    gates = gates_of(request)
    refusals: list[Refusal | None] = [judge(request, one, state, gates) for one, state in pairs]
    refusals = with_early_probes(request, pairs, refusals)
    if request.guard is not None:
        refusals = within_tier(request, request.guard, snapshot.candidates, refusals)
    kept = [place for place, refusal in enumerate(refusals) if refusal is None]
    mode = mode_in_force(snapshot.mode, snapshot.states, request.at_s)
    may_be_tried = [pairs[place] for place in kept]
    asked = narrowed(request, kept, snapshot.candidates)
    if snapshot.preference is None:
        ranking = rank(snapshot.strategy, mode, asked, may_be_tried, seed)
    else:
        ranking = rank_auto(snapshot.preference, mode, asked, may_be_tried, seed)
    first = dict(zip(kept, ranking.first_q32, strict=True))
    scores = dict(zip(kept, ranking.scores, strict=True))
    details = dict(zip(kept, ranking.details, strict=False))
    verdicts = tuple(
        Verdict(candidate, True, "ok", details.get(place, ""), first[place], scores[place])
        if (refusal := refusals[place]) is None
        else Verdict(candidate, False, *refusal)
        for place, candidate in enumerate(snapshot.candidates)
    )
    order = tuple(kept[place] for place in ranking.order)
    if request.moment is not None and order:
        verdicts = explained(request, verdicts, first=order[0])
    return Decision(
        request_id=request.request_id,
        target=request.target,
        strategy=snapshot.strategy,
        combo=snapshot.combo,
        snapshot_id=snapshot_id,
        order=tuple(snapshot.candidates[place] for place in order),
        verdicts=verdicts,
    )
