"""The head of the last request on a connection, so that the same one is not read again.

A client on a kept connection sends the same head again and again, but for the length of its
body. A connection remembers the last head that a hot door has answered; one that is the same
byte for byte can only say what it said before, and is not parsed again. Whatever else comes is
parsed: another head, a body in parts, more than one request at once.

It holds what the client presented, as any server does while it reads: for one request more, and
no longer than the connection lives.
"""

import re

from .exchange import Door, Head
from .own_exchange import OwnExchange

LENGTH_DIGITS_MAX = 9
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)


class Remembered:
    """A head that a hot door has answered: its bytes around the length, and what they mean."""

    __slots__ = ("after", "before", "door", "head")

    def __init__(self, before: bytes, after: bytes, head: Head, door: Door) -> None:
        self.before = before
        self.after = after
        self.head = head
        self.door = door

    def body_of(self, data: bytes) -> bytes | None:
        """Give the body of a whole request with this head, None when it is anything else."""
        before = self.before
        if not data.startswith(before):
            return None
        end = data.find(b"\r", len(before), len(before) + LENGTH_DIGITS_MAX + 1)
        length, begin = data[len(before) : end], end + len(self.after)
        if (
            end < 0
            or not length.isdigit()
            or not data.startswith(self.after, end)
            or int(length) != len(data) - begin
        ):
            return None
        return data[begin:]


def remember(data: bytes, exchange: OwnExchange, door: Door) -> Remembered | None:
    """Give the head of a request, None unless `data` is the whole of it and nothing else."""
    end = data.find(_END) + len(_END)
    lengths = list(_LENGTH.finditer(data, 0, end))
    if len(lengths) != 1 or not exchange.keeps_alive or exchange.awaits_continue:
        return None
    if int(lengths[0][1]) != len(data) - end:
        return None
    first, last = lengths[0].span(1)
    # The next one has a length of its own.
    exchange.head.forget(b"content-length")
    return Remembered(data[:first], data[last:end], exchange.head, door)
