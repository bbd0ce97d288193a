"""One HTTP/2 connection to a provider, for accounts that ask for it.

It carries one exchange at a time, like HTTP/1.1: a slow reader then holds nobody else back,
and who leaves cuts a connection that is nobody else's. What an account gains is a provider, or
something in front of it, that speaks HTTP/2 alone. Whether a server does is settled in the TLS
handshake; one that does not is spoken to in HTTP/1.1.

Everything but the framing is the Exchange's. Frames of the connection itself (pings, settings,
windows) are no sign of life of an answer: they move no deadline.

Source: RFC 9113; error codes in its section 7.
"""

import asyncio
from collections.abc import Iterable
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import InvalidBodyLengthError, ProtocolError
from h2.settings import SettingCodes, Settings

from .connection import Connection
from .exchange import HEAD_BYTES_MAX, HEADERS_MAX, PAUSE_BYTES, Exchange
from .home import Home

FRAME_HEAD_BYTES = 9
FRAME_BYTES_MAX = 16_384
"""The largest frame that a server may send to who has not said otherwise."""

GOAWAY = 7
OF_HEADS = frozenset({1, 5, 9})
"""HEADERS, PUSH_PROMISE and CONTINUATION: a library must keep these until a head is whole."""

WINDOW_BYTES = 4 * PAUSE_BYTES
"""What a server may send ahead of our acknowledgements."""

_CONFIGURATION = H2Configuration(client_side=True, header_encoding=None)
_UNPROCESSED = frozenset({ErrorCodes.REFUSED_STREAM, ErrorCodes.HTTP_1_1_REQUIRED})


class Http2Connection(Exchange):
    """Carries one exchange at a time over HTTP/2."""

    def __init__(self, loop: asyncio.AbstractEventLoop, home: Home) -> None:
        self._frames = H2Connection(_CONFIGURATION)
        self._stream = 0
        self._unsent = memoryview(b"")
        self._begun = False
        self._idle_bytes = 0
        self._head_bytes = 0
        self._going_away = False
        self._pending = b""
        super().__init__(loop, home)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._frames.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES,
                SettingCodes.MAX_HEADER_LIST_SIZE: HEAD_BYTES_MAX,
            },
        )
        self._frames.initiate_connection()
        self._frames.increment_flow_control_window(WINDOW_BYTES)
        self._flush()

    def data_received(self, data: bytes) -> None:
        if self._busy:
            self._wire_bytes += len(data)
        else:
            self._idle_bytes += len(data)
        buffered = self._buffered
        try:
            for event in self._frames.receive_data(self._frames_for_library(data)):
                self._note(event)
            self._send_more()
        except InvalidBodyLengthError:
            self._end_badly("truncated", "the answer is not as long as it says")
        except (ProtocolError, ValueError) as error:
            self._end_badly("malformed", f"the answer is not HTTP/2 ({type(error).__name__})")
        self._flush()
        self._judge_size()
        has_grown = self._buffered > buffered
        self._deliver()
        if has_grown and not self._complete and self._failure is None:
            self._go_on()

    def _write(self, head: bytes, body: bytes) -> None:
        self._begun = False
        self._idle_bytes = 0
        self._head_bytes = 0
        self._unsent = memoryview(b"")
        try:
            self._stream = self._frames.get_next_available_stream_id()
            self._frames.send_headers(self._stream, _fields(head), end_stream=not body)
            self._unsent = memoryview(body)
            self._send_more()
        except ProtocolError as error:
            self.stale = True
            self._fail("connect", f"no further request can be sent ({type(error).__name__})")
            return
        self._flush()

    def _has_begun(self) -> bool:
        return self._begun

    def _may_be_kept(self) -> bool:
        return super()._may_be_kept() and not self._unsent and not self._going_away

    def _note(self, event: Event) -> None:
        match event:
            case ResponseReceived():
                self._note_head(event.headers or ())
            case DataReceived():
                size = event.flow_controlled_length or 0
                self._frames.acknowledge_received_data(size, self._stream)
                self.on_body(event.data or b"")
            case StreamEnded():
                self._complete = self._head_done
                self._reusable = True
            case StreamReset():
                self._note_reset(event)
            case _:
                pass

    def _note_head(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        self._begun = True
        if self._failure is not None:
            return
        for name, value in fields:
            if name == b":status":
                self.status = int(value)
            elif len(self.headers) < HEADERS_MAX:
                self.headers[name] = value
            else:
                self._fail("malformed", f"the answer has more than {HEADERS_MAX} headers")
                return
        self._head_done = True

    def _frames_for_library(self, data: bytes) -> bytes:
        """Give the whole frames that have come, but for what is better not left to the library.

        A farewell (GOAWAY) lets the answer under way come to its end: the library would refuse
        the rest. Heads without an end are refused before they are put together.
        """
        data = self._pending + data if self._pending else data
        kept: list[bytes] = []
        at = 0
        while (end := _end_of_frame(data, at)) is not None:
            kind, payload = data[at + 3], at + FRAME_HEAD_BYTES
            if kind == GOAWAY and end - payload >= 8:
                last_stream = int.from_bytes(data[payload : payload + 4], "big") & 0x7FFF_FFFF
                self._note_farewell(last_stream)
            else:
                kept.append(data[at:end])
            if kind in OF_HEADS:
                self._head_bytes += end - payload
            at = end
        self._pending = data[at:]
        if self._head_bytes > HEAD_BYTES_MAX:
            self._end_badly("malformed", f"the answer's head is over {HEAD_BYTES_MAX} bytes")
            return b""
        return b"".join(kept)

    def _note_farewell(self, last_stream: int) -> None:
        """The server will answer nothing after the stream it names: ask that elsewhere."""
        self._going_away = True
        if not self._busy:
            self._cut()
        elif self._stream > last_stream and not self._begun:
            self.stale = True
            self._end_badly("connect", "the server was closing the connection")

    def _note_reset(self, event: StreamReset) -> None:
        code = event.error_code
        name = code.name if isinstance(code, ErrorCodes) else str(code)
        if self._complete or not self._busy:
            self._going_away = True
        elif self._begun:
            self._end_badly("truncated", f"the answer broke off (the server reset it: {name})")
        else:
            # Only these two codes say that nothing was done with the request.
            self.stale = code in _UNPROCESSED
            self._end_badly("connect", f"the server reset the request ({name})")

    def _judge_size(self) -> None:
        if self._idle_bytes > HEAD_BYTES_MAX:
            self._cut()
        elif not self._head_done:
            if self._wire_bytes > HEAD_BYTES_MAX:
                self._end_badly("malformed", f"over {HEAD_BYTES_MAX} bytes came before an answer")
        elif self._wire_bytes > self._bytes_max + HEAD_BYTES_MAX:
            self._end_badly("too_large", f"the answer is larger than {self._bytes_max} bytes")

    def _send_more(self) -> None:
        while self._unsent and self._busy and not self._complete:
            room = min(
                self._frames.local_flow_control_window(self._stream),
                self._frames.max_outbound_frame_size,
            )
            if room <= 0:
                return
            part, self._unsent = self._unsent[:room], self._unsent[room:]
            self._frames.send_data(self._stream, bytes(part), end_stream=not self._unsent)

    def _flush(self) -> None:
        data = self._frames.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)


class Negotiated(asyncio.Protocol):
    """Takes a new encrypted transport, and gives it to the protocol that was agreed on.

    Attributes:
        exchange: the connection, there once the transport is.
    """

    exchange: Exchange

    def __init__(self, loop: asyncio.AbstractEventLoop, home: Home) -> None:
        self._loop = loop
        self._home = home

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        spoken = transport.get_extra_info("ssl_object").selected_alpn_protocol()
        kind: type[Exchange] = Http2Connection if spoken == "h2" else Connection
        self.exchange = kind(self._loop, self._home)
        cast(asyncio.Transport, transport).set_protocol(self.exchange)
        self.exchange.connection_made(transport)


def _end_of_frame(data: bytes, at: int) -> int | None:
    """Give where a frame ends, None while it is not whole.

    One that is too large ends with the data: the library refuses it, and tells the server.
    """
    if len(data) - at < FRAME_HEAD_BYTES:
        return None
    size = int.from_bytes(data[at : at + 3], "big")
    if size > FRAME_BYTES_MAX:
        return len(data)
    end = at + FRAME_HEAD_BYTES + size
    return end if end <= len(data) else None


def _fields(head: bytes) -> list[tuple[bytes, bytes]]:
    """Give the fields of a head that was written for HTTP/1.1."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, path, _ = first.split(b" ")
    fields = [line.partition(b": ")[::2] for line in lines]
    (authority,) = (value for name, value in fields if name == b"host")
    return [
        (b":method", method),
        (b":scheme", b"https"),
        (b":authority", authority),
        (b":path", path),
        *((name.lower(), value) for name, value in fields if name != b"host"),
    ]
