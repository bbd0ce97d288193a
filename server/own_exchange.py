"""An exchange on a connection of ours: the body as it came, the answer in as few writes as can be.

A whole answer is one write. The head of a stream leaves with its first part, or as soon as the
event loop turns where none comes.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import Interrupted, interruption

from .edge_answers import FAULT, STOPPING, TOO_MUCH_AT_ONCE, Refusal
from .exchange import ClientGone, Door, Head, Wait
from .heads import HEAD_BYTES_MAX
from .v1.bodies import too_large

if TYPE_CHECKING:
    from .edge import Connection

BODY_BYTES_UNREAD_MAX = 512 * 1024
"""How much of a body is taken while nobody asks for it."""
BODY_BYTES_COUNTED = 256 * 1024
"""A body is held against the bound of all when it is larger; so much comes in one read."""
PASSED_OVER_BYTES_MAX = 32 * 2**20
"""How much of a body may still come after its request was answered."""
READ_SLACK_BYTES = 256 * 1024
"""How much of a body may arrive in the same read as the end of the head."""
FRAMING_SHARE_MAX = 16
"""How many bytes around the parts of a body may come for each byte of it."""
FRAMING_BYTES_MAX = HEAD_BYTES_MAX + READ_SLACK_BYTES
"""How many may come all the same: the head, or what follows the last part."""
CLOSE = b"connection: close\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
LAST_CHUNK = b"0\r\n\r\n"
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
STATUS_LINES = {
    status: f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n".encode()
    for status in range(100, 600)
}

log = logging.getLogger("omniroute")


class OwnExchange:
    """One request on a connection of ours, and its answer. See Exchange.

    Attributes:
        door: answers it; None is a request that is not hot.
        url: the request's target, in its parts.
        keeps_alive: whether the connection serves another request after this one.
        awaits_continue: the client sends the body when it is told to.
        was_taken: it is being answered, or waits for that.
        is_here: its body has come in full.
        on_part: called when more of the body is here.
        on_left: called when the client leaves; without it the task is cancelled.
        edge_said: status and request id of what the edge itself has answered.
        on_shutdown: called when the gateway ends, of a connection that went over.
        has_left: the client is gone.
        is_started, is_answered: how far the answer is.
        task: answers it.
        came_bytes: of its body.
        read_bytes: of its body, with what frames its parts, while it comes in several reads.
    """

    # What most requests leave as it is stands here once.
    body: bytes | None = None
    url: Any = None
    version = "1.1"
    keeps_alive = True
    awaits_continue = False
    was_taken = False
    is_here = False
    on_part: Callable[[], object] | None = None
    on_left: Callable[[], object] | None = None
    on_shutdown: Callable[[], object] | None = None
    edge_said: tuple[int, str] | None = None
    came_bytes = 0
    read_bytes = 0
    _held_bytes = 0
    _size = 0
    _bytes_max: int | None = None
    _head: bytes | None = None
    _runs = False
    _streams = False
    has_left = False
    is_started = False
    is_answered = False

    def __init__(self, connection: "Connection", head: Head, door: Door | None) -> None:
        self.connection = connection
        self.head = head
        self.door = door
        self.task: asyncio.Task[None] | None = None
        self._parts: list[bytes] = []

    # The request, as the connection reads it.

    def take(self, part: bytes) -> None:
        """Take a part of the body."""
        self.came_bytes = came = self.came_bytes + len(part)
        if self.is_answered or self.has_left:
            if came > PASSED_OVER_BYTES_MAX:
                self.connection.close()
            return
        if came > BODY_BYTES_COUNTED and not self._hold(came - self._held_bytes):
            self.connection.give_up(self, TOO_MUCH_AT_ONCE)
            return
        self._parts.append(part)
        self._size += len(part)
        bytes_max = self._bytes_max
        if bytes_max is None:
            if self._size > BODY_BYTES_UNREAD_MAX:
                self.connection.pause_reading()
        elif self._size <= bytes_max:
            return
        if self.on_part is not None:
            self.on_part()

    def finish(self) -> None:
        """Note that the body has come in full."""
        self.is_here = True
        parts = self._parts
        if self.door is not None:
            self.body, self._parts = parts[0] if len(parts) == 1 else b"".join(parts), []
        if self.on_part is not None:
            self.on_part()

    def is_framed_within(self, size: int) -> bool:
        """Note so many bytes that were read; gives whether few enough of them frame the body."""
        self.read_bytes += size
        framing = self.read_bytes - self.came_bytes
        return framing <= FRAMING_BYTES_MAX + FRAMING_SHARE_MAX * self.came_bytes

    def let_go(self) -> None:
        """Hold the body against the bound of all no longer."""
        if self._held_bytes:
            self.connection.app.bounds.let_go(self._held_bytes)
            self._held_bytes = 0

    def _hold(self, size: int) -> bool:
        if not self.connection.app.bounds.hold(size):
            return False
        self._held_bytes += size
        return True

    def taken(self) -> bytes:
        """Give what of the body has come since this was last asked."""
        parts, self._parts, self._size = self._parts, [], 0
        return b"".join(parts)

    def has_come(self) -> bool:
        """Whether any of the body is here, or there is none."""
        return self.is_here or bool(self._parts)

    def tell_to_continue(self) -> None:
        """Tell a client that waits for it to send its body."""
        if self.awaits_continue and not self.has_come():
            self.connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.awaits_continue = False
        self.connection.resume_reading()

    def be_last(self) -> None:
        """End the connection with this answer: the gateway ends."""
        self.keeps_alive = False
        if self.on_shutdown is not None:
            self.on_shutdown()

    def cut(self, reason: Interrupted, *, hot: bool) -> None:
        """Have its door end the answer because of us; if `hot`, only if it is a hot one."""
        if self.task is not None and (self.door is not None or not hot):
            self.task.cancel(reason)

    def leave(self) -> None:
        """Stop the answering: the client is gone."""
        self.has_left = True
        if self.on_left is not None:
            self.on_left()
        elif self._runs and self.task is not None:
            self.task.cancel()

    # What the connection starts.

    async def run(self) -> None:
        """Have the hot door answer."""
        connection, door = self.connection, self.door
        app = connection.app
        self._runs = True
        app.busy += 1
        try:
            if door is not None and not self.has_left:
                await door(self)
                if not self.is_answered:
                    request_id = new_request_id()
                    log.error("no_answer", extra={"request_id": request_id})
                    self.fail(FAULT, request_id)
        except asyncio.CancelledError as cancelled:
            # Only the cancellation that the leaving client caused ends here.
            if not self.has_left:
                self.fail(STOPPING if interruption(cancelled) is not None else FAULT)
                raise
        except Exception:
            request_id = new_request_id()
            log.exception("unexpected_error", extra={"request_id": request_id})
            self.fail(FAULT, request_id)
        finally:
            app.busy -= 1
            app.turnstile.streams -= self._streams
            app.last_s = time.monotonic()
            if self._held_bytes:
                self.let_go()
            connection.ended(self.task)

    def fail(self, refusal: Refusal = FAULT, request_id: str | None = None) -> None:
        """End an exchange that got no answer, or only half of one; the id is the log's."""
        if self.has_left:
            return
        self.keeps_alive = False
        if self.is_started:
            self.connection.close()
            return
        if request_id is None:
            request_id = new_request_id()
            self.connection.app.refused.note(refusal, request_id, self.head.peer)
        self.edge_said = (refusal.status, request_id)
        named = refusal.named(request_id)
        self.whole(named.status, named.lines, named.body)

    # What the door calls.

    async def read(self, bytes_max: int) -> bytes:
        """Give the body when it is here."""
        self._bytes_max = bytes_max
        if self.body is None and self._size <= bytes_max:
            arrived = asyncio.Event()
            self.on_part = arrived.set
            self.tell_to_continue()
            await arrived.wait()
        body = self.body
        if (self._size if body is None else len(body)) > bytes_max:
            self._parts = []
            raise too_large(bytes_max)
        if body is None:
            raise ClientGone
        return body

    def whole(self, status: int, lines: bytes, body: bytes) -> Wait:
        """Answer with a body that is complete, in one write."""
        self.begin()
        close = b"" if self.keeps_alive else CLOSE
        parts = (STATUS_LINES[status], lines, close, len(body), body)
        data = b"%b%b%bcontent-length: %d\r\n\r\n%b" % parts
        self._finish(data)
        return None

    def start(self, status: int, lines: bytes) -> Wait:
        """Begin a stream. Its head leaves with the first part, which may be long in coming."""
        self.begin()
        self._streams = True
        self.connection.app.turnstile.streams += 1
        close = b"" if self.keeps_alive else CLOSE
        self._head = b"%b%b%b%b\r\n" % (STATUS_LINES[status], lines, close, CHUNKED)
        self.connection.loop.call_soon(self._flush)
        return None

    def write(self, data: bytes) -> Wait:
        """Send a part of the stream."""
        if not data or self.has_left:
            return None
        data = b"%x\r\n%b\r\n" % (len(data), data)
        head = self._head
        if head is not None:
            self._head = None
            data = head + data
        connection = self.connection
        connection.transport.write(data)
        writable = connection.writable
        return None if writable is None else _set(writable)

    def end(self, data: bytes = b"") -> Wait:
        """Send the last part of the stream."""
        if data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        head, self._head = self._head or b"", None
        self._finish(b"%b%b%b" % (head, data, LAST_CHUNK))
        return None

    # What a door calls whose connection goes over to another protocol. See Upgradable.

    def upgrade(
        self, answer: bytes, take: Callable[[bytes], None], shut: Callable[[], None]
    ) -> None:
        """Send the answer that ends HTTP here."""
        self.begin()
        self.is_answered, self.keeps_alive = True, False
        self.connection.tunnel, self.on_shutdown = take, shut
        self.connection.transport.write(answer)

    def send(self, data: bytes) -> Wait:
        """Send bytes of the other protocol."""
        connection = self.connection
        if not self.has_left:
            connection.transport.write(data)
        writable = connection.writable
        return None if writable is None else _set(writable)

    def hold(self) -> None:
        """Read no more for now."""
        self.connection.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        self.connection.resume_reading()

    def hang_up(self) -> None:
        """End the connection when all that was sent is gone."""
        self.connection.tunnel = None
        self.connection.close()

    def gone(self) -> None:
        """End the connection, and whoever answers."""
        self.hang_up()
        self.leave()

    def begin(self) -> None:
        """Note that the answer begins.

        Raises:
            RuntimeError: it has begun before.
        """
        if self.is_started:
            raise RuntimeError("an answer is due once")
        self.is_started = True
        if self.awaits_continue and not self.is_here:
            # It cannot be known whether the client still sends its body.
            self.keeps_alive = False

    def _flush(self) -> None:
        head, self._head = self._head, None
        if head is not None and not self.has_left:
            self.connection.transport.write(head)

    def _finish(self, data: bytes) -> None:
        if self.is_answered:
            raise RuntimeError("an answer ends once")
        self.is_answered = True
        if not self.has_left:
            self.connection.transport.write(data)
            self.connection.answered(self)


async def _set(event: asyncio.Event) -> None:
    await event.wait()
