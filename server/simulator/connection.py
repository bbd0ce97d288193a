"""One client's connection: bytes to requests, performances to bytes.

Written on the transport itself, because faults are made of what servers hide: resets,
promised bytes that never come, chunks of any size, a close in the middle.

A client that closes its side while it waits for an answer counts as gone, and its answer
stops at once; half-closed clients are not served.
"""

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Iterable
from http import HTTPStatus
from typing import Protocol, cast
from urllib.parse import unquote

import httptools

from omniroute.routing.simulator.performance import Cut, Frame, Head, Performance

from .control import SEEN_BODY_BYTES_MAX, Control, Disconnect, Seen
from .request import HttpRequest
from .routes import Played, refuse_unread

HEAD_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 32 * 2**20
PIPELINED_MAX = 16
WRITE_BYTES = 64 * 1024
WRITE_S_MAX = 300.0
IDLE_S = 120.0
_PHRASES = {status.value: status.phrase for status in HTTPStatus} | {529: "Overloaded"}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_EARLY = b"HTTP/1.1 103 Early Hints\r\nlink: </simulated>; rel=preload\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_LINGER_NONE = struct.pack("ii", 1, 0)


class House(Protocol):
    """What a connection needs of the simulator that accepted it."""

    @property
    def control(self) -> Control: ...

    def answer(self, request: HttpRequest) -> Played: ...

    def admit(self, connection: "Connection") -> bool:
        """Note a new connection; False when there are too many."""
        ...

    def leave(self, connection: "Connection") -> None: ...

    def start(self, connection: "Connection") -> asyncio.Task[None]:
        """Run the connection's `serve` in a task of the simulator's."""
        ...


class Connection(asyncio.Protocol):
    """Reads requests, and plays one answer after another in the order they came."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._control = house.control
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiting: deque[HttpRequest] = deque()
        self._drained: asyncio.Future[None] | None = None
        self._gone = False
        self._idle: asyncio.TimerHandle | None = None
        self._active_s = time.monotonic()
        # The answer that is being played.
        self._playing: HttpRequest | None = None
        self._model = ""
        self._sent = 0
        # The request that is being read.
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: list[tuple[str, str]] = []
        self._body: list[bytes] = []
        self._body_size = 0
        self._head_size = 0
        self._in_head = True
        self._refusal: Performance | None = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do what asyncio.Transport says without being one.
        self._transport = transport = cast(asyncio.Transport, transport)
        # A write waits until the kernel has all of it: a reset throws away nothing that was
        # sent, and what was counted as sent has left.
        transport.set_write_buffer_limits(high=0)
        if not self._house.admit(self):
            transport.abort()
            return
        if self._control.refuses_connection():
            self._control.connections_refused += 1
            self._reset()
            return
        self._idle = self._loop.call_later(IDLE_S, self._expire)

    def connection_lost(self, error: Exception | None) -> None:
        self._leave()
        if self._idle is not None:
            self._idle.cancel()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._house.leave(self)

    def eof_received(self) -> bool:
        self._leave()
        return False

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # The request is answered as if it had not asked; what follows it is not read.
            self._pause_reading()
        except httptools.HttpParserError as error:
            self._refuse(400, f"this is not HTTP/1.1: {error}")
        if self._in_head:
            self._count_head(len(data))
        if self._refusal is not None:
            self._start()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body = b"", [], []
        self._body_size, self._head_size, self._in_head = 0, 0, True

    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count_head(len(name) + len(value))
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self._in_head = False
        expects = any(
            name == "expect" and value.lower() == "100-continue" for name, value in self._headers
        )
        if expects and self._task is None and self._transport is not None:
            self._transport.write(_CONTINUE)

    def on_body(self, data: bytes) -> None:
        self._body_size += len(data)
        if self._body_size <= BODY_BYTES_MAX:
            self._body.append(data)
        elif self._refusal is None:
            self._refuse(413, f"the request's body is larger than {BODY_BYTES_MAX} bytes")

    def on_message_complete(self) -> None:
        if self._refusal is not None:
            return
        self._active_s = time.monotonic()
        try:
            parsed = httptools.parse_url(self._url)
        except httptools.HttpParserInvalidURLError:
            self._refuse(400, "the request's target is not a URL")
            return
        self._control.requests += 1
        request = HttpRequest(
            method=self._parser.get_method().decode("latin-1"),
            path=unquote((parsed.path or b"/").decode("latin-1")),
            query=(parsed.query or b"").decode("latin-1"),
            headers=tuple(self._headers),
            body=self._body[0] if len(self._body) == 1 else b"".join(self._body),
            at_s=self._active_s,
            number=self._control.requests,
            keep_alive=self._parser.should_keep_alive() and not self._parser.should_upgrade(),
            version=self._parser.get_http_version(),
        )
        self._note(request)
        self._waiting.append(request)
        if len(self._waiting) >= PIPELINED_MAX:
            self._pause_reading()
        self._start()

    # Playing.

    async def serve(self) -> None:
        """Play the answers to all requests that wait."""
        try:
            while self._waiting:
                request = self._waiting.popleft()
                if self._transport is not None and len(self._waiting) == PIPELINED_MAX - 1:
                    self._transport.resume_reading()
                played = self._house.answer(request)
                self._playing, self._model, self._sent = request, played.model, 0
                stays = await self._play(request, played.performance)
                self._playing = None
                self._active_s = time.monotonic()
                if not stays:
                    self._waiting.clear()
                    return
            if self._refusal is not None:
                await self._play(None, self._refusal)
        finally:
            self._task = None

    async def _play(self, request: HttpRequest | None, performance: Performance) -> bool:
        """Play one answer; give whether the connection can take another.

        Without a request, the answer is to something that is none, and the last.
        """
        if performance.wait_s > 0:
            await asyncio.sleep(performance.wait_s)
        head = performance.head
        if head is None:
            await self._cut(Cut(reset=True))
            return False
        stays = request is not None and request.keep_alive and request.version == "1.1"
        chunks = head.length is None and (request is None or request.version == "1.1")
        stays = stays and (chunks or head.length is not None)
        start = _head_bytes(head, chunks=chunks, stays=stays)
        if request is not None and request.method == "HEAD":
            await self._write(start)
        elif not await self._play_frames(start, performance.frames, chunks=chunks):
            return False
        self._control.answers_finished += 1
        if not stays and self._transport is not None:
            self._playing = None
            self._transport.close()
        return stays

    async def _play_frames(self, start: bytes, frames: Iterable[Frame], *, chunks: bool) -> bool:
        """Send head and frames; False when a cut ended them.

        What is sent at one moment is one write, up to WRITE_BYTES.
        """
        out, size = [start], len(start)
        for frame in frames:
            if isinstance(frame, bytes):
                if frame:
                    out.append(b"%x\r\n%b\r\n" % (len(frame), frame) if chunks else frame)
                    size += len(frame)
                if size < WRITE_BYTES:
                    continue
            if out:
                await self._write(b"".join(out))
                out, size = [], 0
            if isinstance(frame, Cut):
                await self._cut(frame)
                return False
            # Also no time at all: the others get their turn, and the bytes go out alone.
            await asyncio.sleep(0.0 if isinstance(frame, bytes) else frame.seconds)
        if chunks:
            out.append(_LAST_CHUNK)
        if out:
            await self._write(b"".join(out))
        return True

    async def _write(self, data: bytes) -> None:
        """Send bytes, WRITE_BYTES at a time, and wait while the client does not take them."""
        view = memoryview(data)
        for at in range(0, len(view), WRITE_BYTES):
            part = view[at : at + WRITE_BYTES]
            if self._gone or self._transport is None:
                self._control.bytes_after_disconnect += len(part)
                return
            self._transport.write(part)
            self._sent += len(part)
            self._control.bytes_sent += len(part)
            if self._drained is not None:
                await self._drain(self._drained)

    async def _drain(self, drained: asyncio.Future[None]) -> None:
        """Wait until the kernel has all, at most WRITE_S_MAX: then the client counts as gone."""
        try:
            async with asyncio.timeout(WRITE_S_MAX):
                await drained
        except TimeoutError:
            self._leave()

    async def _cut(self, cut: Cut) -> None:
        """End the connection as the fault says; this is no disconnect of the client's."""
        self._playing = None
        if self._transport is None:
            return
        if not cut.reset:
            self._transport.close()
            return
        self._reset()

    def _start(self) -> None:
        if self._task is None and not self._gone:
            self._task = self._house.start(self)

    def _refuse(self, status: int, message: str) -> None:
        """Answer what is no request after those that are, and read no more."""
        if self._refusal is None:
            self._refusal = refuse_unread(status, message)
        self._pause_reading()

    def _count_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > HEAD_BYTES_MAX:
            self._refuse(431, f"the request's head is larger than {HEAD_BYTES_MAX} bytes")

    def _pause_reading(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def _reset(self) -> None:
        """Close so that the client gets a reset: no time to linger means RST."""
        transport = self._transport
        if transport is None:
            return
        end = transport.get_extra_info("socket")
        if end is not None:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        transport.abort()

    def _leave(self) -> None:
        """Note that the client is gone, and stop its answer at once."""
        if self._gone:
            return
        self._gone = True
        if self._playing is not None:
            request = self._playing
            self._control.disconnects.append(
                Disconnect(time.monotonic(), request.at_s, request.path, self._model, self._sent)
            )
        if self._task is not None:
            self._task.cancel()
            if self._transport is not None:
                self._transport.abort()

    def close(self) -> None:
        """Cut the connection: the simulator stops."""
        self._playing = None
        if self._transport is not None:
            self._transport.abort()

    def _expire(self) -> None:
        """Close a connection on which nothing was asked, or finished, for IDLE_S."""
        left_s = self._active_s + IDLE_S - time.monotonic()
        if self._task is None and left_s <= 0 and self._transport is not None:
            self._transport.close()
            return
        self._idle = self._loop.call_later(max(left_s, 1.0), self._expire)

    def _note(self, request: HttpRequest) -> None:
        self._control.seen.append(
            Seen(
                request.at_s,
                request.method,
                request.path,
                request.headers,
                request.body[:SEEN_BODY_BYTES_MAX],
            )
        )


def _head_bytes(head: Head, *, chunks: bool, stays: bool) -> bytes:
    lines = [f"HTTP/1.1 {head.status} {_PHRASES.get(head.status, 'Simulated')}"]
    lines += [f"{name}: {value}" for name, value in head.headers]
    if chunks:
        lines.append("transfer-encoding: chunked")
    elif head.length is not None:
        lines.append(f"content-length: {head.length}")
    if not stays:
        lines.append("connection: close")
    start = "\r\n".join((*lines, "", "")).encode("latin-1")
    return _EARLY + start if head.early else start
