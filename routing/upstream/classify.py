"""What a provider's refusal means: from status, headers and body to one kind of failure.

The status says most of it, the error's own code and type say more, and the words of the
message decide only where providers leave no other sign: that a prompt is too long, that
credit is gone, that a model does not exist. The order of the rules is the policy: what would
make every candidate fail (content, the request) is found before what only this one lacks.

The credential never leaves: it is taken out of the message and of the body that is kept. A
body is kept only for refusals that are the request's own fault and only for a client of the
same dialect, because some clients repair their request by the provider's wording.

Everything here is pure. Source of the codes and wordings: the vendors' error references
(read 2026-11) and the documented error table of OmniRoute 2.3.10.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

import orjson

from ..errors import FailureKind, UpstreamFailure
from ..model import Dialect
from ..wire.table import codec
from .hints import Json, retry_hint_s

Rule = tuple[FailureKind, tuple[str, ...]]
"""A kind, and words of which one in the message means it."""

MESSAGE_CHARS_MAX = 500
HIDDEN = "[hidden]"

KEEPS_BODY: frozenset[FailureKind] = frozenset(
    {"bad_request", "context_too_long", "content_policy"}
)
"""The kinds whose body reaches a client of the same dialect."""

HAS_HINT: frozenset[FailureKind] = frozenset({"rate_limited", "overloaded", "server_error"})
"""The kinds that pass by themselves: only for them a provider's hint is looked for."""

PROVIDER_SIDE: frozenset[FailureKind] = frozenset({"rate_limited", "overloaded", "quota_exhausted"})
"""The kinds that an error code may make of a 5xx."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A provider's answer that is not the one asked for.

    Attributes:
        body: of the error, at most as much as was read; empty when it cannot be read.
        headers: names in lower case.
    """

    dialect: Dialect
    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Told:
    """What the error says of itself, all in lower case but the message."""

    codes: frozenset[str] = frozenset()
    message: str = ""
    details: tuple[Json, ...] = ()
    readable: bool = False

    @property
    def text(self) -> str:
        return self.message.lower()


def classify(
    refusal: Refusal,
    *,
    provider: str,
    secrets: Sequence[str] = (),
    keep_body: bool = False,
    now_unix_s: float,
) -> UpstreamFailure:
    """Give the failure that a refusal stands for.

    Args:
        refusal: the answer.
        provider: its name, for the message.
        secrets: what is taken out of message and body, the longest first.
        keep_body: whether the client speaks the provider's dialect.
        now_unix_s: the wall clock's time, for hints that are dates.
    """
    # Before it is read, for reading shortens; and the message again, for it was unescaped.
    refusal = replace(refusal, body=_scrubbed(refusal.body, secrets))
    told = _read(refusal)
    kind = _kind(refusal.status, told)
    said = scrub(told.message, secrets)[:MESSAGE_CHARS_MAX]
    hint = None
    if kind in HAS_HINT:
        hint = retry_hint_s(refusal.headers, told.details, told.message, now_unix_s=now_unix_s)
    failure = UpstreamFailure(
        f"{provider} answered {refusal.status}{f': {said}' if said else ''}",
        kind=kind,
        provider_status=refusal.status,
        retry_after_s=hint,
        body=_kept(refusal.body, secrets)
        if keep_body and kind in KEEPS_BODY and told.readable
        else None,
    )
    failure.headers = refusal.headers
    return failure


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Give the text without the secrets, also where they stand escaped as in JSON."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN).replace(orjson.dumps(secret).decode()[1:-1], HIDDEN)
    return text


def without_secrets(failure: UpstreamFailure, secrets: Sequence[str]) -> UpstreamFailure:
    """Give a failure that may quote a provider with the secrets taken out of its message."""
    said = str(failure)
    clean = scrub(said, secrets)
    if clean == said:
        return failure
    cleaned = UpstreamFailure(
        clean,
        kind=failure.kind,
        provider_status=failure.provider_status,
        retry_after_s=failure.retry_after_s,
    )
    cleaned.headers = failure.headers
    return cleaned


def _scrubbed(body: bytes, secrets: Iterable[str]) -> bytes:
    # Latin-1 keeps every byte as it is, also those of a body that is no text.
    return scrub(body.decode("latin-1"), map(_as_latin, secrets)).encode("latin-1")


def _kept(body: bytes, secrets: Iterable[str]) -> bytes:
    """Give the body as it is, unless a secret stands in it in another spelling of JSON."""
    plain = orjson.dumps(orjson.loads(body)).decode()
    clean = scrub(plain, secrets)
    return body if clean == plain else clean.encode()


def _as_latin(text: str) -> str:
    return text.encode().decode("latin-1")


_BY_STATUS: Mapping[int, FailureKind] = {
    401: "auth",
    402: "quota_exhausted",
    403: "auth",
    404: "model_gone",
    408: "timeout_first_byte",
    410: "model_gone",
    413: "context_too_long",
    429: "rate_limited",
    498: "overloaded",  # Groq: the flexible tier has no capacity
}
_SURE = (402, 408, 413)
"""Statuses that say it all."""


_BY_CODE: Mapping[str, FailureKind] = {
    # Content: the same words would be refused elsewhere too.
    "content_filter": "content_policy",
    "content_policy_violation": "content_policy",
    "moderation_blocked": "content_policy",
    "responsibleaipolicyviolation": "content_policy",
    "prohibited_content": "content_policy",
    # Length.
    "context_length_exceeded": "context_too_long",
    "exceed_context_size_error": "context_too_long",
    "request_too_large": "context_too_long",
    # Money.
    "insufficient_quota": "quota_exhausted",
    "billing_hard_limit_reached": "quota_exhausted",
    "billing_not_active": "quota_exhausted",
    "billing_error": "quota_exhausted",
    "enforced_spend_limit_reached": "quota_exhausted",
    "insufficient_credits": "quota_exhausted",
    "insufficient_balance": "quota_exhausted",
    # The model.
    "model_not_found": "model_gone",
    "model_not_available": "model_gone",
    "model_decommissioned": "model_gone",
    "unknown_model": "model_gone",
    # The credential.
    "invalid_api_key": "auth",
    "api_key_invalid": "auth",
    "api_key_expired": "auth",
    "authentication_error": "auth",
    "unsupported_country_region_territory": "auth",
    # The provider.
    "overloaded_error": "overloaded",
    "rate_limit_exceeded": "rate_limited",
    "rate_limit_error": "rate_limited",
    "too_many_requests": "rate_limited",
}
"""Codes, types and reasons that mean one thing whatever the status; earlier rows win."""

_LENGTH_WORDS: tuple[Rule, ...] = (
    (
        "context_too_long",
        (
            "prompt is too long",
            "input is too long",
            "maximum context length",
            "context length",
            "context window",
            "context size",
            "context limit",
            "input token count",
            "too many input tokens",
            "reduce the length of the messages",
        ),
    ),
)
_CONTENT_WORDS: tuple[Rule, ...] = (
    (
        "content_policy",
        (
            "content management policy",
            "content policy",
            "usage policies",
            "safety system",
            "input was flagged",
            "prompt was flagged",
        ),
    ),
)
_MONEY_WORDS: tuple[Rule, ...] = (
    (
        "quota_exhausted",
        (
            "credit",
            "insufficient balance",
            "insufficient funds",
            "spend limit",
            "spending limit",
            "exceeded your current quota",
        ),
    ),
)
# Not for 429: rate limits, too, advise to add a payment method "at .../billing".
_PAYMENT_WORDS: tuple[Rule, ...] = (
    *_MONEY_WORDS,
    ("quota_exhausted", ("billing", "payment", "quota")),
)
# A 400 may repeat what the client wrote. These rest an account or a model, so they are whole
# phrases of the vendors, and nothing that the name of a function could look like.
_CANDIDATE_WORDS: tuple[Rule, ...] = (
    (
        "quota_exhausted",
        ("your credit balance is too low", "reached your specified api usage limits"),
    ),
    ("auth", ("user location is not supported for the api use",)),
    (
        "model_gone",
        ("is not a valid model id", "model not found", "no such model", "has been decommissioned"),
    ),
)
# A 403 is the account's, unless it says that one model is closed to it.
_ACCESS_WORDS: tuple[Rule, ...] = (
    (
        "model_gone",
        ("access to model", "access to the model", "access to this model", "model access"),
    ),
)
_REQUEST_WORDS = (*_LENGTH_WORDS, *_CONTENT_WORDS, *_CANDIDATE_WORDS)
_WORDS_BY_STATUS: Mapping[int, tuple[Rule, ...]] = {
    403: (*_ACCESS_WORDS, *_PAYMENT_WORDS, *_CONTENT_WORDS)
}


def _kind(status: int, told: _Told) -> FailureKind:
    if status < 400:
        return "malformed"
    if status == 429:
        return _limit(told)
    if status >= 500:
        return _breakdown(status, told)
    code = None if status in _SURE else _by_code(told)
    words = _WORDS_BY_STATUS.get(status, () if status in _BY_STATUS else _REQUEST_WORDS)
    return code or _by_words(told, words) or _BY_STATUS.get(status, "bad_request")


def _breakdown(status: int, told: _Told) -> FailureKind:
    code = _by_code(told)
    if code in PROVIDER_SIDE:
        return code
    return "overloaded" if status == 529 or "overloaded" in told.text else "server_error"


def _limit(told: _Told) -> FailureKind:
    """Tell a limit that passes by itself from credit that somebody must renew."""
    if any(_BY_CODE.get(code) == "quota_exhausted" for code in told.codes):
        return "quota_exhausted"
    if "resource_exhausted" in told.codes:
        # Gemini words every limit as a quota; only the one of a day or of money is far off.
        named = " ".join(map(str, _violated(told.details))).lower()
        return "quota_exhausted" if "perday" in named else "rate_limited"
    return _by_words(told, _MONEY_WORDS) or "rate_limited"


def _violated(details: tuple[Json, ...]) -> Iterable[object]:
    for detail in details:
        violations = detail.get("violations")
        for violation in violations if isinstance(violations, list) else ():
            if isinstance(violation, dict):
                yield violation.get("quotaId", "")


def _by_code(told: _Told) -> FailureKind | None:
    return next((kind for code, kind in _BY_CODE.items() if code in told.codes), None)


def _by_words(told: _Told, rules: Iterable[Rule]) -> FailureKind | None:
    text = told.text
    return next((kind for kind, words in rules if any(word in text for word in words)), None)


def _read(refusal: Refusal) -> _Told:
    """Read an error body of any vendor's shape; what is not JSON says nothing."""
    if refusal.status < 400:
        redirect = refusal.status >= 300
        said = "a redirect, which is not followed" if redirect else "no answer to a chat"
        return _Told(message=f"{said}; correct the base URL")
    try:
        decoded: object = orjson.loads(refusal.body)
    except orjson.JSONDecodeError:
        return _Told()
    # Gemini wraps the error of a stream in a list.
    outer = decoded[0] if isinstance(decoded, list) and decoded else decoded
    if not isinstance(outer, dict):
        return _Told()
    error = outer.get("error")
    inner = error if isinstance(error, dict) else outer
    details = inner.get("details")
    kept = tuple(one for one in details if isinstance(one, dict)) if _is_list(details) else ()
    message = codec(refusal.dialect).error_message(refusal.body) or ""
    return _Told(frozenset(_codes(inner, kept)), message, kept, readable=True)


def _codes(error: Json, details: tuple[Json, ...]) -> Iterable[str]:
    for place in (error, *details):
        for name in ("code", "type", "status", "reason"):
            value = place.get(name)
            if isinstance(value, str):
                yield value.lower()
    further = error.get("innererror")
    if isinstance(further, dict) and isinstance(further.get("code"), str):
        yield further["code"].lower()


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)
