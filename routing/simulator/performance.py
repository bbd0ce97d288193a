"""What is sent for one request: head, sends, waits and cuts, as values.

`stage` makes a Performance of a Script; the HTTP server (`server/simulator`) plays it over a
socket, the upstream in process plays it as Pieces.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import FailureKind
from .voices.voice import Headers


@dataclass(frozen=True, slots=True)
class Wait:
    """What came before is sent, then nothing for so long. A stall is a fault and ends a chunk."""

    seconds: float
    stall: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends here: by a reset, or by closing it in the middle of the message."""

    reset: bool


Frame = bytes | Wait | Cut


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers.

    Attributes:
        length: the content-length that is promised; None sends chunks.
        early: a 103 comes before.
    """

    status: int
    headers: Headers
    length: int | None = None
    early: bool = False


@dataclass(frozen=True, slots=True)
class Performance:
    """All of one answer.

    Attributes:
        wait_s: how long nothing is sent at first.
        head: None when the connection is reset before a byte.
        frames: what follows the head, in order; can be read once.
        kind: how a gateway should class what goes wrong, None when nothing does.
        retry_after_s: the hint that a refusal carries.
    """

    wait_s: float
    head: Head | None
    frames: Iterable[Frame]
    kind: FailureKind | None = None
    retry_after_s: float | None = None


def rechunk(frames: Iterable[Frame], size: int) -> Iterator[Frame]:
    """Give the same bytes in pieces of `size`; only the last before a stall or a cut is shorter.

    A wait of the ordinary pace stays where it was and does not end a piece, so that events
    are split, and joined, anywhere. Every piece is followed by a wait of no time, which sends
    it by itself.
    """
    held = bytearray()
    for frame in frames:
        if isinstance(frame, bytes):
            held += frame
            at = 0
            while len(held) - at >= size:
                yield bytes(held[at : at + size])
                yield Wait(0.0)
                at += size
            del held[:at]
            continue
        if held and (isinstance(frame, Cut) or frame.stall):
            yield bytes(held)
            held.clear()
        yield frame
    if held:
        yield bytes(held)
