"""What lets the pages of allowed origins read our answers, in a browser's eyes.

Whether an origin is allowed the guard has judged before: see guard.py. Here the browser is told:
it asks before a request that a form could not send (a preflight), and hides an answer from a
page that the answer does not name. No cookie is taken from another origin, so none are allowed.

Source: WHATWG Fetch, section 3.2, "CORS protocol" (living standard, read 2026-11-23).
"""

import re
from collections.abc import Iterable

from starlette.types import Message, Send

from .exchange import Header

ORIGIN = b"origin"
METHODS = b"GET, POST, PUT, PATCH, DELETE"
MAX_AGE_S = b"600"
_ASKED_METHOD = b"access-control-request-method"
_ASKED_HEADERS = b"access-control-request-headers"
_NAMES = re.compile(rb"[a-z0-9!#$%&'*+.^_`|~, -]{0,4000}", re.IGNORECASE)


def origin_of(headers: Iterable[Header]) -> bytes | None:
    """Give the page's origin that a request names; None when none is."""
    return next((value for name, value in headers if name == ORIGIN), None)


def preflight(method: str, headers: Iterable[Header]) -> list[Header] | None:
    """Give the headers that answer a browser's question; None when a request is none."""
    asked = dict(headers)
    origin = asked.get(ORIGIN)
    if method != "OPTIONS" or origin is None or _ASKED_METHOD not in asked:
        return None
    names = asked.get(_ASKED_HEADERS, b"")
    return [
        *_allowed(origin),
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", names if _NAMES.fullmatch(names) else b"authorization"),
        (b"access-control-max-age", MAX_AGE_S),
    ]


def readable(send: Send, origin: bytes) -> Send:
    """Give a `send` whose answers the pages of an origin may read, headers included."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), *_allowed(origin)]
            headers.append((b"access-control-expose-headers", b"*"))
            message = {**message, "headers": headers}
        await send(message)

    return sending


def _allowed(origin: bytes) -> list[Header]:
    return [(b"access-control-allow-origin", origin), (b"vary", b"origin")]
