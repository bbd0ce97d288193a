"""What a provider's refusal means, by the words that vendors use.

The bodies follow the error references of OpenAI, Anthropic and Gemini, read 2026-11.
"""

import json
from typing import TypedDict, Unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.errors import FailureKind, UpstreamFailure
from omniroute.routing.model import Dialect
from omniroute.routing.upstream.classify import (
    MESSAGE_CHARS_MAX,
    Refusal,
    classify,
    without_secrets,
)

NOW = 1_700_000_000.0
KEY = "sk-fake-0123456789abcdef"


def openai(message: str = "no", *, code: object = None, kind: str = "error") -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "code": code}}).encode()


def anthropic(message: str = "no", *, kind: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


def gemini(message: str = "no", *, status: str, code: int, details: object = ()) -> bytes:
    error = {"code": code, "message": message, "status": status, "details": details}
    return json.dumps({"error": error}).encode()


class Said(TypedDict, total=False):
    """What a refusal has beside status and body, and how it is read."""

    dialect: Dialect
    headers: dict[bytes, bytes]
    secrets: tuple[str, ...]
    keep_body: bool


def classified(status: int, body: bytes, **said: Unpack[Said]) -> UpstreamFailure:
    return classify(
        Refusal(said.get("dialect", "openai_chat"), status, said.get("headers", {}), body),
        provider="mock",
        secrets=said.get("secrets", (KEY,)),
        keep_body=said.get("keep_body", True),
        now_unix_s=NOW,
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (201, "malformed"),
        (204, "malformed"),
        (301, "malformed"),
        (307, "malformed"),
        (400, "bad_request"),
        (401, "auth"),
        (402, "quota_exhausted"),
        (403, "auth"),
        (404, "model_gone"),
        (405, "bad_request"),
        (408, "timeout_first_byte"),
        (410, "model_gone"),
        (413, "context_too_long"),
        (422, "bad_request"),
        (429, "rate_limited"),
        (498, "overloaded"),
        (500, "server_error"),
        (502, "server_error"),
        (503, "server_error"),
        (504, "server_error"),
        (520, "server_error"),
        (529, "overloaded"),
        (599, "server_error"),
    ],
)
@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad Gateway</html>", b'{"error":{"message":"no"}}', b"[]", b"\xff"]
)
def test_the_status_alone_gives_a_kind(status: int, kind: FailureKind, body: bytes) -> None:
    failure = classified(status, body)

    assert failure.kind == kind
    assert failure.provider_status == status


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, openai("x", code="context_length_exceeded"), "context_too_long"),
        (
            400,
            openai("This model's maximum context length is 8192 tokens. However, you ..."),
            "context_too_long",
        ),
        (400, openai("x", kind="exceed_context_size_error"), "context_too_long"),
        (400, openai("x", code="content_policy_violation"), "content_policy"),
        (400, openai("x", code="content_filter"), "content_policy"),
        (400, openai("It triggered our content management policy"), "content_policy"),
        (400, openai("foo is not a valid model ID"), "model_gone"),
        (400, openai("x", code="model_not_found"), "model_gone"),
        (400, openai("Invalid schema for function 'billing_credit_check'"), "bad_request"),
        (401, openai("x", code="invalid_api_key"), "auth"),
        (403, openai("Your account has no credits left"), "quota_exhausted"),
        (403, openai("Please check your billing settings"), "quota_exhausted"),
        (403, openai("x", code="unsupported_country_region_territory"), "auth"),
        (403, openai("Your input was flagged"), "content_policy"),
        (403, openai("Project `p` does not have access to model `m`"), "model_gone"),
        (404, openai("The model does not exist", code="model_not_found"), "model_gone"),
        (429, openai("x", code="insufficient_quota", kind="insufficient_quota"), "quota_exhausted"),
        (429, openai("You exceeded your current quota, please check"), "quota_exhausted"),
        (
            429,
            openai(
                "Rate limit reached for x. Add a payment method at https://mock/account/billing",
                code="rate_limit_exceeded",
                kind="requests",
            ),
            "rate_limited",
        ),
        (500, openai("x", code="insufficient_quota"), "quota_exhausted"),
        (503, openai("The engine is currently overloaded, please try again"), "overloaded"),
        (400, b'{"error":"prompt is too long"}', "context_too_long"),
        (400, b'{"message":"prompt is too long"}', "context_too_long"),
        (400, b'{"detail":[{"loc":["body"],"msg":"field required"}]}', "bad_request"),
    ],
)
def test_openai_says_more_in_codes_and_words(status: int, body: bytes, kind: FailureKind) -> None:
    assert classified(status, body).kind == kind


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (
            400,
            anthropic("prompt is too long: 2 > 1 maximum", kind="invalid_request_error"),
            "context_too_long",
        ),
        (
            400,
            anthropic(
                "Your credit balance is too low to access the API", kind="invalid_request_error"
            ),
            "quota_exhausted",
        ),
        (
            400,
            anthropic(
                "You have reached your specified API usage limits.", kind="invalid_request_error"
            ),
            "quota_exhausted",
        ),
        (400, anthropic("max_tokens: must be > 0", kind="invalid_request_error"), "bad_request"),
        (401, anthropic(kind="authentication_error"), "auth"),
        (403, anthropic(kind="permission_error"), "auth"),
        (404, anthropic("model: x", kind="not_found_error"), "model_gone"),
        (413, anthropic(kind="request_too_large"), "context_too_long"),
        (429, anthropic(kind="rate_limit_error"), "rate_limited"),
        (429, anthropic(kind="enforced_spend_limit_reached"), "quota_exhausted"),
        (429, anthropic("the spend limit is reached", kind="rate_limit_error"), "quota_exhausted"),
        (500, anthropic(kind="api_error"), "server_error"),
        (500, anthropic(kind="overloaded_error"), "overloaded"),
        (529, anthropic(kind="overloaded_error"), "overloaded"),
    ],
)
def test_anthropic_says_more_in_types_and_words(
    status: int, body: bytes, kind: FailureKind
) -> None:
    assert classified(status, body, dialect="anthropic").kind == kind


PER_MINUTE = [
    {"violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]},
    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12s"},
]
PER_DAY = [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]
BAD_KEY = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
QUOTA_WORDS = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (
            400,
            gemini(
                "The input token count (9) exceeds the maximum number of tokens allowed (8).",
                status="INVALID_ARGUMENT",
                code=400,
            ),
            "context_too_long",
        ),
        (
            400,
            gemini("API key not valid.", status="INVALID_ARGUMENT", code=400, details=BAD_KEY),
            "auth",
        ),
        (
            400,
            gemini(
                "User location is not supported for the API use.",
                status="FAILED_PRECONDITION",
                code=400,
            ),
            "auth",
        ),
        (
            429,
            gemini(QUOTA_WORDS, status="RESOURCE_EXHAUSTED", code=429, details=PER_MINUTE),
            "rate_limited",
        ),
        (
            429,
            gemini(QUOTA_WORDS, status="RESOURCE_EXHAUSTED", code=429, details=PER_DAY),
            "quota_exhausted",
        ),
        (403, gemini("no", status="PERMISSION_DENIED", code=403), "auth"),
        (404, gemini("models/x is not found", status="NOT_FOUND", code=404), "model_gone"),
        (
            503,
            gemini("The model is overloaded.", status="UNAVAILABLE", code=503),
            "overloaded",
        ),
        (500, gemini("no", status="INTERNAL", code=500), "server_error"),
    ],
)
def test_gemini_says_more_in_details_and_words(status: int, body: bytes, kind: FailureKind) -> None:
    assert classified(status, body, dialect="gemini").kind == kind
    assert classified(status, b"[%s]" % body, dialect="gemini").kind == kind


def test_a_rate_limit_carries_the_providers_hint() -> None:
    body = gemini("no", status="RESOURCE_EXHAUSTED", code=429, details=PER_MINUTE)

    by_header = classified(429, openai(), headers={b"retry-after": b"7"})
    by_detail = classified(429, body, dialect="gemini")
    by_text = classified(429, openai("Please try again in 1.5s."))
    without = classified(429, openai())

    assert by_header.retry_after_s == 7.0
    assert by_detail.retry_after_s == 12.0
    assert by_text.retry_after_s == 1.5
    assert without.retry_after_s is None


def test_an_overload_carries_the_providers_hint() -> None:
    failure = classified(503, b"", headers={b"retry-after": b"9"})

    assert failure.retry_after_s == 9.0


def test_what_does_not_pass_by_itself_has_no_hint() -> None:
    headers = {b"retry-after": b"9"}

    assert classified(402, openai(), headers=headers).retry_after_s is None
    assert classified(400, openai(), headers=headers).retry_after_s is None


def test_the_message_names_provider_and_status_and_is_bounded() -> None:
    failure = classified(400, openai("word " * 1000))

    assert str(failure).startswith("mock answered 400: word word")
    assert len(str(failure)) <= MESSAGE_CHARS_MAX + len("mock answered 400: ")


def test_the_body_of_a_clients_own_fault_is_kept_for_its_dialect() -> None:
    body = openai("messages.3.thinking: Invalid signature in thinking block")

    assert classified(400, body).body == body
    assert classified(400, body, keep_body=False).body is None
    assert classified(500, body).body is None
    assert classified(401, body).body is None
    assert classified(400, b"<html>no</html>").body is None
    assert classified(400, b'"text"').body is None


@pytest.mark.parametrize(
    "secret", [KEY, 'sk-fake-"quoted"-key', "sk-fake/with/slashes", "sk-fäke-ümlauts"]
)
def test_the_credential_is_in_no_message_and_no_body(secret: str) -> None:
    said = openai(f"Incorrect API key provided: {secret}. Check {secret}!")
    php = said.replace(b"/", b"\\/")

    for body in (said, php, f'{{"error":{{"message":"{secret}"}}}}'.encode(), secret.encode()):
        for status in (400, 401, 403, 404, 429, 500):
            failure = classified(status, body, secrets=(secret,))
            assert secret not in str(failure)
            assert secret.encode() not in (failure.body or b"")
            assert secret not in str(json.loads(failure.body or b"0"))


@given(
    status=st.integers(100, 999),
    body=st.one_of(
        st.binary(max_size=300),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["error", "message", "code", "type", "details", "violations"]),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        ).map(lambda value: json.dumps(value).encode()),
    ),
    headers=st.dictionaries(st.binary(max_size=20), st.binary(max_size=20), max_size=3),
    dialect=st.sampled_from(["openai_chat", "anthropic", "gemini", "openai_responses"]),
)
def test_any_refusal_has_a_kind(
    status: int, body: bytes, headers: dict[bytes, bytes], dialect: Dialect
) -> None:
    failure = classified(status, body, headers=headers, dialect=dialect)

    assert failure.provider_status == status


def test_a_refusals_headers_are_kept_as_they_may_tell_limits() -> None:
    headers = {b"x-ratelimit-limit-requests": b"60"}

    failure = classified(429, openai("slow down"), headers=headers)

    assert failure.headers == headers
    assert without_secrets(failure, ("slow",)).headers == headers
