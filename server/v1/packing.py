"""Bodies of requests that come packed, unpacked under a bound.

A small body that unpacks into a huge one is refused as soon as it passes the bound, whatever it
still holds. So that refusing costs no memory either, a body is unpacked twice: once only to
count, keeping nothing, and once to keep what was counted.
"""

from collections.abc import Iterator

from omniroute.routing.errors import BadRequest, TooLarge
from omniroute.routing.upstream.unpacking import DECODERS, RATIO_MAX, NotPacked, room_for

CODINGS = frozenset(DECODERS)


def unpacked(body: bytes, bytes_max: int, coding: bytes = b"gzip") -> bytes:
    """Give what a packed body holds.

    Raises:
        TooLarge: it holds more than `bytes_max`, or far more than a text of its size can.
        BadRequest: it is not what its coding says.
    """
    room = room_for(len(body), bytes_max)
    try:
        size = 0
        for piece in _pieces(body, coding):
            size += len(piece)
            if size > room:
                raise _too_large(bytes_max, room)
        return b"".join(_pieces(body, coding))
    except NotPacked as error:
        raise BadRequest(f"the body is not what its content-encoding says: {error}") from None


def _too_large(bytes_max: int, room: int) -> TooLarge:
    if room < bytes_max:
        return TooLarge(f"the request's body unpacks to more than {RATIO_MAX} times its size")
    return TooLarge(f"the request's body is larger than {bytes_max} bytes")


def _pieces(body: bytes, coding: bytes) -> Iterator[bytes]:
    decoder = DECODERS[coding]()
    yield from decoder.feed(body)
    decoder.end()
