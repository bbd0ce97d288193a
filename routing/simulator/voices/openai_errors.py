"""OpenAI's error bodies: the same for chat completions, Responses, embeddings and models.

Source: OpenAI API documentation, "Error codes" and "Spend limits", October 2026. OpenAI has
no 529; servers that put its dialect in front of others pass it on, with a body as for 503.
"""

from ...conversation import Json
from ..script import Reason, Refusal

WORDS: dict[Reason, tuple[str, str | None]] = {
    "bad_request": ("invalid_request_error", None),
    "bad_key": ("invalid_request_error", "invalid_api_key"),
    "forbidden": ("request_forbidden", "unsupported_country_region_territory"),
    "not_found": ("invalid_request_error", "model_not_found"),
    "too_large": ("invalid_request_error", "request_too_large"),
    "context": ("invalid_request_error", "context_length_exceeded"),
    "policy": ("invalid_request_error", "content_policy_violation"),
    "rate": ("requests", "rate_limit_exceeded"),
    "quota": ("insufficient_quota", "insufficient_quota"),
    "spend": ("insufficient_quota", "organization_spend_limit_exceeded"),
    "server": ("server_error", None),
    "overloaded": ("service_unavailable_error", "server_is_overloaded"),
}


def error_body(refusal: Refusal) -> Json:
    """Give the body of an error answer, which is also the payload of an error in a stream."""
    kind, code = WORDS[refusal.reason]
    return {
        "error": {
            "message": refusal.message,
            "type": kind,
            "param": "messages" if refusal.reason == "context" else None,
            "code": code,
        }
    }
