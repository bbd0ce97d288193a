"""Spellings that dialects share: times, money, the routing story and details of a fault."""

from collections.abc import Mapping
from datetime import UTC, datetime

from ..faults import Fault, FaultKind
from ..task import Json, Routing, Step

NANOS_A_DOLLAR = 1_000_000_000


def iso(unix_s: float) -> str:
    """Give a time as `2025-10-28T10:30:00.000Z` (A2A 1.0, section 5.6.1)."""
    moment = datetime.fromtimestamp(unix_s, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def dollars(usd_nanos: int | None) -> float | None:
    """Give an amount for people and JSON; None stays unknown."""
    return None if usd_nanos is None else usd_nanos / NANOS_A_DOLLAR


def routing_story(routing: Routing, *, camel: bool) -> Json:
    """Give what a task tells about its routing: snake_case natively, camelCase in the standards.

    Source: names and shapes of the native form, reference of the documented A2A server.
    """
    names = _CAMEL if camel else _SNAKE
    values: tuple[object, ...] = (
        routing.explanation,
        {
            "estimated": dollars(routing.estimated_usd_nanos),
            "actual": dollars(routing.actual_usd_nanos),
            "currency": "USD",
        },
        [_step(step) for step in routing.steps],
        {"allowed": routing.allowed, "reason": routing.reason},
        routing.request_id,
    )
    return dict(zip(names, values, strict=True))


def fault_details(fault: Fault) -> Json | None:
    """Give a google.rpc object that says more than the code; None when there is no more.

    Source: A2A 1.0, section 9.5. No detail repeats a task's id: another caller's task and
    one that does not exist get the same bytes.
    """
    if fault.field is not None:
        violation = {"field": fault.field, "description": fault.message}
        return {"@type": _RPC + "BadRequest", "fieldViolations": [violation]}
    reason = _REASONS.get(fault.kind)
    if reason is None:
        return None
    return {"@type": _RPC + "ErrorInfo", "reason": reason, "domain": "a2a-protocol.org"}


_RPC = "type.googleapis.com/google.rpc."

_REASONS: Mapping[FaultKind, str] = {
    "task_not_found": "TASK_NOT_FOUND",
    "not_cancelable": "TASK_NOT_CANCELABLE",
    "push_unsupported": "PUSH_NOTIFICATION_NOT_SUPPORTED",
    "unsupported": "UNSUPPORTED_OPERATION",
    "content_type": "CONTENT_TYPE_NOT_SUPPORTED",
    "no_extended_card": "EXTENDED_AGENT_CARD_NOT_CONFIGURED",
    "version_unsupported": "VERSION_NOT_SUPPORTED",
}

_SNAKE = (
    "routing_explanation",
    "cost_envelope",
    "resilience_trace",
    "policy_verdict",
    "request_id",
)
_CAMEL = (
    "routingExplanation",
    "costEnvelope",
    "resilienceTrace",
    "policyVerdict",
    "requestId",
)


def _step(step: Step) -> Json:
    shown: dict[str, object] = {
        "event": step.event,
        "provider": step.provider,
        "model": step.model,
        "timestamp": iso(step.at_unix_s),
    }
    if step.reason is not None:
        shown["reason"] = step.reason
    return shown
