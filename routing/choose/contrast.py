"""Why the first and not the next best: the chosen against the runner-up. Pure.

The runner-up is the candidate that was likeliest to be first beside the chosen one; of equally
likely ones the next in the order. Accounts of one model are one choice, so it is of another
model where there is one. Where the strategy has scores, the difference of the two is the sum of
the differences of their parts, and each part has a value at which the two would be level: what
would have to change, and by how much, for the other one to come first. A strategy without
scores has neither; its order or its draw is the reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..model import Candidate, Decision, RouteRequest, Snapshot, Verdict
from ..ports import Record
from .accounts import share_q32
from .draw import ONE_Q32
from .explain import Factor, factors_of

BOUNDS: dict[str, tuple[float, float]] = {
    "success rate": (0.0, 1.0),
    "expected cost in USD": (0.0, float("inf")),
    "seconds to the first byte": (0.0, float("inf")),
}
"""What a part of a score can be at all; a value beyond it would flip nothing."""


@dataclass(frozen=True, slots=True)
class Delta:
    """How much one part of the score speaks for the chosen one, in the score's unit."""

    name: str
    chosen: float
    runner_up: float
    advantage: float


@dataclass(frozen=True, slots=True)
class Flip:
    """A change of one value, alone, beyond which the runner-up has the better score."""

    candidate: Candidate
    name: str
    now: float
    needed: float


@dataclass(frozen=True, slots=True)
class Contrast:
    """The chosen candidate beside the runner-up.

    Attributes:
        probability: with which the chosen one could have been first.
        advantage: by how much its score is better; negative where the draw chose the lesser
            one, None where the strategy gives no score.
        deltas: add up to `advantage`.
        flips: empty where nothing that is known of them would do it alone.
    """

    chosen: Candidate
    runner_up: Candidate
    probability: float
    runner_up_probability: float
    advantage: float | None
    deltas: tuple[Delta, ...]
    flips: tuple[Flip, ...]


def contrast_on_record(record: Record) -> Contrast | None:
    """Give the contrast of a stored request; None when nobody decided on it, too."""
    decision, snapshot = record.outcome.decision, record.snapshot
    if decision is None or snapshot is None:
        return None
    return contrast_of(record.outcome.request, snapshot, decision)


def contrast_of(request: RouteRequest, snapshot: Snapshot, decision: Decision) -> Contrast | None:
    """Give the chosen against the runner-up; None when fewer than two could be tried."""
    verdicts = {id(one.candidate): one for one in decision.verdicts}
    order = [verdicts[id(one)] for one in decision.order]
    if len(order) < 2:
        return None
    chosen = order[0]
    runner_up = max(_rivals(decision, order), key=lambda one: one.first_q32)
    parts = [factors_of(request, snapshot, decision, one.candidate) for one in (chosen, runner_up)]
    advantage: float | None = None
    deltas: tuple[Delta, ...] = ()
    flips: tuple[Flip, ...] = ()
    if chosen.score is not None and runner_up.score is not None:
        is_certain = share_q32(decision, chosen) == ONE_Q32
        # A certain choice has the better score of the two, so where it is the lower one, lower is
        # better, as with costs; only a draw takes a lesser one, and draws prefer the higher.
        sense = -1.0 if is_certain and chosen.score < runner_up.score else 1.0
        advantage = sense * (chosen.score - runner_up.score)
        deltas = _deltas(parts[0], parts[1], sense)
        if advantage > 0:
            flips = tuple(
                flip
                for one, own, sign in ((runner_up, parts[1], 1.0), (chosen, parts[0], -1.0))
                for flip in _flips(one.candidate, own, sign * sense * advantage)
            )
    return Contrast(
        chosen=chosen.candidate,
        runner_up=runner_up.candidate,
        probability=chosen.first_q32 / ONE_Q32,
        runner_up_probability=runner_up.first_q32 / ONE_Q32,
        advantage=advantage,
        deltas=deltas,
        flips=flips,
    )


def _rivals(decision: Decision, order: Sequence[Verdict]) -> Sequence[Verdict]:
    """Give the candidates of other models than the chosen one's, or all the others."""
    step = order[0].candidate.step
    if decision.strategy == "p2c" or step is None:
        return order[1:]
    return [one for one in order if one.candidate.step != step] or order[1:]


def _deltas(
    chosen: Sequence[Factor], runner_up: Sequence[Factor], sense: float
) -> tuple[Delta, ...]:
    others = {one.name: one for one in runner_up}
    return tuple(
        Delta(
            one.name,
            one.value,
            others[one.name].value,
            sense * (one.contribution - others[one.name].contribution),
        )
        for one in chosen
        if one.name in others
    )


def _flips(candidate: Candidate, factors: Sequence[Factor], needed: float) -> tuple[Flip, ...]:
    """Give at which value of each part the score would have moved by `needed`."""
    found: list[Flip] = []
    for one in factors:
        if one.name not in BOUNDS or not one.weight:
            continue
        if one.name == "expected cost in USD" and candidate.facts.price is None:
            # What it counts with is another one's price: its own is not known.
            continue
        least, most = BOUNDS[one.name]
        value = one.value + needed / one.weight
        if least <= value <= most:
            found.append(Flip(candidate, one.name, one.value, value))
    return tuple(found)
