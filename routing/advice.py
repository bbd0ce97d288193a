"""Which combo suits a kind of task, by what each would probably do with a request of it.

The idea: every active combo is asked what it would decide, by the function that a live request
runs, and what its candidates are worth for the task is weighed with the probability that each
would be first. What a candidate is worth is what strategy `auto` says (choose/auto.py): the
success and fitness of its answers, less cost and waiting, in US dollars. So combos of whatever
strategy compare in one unit, and an open circuit, a spent limit or a rule of the user's counts
here as it counts there.

A mode says how much a good answer is worth against cost and time, and MODE_OF_TASK which one a
task takes: what is wrong in code or in a plan costs more than its tokens.

Constraints are kept, not weighed. A ceiling of cost is one for each candidate, as in a request
with a budget: who could not even give a short answer for it, or has no known price, is out; and
a combo whose probable cost is more is left out. So is one that is known to be slower than
asked. One whose speed nobody has measured comes after those that are known to be quick enough.
It reads health and prices as they are now, and calls no one.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from .access import require
from .accounting.cost import expected_output_tokens, expected_usd_nanos
from .catalog.fitness import FAMILY_OF, Task
from .choose.auto import fitness_for, utilities
from .choose.draw import ONE_Q32
from .engine import Engine, new_request_id
from .errors import ModelNotFound, NoCandidate, RoutingError
from .model import Caller, Candidate, Combo, Decision, Features, Operation, RouteRequest, Strategy
from .moment import CandidateState, Latency
from .wire.features import BYTES_PER_TOKEN, TEMPLATE_TOKENS_MAX
from .wire.operations import OWN_DIALECT

MODE_OF_TASK: Mapping[Task, str] = {
    "coding": "coding",
    "review": "coding",
    "debugging": "coding",
    "planning": "smart",
    "analysis": "smart",
    "documentation": "balanced",
}
KNOWN_SHARE_MIN = 0.5
"""A combo's cost or time is told where it is known of those who would answer as often."""
GOES_AROUND: frozenset[Strategy] = frozenset({"round-robin", "least-used"})
TOLD_MAX = 3
"""Candidates whose refusal is told of a combo that nobody could answer for."""

Speeds = Mapping[tuple[str, str], Latency | None]
"""What was measured of each model at an account."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a combo is to do.

    Attributes:
        input_tokens: about how long its prompts are.
        usd_nanos_max, latency_s_max: what an answer may cost and take; None is no limit.
    """

    task: Task
    input_tokens: int
    usd_nanos_max: int | None = None
    latency_s_max: float | None = None


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a combo would probably do with a request of the task.

    Attributes:
        likely: who would most probably be asked first, and `probability` with which.
        fitness: for the task, 0 to 1, times how reliable it was; of all who could be first.
        cost_usd_nanos, latency_s: what an answer probably costs and takes; None is unknown.
        worth_usd: what an answer is worth less what it costs.
        free: nobody who could be asked costs anything.
    """

    combo: Combo
    likely: Candidate
    probability: float
    fitness: float
    cost_usd_nanos: int | None
    latency_s: float | None
    worth_usd: float
    free: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A combo that does not come into question, and why."""

    combo: Combo
    reason: str


@dataclass(frozen=True, slots=True)
class Advice:
    """The combos that come into question, the best first, and the others."""

    prospects: tuple[Prospect, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class _Chance:
    """One candidate of a decision, and the probability with which it is first."""

    candidate: Candidate
    state: CandidateState
    share: float
    cost_usd_nanos: int | None
    latency_s: float | None


@dataclass(frozen=True, slots=True)
class _Considered:
    """A combo that could answer now: who would be first, and whether all it could ask is free."""

    combo: Combo
    chances: tuple[_Chance, ...]
    free: bool


def advise(engine: Engine, wanted: Wanted, caller: Caller) -> Advice:
    """Give the combos by how well they suit. Needs read:models.

    A combo comes into question as far as the caller's key may use it.
    """
    require(caller, "read:models")
    request = _request(engine, wanted)
    speeds = {scope: timing.published for scope, timing in engine.health.measured(request.at_s)}
    left_out: list[LeftOut] = []
    considered: list[_Considered] = []
    for combo in engine.configs.current().combos:
        try:
            considered.append(_considered(engine, request, combo, caller, speeds))
        except RoutingError as error:
            left_out.append(LeftOut(combo, str(error)))
    prospects: list[Prospect] = []
    for one in _prospects(wanted, request, considered):
        reason = _beyond(one, wanted)
        if reason is None:
            prospects.append(one)
        else:
            left_out.append(LeftOut(one.combo, reason))
    timed = wanted.latency_s_max is not None
    prospects.sort(key=lambda one: (timed and one.latency_s is None, -one.worth_usd))
    return Advice(tuple(prospects), tuple(left_out))


def _request(engine: Engine, wanted: Wanted) -> RouteRequest:
    tokens = wanted.input_tokens
    features = Features(
        input_tokens=tokens,
        # The most bytes that the engine would estimate at this many tokens.
        input_tokens_max=tokens * BYTES_PER_TOKEN + BYTES_PER_TOKEN - 1 + TEMPLATE_TOKENS_MAX,
        family=FAMILY_OF[wanted.task],
    )
    return RouteRequest(
        request_id=new_request_id(),
        target="",
        operation=Operation("chat", OWN_DIALECT, b"", features),
        at_s=engine.clock.now(),
        door="mcp",
        spend_usd_nanos_max=wanted.usd_nanos_max,
        role=wanted.task,
    )


def _considered(
    engine: Engine, request: RouteRequest, combo: Combo, caller: Caller, speeds: Speeds
) -> _Considered:
    """Give who would be first for the request.

    Raises:
        RoutingError: nobody could answer it now; says why.
    """
    if not combo.active:
        raise ModelNotFound("it is switched off")
    decision = engine.weigh(structs.replace(request, target=combo.name), caller)
    if not decision.order:
        told = dict.fromkeys(f"{one.candidate.name}: {one.detail}" for one in decision.verdicts)
        raise NoCandidate(f"nobody could answer now: {'; '.join(list(told)[:TOLD_MAX])}")
    config, features = engine.configs.current(), request.operation.features
    chances: list[_Chance] = []
    for candidate, share in _shares(decision):
        if share:
            one = engine.preparer.informed(candidate, config)
            state = engine.health.state(one)
            cost = expected_usd_nanos(one, features)
            latency_s = _latency_s(one, speeds.get((one.account_id, one.model)), features)
            chances.append(_Chance(one, state, share, cost, latency_s))
    return _Considered(combo, tuple(chances), all(map(_is_free, decision.order)))


def _shares(decision: Decision) -> list[tuple[Candidate, float]]:
    """Give who may be tried, and how often each is first.

    A strategy that goes around has one first for this very request and each as often over many:
    its models share alike, and the accounts of a model share its part.
    """
    kept = [one for one in decision.verdicts if one.kept]
    if decision.strategy not in GOES_AROUND:
        return [(one.candidate, one.first_q32 / ONE_Q32) for one in kept]
    models = Counter(one.candidate.name for one in kept)
    return [(one.candidate, 1 / len(models) / models[one.candidate.name]) for one in kept]


def _prospects(
    wanted: Wanted, request: RouteRequest, considered: Sequence[_Considered]
) -> Iterator[Prospect]:
    """Give what each combo would probably do; an unknown price counts as the dearest of all."""
    kept = [(one.candidate, one.state) for combo in considered for one in combo.chances]
    worth = iter(utilities(MODE_OF_TASK[wanted.task], request, kept))
    for combo in considered:
        chances = combo.chances
        likely = max(chances, key=lambda one: one.share)
        cost = _mean([(one.share, one.cost_usd_nanos) for one in chances])
        yield Prospect(
            combo=combo.combo,
            likely=likely.candidate,
            probability=likely.share,
            fitness=sum(one.share * fitness_for(wanted.task, one.candidate) for one in chances),
            cost_usd_nanos=None if cost is None else round(cost),
            latency_s=_mean([(one.share, one.latency_s) for one in chances]),
            worth_usd=sum(one.share * next(worth) for one in chances),
            free=combo.free,
        )


def _beyond(one: Prospect, wanted: Wanted) -> str | None:
    """Give in words the constraint that a combo is known to break, None when it breaks none."""
    cost, cost_max = one.cost_usd_nanos, wanted.usd_nanos_max
    # Under a ceiling nobody without a known price is left.
    if cost_max is not None and cost is not None and cost > cost_max:
        return f"about ${cost / 1e9:.6f} a request, and ${cost_max / 1e9:.6f} is the most"
    latency_s, latency_s_max = one.latency_s, wanted.latency_s_max
    if latency_s is not None and latency_s_max is not None and latency_s > latency_s_max:
        return f"an answer takes about {latency_s:.1f} s, and {latency_s_max:g} s is the most"
    return None


def _latency_s(candidate: Candidate, known: Latency | None, features: Features) -> float | None:
    """Give how long a whole answer takes: as measured of late, else by the speed of its words."""
    if known is not None and known.total_p50_ms is not None:
        return known.total_p50_ms / 1000
    expected = candidate.expected
    if expected is None or expected.token_us is None:
        return None
    return expected_output_tokens(candidate, features) * expected.token_us / 1e6


def _mean(pairs: Sequence[tuple[float, float | None]]) -> float | None:
    """Give the mean of what is known, by share; None where too little is."""
    known = [(share, value) for share, value in pairs if value is not None]
    total = sum(share for share, _ in known)
    if total < KNOWN_SHARE_MIN:
        return None
    return sum(share * value for share, value in known) / total


def _is_free(candidate: Candidate) -> bool:
    price = candidate.facts.price
    return price is not None and not any(
        (price.input, price.output, price.cache_write, price.cached_input)
    )
