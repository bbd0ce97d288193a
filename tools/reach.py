"""From where, and how, the tools are reached over HTTP."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reach:
    """What the HTTP side is told.

    Attributes:
        hosts: values of the Host header that are answered; "name:*" allows any port.
        origins: values of the Origin header that are answered.
        stateless: the older era keeps no sessions: needed with more than one worker.
    """

    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    stateless: bool
