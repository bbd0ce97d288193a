"""Messages over a connection that was an HTTP request: the server's side of a WebSocket.

The protocol itself is the library's, without its input and output; the bytes are those of our
own connections. A client that is silent is asked for a sign of life; one that sends more than
is taken up waits.

Source: RFC 6455; the "sans-I/O" part of websockets' documentation, read 2026-11.
"""

import asyncio
from collections.abc import AsyncIterator

from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from omniroute.routing.errors import BadRequest

from ..exchange import Head, Upgradable, Wait

PING_S = 30.0
SILENT_S_MAX = 90.0
"""Without a byte for so long, the client is taken to be gone."""
WAITING_MAX = 4
"""Messages that wait before no more is read."""
GOING_AWAY = 1001
_SPOKEN = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
DONE = 1000


class Socket:
    """One WebSocket. Iterate it for messages; `close` it always."""

    def __init__(self, exchange: Upgradable, bytes_max: int) -> None:
        self._exchange = exchange
        self._loop = asyncio.get_running_loop()
        self._protocol = ServerProtocol(max_size=bytes_max)
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._parts: list[bytes] = []
        self._wait: Wait = None
        self._heard_s = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._busy = False
        self._code = DONE

    def open(self) -> Response | None:
        """Take the handshake up; gives the refusal of one that is none."""
        protocol = self._protocol
        protocol.receive_data(_request(self._exchange.head))
        events = protocol.events_received()
        request = next((one for one in events if isinstance(one, Request)), None)
        if request is None:
            return protocol.reject(400, "this is no WebSocket handshake\n")
        response = protocol.accept(request)
        if response.status_code != 101:
            return response
        protocol.send_response(response)
        answer = b"".join(protocol.data_to_send())
        self._exchange.upgrade(answer, self._take, self._shut)
        self._timer = self._loop.call_later(PING_S, self._beat)
        return None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._iterate()

    async def send(self, text: bytes) -> None:
        """Send one message; waits while the client does not take it."""
        if self._closed:
            return
        self._protocol.send_text(text)
        self._flush()
        wait, self._wait = self._wait, None
        if wait is not None:
            await wait

    def close(self) -> None:
        """Say goodbye, unless that was done, and end the connection."""
        if not self._closed:
            self._protocol.send_close(self._code)
            self._flush()
        self._end()
        self._exchange.hang_up()

    async def _iterate(self) -> AsyncIterator[bytes]:
        while True:
            self._busy = False
            message = await self._messages.get()
            if message is None:
                return
            self._busy = True
            if self._messages.qsize() < WAITING_MAX:
                self._exchange.go_on()
            yield message

    def _take(self, data: bytes) -> None:
        """Take bytes of the client's."""
        self._heard_s = self._loop.time()
        protocol = self._protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Frame) and event.opcode in _SPOKEN:
                self._parts.append(bytes(event.data))
                if event.fin:
                    self._messages.put_nowait(b"".join(self._parts))
                    self._parts = []
        if self._messages.qsize() >= WAITING_MAX:
            self._exchange.hold()
        self._flush()
        if protocol.state is not State.OPEN and not self._closed:
            self._end()
            self._exchange.gone()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._wait = self._exchange.send(data) or self._wait

    def _beat(self) -> None:
        """Ask for a sign of life, and let go who gives none."""
        if self._loop.time() - self._heard_s > SILENT_S_MAX:
            self._end()
            self._exchange.gone()
            return
        self._protocol.send_ping(b"")
        self._flush()
        self._timer = self._loop.call_later(PING_S, self._beat)

    def _shut(self) -> None:
        """The gateway ends: answer what is asked, then take no more."""
        self._code = GOING_AWAY
        if not (self._closed or self._busy):
            self.close()
        self._messages.put_nowait(None)

    def _end(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._messages.put_nowait(None)


def handshake_refused(response: Response) -> BadRequest:
    """Give the refusal of a handshake as an error."""
    words = bytes(response.body or b"").decode("utf-8", "replace").strip()
    return BadRequest(words or "this is no WebSocket handshake")


def _request(head: Head) -> bytes:
    """Give the head of the handshake as it came."""
    lines = b"".join([b"%b: %b\r\n" % pair for pair in head.headers])
    return b"GET /v1/responses HTTP/1.1\r\n%b\r\n" % lines
