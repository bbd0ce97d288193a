"""Strategy `auto`, policy `classic-6f`: the documented six-factor score, beside our own policy.

The idea: six figures from 0 to 1, weighed by weights that sum to 1; the highest sum is first.
Cost, latency and stability are relative to the worst of the pool, so adding a candidate can turn
the order of two others round: that is the documented behaviour, kept as it is, as the baseline
that policy `utility` is measured against. With probability EXPLORED another candidate, any of
them alike, is first instead, drawn like every draw here and with its probability on record.

The gates come before, here as everywhere: what has an open circuit is not scored, so `health`
is 1, or 0.5 where one probe may go. While more than half of a target's circuits are open, an
incident, nothing is explored.

A provider whose circuit opened, or whose score is below 0.2, is excluded for longer than its
breaker refuses it (see health/healing.py): it comes last, with probability 0, unless every
candidate is excluded.

What is not known counts so: a price as the dearest known one; a latency as UNTRIED_MS, its
spread as none; a quota (what is left of the provider's rate limits) as full.

Source: OmniRoute's reference, section 3.13; weights, packs and floors are the documented ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..health.healing import admits
from ..model import Candidate, Features, Operation, RouteRequest, Snapshot
from ..moment import CandidateState, Latency
from ..preference import EXPLORED, Factors, Preference
from .auto import Kept, task_of

POLICY = "classic-6f"
INCIDENT = "incident:"
"""What stands before the name of a pack that must not explore now."""

COST_USD_MIN, P95_MS_MIN, DEVIATION_MS_MIN = 0.001, 1.0, 0.001
"""The least that the worst of a pool counts as, so that nothing is divided by next to nothing."""
UNTRIED_MS = 1000.0
UNTRIED = Latency(peak_ms=0)
UNFIT = 0.5
INPUT_SHARE = 0.6
"""The share of input in the price that is compared; the rest is output."""


PACKS: dict[str, Factors] = {
    POLICY: Factors(0.20, 0.25, 0.20, 0.15, 0.10, 0.10),
    "ship-fast": Factors(0.15, 0.30, 0.05, 0.35, 0.10, 0.05),
    "cost-saver": Factors(0.15, 0.20, 0.40, 0.05, 0.10, 0.10),
    "quality-first": Factors(0.10, 0.20, 0.05, 0.10, 0.40, 0.15),
    "offline-friendly": Factors(0.40, 0.30, 0.10, 0.05, 0.05, 0.10),
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What the factors of one candidate are made of, in plain units."""

    quota_percent: float
    health: float
    cost_usd_per_mtok: float
    p95_ms: float
    deviation_ms: float
    fitness: float


def factors(pool: Sequence[Figures]) -> tuple[Factors, ...]:
    """Give the six factors of every candidate of a pool."""
    cost = max([COST_USD_MIN, *(one.cost_usd_per_mtok for one in pool)])
    p95 = max([P95_MS_MIN, *(one.p95_ms for one in pool)])
    deviation = max([DEVIATION_MS_MIN, *(one.deviation_ms for one in pool)])
    return tuple(
        Factors(
            quota=min(1.0, one.quota_percent / 100),
            health=one.health,
            cost=1.0 - one.cost_usd_per_mtok / cost,
            latency=1.0 - one.p95_ms / p95,
            fitness=one.fitness,
            stability=1.0 - one.deviation_ms / deviation,
        )
        for one in pool
    )


def factors_of_kept(mode: str, request: RouteRequest, kept: Kept) -> tuple[Factors, ...]:
    """Give the six factors of the candidates that passed the gates."""
    task = _column(task_of(mode, request))
    costs = [_cost_usd_per_mtok(candidate) for candidate, _ in kept]
    dearest = max((cost for cost in costs if cost is not None), default=0.0)
    pool = [
        Figures(
            quota_percent=100.0 if state.headroom is None else state.headroom * 100,
            health=0.5 if state.open_until_s else 1.0,
            cost_usd_per_mtok=dearest if cost is None else cost,
            p95_ms=_or(_latency(state).first_byte_p95_ms, UNTRIED_MS),
            deviation_ms=_or(_latency(state).first_byte_deviation_ms, 0.0),
            fitness=_fitness(task, candidate),
        )
        for cost, (candidate, state) in zip(costs, kept, strict=True)
    ]
    return factors(pool)


def weights_of(mode: str, preference: Preference | None) -> Factors:
    """Give the weights in force: those of a user-made auto, else of the mode."""
    if preference is not None and preference.weights is not None:
        return preference.weights
    return PACKS[mode.removeprefix(INCIDENT)]


def scores(weights: Factors, mode: str, request: RouteRequest, kept: Kept) -> tuple[float, ...]:
    """Give each candidate's score, 0 to 1."""
    return tuple(one.weighed(weights) for one in factors_of_kept(mode, request, kept))


def best_scores(
    snapshot: Snapshot, states: Sequence[CandidateState], at_s: float
) -> dict[str, float]:
    """Give the best score of each provider that has no open circuit, for no task in particular."""
    asked = RouteRequest(
        "", snapshot.target, Operation("chat", "openai_chat", b"", Features()), at_s=at_s
    )
    pairs = zip(snapshot.candidates, states, strict=True)
    kept = [(one, state) for one, state in pairs if at_s >= state.open_until_s]
    weights, best = weights_of(snapshot.mode, snapshot.preference), dict[str, float]()
    for (one, _), score in zip(kept, scores(weights, snapshot.mode, asked, kept), strict=True):
        best[one.provider] = max(score, best.get(one.provider, 0.0))
    return best


def admitted(request: RouteRequest, kept: Kept, figures: Sequence[float]) -> list[int]:
    """Give the positions that are not excluded; all of them where nothing else is left."""
    found = [
        place
        for place, ((_, state), score) in enumerate(zip(kept, figures, strict=True))
        if admits(
            state.excluded_until_s,
            score=score,
            half_open=bool(state.open_until_s),
            now_s=request.at_s,
        )
    ]
    return found or list(range(len(kept)))


def shares(
    mode: str, figures: Sequence[float], places: Sequence[int], explored: float = EXPLORED
) -> list[float]:
    """Give the probability of being first for each score, 0 outside of `places`.

    The top one of `places` gets what exploration leaves, and all of them share that alike.
    """
    explored = 0.0 if mode.startswith(INCIDENT) or len(places) < 2 else explored
    parts = [0.0] * len(figures)
    for place in places:
        parts[place] = explored / len(places)
    parts[max(places, key=lambda place: (figures[place], -place))] += 1.0 - explored
    return parts


def mode_in_force(mode: str, states: Sequence[CandidateState], at_s: float) -> str:
    """Give the mode, marked as INCIDENT while more than half of the circuits are open."""
    if mode not in PACKS:
        return mode
    shut = sum(at_s < one.open_until_s for one in states)
    return INCIDENT + mode if shut * 2 > len(states) else mode


def is_classic(mode: str) -> bool:
    """Whether a mode, marked or not, is one of this policy's."""
    return mode.removeprefix(INCIDENT) in PACKS


def _column(task: str) -> str:
    """Give the column of the documented table: families but code have none of their own."""
    return "coding" if task == "code" else task


def _fitness(task: str, candidate: Candidate) -> float:
    table = dict(candidate.fitness)
    return table.get(task, table.get("default", UNFIT))


def _cost_usd_per_mtok(candidate: Candidate) -> float | None:
    price = candidate.facts.price
    if price is None:
        return None
    return (INPUT_SHARE * price.input + (1.0 - INPUT_SHARE) * price.output) / 1e9


def _latency(state: CandidateState) -> Latency:
    return state.latency or UNTRIED


def _or(known: int | None, otherwise: float) -> float:
    return otherwise if known is None else float(known)
