"""What a task tells of its routing, made from the gateway's own Outcome.

Every figure is the gateway's: the cost that was accounted, the candidates that were called,
the policy as it was judged before any call. What is unknown stays None.
"""

from omniroute.routing.accounting.cost import expected_usd_nanos
from omniroute.routing.errors import BudgetExceeded, NotAllowed, RateLimited, RoutingError
from omniroute.routing.model import Attempt, Decision, Outcome, RouteRequest
from omniroute.routing.policy import OUTRUN

from .task import Routing, Step

NANOS_A_DOLLAR = 1_000_000_000

_NOT_ALLOWED = frozenset({BudgetExceeded.code, NotAllowed.code, RateLimited.code})
_NO_FAILURE = (None, "client_gone", OUTRUN)


def story_of(outcome: Outcome) -> Routing:
    """Give the story of a request that got as far as a decision."""
    request, decision = outcome.request, outcome.decision
    # What was called was allowed: the policy is judged before the first call, and stays.
    allowed = bool(outcome.attempts) or outcome.error not in _NOT_ALLOWED
    return Routing(
        request_id=request.request_id,
        explanation=_explanation(outcome),
        estimated_usd_nanos=_estimated(request, decision),
        actual_usd_nanos=outcome.cost_usd_nanos,
        steps=tuple(
            step
            for attempt in outcome.attempts
            for step in _steps(attempt, outcome.at_unix_s - request.at_s)
        ),
        allowed=allowed,
        reason=_policy(request.spend_usd_nanos_max) if allowed else outcome.error_detail,
    )


def story_of_plan(request: RouteRequest, decision: Decision) -> Routing:
    """Give the story of a request that was decided and has no outcome yet."""
    return Routing(
        request_id=request.request_id,
        explanation=_chosen(request, decision),
        estimated_usd_nanos=_estimated(request, decision),
        actual_usd_nanos=None,
        steps=(),
        allowed=True,
        reason=_policy(request.spend_usd_nanos_max),
    )


def story_of_refusal(request_id: str, error: RoutingError) -> Routing:
    """Give the story of a request for which nothing could be decided: no call, no cost."""
    allowed = error.code not in _NOT_ALLOWED
    return Routing(
        request_id=request_id,
        explanation=str(error),
        estimated_usd_nanos=None,
        actual_usd_nanos=0,
        steps=(),
        allowed=allowed,
        reason=_policy(None) if allowed else str(error),
    )


def _explanation(outcome: Outcome) -> str:
    decision = outcome.decision
    if decision is None:
        return outcome.error_detail
    failed = [
        f"{attempt.candidate.name} ({attempt.failure})"
        for attempt in outcome.attempts
        if attempt.failure not in _NO_FAILURE
    ]
    chosen = _chosen(outcome.request, decision)
    left = f" after {', '.join(failed)}" if failed else ""
    if outcome.winner is None:
        return f"{chosen}; none answered{left}"
    verb = "answered" if outcome.status == "answered" else "began to answer"
    label = " (simulated)" if outcome.winner.simulated else ""
    return f"{chosen}; {outcome.winner.name}{label} {verb}{left}"


def _chosen(request: RouteRequest, decision: Decision) -> str:
    return (
        f"{request.target!r} by strategy {decision.strategy}: "
        f"{len(decision.order)} of {len(decision.verdicts)} candidates could be tried"
    )


def _estimated(request: RouteRequest, decision: Decision | None) -> int | None:
    if decision is None or not decision.order:
        return None
    return expected_usd_nanos(decision.order[0], request.operation.features)


def _steps(attempt: Attempt, to_unix_s: float) -> list[Step]:
    provider, model = attempt.candidate.provider, attempt.candidate.model
    steps = []
    if attempt.number == 1:
        steps.append(Step("primary_selected", provider, model, attempt.started_s + to_unix_s))
    if attempt.failure not in _NO_FAILURE:
        ended = attempt.ended_s + to_unix_s
        steps.append(Step("fallback_needed", provider, model, ended, attempt.failure))
    return steps


def _policy(budget_usd_nanos: int | None) -> str:
    if budget_usd_nanos is None:
        return "the key's limits allow it; the request sets no budget"
    return (
        "the key's limits allow it, and every candidate tried is bound to the request's "
        f"budget of ${budget_usd_nanos / NANOS_A_DOLLAR:.9f}"
    )
