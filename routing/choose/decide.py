"""Decide who answers. Pure: the same request, snapshot and seed give the same Decision.

Live routing, dry runs and replay call this one function. It reads no clock, no environment
and no database: the time is `request.at_s`, the world is the snapshot.
"""

from ..model import Candidate, Decision, RouteRequest, Snapshot, Verdict
from .autos import rank_auto
from .balance import narrowed
from .calm import calm_of
from .classic import mode_in_force
from .filters import Refusal, gates_of, judge, with_early_probes
from .ranking import Kept, Ranking
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
    calm = calm_of(snapshot)
    if calm is None or not calm.keeps_all(request):
        verdicts, order = _judged(request, snapshot, seed)
    elif (told := calm.verdicts_on(request)) is not None:
        verdicts, order = told, snapshot.candidates
    else:
        ranking = _ranked(request, snapshot, calm.pairs, seed)
        verdicts, order = _told(request, snapshot, ranking)
    return Decision(
        request.request_id,
        request.target,
        snapshot.strategy,
        snapshot.combo,
        snapshot_id,
        order,
        verdicts,
    )


def _judged(
    request: RouteRequest, snapshot: Snapshot, seed: bytes
) -> tuple[tuple[Verdict, ...], tuple[Candidate, ...]]:
    """Give the verdicts, and the order of those that passed the gates."""
    pairs = tuple(zip(snapshot.candidates, snapshot.states, strict=True))
    gates = gates_of(request)
    refusals: list[Refusal | None] = [judge(request, one, state, gates) for one, state in pairs]
    refusals = with_early_probes(request, pairs, refusals)
    if request.guard is not None:
        refusals = within_tier(request, request.guard, snapshot.candidates, refusals)
    kept = [place for place, refusal in enumerate(refusals) if refusal is None]
    asked = narrowed(request, kept, snapshot.candidates)
    ranking = _ranked(asked, snapshot, [pairs[place] for place in kept], seed)
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
    return verdicts, tuple(snapshot.candidates[place] for place in order)


def _told(
    request: RouteRequest, snapshot: Snapshot, ranking: Ranking
) -> tuple[tuple[Verdict, ...], tuple[Candidate, ...]]:
    """Give the same where all were kept."""
    details = ranking.details or ("",) * len(snapshot.candidates)
    found = zip(snapshot.candidates, details, ranking.first_q32, ranking.scores, strict=True)
    verdicts = tuple(
        Verdict(one, True, "ok", detail, first, score) for one, detail, first, score in found
    )
    if request.moment is not None:
        verdicts = explained(request, verdicts, first=ranking.order[0])
    return verdicts, tuple(snapshot.candidates[place] for place in ranking.order)


def _ranked(request: RouteRequest, snapshot: Snapshot, kept: Kept, seed: bytes) -> Ranking:
    mode = mode_in_force(snapshot.mode, snapshot.states, request.at_s)
    if snapshot.preference is None:
        return rank(snapshot.strategy, mode, request, kept, seed)
    return rank_auto(snapshot.preference, mode, request, kept, seed)
