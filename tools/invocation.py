"""One call of a tool: what every tool gets beside its arguments."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.ports import Once

Tell = Callable[[float, str], Awaitable[None]]
"""Tells the client how far the call is: a figure that only grows, and words."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """Who calls a tool, under which id, and where progress goes.

    Attributes:
        caller: the authenticated key; the only source of scopes.
        request_id: ours; names this call in the log, and the decision where there is one.
        session_unix_s: when this client's session began; None where that is not known.
        once: answers calls that are repeated under an idempotency key; None answers each.
    """

    gateway: Gateway
    caller: Caller
    request_id: str
    tell: Tell
    once: Once | None = None
    session_unix_s: float | None = None
