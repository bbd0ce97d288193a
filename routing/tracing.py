"""W3C trace context: who asked for what is under way, and the names of what is done for it.

Nobody carries spans around. A door that traces sets ASKED_BY for the task that answers; a request
keeps it, and the name of each span follows from what it is of (`span_id`): the request's from its
id, an attempt's from that and its number. So the header that a provider gets is made without
asking anyone, and whoever tells of the request when it is over finds the same names again.

Source: W3C Trace Context, level 1, sections 3.2 and 3.3 (www.w3.org/TR/trace-context, read
2026-11).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import blake2b
from typing import NamedTuple

HEADER = "traceparent"
NO_SPAN = "0" * 16

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_TRACE = slice(3, 35)
_SPAN = slice(36, 52)


class AskedBy(NamedTuple):
    """Whose span something is done in.

    Attributes:
        traceparent: of that span; its own id is NO_SPAN where there is none yet.
        before: the same of the span around it, "" where that is not ours.
    """

    traceparent: str
    before: str = ""


ASKED_BY: ContextVar[AskedBy | None] = ContextVar("omniroute_asked_by", default=None)


def read_traceparent(value: str) -> tuple[str, str, bool] | None:
    """Give trace, span and whether it is sampled, None for what is no valid traceparent.

    Of a later version what this one has is read.
    """
    found = _TRACEPARENT.fullmatch(value.strip())
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace, 16) or not int(span, 16):
        return None
    return trace, span, bool(int(flags, 16) & 1)


def traceparent(trace: str, span: str, *, sampled: bool) -> str:
    """Give the header's value."""
    return f"00-{trace}-{span}-{'01' if sampled else '00'}"


def trace_of(parent: str) -> str:
    """Give the trace's id of a traceparent of ours."""
    return parent[_TRACE]


def span_of(parent: str) -> str:
    """Give the span's id of a traceparent of ours."""
    return parent[_SPAN]


def is_sampled(parent: str) -> bool:
    """Whether spans of it are wanted."""
    return parent.endswith("1")


def in_span(parent: str, span: str) -> str:
    """Give a traceparent of ours with another span in the place of its own."""
    return f"{parent[:36]}{span}{parent[52:]}"


def span_id(name: str) -> str:
    """Give the id of the span of something, 16 hex digits."""
    return blake2b(name.encode(), digest_size=8, person=b"span").hexdigest()


def attempt_name(request_id: str, number: int) -> str:
    """Give the name of an attempt's span."""
    return f"{request_id}/{number}"


def trace_id(name: str) -> str:
    """Give the id of a trace that begins with something, 32 hex digits."""
    return blake2b(name.encode(), digest_size=16, person=b"trace").hexdigest()


@contextmanager
def within(name: str, asked_by: AskedBy | None) -> Iterator[None]:
    """Do what follows in a span of its own, where anybody traces."""
    if asked_by is None:
        yield
        return
    own = in_span(asked_by.traceparent, span_id(name))
    token = ASKED_BY.set(AskedBy(own, asked_by.traceparent))
    try:
        yield
    finally:
        ASKED_BY.reset(token)
