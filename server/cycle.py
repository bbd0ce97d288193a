"""One request on a connection and its answer: the part of the web server that every answer pays.

It differs from the server's own in three things. The head of an answer leaves in one write
with the first part of its body, or as soon as the event loop turns where none comes. Headers
are checked in one look instead of one for each name and value. And whoever answers can be
called the moment the client leaves, which saves a task that waits for it.

Source for the cost of the server's own cycle: measured, reference "performance", 2.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

LEFT = "omniroute.left"
"""Where a scope holds the function that takes what to call when the client leaves."""
_NO_BODY = frozenset({204, 304})
_NOTED = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_LAST_CHUNK = b"0\r\n\r\n"


class Cycle(RequestResponseCycle):
    """One request and its answer, on a connection that may carry more of them."""

    def __init__(self, **parts: Any) -> None:
        parts["scope"][LEFT] = self.when_left
        super().__init__(**parts)
        self._head: bytes | None = None
        self._on_left: Callable[[], object] | None = None

    def when_left(self, call: Callable[[], object] | None) -> bool:
        """Have `call` called, once, when the client leaves before its answer is complete.

        Returns:
            False: it has left already, and nothing will be called.
        """
        self._on_left = call
        return not self.disconnected

    def left(self) -> None:
        """Tell whoever answers that the client is gone."""
        call, self._on_left = self._on_left, None
        if call is not None and not self.response_complete:
            call()

    async def send(self, message: Any) -> None:
        """Send one message of an answer; waits while the client does not take what was sent.

        Raises:
            RuntimeError: the message is not the one that is due, or a header is none.
        """
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        due = "body" if self.response_started else "start"
        if self.response_complete or message["type"] != f"http.response.{due}":
            raise RuntimeError(f"http.response.{due} is due, not {message['type']!r}")
        if self.response_started:
            self._send_body(message.get("body", b""), more_body=message.get("more_body", False))
        else:
            self._start(message["status"], message.get("headers", ()))

    def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        lines = [STATUS_LINE[status]]
        says_close = False
        for any_name, value in headers:
            name = any_name.lower()
            lines.append(b"%b: %b\r\n" % (name, value))
            if name in _NOTED:
                says_close = self._note(name, value) or says_close
        if not self.keep_alive and not says_close:
            lines.append(b"connection: close\r\n")
        if self.chunked_encoding is None and not self._has_no_body(status):
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        head = b"".join(lines)
        # Every line ends once, so a header that holds a line's end shows in the count.
        if not head.count(b"\r") == head.count(b"\n") == len(lines) or b"\0" in head:
            raise RuntimeError("an answer's header holds what no header may")
        self._head = head
        if self.chunked_encoding:
            # The first part of a stream may be long in coming.
            asyncio.get_running_loop().call_soon(self._flush)

    def _note(self, name: bytes, value: bytes) -> bool:
        """See what a header says of the answer's length; gives whether it ends the connection."""
        if name == b"content-length" and self.chunked_encoding is None:
            self.expected_content_length = int(value)
            self.chunked_encoding = False
        elif name == b"transfer-encoding" and value.lower() == b"chunked":
            self.expected_content_length = 0
            self.chunked_encoding = True
        elif name == b"connection" and b"close" in value.lower():
            self.keep_alive = False
            return True
        return False

    def _has_no_body(self, status: int) -> bool:
        return status in _NO_BODY or self.scope["method"] == "HEAD"

    def _send_body(self, body: bytes, *, more_body: bool) -> None:
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            body = b""
        elif self.chunked_encoding:
            if body:
                body = b"%x\r\n%b\r\n" % (len(body), body)
            if not more_body:
                body += _LAST_CHUNK
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (self.expected_content_length and not more_body):
                raise RuntimeError("the answer's body is not as long as its content-length says")
        self._flush(body)
        if not more_body:
            self._complete()

    def _flush(self, body: bytes = b"") -> None:
        head, self._head = self._head, None
        if head is not None:
            body = head + body
        if body and not self.transport.is_closing():
            self.transport.write(body)

    def _complete(self) -> None:
        self.response_complete = True
        self._on_left = None
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
