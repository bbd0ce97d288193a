"""What a voice is: one vendor's dialect, spoken from a Script and heard in a request.

A voice is a module with these functions. Voices are written from the vendors' public
documentation and share nothing with `wire`: each judges the other in the tests.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from typing import Protocol

import orjson

from ..script import Asked, Refusal, Script

JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream; charset=utf-8"

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Occasion:
    """What an answer needs beside its Script.

    Attributes:
        seed: letters and digits, different for every request; ids are made of it.
        sse: False for one JSON array instead of an event stream (Gemini).
    """

    seed: str
    created_unix_s: int
    sse: bool = True

    def name(self, prefix: str, number: int = 0) -> str:
        """Give an id in a vendor's fashion: `call_` and some characters."""
        return f"{prefix}{self.seed}{number:02d}"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream; `content` says that a client sees something of the answer in it."""

    data: bytes
    content: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer over HTTP."""

    status: int
    headers: Headers
    body: bytes


class Voice(Protocol):
    """One dialect."""

    def read(self, body: bytes) -> Asked:
        """Give what a request asks.

        Raises:
            BadRequest: the vendor's API would refuse the body.
        """
        ...

    def headers(self, occasion: Occasion, *, stream: bool) -> Headers:
        """Give the headers of a good answer."""
        ...

    def answer(self, script: Script, occasion: Occasion) -> bytes:
        """Give the body of an answer that is not streamed."""
        ...

    def events(self, script: Script, occasion: Occasion) -> Iterator[Event]:
        """Give the events of a streamed answer, one for every piece and those around them."""
        ...

    def refuse(self, refusal: Refusal, occasion: Occasion, *, stream: bool = False) -> Reply:
        """Give the answer with an error status.

        Whether a stream was asked for matters only to Gemini, for which a blocked prompt is
        a good answer.
        """
        ...


def sse(payload: object, event: str | None = None) -> bytes:
    """Give one server-sent event.

    Source: WHATWG HTML, section 9.2, "Server-sent events".
    """
    data = orjson.dumps(payload)
    if event is None:
        return b"data: %b\n\n" % data
    return b"event: %b\ndata: %b\n\n" % (event.encode(), data)


def retry_headers(refusal: Refusal, occasion: Occasion) -> Headers:
    """Give Retry-After in the form that the refusal asks for, or nothing.

    Source: RFC 9110, section 10.2.3.
    """
    if refusal.retry is None:
        return ()
    if refusal.retry == "seconds":
        return (("retry-after", str(refusal.retry_after_s)),)
    moment_unix_s = occasion.created_unix_s + refusal.retry_after_s
    return (("retry-after", formatdate(moment_unix_s, usegmt=True)),)
