"""Whether this process has room for new work: a note that somebody else keeps."""

from dataclasses import dataclass


@dataclass(slots=True)
class Pressure:
    """What stands in the way of new requests.

    Attributes:
        why: in words for their clients; None while nothing does.
    """

    why: str | None = None
