"""Requests at the doors, each answered in the trace that its client or the gateway began."""

from collections.abc import Callable, Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from omniroute.routing.engine import new_request_id
from omniroute.routing.tracing import ASKED_BY, HEADER, AskedBy, trace_id
from omniroute.tools.audit import TRACE_PLACE

from ..exchange import Door, Exchange, Header

Asked = Callable[[str | None, str], str]
"""Gives the traceparent of a request: of its client's header, and of a new trace's id."""
_HEADER = HEADER.encode()


def asked_by(asked: Asked, headers: Iterable[Header]) -> AskedBy:
    """Give in whose span a request is answered; of several headers none counts."""
    found = [value for name, value in headers if name == _HEADER]
    header = found[0].decode("latin-1") if len(found) == 1 else None
    return AskedBy(asked(header, trace_id(new_request_id())))


def traced_door(door: Door, asked: Asked) -> Door:
    """Give a door that answers each request in its trace."""

    async def answer(exchange: Exchange) -> None:
        token = ASKED_BY.set(asked_by(asked, exchange.head.headers))
        try:
            await door(exchange)
        finally:
            ASKED_BY.reset(token)

    return answer


async def traced(app: ASGIApp, asked: Asked, scope: Scope, receive: Receive, send: Send) -> None:
    """Have an application answer a request in its trace."""
    found = asked_by(asked, scope["headers"])
    scope[TRACE_PLACE] = found.traceparent
    token = ASKED_BY.set(found)
    try:
        await app(scope, receive, send)
    finally:
        ASKED_BY.reset(token)
