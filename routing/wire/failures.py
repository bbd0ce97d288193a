"""Errors on the wire, both ways: what a provider reported, and what a client is told.

The words providers use for their errors and those that clients' SDKs turn into exceptions
are rows here; no message is read for its meaning.

Sources: the error pages of the OpenAI, Anthropic and Gemini API references, read 2026-11.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from ..conversation import AnswerError
from ..errors import (
    AllFailed,
    BadRequest,
    FailureKind,
    NoCandidate,
    RoutingError,
    UpstreamFailure,
)
from ..model import Dialect
from ..policy import HOPELESS

# A message goes into records and other dialects' errors; a page of HTML in it does not help.
MESSAGE_CHARS_MAX = 2000

_KIND_BY_WORD: dict[object, FailureKind] = {
    "overloaded_error": "overloaded",
    "overloaded": "overloaded",
    "server_is_overloaded": "overloaded",
    "UNAVAILABLE": "overloaded",
    503: "overloaded",
    529: "overloaded",
    "rate_limit_error": "rate_limited",
    "rate_limit_exceeded": "rate_limited",
    "rate_limit": "rate_limited",
    "RESOURCE_EXHAUSTED": "rate_limited",
    429: "rate_limited",
    "insufficient_quota": "quota_exhausted",
    "billing_error": "quota_exhausted",
}


_KINDS: dict[str, FailureKind] = {kind: kind for kind in _KIND_BY_WORD.values()}


@dataclass(frozen=True, slots=True)
class ErrorWords:
    """What each dialect calls an error of one HTTP status."""

    openai: str
    anthropic: str
    gemini: str


_WORDS_BY_STATUS: dict[int, ErrorWords] = {
    400: ErrorWords("invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"),
    401: ErrorWords("authentication_error", "authentication_error", "UNAUTHENTICATED"),
    402: ErrorWords("insufficient_quota", "billing_error", "FAILED_PRECONDITION"),
    403: ErrorWords("permission_error", "permission_error", "PERMISSION_DENIED"),
    404: ErrorWords("invalid_request_error", "not_found_error", "NOT_FOUND"),
    409: ErrorWords("conflict_error", "conflict_error", "ABORTED"),
    412: ErrorWords("conflict_error", "conflict_error", "FAILED_PRECONDITION"),
    413: ErrorWords("invalid_request_error", "request_too_large", "INVALID_ARGUMENT"),
    429: ErrorWords("rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED"),
    503: ErrorWords("service_unavailable", "overloaded_error", "UNAVAILABLE"),
    504: ErrorWords("gateway_timeout", "timeout_error", "DEADLINE_EXCEEDED"),
}
_WORDS_OTHERWISE = ErrorWords("server_error", "api_error", "INTERNAL")
_WORDS_OF_THE_REQUEST = _WORDS_BY_STATUS[400]
_REFUSED = frozenset({400, 401, 402, 403, 404, 405, 412, 413, 415, 421, 422, 508})
"""The statuses that say that the request, its key or the configuration has to be mended."""

# OpenAI's clients compare these codes; ours say the same less exactly.
_OPENAI_CODE_BY_KIND: dict[FailureKind, str] = {
    "context_too_long": "context_length_exceeded",
    "content_policy": "content_policy_violation",
    "inexpressible": "unsupported_feature",
    "rate_limited": "rate_limit_exceeded",
    "model_gone": "model_not_found",
    "quota_exhausted": "insufficient_quota",
}


def is_hopeless(error: RoutingError) -> bool:
    """Whether a client that sends the same request again soon meets the same answer."""
    if isinstance(error, AllFailed):
        return all(one.kind in HOPELESS for one in error.failures)
    if isinstance(error, UpstreamFailure):
        return error.kind in HOPELESS
    if isinstance(error, NoCandidate):
        return error.retry_after_s is None
    return error.status in _REFUSED


def status_of(error: RoutingError, dialect: Dialect) -> int:
    """Give the HTTP status that an error is answered with in a dialect.

    A provider's own refusal of the request, which is passed on, keeps its status.
    """
    if isinstance(error, UpstreamFailure):
        theirs = error.provider_status
        if error.body is not None and theirs is not None and error.status == 400:
            return theirs
        if error.kind == "quota_exhausted":
            return 402
    if dialect == "anthropic" and error.status == 503:
        return 529
    return error.status


def attempts_json(error: RoutingError) -> list[dict[str, object]]:
    """Give every attempt of a request that failed; empty where there was none."""
    if not isinstance(error, UpstreamFailure):
        return []
    return [
        {
            "target": one.target,
            "class": one.failure,
            "status": one.provider_status,
            "ms": one.took_ms,
            "message": _shortened(one.detail),
            "advice": one.advice,
        }
        for one in error.tried
    ]


def words_of(error: RoutingError) -> ErrorWords:
    """Give what the dialects call an error."""
    status = status_of(error, "openai_chat")
    otherwise = _WORDS_OF_THE_REQUEST if 400 <= status < 500 else _WORDS_OTHERWISE
    return _WORDS_BY_STATUS.get(status, otherwise)


def openai_error(error: RoutingError) -> dict[str, object]:
    """Give an error as the two dialects of OpenAI word it, without its envelope."""
    code = error.code
    if isinstance(error, UpstreamFailure):
        code = _OPENAI_CODE_BY_KIND.get(error.kind, code)
    said: dict[str, object] = {
        "message": str(error),
        "type": words_of(error).openai,
        "param": error.field if isinstance(error, BadRequest) else None,
        "code": code,
    }
    attempts = attempts_json(error)
    return {**said, "attempts": attempts} if attempts else said


def reported(error: object) -> AnswerError:
    """Give what a provider's `error` value says: an object, or a bare message.

    The kind is a FailureKind: "overloaded", "rate_limited", "quota_exhausted", and
    "server_error" for all others.
    """
    if not isinstance(error, Mapping):
        return AnswerError(kind="server_error", message=_shortened(error))
    words = (error.get("code"), error.get("type"), error.get("status"))
    known = [_KIND_BY_WORD[word] for word in words if _is_word(word) and word in _KIND_BY_WORD]
    return AnswerError(
        kind=known[0] if known else "server_error", message=_shortened(error.get("message"))
    )


def failure_of(answer: AnswerError) -> UpstreamFailure:
    """Give the failure of a whole answer that is a provider's error with a good status."""
    kind = _KINDS.get(answer.kind, "server_error")
    return UpstreamFailure(f"the provider answered with an error: {answer.message}", kind=kind)


def malformed(what: str) -> UpstreamFailure:
    """Give the failure of an answer that is not in its dialect."""
    return UpstreamFailure(f"the provider's answer is malformed: {what}", kind="malformed")


def message_in(body: bytes) -> str | None:
    """Give the message of an error body in any of the shapes that providers use.

    Known shapes: `{"error": {"message": ...}}`, `{"error": "..."}`, `{"message": ...}`,
    `{"detail": ...}`, and Gemini's list of one such object.
    """
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, Mapping):
        return None
    error = value.get("error")
    nested = error.get("message") if isinstance(error, Mapping) else error
    for message in (nested, value.get("message"), value.get("detail")):
        if isinstance(message, str) and message:
            return _shortened(message)
    return None


def _is_word(word: object) -> bool:
    return isinstance(word, str | int) and not isinstance(word, bool)


def _shortened(message: object) -> str:
    text = message if isinstance(message, str) and message else "no message"
    return text if len(text) <= MESSAGE_CHARS_MAX else text[: MESSAGE_CHARS_MAX - 1] + "…"
