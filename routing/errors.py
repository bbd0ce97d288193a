"""Every way the gateway can say no.

    RoutingError
    ├── NotAuthenticated     no key, or one that is not ours
    ├── NotAllowed           the caller's key lacks a scope, or a model
    ├── BadRequest           the request cannot be understood; a client error
    │   ├── PreviousResponseNotFound  what it goes on from is not kept
    │   ├── TooLarge         it is larger than a named limit
    │   └── UnknownEncoding  its body is packed in a way that is not read
    ├── NotFound             what was asked for does not exist for this caller
    │   └── ModelNotFound    no model, combo or provider goes by that name
    ├── Gone                 a documented route that is not offered; says what is instead
    ├── Conflict             it exists already, or changed in the meantime
    │   ├── Outdated         it is not, or no more, as the request says it has to be
    │   └── RequestInFlight  the same request is being answered
    ├── IdempotencyMismatch  an idempotency key was used with another body
    ├── BudgetExceeded       the budget cannot pay for the request's upper bound
    ├── RateLimited          the caller's key has reached a limit of its own
    ├── ContentBlocked       a content guard found what the rules let nobody send or see
    ├── LoopDetected         the request came from this gateway
    ├── NoCandidate          nothing configured could serve the request now
    ├── StorageUnavailable   the database does not answer
    ├── GatewayBusy          the gateway has no room for new work now
    ├── Interrupted          the gateway itself ends the request: it is stopping
    └── UpstreamFailure      a provider was called and did not answer well
        └── AllFailed        every candidate was tried

A door turns `status` and `code` into its own protocol's error; nothing else maps errors.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

FailureKind = Literal[
    "auth",  # 401, 403: the provider refuses the account's credential
    "quota_exhausted",  # no credit, or a spend limit: waiting does not help soon
    "rate_limited",  # 429
    "overloaded",  # 529, or an overloaded_error inside a stream
    "server_error",  # other 5xx
    "bad_request",  # the request itself is at fault: no candidate would do better
    "inexpressible",  # the provider's dialect lacks a word for it: another's may have one
    "context_too_long",  # another model may have more room
    "content_policy",
    "model_gone",  # 404, or the provider does not know the model
    "connect",  # refused, reset before any byte, DNS
    "tls",
    "egress_refused",  # our own policy refuses the address
    "timeout_connect",
    "timeout_first_byte",
    "timeout_idle",
    "timeout_total",
    "truncated",  # the stream ended without its terminator
    "malformed",  # not the dialect: HTML, broken JSON, a broken event
    "too_large",  # past a bound of ours
    "busy",  # our own limit: the account has no room, or its circuit opened meanwhile
]


NOT_SENT: frozenset[FailureKind] = frozenset({"busy", "inexpressible"})
"""The kinds with which a candidate was passed over, and its provider not asked."""


class RoutingError(Exception):
    """Base of the tree.

    Attributes:
        status: the HTTP status a door reports.
        code: a stable word for programs, the same in every door.
        retry_after_s: when asking again makes sense, None when unknown.
    """

    status: int = 500
    code: ClassVar[str] = "internal_error"
    retry_after_s: float | None = None


class NotAuthenticated(RoutingError):
    """No key was presented where one is needed, or it is not one of ours."""

    status = 401
    code = "invalid_api_key"


class NotAllowed(RoutingError):
    """The caller's key does not carry what the operation needs.

    Args:
        message: which key, what is missing.
        scope: the scope that would allow it, None when it is not about a scope.
    """

    status = 403
    code = "insufficient_scope"

    def __init__(self, message: str, *, scope: str | None = None) -> None:
        super().__init__(message)
        self.scope = scope


class BadRequest(RoutingError):
    """The request is not valid in its wire format.

    Args:
        message: what is wrong and what would be right.
        field: the name of the faulty field, None when the whole is.
    """

    status = 400
    code = "bad_request"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Inexpressible(BadRequest):
    """What is asked for can be said in the client's wire format, but cannot be done.

    The provider's format lacks a word for it, or it is a service of the vendor's own.
    """

    code = "unsupported_feature"


class TooLarge(BadRequest):
    """The request is larger than a named limit."""

    status = 413
    code = "request_too_large"


class PreviousResponseNotFound(BadRequest):
    """A response that a request goes on from is not kept, or is another caller's."""

    code = "previous_response_not_found"


class UnknownEncoding(BadRequest):
    """The request's body is packed in a way that is not read."""

    status = 415
    code = "unknown_encoding"


class NotFound(RoutingError):
    """What was asked for does not exist, or is another caller's: the same answer for both."""

    status = 404
    code = "not_found"


class ModelNotFound(NotFound):
    """No model, combo or provider goes by that name."""

    code = "model_not_found"


class Gone(RoutingError):
    """What OmniRoute documents at this path is not offered here; the message says what is."""

    status = 410
    code = "gone"


class Conflict(RoutingError):
    """The thing exists already, or has changed since it was read."""

    status = 409
    code = "conflict"


class Outdated(Conflict):
    """It is not, or no more, what the request's If-Match or If-None-Match says it has to be."""

    status = 412
    code = "precondition_failed"


class RequestInFlight(Conflict):
    """A request with the same idempotency key is being answered."""

    code = "request_in_flight"
    # A door rounds up to whole seconds: the client is asked to wait for one.
    retry_after_s = 0.5


class IdempotencyMismatch(RoutingError):
    """An idempotency key came with another body than before."""

    status = 422
    code = "idempotency_mismatch"


class BudgetExceeded(RoutingError):
    """A budget cannot pay for the request's upper bound."""

    status = 402
    code = "budget_exceeded"


class RateLimited(RoutingError):
    """The caller's key has reached a limit of its own: requests, tokens, or at the same time."""

    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ContentBlocked(RoutingError):
    """A content guard found what the gateway's rules let nobody send or see."""

    status = 400
    code = "content_blocked"


class LoopDetected(RoutingError):
    """The request has already passed through this gateway."""

    status = 508
    code = "loop_detected"


class NoCandidate(RoutingError):
    """No candidate survived the filters; the Decision says why each fell."""

    status = 503
    code = "no_candidate"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StorageUnavailable(RoutingError):
    """The database does not answer, is locked too long, or is full."""

    status = 503
    code = "storage_unavailable"


class GatewayBusy(RoutingError):
    """The gateway has no room for new work now: it is short of memory."""

    status = 503
    code = "gateway_busy"
    # A door rounds up to whole seconds: the client is asked to wait for five.
    retry_after_s = 4.5


class Interrupted(RoutingError):
    """The gateway itself ends a request that it had taken: it is stopping.

    Whoever ends it cancels the request's task with an Interrupted in the place of the message;
    see `interruption`.
    """

    status = 503
    code = "gateway_stopping"
    retry_after_s = 0.5


def interruption(ended: BaseException) -> Interrupted | None:
    """Give why this task was cancelled, None where its client left or nobody said why.

    Whoever is given a reason ends its work by that: the cancellation is over.
    """
    reason = ended.args[0] if isinstance(ended, asyncio.CancelledError) and ended.args else None
    if not isinstance(reason, Interrupted):
        return None
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
    return reason


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt of a request that failed, as its client is told of it.

    Attributes:
        target: `provider/model`.
        failure: its kind.
        advice: what somebody can do about it.
    """

    target: str
    failure: str
    provider_status: int | None
    took_ms: int
    detail: str
    advice: str


class UpstreamFailure(RoutingError):
    """One provider call failed.

    Args:
        message: what happened, without secrets.
        kind: its class; policy reads this, never the message.
        provider_status: the provider's HTTP status, None when there was none.
        retry_after_s: the provider's own hint.
        body: the provider's error body when it should reach a client of the same dialect.

    Attributes:
        headers: of the provider's refusal, names in lower case; they may tell of its limits.
        tried: each attempt of the request, in order; empty until the request has failed.
    """

    status = 502
    code = "upstream_error"

    def __init__(
        self,
        message: str,
        *,
        kind: FailureKind,
        provider_status: int | None = None,
        retry_after_s: float | None = None,
        body: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.provider_status = provider_status
        self.retry_after_s = retry_after_s
        self.body = body
        self.headers: Mapping[bytes, bytes] = {}
        self.tried: tuple[Tried, ...] = ()
        self.status = _STATUS_BY_KIND.get(kind, 502)


class AllFailed(UpstreamFailure):
    """Every candidate was tried and none answered.

    Args:
        message: how many were tried and how each ended.
        failures: the failure of each attempt, in order; the last that a provider gave decides
            the kind, and the earliest retry counts.
    """

    code = "all_candidates_failed"

    def __init__(self, message: str, failures: Sequence[UpstreamFailure]) -> None:
        hints = [one.retry_after_s for one in failures if one.retry_after_s is not None]
        last = next((one for one in reversed(failures) if one.kind not in NOT_SENT), failures[-1])
        super().__init__(
            message,
            kind=last.kind,
            provider_status=last.provider_status,
            retry_after_s=min(hints, default=None),
            body=last.body if len(failures) == 1 else None,
        )
        self.failures = tuple(failures)
        self.headers = last.headers if len(failures) == 1 else {}


_STATUS_BY_KIND: dict[FailureKind, int] = {
    "rate_limited": 429,
    "overloaded": 503,
    "busy": 503,
    "bad_request": 400,
    "inexpressible": 400,
    "context_too_long": 400,
    "content_policy": 400,
    "model_gone": 404,
    "timeout_connect": 504,
    "timeout_first_byte": 504,
    "timeout_idle": 504,
    "timeout_total": 504,
}
