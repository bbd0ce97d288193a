"""Why a request got no answer, as the error that says it best."""

from collections import Counter
from collections.abc import Sequence

from msgspec import structs

from .conversation import AnswerError
from .errors import (
    AllFailed,
    BadRequest,
    BudgetExceeded,
    NoCandidate,
    NotAllowed,
    RoutingError,
    Tried,
    UpstreamFailure,
)
from .model import Attempt, Decision, Outcome, RouteRequest, Snapshot
from .moment import CandidateState
from .policy import ADVICE, FALLS_BACK

WAITING = frozenset({"circuit_open", "circuit_probing", "cooling_down"})
_ADVICE: dict[str, str] = {str(kind): advice for kind, advice in ADVICE.items()}
NOT_KEPT = "not kept, as the key is a no-log key"
MONEY = frozenset({"over_budget", "unknown_price", "too_dear"})


def nothing_left(request: RouteRequest, snapshot: Snapshot, decision: Decision) -> RoutingError:
    """Give the error for a decision whose order is empty.

    When every candidate fell for the same reason and the client can mend it, the error is of
    that kind; else it is NoCandidate with the earliest moment at which one may be tried.
    """
    reasons = Counter(verdict.reason for verdict in decision.verdicts)
    told = _tell(decision)
    hint = f"see `omniroute explain {request.request_id}`"
    match tuple(reasons):
        case ():
            return NoCandidate(
                f"{request.target!r} has no model that could answer; add a provider with "
                "`omniroute providers add`"
            )
        case ("not_allowed",):
            return NotAllowed(f"the key may not use {request.target!r}: {told}")
        case _ if MONEY.issuperset(reasons):
            return BudgetExceeded(f"{request.target!r} is over the budget: {told}")
        case ("context_too_long",):
            return BadRequest(f"the request is too long for {request.target!r}: {told}")
        case ("no_tools",) | ("no_images",) | ("wrong_kind",):
            return BadRequest(f"{request.target!r} cannot do this: {told}")
        case _:
            return NoCandidate(
                f"{request.target!r} has {len(decision.verdicts)} models and none can answer "
                f"now: {told}; {hint}",
                retry_after_s=_earliest(request, snapshot, decision),
            )


def all_failed(
    request_id: str, attempts: Sequence[Attempt], failures: list[UpstreamFailure]
) -> UpstreamFailure:
    """Give the error for a request whose every attempt failed."""
    tried = tuple(map(_tried, attempts))
    only = failures[0] if len(failures) == 1 else None
    if only is not None and (only.kind == "inexpressible" or not FALLS_BACK[only.kind]):
        only.tried = tried
        return only
    told = "; ".join(f"{one.candidate.name}: {one.failure} ({one.detail})" for one in attempts)
    failed = AllFailed(
        f"{len(failures)} of {len(failures)} attempts failed. {told}. "
        f"`omniroute explain {request_id}` tells the whole story",
        failures,
    )
    failed.tried = tried
    return failed


def inside(error: AnswerError) -> UpstreamFailure:
    """Give the failure for an error that came inside a 200 answer."""
    return UpstreamFailure(f"the provider reported {error.kind}: {error.message}", kind=error.kind)


def _tried(attempt: Attempt) -> Tried:
    failure = attempt.failure or "ok"
    return Tried(
        target=attempt.candidate.name,
        failure=failure,
        provider_status=attempt.provider_status,
        took_ms=round((attempt.ended_s - attempt.started_s) * 1000),
        detail=attempt.detail,
        advice=_ADVICE.get(failure, ""),
    )


def _tell(decision: Decision) -> str:
    return "; ".join(
        f"{one.candidate.name}: {one.detail or one.reason}" for one in decision.verdicts[:8]
    )


def _earliest(request: RouteRequest, snapshot: Snapshot, decision: Decision) -> float | None:
    waits = [
        _ready_s(state) - request.at_s
        for state, verdict in zip(snapshot.states, decision.verdicts, strict=True)
        if verdict.reason in WAITING
    ]
    return max(min(waits), 1.0) if waits else None


def _ready_s(state: CandidateState) -> float:
    # Nothing else can answer: then an open circuit is probed early.
    probe_s = min(state.probe_from_s or state.open_until_s, state.open_until_s)
    return max(probe_s, state.cooldown_until_s)


def without_words(outcome: Outcome) -> Outcome:
    """Give an outcome without what providers said of its failures: they may repeat the prompt."""
    if not outcome.attempts:
        return outcome
    attempts = tuple(
        structs.replace(one, detail=NOT_KEPT) if one.detail else one for one in outcome.attempts
    )
    detail = NOT_KEPT if outcome.error_detail else ""
    return structs.replace(outcome, attempts=attempts, error_detail=detail)
