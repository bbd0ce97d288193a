"""A body that was sent to another vendor's address: told where it belongs.

The address decides the dialect, never the body's shape. Only a body that its own dialect has
refused is looked at here, so that the refusal can name the right address.
"""

from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Dialect
from omniroute.routing.wire.splice import fields_of

CHAT = "/v1/chat/completions (OpenAI) or /v1/messages (Anthropic)"
_BELONGS: tuple[tuple[str, str, frozenset[Dialect]], ...] = (
    (
        "contents",
        "a body of Gemini's generateContent: POST it to /v1beta/models/{model}:generateContent",
        frozenset({"gemini"}),
    ),
    (
        "messages",
        f"a chat: POST it to {CHAT}",
        frozenset({"openai_chat", "anthropic"}),
    ),
    (
        "input",
        "a body of OpenAI's Responses: POST it to /v1/responses",
        frozenset({"openai_responses"}),
    ),
    (
        "prompt",
        "a body of OpenAI's older completions: POST it to /v1/completions",
        frozenset({"openai_responses"}),
    ),
)
"""A field that no other dialect has at the top, what a body with it is, and whose field it is."""


def where_it_belongs(error: BadRequest, dialect: Dialect, body: bytes) -> BadRequest:
    """Give the refusal of a body, with the right address where another dialect's field is in it."""
    try:
        fields = fields_of(body)
    except BadRequest:
        return error
    if any(name in fields for name, _, owners in _BELONGS if dialect in owners):
        return error
    for name, what, _ in _BELONGS:
        if name in fields:
            return BadRequest(f"{error}; with {name!r} it looks like {what}", field=error.field)
    return error
