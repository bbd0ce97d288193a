"""Outcomes as the engine makes them, for tests of what keeps them."""

from msgspec import structs

from omniroute.routing.choose.decide import decide
from omniroute.routing.choose.record import pack_snapshot, snapshot_id
from omniroute.routing.conversation import Usage
from omniroute.routing.model import (
    Attempt,
    Candidate,
    Features,
    ModelFacts,
    Operation,
    Outcome,
    Price,
    RouteRequest,
    Snapshot,
)
from omniroute.routing.moment import CandidateState

PRICED = ModelFacts(context_tokens_max=8_000, price=Price(input=10**9, output=2 * 10**9))
FIRST = Candidate("acc-1", "one", "m", "openai_chat", PRICED)
SECOND = Candidate("acc-2", "two", "org/m", "anthropic", PRICED)
SNAPSHOT = Snapshot(
    target="fast",
    combo="fast",
    strategy="priority",
    candidates=(FIRST, SECOND),
    states=(CandidateState(), CandidateState(success=0.5, first_byte_ms=120)),
    config_version=7,
)
BODY = b'{"model": "fast", "messages": "a prompt that must not be kept"}'


def request(request_id: str, target: str = "fast") -> RouteRequest:
    features = Features(stream=True, input_tokens=100, input_tokens_max=400, tools=True)
    return RouteRequest(
        request_id=request_id,
        target=target,
        operation=Operation("chat", "openai_chat", BODY, features, model_in_body=target),
        at_s=12.5,
        spend_usd_nanos_max=5_000_000,
        session_id="session-1",
        client_request_id="client-1",
    )


def answered(request_id: str, key_id: str = "key-1", **changes: object) -> Outcome:
    """Give a request that the second candidate answered after the first one failed."""
    asked = request(request_id)
    decision = decide(asked, SNAPSHOT, b"a seed", snapshot_id=snapshot_id(pack_snapshot(SNAPSHOT)))
    made = Outcome(
        request=asked,
        key_id=key_id,
        decision=decision,
        attempts=(
            Attempt(1, FIRST, 12.5, 12.75, failure="rate_limited", provider_status=429),
            Attempt(
                2, SECOND, 12.75, 14.0, first_byte_s=13.1, model_served="org/m-2026", swapped=True
            ),
        ),
        status="answered",
        usage=Usage(100, 50, 20, 10, 5, units=3),
        usage_source="reported",
        cost_usd_nanos=200_000,
        reserved_usd_nanos=400_000,
        at_unix_s=1_700_000_000.123456,
        first_content_s=0.6,
        total_s=1.5,
        winner=SECOND,
        model_served="org/m-2026",
        finish="stop",
        output_tokens_clamp=450,
    )
    return structs.replace(made, **changes)


def refused(request_id: str, key_id: str = "key-1") -> Outcome:
    """Give a request that was refused before any decision."""
    return Outcome(
        request=request(request_id, "nowhere"),
        key_id=key_id,
        decision=None,
        attempts=(),
        status="refused",
        usage=Usage(),
        usage_source="none",
        cost_usd_nanos=0,
        reserved_usd_nanos=0,
        at_unix_s=1_700_000_001.0,
        first_content_s=None,
        total_s=0.001,
        error="model_not_found",
        error_detail="nothing goes by the name 'nowhere'",
    )


def kept(outcome: Outcome) -> Outcome:
    """Give an outcome as it is kept: without its request's body."""
    operation = structs.replace(outcome.request.operation, body=b"")
    return structs.replace(outcome, request=structs.replace(outcome.request, operation=operation))
