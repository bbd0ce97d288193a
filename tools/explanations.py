"""The tool that tells why a request was answered as it was."""

from typing import Annotated, Literal

from msgspec import Meta

from omniroute.routing.choose.accounts import told
from omniroute.routing.choose.contrast import contrast_on_record
from omniroute.routing.choose.draw import ONE_Q32
from omniroute.routing.choose.explain import factors_of
from omniroute.routing.model import Attempt, Outcome, RouteRequest, Strategy, Verdict
from omniroute.routing.policy import OUTRUN
from omniroute.routing.ports import Record

from .invocation import Invocation
from .routes import Tokens, tokens_of
from .shapes import Arguments, Result
from .units import iso, milliseconds, usd
from .words import explain

RequestId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        description="As in routing.requestId of an answer, or its x-request-id header.",
    ),
]


class Explain(Arguments, frozen=True):
    """What omniroute_explain_route takes."""

    request_id: RequestId


class FactorInfo(Result, frozen=True):
    """One part of the score: contribution is value times weight."""

    name: str
    value: float
    weight: float
    contribution: float


class Fallback(Result, frozen=True):
    """A candidate that failed, so that the next one was asked."""

    provider: str
    reason: str
    model: str
    detail: str


class VerdictInfo(Result, frozen=True):
    """What the decision thought of one candidate."""

    provider: str
    model: str
    account: str
    kept: bool
    reason: str
    detail: str
    probability: float
    score: float | None


class AttemptInfo(Result, frozen=True):
    """One call to a provider."""

    number: int
    provider: str
    model: str
    account: str
    failure: Annotated[str | None, Meta(description="null: it answered well.")]
    detail: str
    provider_status: int | None
    latency_ms: int
    first_byte_ms: int | None
    model_served: Annotated[str | None, Meta(description="As the provider named it.")]
    swapped: Annotated[bool, Meta(description="Another model answered than was asked for.")]


class DecisionInfo(Result, frozen=True):
    """The decision and what came of it."""

    combo_used: str | None
    provider_selected: Annotated[str | None, Meta(description="null: nobody answered.")]
    model_used: str | None
    score: Annotated[float | None, Meta(description="null: the strategy gives no score.")]
    factors: Annotated[
        tuple[FactorInfo, ...], Meta(description="Their contributions sum to the score.")
    ]
    fallbacks_triggered: tuple[Fallback, ...]
    cost_actual: Annotated[float | None, Meta(description="US dollars; null: unknown price.")]
    latency_actual: Annotated[int, Meta(description="Milliseconds in all.")]


class Asked(Result, frozen=True):
    """The request, as omniroute_simulate_route takes it; nothing of its text."""

    model: str
    prompt_token_estimate: int
    prompt_tokens_max: int
    max_tokens: int | None
    budget: float | None
    role: str | None
    stream: bool
    tools: bool
    images: bool
    json_schema: bool
    session: str | None = None


class DeltaInfo(Result, frozen=True):
    """One part of the score of both. The advantages add up to the whole one."""

    name: str
    chosen: float
    runner_up: float
    advantage: Annotated[float, Meta(description="How much it speaks for the chosen one.")]


class FlipInfo(Result, frozen=True):
    """A change of one value, alone, that would bring the runner-up's score level."""

    provider: str
    model: str
    account: str
    name: str
    now: float
    needed: float


class ContrastInfo(Result, frozen=True):
    """The first candidate beside the one that was likeliest but for it."""

    chosen: str
    runner_up: str
    probability: Annotated[float, Meta(description="0 to 1: of this pick.")]
    runner_up_probability: float
    advantage: Annotated[
        float | None,
        Meta(
            description="By how much its score is better; negative: the draw chose the lesser "
            "one; null: the strategy gives no score."
        ),
    ]
    deltas: tuple[DeltaInfo, ...]
    would_flip: Annotated[
        tuple[FlipInfo, ...], Meta(description="Any one of these would bring the other one first.")
    ]


class Explanation(Result, frozen=True):
    """What omniroute_explain_route gives."""

    request_id: str
    decision: DecisionInfo
    status: Literal["answered", "failed", "refused", "client_gone"]
    error: str | None
    explanation: Annotated[str, Meta(description="The whole story in words.")]
    at: Annotated[str, Meta(description="When it arrived, ISO 8601.")]
    strategy: Strategy | None
    tokens: Tokens
    verdicts: Annotated[tuple[VerdictInfo, ...], Meta(description="One on every candidate.")]
    attempts: tuple[AttemptInfo, ...]
    asked: Asked
    contrast: Annotated[
        ContrastInfo | None, Meta(description="null: there was no second one to choose.")
    ]


async def explain_route(call: Invocation, arguments: Explain) -> Explanation:
    """Run omniroute_explain_route.

    Raises:
        NotFound: no request has that id, or it is another key's: the same words for both.
    """
    record = await call.gateway.view.explanation(arguments.request_id, call.caller)
    outcome, decision = record.outcome, record.outcome.decision
    return Explanation(
        request_id=outcome.request.request_id,
        decision=_decision(record),
        status=outcome.status,
        error=outcome.error,
        explanation=explain(outcome),
        at=iso(outcome.at_unix_s),
        strategy=None if decision is None else decision.strategy,
        tokens=tokens_of(outcome),
        verdicts=() if decision is None else tuple(map(_verdict, told(decision))),
        attempts=tuple(map(_attempt, outcome.attempts)),
        asked=_asked(outcome.request),
        contrast=_contrast(record),
    )


def _decision(record: Record) -> DecisionInfo:
    outcome = record.outcome
    decision, winner = outcome.decision, outcome.winner
    score: float | None = None
    factors: tuple[FactorInfo, ...] = ()
    if decision is not None and winner is not None:
        score = next((one.score for one in decision.verdicts if one.candidate == winner), None)
        if record.snapshot is not None:
            parts = factors_of(outcome.request, record.snapshot, decision, winner)
            factors = tuple(
                FactorInfo(one.name, one.value, one.weight, one.contribution) for one in parts
            )
    return DecisionInfo(
        combo_used=None if decision is None else decision.combo,
        provider_selected=None if winner is None else winner.provider,
        model_used=None if winner is None else outcome.model_served or winner.model,
        score=score,
        factors=factors,
        fallbacks_triggered=_fallbacks(outcome),
        cost_actual=usd(outcome.cost_usd_nanos),
        latency_actual=milliseconds(outcome.total_s),
    )


def _contrast(record: Record) -> ContrastInfo | None:
    found = contrast_on_record(record)
    if found is None:
        return None
    return ContrastInfo(
        chosen=found.chosen.name,
        runner_up=found.runner_up.name,
        probability=found.probability,
        runner_up_probability=found.runner_up_probability,
        advantage=found.advantage,
        deltas=tuple(
            DeltaInfo(one.name, one.chosen, one.runner_up, one.advantage) for one in found.deltas
        ),
        would_flip=tuple(
            FlipInfo(
                provider=one.candidate.provider,
                model=one.candidate.model,
                account=one.candidate.account_id,
                name=one.name,
                now=one.now,
                needed=one.needed,
            )
            for one in found.flips
        ),
    )


def _fallbacks(outcome: Outcome) -> tuple[Fallback, ...]:
    """Give the failures after which another candidate was asked: all but the last attempt's."""
    return tuple(
        Fallback(one.candidate.provider, one.failure, one.candidate.model, one.detail)
        for one in outcome.attempts[:-1]
        if one.failure is not None and one.failure != OUTRUN
    )


def _verdict(one: Verdict) -> VerdictInfo:
    return VerdictInfo(
        provider=one.candidate.provider,
        model=one.candidate.model,
        account=one.candidate.account_id,
        kept=one.kept,
        reason=one.reason,
        detail=one.detail,
        probability=one.first_q32 / ONE_Q32,
        score=one.score,
    )


def _attempt(one: Attempt) -> AttemptInfo:
    first_byte_s = one.first_byte_s
    return AttemptInfo(
        number=one.number,
        provider=one.candidate.provider,
        model=one.candidate.model,
        account=one.candidate.account_id,
        failure=one.failure,
        detail=one.detail,
        provider_status=one.provider_status,
        latency_ms=milliseconds(one.ended_s - one.started_s),
        first_byte_ms=None if first_byte_s is None else milliseconds(first_byte_s),
        model_served=one.model_served,
        swapped=one.swapped,
    )


def _asked(request: RouteRequest) -> Asked:
    features = request.operation.features
    return Asked(
        model=request.target,
        prompt_token_estimate=features.input_tokens,
        prompt_tokens_max=features.input_tokens_max,
        max_tokens=features.output_tokens_max,
        budget=usd(request.spend_usd_nanos_max),
        role=request.role,
        stream=features.stream,
        tools=features.tools,
        images=features.images,
        json_schema=features.json_schema,
        session=request.session_id,
    )
