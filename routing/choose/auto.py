"""Strategy `auto`, policy `utility`: what an answer of each candidate is worth, in US dollars.

The idea: a gate says what must not be tried; among the rest everything is a matter of price. A
good answer is worth `answer_usd`; it comes with probability p, the candidate's recent success
times its fitness for this kind of task; it costs what the tokens will probably cost; and each
second of waiting for its first byte costs `second_usd`. So

    utility = answer_usd * p - expected cost - second_usd * seconds to the first byte

in real units: adding a candidate never changes the utility of another. A price that is not
known counts as the dearest known one among the candidates: unknown is never free. A mode is a
vector of these preferences. Where a session's last answer came from, the tokens that its prompt
cache likely holds cost their cached price: that alone is what staying is worth.

The first is drawn, not taken: by softmax, whose temperature says how many dollars of
difference matter, with a floor under every candidate. Near equals share the load, the clearly
worse get little, and none gets so little that its estimates would grow stale. At the start,
when nothing was observed, success is 1 and a first byte takes UNTRIED_FIRST_BYTE_S, so price
and fitness decide.

The kind of task is the `role` that the client states, if it is one of ROLES, else the family
that the request's own text shows (see wire/families.py). Fitness is in the snapshot's
candidates, so a stored decision replays whatever the table says later; a candidate without any
counts as fit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..accounting.cost import (
    cache_saving_usd_nanos,
    expected_output_tokens,
    expected_usd_nanos,
)
from ..model import Candidate, RouteRequest
from ..moment import CandidateState
from .stay import stay_of

Kept = Sequence[tuple[Candidate, CandidateState]]


@dataclass(frozen=True, slots=True)
class Mode:
    """What a mode of `auto` cares for, in US dollars: a vector of preferences.

    Attributes:
        answer_usd: what a good answer is worth.
        second_usd: what a second of waiting for the first byte costs.
        temperature_usd: how far apart two utilities must be to matter: spreads the draws.
    """

    answer_usd: float
    second_usd: float
    temperature_usd: float


MODES: dict[str, Mode] = {
    "balanced": Mode(answer_usd=0.05, second_usd=0.002, temperature_usd=0.0005),
    "coding": Mode(answer_usd=0.10, second_usd=0.001, temperature_usd=0.0005),
    "fast": Mode(answer_usd=0.05, second_usd=0.02, temperature_usd=0.0005),
    "cheap": Mode(answer_usd=0.005, second_usd=0.0002, temperature_usd=0.0001),
    "smart": Mode(answer_usd=0.25, second_usd=0.001, temperature_usd=0.001),
    "offline": Mode(answer_usd=0.05, second_usd=0.002, temperature_usd=0.0005),
    "reliable": Mode(answer_usd=0.15, second_usd=0.002, temperature_usd=0.0002),
}
ROLES = {
    **dict.fromkeys(("coding", "code", "coder", "developer", "programmer"), "coding"),
    **dict.fromkeys(("review", "reviewer", "code-review"), "review"),
    **dict.fromkeys(("planning", "planner", "architect"), "planning"),
    **dict.fromkeys(("analysis", "analyst", "research", "researcher"), "analysis"),
    **dict.fromkeys(("debugging", "debug", "debugger"), "debugging"),
    **dict.fromkeys(("documentation", "docs", "writer", "writing"), "documentation"),
}
"""The documented task types, and the words that clients use for them."""
TASK_OF_MODE = {"coding": "code"}
"""The family that a mode's name states where the request shows none."""
GENERAL = "general"
FLOOR = 0.0025
"""The least probability of a kept candidate: keeps its estimates alive."""
UNTRIED_FIRST_BYTE_S = 1.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What a utility is made of, each in its own unit.

    `cost_usd` is what is left of it after `saved_usd`, which the session's prompt cache saves.
    """

    success: float
    fitness: float
    cost_usd: float
    first_byte_s: float
    saved_usd: float = 0.0


def terms_of(mode: str, request: RouteRequest, kept: Kept) -> tuple[Terms, ...]:
    """Give the terms of each candidate's utility."""
    saved_usd = _saved_usd(request, kept)
    return tuple(
        Terms(
            state.success,
            fitness,
            cost_usd,
            _first_byte_s(request, one, state),
            saved_usd.get(place, 0.0),
        )
        for place, (fitness, cost_usd, (one, state)) in enumerate(
            zip(*_figures(mode, request, kept), kept, strict=True)
        )
    )


def utilities(mode: str, request: RouteRequest, kept: Kept) -> tuple[float, ...]:
    """Give what each candidate is worth, in US dollars; a candidate may be worth less than 0."""
    wish = MODES[mode]
    answer_usd, second_usd = wish.answer_usd, wish.second_usd
    # The same figures as terms_of gives one by one, which are for people.
    return tuple(
        answer_usd * (state.success * fitness)
        - cost_usd
        - second_usd * _first_byte_s(request, one, state)
        for fitness, cost_usd, (one, state) in zip(
            *_figures(mode, request, kept), kept, strict=True
        )
    )


def shares(mode: str, worth: Sequence[float], explored: float | None = None) -> list[float]:
    """Give the probability of being first for each of at least one utility; they sum to 1.

    `explored` is what all of them share alike; None gives each FLOOR.
    """
    temperature_usd = MODES[mode].temperature_usd
    top = max(worth)
    weights = [math.exp((one - top) / temperature_usd) for one in worth]
    floor = min(FLOOR if explored is None else explored / len(weights), 1.0 / len(weights))
    total = math.fsum(weights)
    return [(1.0 - floor * len(weights)) * weight / total + floor for weight in weights]


def task_of(mode: str, request: RouteRequest) -> str:
    """Give the kind of task: as the client states it, as its text shows, or as the mode says."""
    stated = ROLES.get((request.role or "").lower())
    if stated is not None:
        return stated
    family = request.operation.features.family
    return TASK_OF_MODE.get(mode, GENERAL) if family == GENERAL else family


def fitness_for(task: str, candidate: Candidate) -> float:
    """Give the candidate's fitness for a task; for one it does not list, that for "general"."""
    general = 1.0
    for name, fitness in candidate.fitness:
        if name == task:
            return fitness
        if name == GENERAL:
            general = fitness
    return general


def _figures(mode: str, request: RouteRequest, kept: Kept) -> tuple[list[float], list[float]]:
    """Give the fitness and the expected cost in US dollars of each candidate."""
    task, features = task_of(mode, request), request.operation.features
    known = [expected_usd_nanos(one, features) for one, _ in kept]
    dearest = max((cost for cost in known if cost is not None), default=0)
    costs = [(dearest if cost is None else cost) / 1e9 for cost in known]
    if request.moment is not None:
        for place, saved_usd in _saved_usd(request, kept).items():
            costs[place] -= saved_usd
    return [fitness_for(task, one) for one, _ in kept], costs


def _saved_usd(request: RouteRequest, kept: Kept) -> dict[int, float]:
    """Give what the prompt cache saves, by the position of the session's own candidate."""
    stay = stay_of(request)
    if stay is None or stay.place is None:
        return {}
    price = kept[stay.place][0].facts.price
    return {stay.place: cache_saving_usd_nanos(price, stay.tokens) / 1e9}


def _first_byte_s(request: RouteRequest, candidate: Candidate, state: CandidateState) -> float:
    """Give the expected seconds to the first byte: of a whole answer it comes with the last."""
    features, expected = request.operation.features, candidate.expected
    if expected is not None and expected.token_us is not None and not features.stream:
        return expected_output_tokens(candidate, features) * expected.token_us / 1e6
    known = state.first_byte_ms
    return UNTRIED_FIRST_BYTE_S if known is None else known / 1000
