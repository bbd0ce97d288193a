"""The reading side of a connection, which is shut while nobody takes what has come."""

import asyncio
from typing import Protocol, cast


class EncryptedTransport(Protocol):
    """What the transports of both event loops can do beside others when they encrypt."""

    def set_read_buffer_limits(self, high: int | None = None) -> None:
        """Read no more of the socket while this many bytes wait; None is the loop's own."""
        ...


class Tap:
    """Lets a transport read, or not."""

    __slots__ = ("_encrypted", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._encrypted: EncryptedTransport | None = None
        if transport.get_extra_info("ssl_object") is not None:
            self._encrypted = cast(EncryptedTransport, transport)

    def shut(self) -> None:
        """Read no more."""
        if self._encrypted is not None:
            # Else the loop would read on until its own buffer is full, and uvloop throws
            # that away when it meets the peer's end while we pause.
            self._encrypted.set_read_buffer_limits(high=0)
        self._transport.pause_reading()

    def open(self) -> None:
        """Read again."""
        if self._encrypted is not None:
            self._encrypted.set_read_buffer_limits()
        self._transport.resume_reading()
