"""One HTTP/1.1 connection to a provider: httptools reads what an Exchange keeps."""

import asyncio

import httptools

from .exchange import HEAD_BYTES_MAX, HEADERS_MAX, Exchange
from .home import Home

JOIN_BYTES_MAX = 64 * 1024
"""Up to here head and body leave in one write; beyond it a copy costs more than a write."""


class Connection(Exchange):
    """Carries one exchange at a time over HTTP/1.1."""

    def __init__(self, loop: asyncio.AbstractEventLoop, home: Home) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._interim = False
        super().__init__(loop, home)

    def data_received(self, data: bytes) -> None:
        if not self._busy:
            self._cut()
            return
        self._wire_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail("malformed", f"the answer is not HTTP/1.1 ({error})")
            return
        if self._failure is not None:
            return
        if not self._head_done:
            if self._wire_bytes > HEAD_BYTES_MAX:
                self._fail("malformed", f"the answer's head is over {HEAD_BYTES_MAX} bytes")
        elif self._wire_bytes > self._bytes_max + HEAD_BYTES_MAX:
            self._fail("too_large", f"the answer is larger than {self._bytes_max} bytes")
            return
        self._deliver()
        if self._head_done and not self._complete:
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # The parser holds us by what it calls: a circle, which would keep both, the transport
        # and its buffers until the collector looks, and it looks seldom.
        del self._parser

    def on_message_begin(self) -> None:
        # Bytes after an answer's end answer no question of ours: nothing after them is safe.
        if self._complete:
            self._reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        # Nothing reads a trailer, and its size counts with the body's.
        if not self._head_done:
            self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        if self._complete:
            return
        headers = self.headers
        if len(headers) > HEADERS_MAX:
            self._fail("malformed", f"the answer has more than {HEADERS_MAX} headers")
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._interim = True
            self.headers = {}
            return
        coding = headers.get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":
            self._fail("malformed", "the answer has a transfer coding that nobody asked for")
            return
        self._ends_with_connection = coding is None and b"content-length" not in headers
        self.status = status
        self._head_done = True

    def on_message_complete(self) -> None:
        if self._interim:
            self._interim = False
            return
        if not self._complete:
            self._complete = self._head_done
            self._reusable = self._parser.should_keep_alive()

    def _write(self, head: bytes, body: bytes) -> None:
        self._interim = False
        if len(body) <= JOIN_BYTES_MAX:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))

    def _has_begun(self) -> bool:
        return self._wire_bytes > 0
