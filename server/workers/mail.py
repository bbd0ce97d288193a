"""Messages between workers: each has a mailbox that all others can write to.

The supervisor makes the mailboxes before the first worker starts, so a worker that replaces
another one has its mailbox. A message is one datagram, or several for a long one.

`tell` says something to all others and waits for nobody; what a worker cannot take for so long
that WAITING_MAX messages wait for it is dropped. `ask` gives the answers of all others that come
in time. Nothing here is needed for exact money or for a request that is accepted: those have the
database. A process without others has no mailboxes, tells nobody, and hears no answers.
"""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

import msgspec

from .board import Board

PART_BYTES_MAX = 48 * 1024
"""The longest datagram's content: several fit in a socket's buffer at its usual size."""
READ_BYTES_MAX = 64 * 1024
WAITING_MAX = 4_096
BEGUN_MAX = 64
"""Long messages that may be there in part."""
ANSWER_S_MAX = 1.0

Handler = Callable[[Any], Awaitable[object]]
log = logging.getLogger("omniroute")


class _Mail(msgspec.Struct, array_like=True, frozen=True):
    sender: int
    kind: Literal["tell", "ask", "answer"]
    number: int
    topic: str
    part: int
    parts: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """The mailboxes of all workers, as pairs of where to read and where to write."""

    pairs: tuple[tuple[socket.socket, socket.socket], ...] = ()

    @staticmethod
    def made(workers: int) -> "Mailboxes":
        """Give new ones."""
        pairs = []
        for _ in range(workers):
            pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            for one in pair:
                one.setblocking(False)
            pairs.append(pair)
        return Mailboxes(tuple(pairs))


@dataclass(slots=True)
class _Asked:
    """A question under way: who is still to answer, and what came."""

    open: set[int]
    answers: list[bytes] = field(default_factory=list[bytes])
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Peers:
    """The other workers, as one worker reaches them. Belongs to the loop it is opened on.

    Args:
        index: the worker's own place.
        board: says who takes part: a worker that accepts connections.
    """

    def __init__(
        self, index: int = 0, mailboxes: Mailboxes | None = None, board: Board | None = None
    ) -> None:
        self._index = index
        self._pairs = () if mailboxes is None else mailboxes.pairs
        self._board = board
        self._handlers: dict[str, Handler] = {}
        self._numbers = count(1)
        self._asked: dict[int, _Asked] = {}
        self._begun: dict[tuple[int, str, int], list[bytes]] = {}
        self._waiting: dict[int, deque[bytes]] = {}
        self._handling: set[asyncio.Task[None]] = set()
        self._dropped = False

    @property
    def count(self) -> int:
        """How many workers there are, this one among them."""
        return max(len(self._pairs), 1)

    def on(self, topic: str, handler: Handler) -> None:
        """Have messages of a topic handled; what the handler gives is the answer to `ask`."""
        self._handlers[topic] = handler

    def open(self) -> None:
        """Read the own mailbox from now on; what was meant for a worker before is passed over."""
        if self._pairs:
            while self._receive():
                continue
            asyncio.get_running_loop().add_reader(self._own.fileno(), self._read)

    async def close(self) -> None:
        """Read no more, and end what is being handled."""
        if self._pairs:
            asyncio.get_running_loop().remove_reader(self._own.fileno())
            for index in self._waiting:
                asyncio.get_running_loop().remove_writer(self._pairs[index][1].fileno())
        for task in self._handling:
            task.cancel()
        if self._handling:
            await asyncio.wait(self._handling)

    def tell(self, topic: str, words: object = None) -> None:
        """Say something to all others; never waits."""
        others = self._others()
        if others:
            self._send(others, "tell", 0, topic, msgspec.msgpack.encode(words))

    async def ask(self, topic: str, words: object = None) -> Sequence[Any]:
        """Give the answers of the others, of those that answer within ANSWER_S_MAX."""
        others = self._others()
        if not others:
            return ()
        number = next(self._numbers)
        asked = self._asked[number] = _Asked(set(others))
        try:
            self._send(others, "ask", number, topic, msgspec.msgpack.encode(words))
            async with asyncio.timeout(ANSWER_S_MAX):
                await asked.done.wait()
        except TimeoutError:
            log.warning("worker_silent", extra={"topic": topic, "workers": sorted(asked.open)})
        finally:
            del self._asked[number]
        return [msgspec.msgpack.decode(one) for one in asked.answers]

    @property
    def _own(self) -> socket.socket:
        return self._pairs[self._index][0]

    def _others(self) -> list[int]:
        """Give the places of the others that can be reached."""
        return [
            index
            for index in range(len(self._pairs))
            if index != self._index and (self._board is None or self._board.is_open(index))
        ]

    def _send(self, places: Sequence[int], kind: Any, number: int, topic: str, body: bytes) -> None:
        pieces = [body[at : at + PART_BYTES_MAX] for at in range(0, len(body), PART_BYTES_MAX)] or [
            b""
        ]
        # Parts of one message are put together by their number, so a word needs one, too.
        number = number or next(self._numbers)
        for part, piece in enumerate(pieces):
            mail = _Mail(self._index, kind, number, topic, part, len(pieces), piece)
            data = msgspec.msgpack.encode(mail)
            for place in places:
                self._post(place, data)

    def _post(self, place: int, data: bytes) -> None:
        waiting = self._waiting.get(place)
        if waiting is None:
            if self._put(place, data):
                return
            waiting = self._waiting[place] = deque()
            writer = self._pairs[place][1]
            asyncio.get_running_loop().add_writer(writer.fileno(), self._post_on, place)
        if len(waiting) < WAITING_MAX:
            waiting.append(data)
        elif not self._dropped:
            self._dropped = True
            log.warning("worker_does_not_read", extra={"worker": place})

    def _post_on(self, place: int) -> None:
        """Send what waits, now that there is room."""
        waiting = self._waiting[place]
        while waiting and self._put(place, waiting[0]):
            waiting.popleft()
        if not waiting:
            del self._waiting[place]
            asyncio.get_running_loop().remove_writer(self._pairs[place][1].fileno())

    def _put(self, place: int, data: bytes) -> bool:
        try:
            self._pairs[place][1].send(data)
        except BlockingIOError:
            return False
        return True

    def _receive(self) -> bytes | None:
        try:
            return self._own.recv(READ_BYTES_MAX)
        except BlockingIOError:
            return None

    def _read(self) -> None:
        while data := self._receive():
            mail = msgspec.msgpack.decode(data, type=_Mail)
            body = mail.body if mail.parts == 1 else self._whole(mail)
            if body is None:
                continue
            if mail.kind == "answer":
                self._take(mail, body)
            else:
                task = asyncio.get_running_loop().create_task(self._handle(mail, body))
                self._handling.add(task)
                task.add_done_callback(self._handling.discard)

    def _whole(self, mail: _Mail) -> bytes | None:
        """Give a long message once all of it is there; parts come in their order."""
        key = (mail.sender, mail.kind, mail.number)
        if mail.part == 0:
            while len(self._begun) >= BEGUN_MAX:
                del self._begun[next(iter(self._begun))]
            self._begun[key] = []
        parts = self._begun.get(key)
        if parts is None or len(parts) != mail.part:
            return None
        parts.append(mail.body)
        return None if len(parts) < mail.parts else b"".join(self._begun.pop(key))

    def _take(self, mail: _Mail, body: bytes) -> None:
        asked = self._asked.get(mail.number)
        if asked is not None and mail.sender in asked.open:
            asked.open.discard(mail.sender)
            asked.answers.append(body)
            if not asked.open:
                asked.done.set()

    async def _handle(self, mail: _Mail, body: bytes) -> None:
        handler = self._handlers.get(mail.topic)
        answer: object = None
        if handler is not None:
            try:
                answer = await handler(msgspec.msgpack.decode(body))
            except Exception:
                # One message that cannot be handled must not keep others from being read.
                log.exception("worker_message_failed", extra={"topic": mail.topic})
        if mail.kind == "ask":
            self._send((mail.sender,), "answer", mail.number, "", msgspec.msgpack.encode(answer))
