"""How the tools are reached over HTTP."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reach:
    """What the HTTP side is told.

    Attributes:
        stateless: the older era keeps no sessions: needed with more than one worker.
    """

    stateless: bool
