r"""One request and its answer, as the doors of the hot path see them.

A door is called with one `Exchange`, however the request came: from a connection of our own
(edge.py) or from an ASGI server or client (asgi.py). It reads the body, if that is not here
yet, and answers once: `whole`, or `start`, any number of `write` and an `end`.

Each of these four gives None when its work is done. Where the client is slow to take what was
sent, or the way there can only be awaited, it gives what has to be awaited before more is sent:

    wait = exchange.write(data)
    if wait is not None:
        await wait

The headers of an answer are given as the lines that they are on the wire, each with its end,
without those that say how long the answer is: `b"content-type: text/plain\r\n"`. Whoever makes
them leaves out what no header may hold (see `line`).

When the client leaves, the task that runs the door is cancelled.
"""

from collections.abc import Awaitable, Callable
from copy import copy
from typing import Protocol

from omniroute.routing.model import Caller

Header = tuple[bytes, bytes]
Wait = Awaitable[None] | None


class ClientGone(Exception):
    """The client closed its connection before its request was complete."""


class Head:
    """What the head of a request says. Heads that are alike may share one.

    Attributes:
        method: such as POST.
        path: without the query, percent-decoded.
        query: what stands behind the question mark, as it came.
        headers: names in lower case, in the order in which they came.
        named: the last value of each name.
        peer: the address of the other side, None in this process.
        port: where it arrived, None in this process.
        caller: whose it is, if the Authenticator has found out in this generation of the keys.
        needs: the scopes of which the caller's key carries one; empty where any key will do.
        passed: headers and query that pass to a provider, once that is known.
    """

    __slots__ = (
        *("caller", "generation", "headers", "method", "named", "needs", "passed", "path", "peer"),
        *("port", "query"),
    )

    def __init__(
        self,
        method: str,
        path: str,
        headers: list[Header],
        *,
        peer: str | None,
        port: int | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.query = b""
        self.headers = headers
        self.named = dict(headers)
        self.peer = peer
        self.port = port
        self.caller: Caller | None = None
        self.generation = -1
        self.needs: tuple[str, ...] = ()
        self.passed: tuple[tuple[tuple[str, str], ...], str] | None = None

    def without(self, name: bytes) -> "Head":
        """Give a head without a header: itself where it has none of that name."""
        if name not in self.named:
            return self
        left = copy(self)
        left.named = dict(self.named)
        left.forget(name)
        return left

    def forget(self, name: bytes) -> None:
        """Be without a header."""
        self.named.pop(name, None)
        self.headers = [pair for pair in self.headers if pair[0] != name]


class Exchange(Protocol):
    """One request, and where its answer goes.

    Attributes:
        head: of the request.
        body: of the request, None where it is not here yet: then `read` it.
    """

    head: Head
    body: bytes | None

    async def read(self, bytes_max: int) -> bytes:
        """Give the body when it is here.

        Raises:
            TooLarge: it has more than `bytes_max`.
            ClientGone: it never came.
        """
        ...

    def whole(self, status: int, lines: bytes, body: bytes) -> Wait:
        """Answer with a body that is complete."""
        ...

    def start(self, status: int, lines: bytes) -> Wait:
        """Begin an answer whose length is not known yet."""
        ...

    def write(self, data: bytes) -> Wait:
        """Send a part of an answer that was started; what is empty is not sent."""
        ...

    def end(self, data: bytes = b"") -> Wait:
        """Send the last part of an answer that was started."""
        ...


class Upgradable(Exchange, Protocol):
    """An Exchange whose connection can go over to another protocol."""

    def upgrade(
        self, answer: bytes, take: Callable[[bytes], None], shut: Callable[[], None]
    ) -> None:
        """Send the answer that ends HTTP here.

        Args:
            answer: the whole head of it.
            take: is given all bytes that come from then on.
            shut: is called when the gateway ends.
        """
        ...

    def send(self, data: bytes) -> Wait:
        """Send bytes of the other protocol."""
        ...

    def hold(self) -> None:
        """Read no more for now."""
        ...

    def go_on(self) -> None:
        """Read again."""
        ...

    def hang_up(self) -> None:
        """End the connection when all that was sent is gone."""
        ...

    def gone(self) -> None:
        """End the connection, and whoever answers: nobody listens."""
        ...


Door = Callable[[Exchange], Awaitable[None]]
SocketDoor = Callable[[Upgradable], Awaitable[None]]


def line(name: bytes, text: str) -> bytes:
    """Give the line of a header of free text: what is not plain ASCII is replaced."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(one if " " <= one <= "~" else "?" for one in text)
    return b"%b: %b\r\n" % (name, text.encode())


def lines_of(headers: list[Header]) -> bytes:
    """Give headers as the lines that they are on the wire."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])


def headers_of(lines: bytes) -> list[Header]:
    """Give lines of an answer as names and values."""
    pairs = [one.partition(b": ") for one in lines.split(b"\r\n")[:-1]]
    return [(name, value) for name, _, value in pairs]
