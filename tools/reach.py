"""How the tools are reached over HTTP."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Scope

from omniroute.routing.model import Caller


@dataclass(frozen=True, slots=True)
class Reach:
    """What the HTTP side is told.

    Attributes:
        stateless: the older era keeps no sessions: needed with more than one worker.
        authenticate: gives who sent a request, as the key is now; raises NotAuthenticated.
    """

    stateless: bool
    authenticate: Callable[[Scope], Caller]
