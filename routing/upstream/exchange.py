"""A connection to a provider with one exchange at a time: a request out, an answer in.

The connection is a protocol of the event loop: bytes go from the socket through a parser
into a list of chunks, and one future wakes whoever waits for them, be it the head, more of a
body or all of it; who pours a body (pouring.py) is called instead. No task, stream object or
queue per request. connection.py and http2.py write requests and read answers.

Back-pressure: when more than PAUSE_BYTES wait unread, the socket is not read until they are
taken; what is held never passes BUFFERED_BYTES_MAX, but where all of a body is waited for.

Time-outs: one deadline, moved by what happens. The time to the first byte runs until the
first byte of a body (some providers send the head at once and think afterwards), and in a
stream until its reader has found content: keep-alives hide a provider that is stuck. While
the reader is behind, the provider is not judged.

An answer that a peer ends too early is `truncated`, also when its length was only promised
by its framing; bytes that nobody asked for close the connection.
"""

import asyncio
import re
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal, cast

from ..errors import FailureKind, UpstreamFailure
from ..model import Limits
from .deadline import NEVER_S, Deadline
from .home import Home
from .tap import Tap

READ_BYTES_MAX = 256 * 1024
"""The most that asyncio and uvloop read from a socket at once."""

PAUSE_BYTES = 64 * 1024
BUFFERED_BYTES_MAX = PAUSE_BYTES + READ_BYTES_MAX

HEAD_BYTES_MAX = 64 * 1024
HEADERS_MAX = 200

KEEP_ALIVE_S = 55.0
"""How long an unused connection is kept: under the 60 s at which many servers close theirs."""

STALE_S_MAX = 1.0
"""A kept connection that dies this soon after a request, without a byte, was dead before."""

_KEEP_ALIVE_HINT = re.compile(rb"timeout=(\d{1,6})")

Wait = Literal["timeout_first_byte", "timeout_idle"]


class Exchange(asyncio.Protocol, ABC):
    """Carries one exchange at a time: `send`, `head`, `whole` or `read` until b"", `close`.

    Attributes:
        status: of the answer's head, 0 before it is there.
        headers: of the answer, names in lower case; of a repeated one the last.
        stale: the last exchange ended at once without a byte: if the connection had been
            kept before, its peer had closed it meanwhile.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, home: Home) -> None:
        self.headers: dict[bytes, bytes] = {}
        self._chunks: list[bytes] = []
        self._failure: UpstreamFailure | None = None
        self._loop = loop
        self._home = home
        self._transport = cast(asyncio.Transport, None)
        self._tap = cast(Tap, None)
        self._waiter: asyncio.Future[None] | None = None
        self._on_read: Callable[[], None] | None = None
        self._deadline = Deadline(loop, self._time_out)
        self._total_deadline_s = NEVER_S
        self._sent_s = 0.0
        self._first_byte_s = 0.0
        self._idle_s = 0.0
        self._wait: Wait = "timeout_first_byte"
        self._bytes_max = 0
        self._busy = False
        self._complete = False
        self._reset()

    def send(self, head: bytes, body: bytes, limits: Limits, *, total_deadline_s: float) -> None:
        """Write a request. The answer's deadlines run from here, by the loop's time."""
        self._reset()
        now = self._loop.time()
        self._busy = True
        self._bytes_max = limits.answer_bytes_max
        self._sent_s = now
        self._first_byte_s = limits.first_byte_s
        self._idle_s = limits.idle_s
        self._total_deadline_s = total_deadline_s
        self._wait = "timeout_first_byte"
        if self._transport.is_closing():
            self._note_loss(None)
            return
        first_byte_at_s = now + limits.first_byte_s
        self._deadline.move(
            first_byte_at_s if first_byte_at_s < total_deadline_s else total_deadline_s
        )
        self._write(head, body)

    def head(self) -> "asyncio.Future[None]":
        """Give what is done when `status` and `headers` are there; wait for it after `send`.

        Raises:
            UpstreamFailure: they will not come; raised where it is waited for.
        """
        waiter = self._waiter = self._loop.create_future()
        if self._head_done or self._failure is not None:
            self._wake()
        return waiter

    def whole(self) -> "asyncio.Future[None] | None":
        """Give what is done when `take` gives the whole body; None when it does so now.

        Blank bytes are keep-alives: the time to the first byte runs on until there are others.

        Raises:
            UpstreamFailure: it will not come; raised where it is waited for.
        """
        if self._complete:
            return None
        self._collects = True
        if any(not _is_blank(chunk) for chunk in self._chunks):
            self.content_began()
        else:
            self.await_content()
        if self._paused:
            self._resume()
        waiter = self._news()
        if self._failure is not None:
            self._wake()
        return waiter

    def take(self) -> bytes:
        """Give what has come of the body since the last call."""
        chunks = self._chunks
        self._chunks = []
        self._buffered = 0
        if self._paused:
            self._resume()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def read(self) -> bytes:
        """Give what has come of the body since the last call; b"" when it is over.

        Raises:
            UpstreamFailure: it broke off, is not HTTP, is too large or came too late. What
                came before is given first.
        """
        while not self._chunks:
            if self._failure is not None:
                raise self._failure
            if self._complete:
                return b""
            await self._news()
        return self.take()

    def each_read(self, call: Callable[[], None]) -> "asyncio.Future[None]":
        """Have this called whenever bytes of the body have come; it `take`s them.

        Gives what is done with the body, after `no_read`, or now where bytes are there already.
        """
        self._on_read = call
        waiter = self._news()
        if self._chunks or self._complete or self._failure is not None:
            self.no_read()
        return waiter

    def no_read(self) -> None:
        """Keep what comes from here on, and wake whoever waits for it."""
        self._on_read = None
        self._wake()

    def await_content(self) -> None:
        """Let the time to the first byte run on until `content_began`."""
        self._awaiting = True
        self._wait = "timeout_first_byte"
        if self._busy and not self._complete and not self._paused:
            self._expect(self._sent_s + self._first_byte_s)

    def content_began(self) -> None:
        """Let the idle time count from here on."""
        self._awaiting = False
        self._wait = "timeout_idle"
        if self._busy and not self._complete and not self._paused:
            self._expect(self._loop.time() + self._idle_s)

    def expect_end(self, within_s: float) -> None:
        """Wait no longer than this for further bytes: by its own words the answer is over."""
        self._idle_s = min(self._idle_s, within_s)
        self.content_began()

    def close(self) -> None:
        """End the exchange: keep the connection if the answer ended well, else cut it now."""
        if not self._busy:
            return
        if self._may_be_kept():
            self._busy = False
            self._chunks = []
            hint = self.headers.get(b"keep-alive")
            keep_s = KEEP_ALIVE_S if hint is None else _keep_s(hint)
            self._deadline.relax(self._loop.time() + keep_s)
            self._home.take_back(self)
            return
        self._fail("truncated", "the answer was closed before its end")

    @property
    def closing(self) -> bool:
        """Whether the connection is closed or about to be."""
        return self._transport.is_closing()

    def usable(self, now_s: float) -> bool:
        """Whether a kept connection may serve another request, by the loop's time."""
        return now_s < self._deadline.at_s and not self._transport.is_closing()

    def abort(self) -> None:
        """Cut the connection; an answer under way fails."""
        if self._busy and not self._complete and self._failure is None:
            self._fail("truncated", "this gateway cut the connection")
        else:
            self._cut()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._tap = Tap(self._transport)

    def on_body(self, body: bytes) -> None:
        """Keep bytes of the body for the reader."""
        if self._complete or self._failure is not None:
            return
        if not self._awaiting:
            self._wait = "timeout_idle"
        elif self._collects and not _is_blank(body):
            self.content_began()
        self._chunks.append(body)
        self._buffered += len(body)

    @abstractmethod
    def _write(self, head: bytes, body: bytes) -> None:
        """Write a request; whatever follows comes as `data_received`."""

    @abstractmethod
    def _has_begun(self) -> bool:
        """Whether a byte of the answer came."""

    def eof_received(self) -> None:
        self._reusable = False
        # Else the loop would first write what is left of our request, and a peer that has
        # answered early or left will never read it.
        if not self.closing and self._transport.get_write_buffer_size():
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.stop()
        self._reusable = False
        self._home.lost(self)
        if self._busy and not self._complete and self._failure is None:
            self._note_loss(exc)
        self._wake()

    def _reset(self) -> None:
        self.status = 0
        self.headers = {}
        self.stale = False
        self._chunks = []
        self._buffered = 0
        self._wire_bytes = 0
        self._head_done = False
        self._ends_with_connection = False
        self._awaiting = False
        self._collects = False
        self._complete = False
        self._reusable = False
        self._paused: bool = False
        self._failure = None

    def _go_on(self) -> None:
        """Move the deadline after bytes of a body, and stop reading when too many wait."""
        if self._buffered > PAUSE_BYTES and not self._collects:
            self._paused = True
            self._tap.shut()
            self._expect(self._total_deadline_s)
        elif self._wait == "timeout_idle":
            # `_expect`, without its calls: every chunk of every stream comes by here.
            at_s, total_s = self._loop.time() + self._idle_s, self._total_deadline_s
            self._deadline.move(at_s if at_s < total_s else total_s)

    def _resume(self) -> None:
        self._paused = False
        if not self._complete and not self._transport.is_closing():
            self._tap.open()
            # The reader was behind, not the provider: its time begins anew.
            limit_s = self._first_byte_s if self._awaiting else self._idle_s
            self._expect(self._loop.time() + limit_s)

    def _deliver(self) -> None:
        """Tell whoever waits of what one read has brought."""
        if self._on_read is not None and self._chunks:
            self._on_read()
        if self._complete or (self._head_done and not self._collects and self._on_read is None):
            self._wake()

    def _news(self) -> "asyncio.Future[None]":
        waiter = self._waiter = self._loop.create_future()
        return waiter

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if self._failure is not None and (self._collects or not self._head_done):
            waiter.set_exception(self._failure)
        else:
            waiter.set_result(None)

    def _expect(self, deadline_s: float) -> None:
        self._deadline.move(min(deadline_s, self._total_deadline_s))

    def _time_out(self) -> None:
        if not self._busy:
            self._transport.close()
            return
        if self._complete:
            return
        now = self._loop.time()
        waited_s = round(now - self._sent_s, 1)
        if now >= self._total_deadline_s:
            self._fail("timeout_total", f"the answer had not ended after {waited_s} s")
        elif self._wait == "timeout_idle":
            self._fail("timeout_idle", f"the answer stalled for {round(self._idle_s, 1)} s")
        else:
            self._fail("timeout_first_byte", f"no answer began within {waited_s} s")

    def _note_loss(self, error: Exception | None) -> None:
        why = "it closed the connection" if error is None else f"{type(error).__name__}: {error}"
        if isinstance(error, ssl.SSLError):
            self._fail("tls", f"the encrypted connection broke ({why})")
        elif not self._has_begun():
            self.stale = self._loop.time() - self._sent_s <= STALE_S_MAX
            self._fail("connect", f"the connection ended before an answer began ({why})")
        elif self._ends_with_connection and error is None:
            self._complete = True
        else:
            self._fail("truncated", f"the answer broke off ({why})")

    def _end_badly(self, kind: FailureKind, what: str) -> None:
        """Fail the exchange; with none under way, or one that is over, only cut."""
        if self._busy and not self._complete and self._failure is None:
            self._fail(kind, what)
        else:
            self._reusable = False
            self._cut()

    def _fail(self, kind: FailureKind, what: str) -> None:
        self._failure = UpstreamFailure(f"{self._home.name}: {what}", kind=kind)
        self._reusable = False
        self._cut()
        self._wake()

    def _cut(self) -> None:
        self._busy = False
        self._transport.abort()

    def _may_be_kept(self) -> bool:
        # An answer that came before the request was written leaves the rest of it in the way.
        return (
            self._complete
            and self._reusable
            and not self._paused
            and not self._transport.is_closing()
            and not self._transport.get_write_buffer_size()
        )


def _keep_s(hint: bytes) -> float:
    """Give how long a connection is kept whose peer has said this of it."""
    asked = _KEEP_ALIVE_HINT.search(hint)
    # A second less than the peer says, or our next request would cross its close.
    return KEEP_ALIVE_S if asked is None else min(KEEP_ALIVE_S, float(asked[1]) - 1.0)


def _is_blank(chunk: bytes) -> bool:
    return not chunk or chunk.isspace()
