"""What the edge itself says before any door has seen a request: who refuses, why, what to do.

Nobody knows yet which dialect's client asks, so the body is in every dialect's words at once:
`type` and `error.type` are Anthropic's, `error.code` OpenAI's, `error.status` Google's.
"""

from dataclasses import dataclass, replace
from http import HTTPStatus

JSON_LINES = b"content-type: application/json\r\n"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that ends its connection.

    Attributes:
        status: of HTTP.
        code: a stable word for programs.
        lines: its headers, without those that say its length.
        body: a JSON object.
    """

    status: int
    code: str
    lines: bytes
    body: bytes

    def named(self, request_id: str) -> "Refusal":
        """Give the answer to one request: its head and its body name it.

        Anthropic's clients read `request-id` (docs.anthropic.com, API overview, response headers,
        read 2026-11-23), all others `x-request-id`.
        """
        name = request_id.encode()
        lines = b"%bx-request-id: %b\r\nrequest-id: %b\r\n" % (self.lines, name, name)
        return replace(self, lines=lines, body=b'%b,"request_id":"%b"}' % (self.body[:-1], name))

    @property
    def data(self) -> bytes:
        """The whole answer, as it is on the wire."""
        phrase = HTTPStatus(self.status).phrase
        length = b"content-length: %d\r\n\r\n" % len(self.body)
        first = f"HTTP/1.1 {self.status} {phrase}\r\nconnection: close\r\n".encode()
        return first + self.lines + length + self.body


def _refusal(
    status: int, code: str, google: str, message: str, *, again_s: int | None = None
) -> Refusal:
    kind = "api_error" if status >= 500 else "invalid_request_error"
    body = (
        f'{{"type":"error","error":{{"type":"{kind}","code":"{code}","status":"{google}",'
        f'"message":"{message}"}}}}'
    )
    lines = JSON_LINES
    if again_s is not None:
        lines += b"retry-after: %d\r\n" % again_s
    elif status < 500:
        lines += b"x-should-retry: false\r\n"
    return Refusal(status, code, lines, body.encode())


FAULT = _refusal(
    500,
    "internal_error",
    "INTERNAL",
    "the gateway failed to handle this request; its log has the cause",
)
AMBIGUOUS = _refusal(
    400,
    "bad_request",
    "INVALID_ARGUMENT",
    "the request is not HTTP/1.1 that can be read in one way only: it needs exactly one Host, one "
    "way to say its length, a path as its target, and no header twice that may stand once",
)
HEAD_TOO_LARGE = _refusal(
    431,
    "request_too_large",
    "INVALID_ARGUMENT",
    "the request's headers are larger than 64 KiB or more than 200",
)
HEAD_TOO_SLOW = _refusal(
    408,
    "request_timeout",
    "DEADLINE_EXCEEDED",
    "the request's headers did not come within 5 seconds",
    again_s=1,
)
BODY_TOO_SLOW = _refusal(
    408,
    "request_timeout",
    "DEADLINE_EXCEEDED",
    "the request's body came too slowly: nothing for 30 seconds, or less than 500 bytes a second",
    again_s=1,
)
TOO_MUCH_AT_ONCE = _refusal(
    503,
    "gateway_busy",
    "UNAVAILABLE",
    "the gateway holds as many bytes of requests as it may; send this one again",
    again_s=1,
)
STOPPING = _refusal(
    503,
    "gateway_stopping",
    "UNAVAILABLE",
    "the gateway is shutting down; send the request again",
    again_s=1,
)
TOO_MANY_CONNECTIONS = _refusal(
    503,
    "too_many_connections",
    "UNAVAILABLE",
    "the gateway has as many connections open as it may; use the ones you have, or come again",
    again_s=1,
)
TOO_MANY_OF_ADDRESS = _refusal(
    429,
    "too_many_connections",
    "RESOURCE_EXHAUSTED",
    "this address has as many connections open as one may "
    "(OMNIROUTE_CONNECTIONS_PER_ADDRESS_MAX); use the ones you have, or come again",
    again_s=1,
)
