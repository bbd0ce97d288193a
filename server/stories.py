"""The story of one request as `/api/explain` gives it: every verdict, every attempt, and why."""

from dataclasses import dataclass

from omniroute.routing.choose.accounts import told
from omniroute.routing.choose.contrast import contrast_on_record
from omniroute.routing.content import Finding
from omniroute.routing.conversation import Usage
from omniroute.routing.model import Attempt, Verdict
from omniroute.routing.ports import Record

from .management import RequestJson, request_json


@dataclass(frozen=True, slots=True)
class CandidateJson:
    """What the decision thought of one candidate.

    `place` is its place in the order of trying, from 1; None when it was not to be tried.
    `first_share` is the probability with which it could have been first.
    """

    name: str
    account_id: str
    kept: bool
    reason: str
    detail: str = ""
    place: int | None = None
    first_share: float = 0.0
    score: float | None = None
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class AttemptJson:
    """One call to a provider; `started_s` and `ended_s` count from the request's arrival.

    `swapped` says that another model answered, `model_served`, than was asked for.
    """

    number: int
    candidate: str
    account_id: str
    started_s: float
    ended_s: float
    first_byte_s: float | None = None
    failure: str | None = None
    detail: str = ""
    provider_status: int | None = None
    model_served: str | None = None
    swapped: bool = False


@dataclass(frozen=True, slots=True)
class DeltaJson:
    """One part of the score of both; the advantages add up to the whole one."""

    name: str
    chosen: float
    runner_up: float
    advantage: float


@dataclass(frozen=True, slots=True)
class FlipJson:
    """A change of one value, alone, that would bring the runner-up's score level."""

    candidate: str
    account_id: str
    name: str
    now: float
    needed: float


@dataclass(frozen=True, slots=True)
class ContrastJson:
    """The first candidate of the decision beside the one that was likeliest but for it.

    `advantage` is by how much its score is better, None where the strategy has no scores.
    """

    chosen: str
    chosen_account_id: str
    runner_up: str
    runner_up_account_id: str
    probability: float
    runner_up_probability: float
    advantage: float | None
    deltas: tuple[DeltaJson, ...] = ()
    flips: tuple[FlipJson, ...] = ()


@dataclass(frozen=True, slots=True)
class StoryJson:
    """Everything about one request. `first_content_s` counts from its arrival.

    `contrast` is None when there was no runner-up, or the decision is not on record.
    `output_tokens_clamp` is what the answer was clamped to, so that it could be paid.
    `findings` is what content guards found, by kind, and what was done with it.
    """

    request: RequestJson
    strategy: str | None
    combo: str | None
    snapshot_id: str | None
    stream: bool
    finish: str | None
    error_detail: str
    first_content_s: float | None
    usage: Usage
    usage_source: str
    reserved_usd_nanos: int
    candidates: tuple[CandidateJson, ...]
    attempts: tuple[AttemptJson, ...]
    model_served: str | None = None
    session_id: str | None = None
    client_request_id: str | None = None
    output_tokens_clamp: int | None = None
    contrast: ContrastJson | None = None
    findings: tuple[Finding, ...] = ()


def story_json(record: Record) -> StoryJson:
    """Give a stored request with its decision and attempts."""
    outcome = record.outcome
    request, decision = outcome.request, outcome.decision
    order = () if decision is None else decision.order
    verdicts = () if decision is None else told(decision)
    places = {id(one): place for place, one in enumerate(order, start=1)}
    return StoryJson(
        request=request_json(outcome),
        strategy=None if decision is None else decision.strategy,
        combo=None if decision is None else decision.combo,
        snapshot_id=None if decision is None else decision.snapshot_id,
        stream=request.operation.features.stream,
        finish=outcome.finish,
        error_detail=outcome.error_detail,
        first_content_s=outcome.first_content_s,
        usage=outcome.usage,
        usage_source=outcome.usage_source,
        reserved_usd_nanos=outcome.reserved_usd_nanos,
        candidates=tuple(_candidate(one, places.get(id(one.candidate))) for one in verdicts),
        attempts=tuple(_attempt(one, request.at_s) for one in outcome.attempts),
        model_served=outcome.model_served,
        session_id=request.session_id,
        client_request_id=request.client_request_id,
        output_tokens_clamp=outcome.output_tokens_clamp,
        contrast=_contrast(record),
        findings=request.findings or (),
    )


def _candidate(verdict: Verdict, place: int | None) -> CandidateJson:
    return CandidateJson(
        verdict.candidate.name,
        verdict.candidate.account_id,
        verdict.kept,
        verdict.reason,
        detail=verdict.detail,
        place=place,
        first_share=verdict.first_q32 / 2**32,
        score=verdict.score,
        simulated=verdict.candidate.simulated,
    )


def _attempt(attempt: Attempt, arrived_s: float) -> AttemptJson:
    return AttemptJson(
        attempt.number,
        attempt.candidate.name,
        attempt.candidate.account_id,
        started_s=attempt.started_s - arrived_s,
        ended_s=attempt.ended_s - arrived_s,
        first_byte_s=attempt.first_byte_s,
        failure=attempt.failure,
        detail=attempt.detail,
        provider_status=attempt.provider_status,
        model_served=attempt.model_served,
        swapped=attempt.swapped,
    )


def _contrast(record: Record) -> ContrastJson | None:
    found = contrast_on_record(record)
    if found is None:
        return None
    return ContrastJson(
        chosen=found.chosen.name,
        chosen_account_id=found.chosen.account_id,
        runner_up=found.runner_up.name,
        runner_up_account_id=found.runner_up.account_id,
        probability=found.probability,
        runner_up_probability=found.runner_up_probability,
        advantage=found.advantage,
        deltas=tuple(
            DeltaJson(one.name, one.chosen, one.runner_up, one.advantage) for one in found.deltas
        ),
        flips=tuple(
            FlipJson(one.candidate.name, one.candidate.account_id, one.name, one.now, one.needed)
            for one in found.flips
        ),
    )
