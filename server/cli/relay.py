"""`omniroute --mcp`: MCP on standard input and output, relayed to the running gateway.

A thin relay: each line is one JSON-RPC message and becomes one POST to the gateway's /mcp;
what comes back is written line by line. So every client that starts us shares one gateway,
one budget and one health. The gateway is looked for, and started, while standard input is
already read: a client waits for nothing but its first answer.

Nothing but protocol reaches standard output: its descriptor is put aside first, and what
anyone prints from then on goes to standard error.

Both protocol eras pass. The newer one says everything in each message; of the older one the
relay keeps the session, and opens it again when the gateway has forgotten it. A call that was
cancelled is cut off, and nothing more is said of it. When standard input ends, or the client
dies, running calls are cut and the relay ends within EXIT_S.

Standard library only and threads: importing an event loop or the SDK would take longer than
all the rest of the start.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .relay_gateway import Gateways, NoGateway
from .relay_http import (
    BrokenOff,
    Exchange,
    NotReached,
    header_value,
    messages,
    modern_headers,
    modern_version,
    refusal,
)
from .relay_stdio import LINE_BYTES_MAX, Output, claim_stdout, lines, watch_parent

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from ..settings import Settings

CALLS_MAX = 64
"""Calls that run at once; each has a thread."""
NOTIFY_S = 5.0
"""How long the gateway may take to accept a notification."""
EXIT_S = 0.5
"""How long running calls may go on after standard input has ended."""

INITIALIZED = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
INTERNAL_ERROR = -32603

Message = Mapping[str, Any]
CallKey = tuple[type, object]
"""A request's id with its type: 1 and "1" are two requests."""


def run(settings: "Settings") -> int:
    """Relay until standard input ends; gives the exit status."""
    relay = Relay(
        Output(claim_stdout()),
        Gateways(settings, os.environ.get("OMNIROUTE_BASE_URL") or None),
        api_key=settings.environment.get("OMNIROUTE_API_KEY") or None,
    )
    threading.Thread(target=watch_parent, daemon=True).start()
    try:
        for line in lines(0):
            relay.take(line)
    except KeyboardInterrupt:
        return 0
    relay.finish()
    return 0


class _Call:
    """One request in progress."""

    def __init__(self, message: Message, line: bytes) -> None:
        self.message = message
        self.line = line
        self.id = message["id"]
        self.method = str(message.get("method"))
        self.modern = modern_version(message)
        self.exchange = Exchange()
        self.cancelled = False
        self.answered = False

    @property
    def key(self) -> CallKey:
        return type(self.id), self.id


class _Session:
    """What the older era remembers between messages."""

    def __init__(self) -> None:
        self.opened_by: bytes | None = None
        self.session_id: str | None = None
        self.version: str | None = None


class Relay:
    """Takes lines of one client and relays each to the gateway."""

    def __init__(self, output: Output, gateways: Gateways, *, api_key: str | None) -> None:
        self._output = output
        self._gateways = gateways
        self._api_key = api_key
        self._output_lock = threading.Lock()
        self._lock = threading.Lock()
        self._calls: dict[CallKey, _Call] = {}
        self._idle = threading.Condition(self._lock)
        self._session = _Session()
        self._session_lock = threading.Lock()
        self._in_order = threading.Event()
        self._in_order.set()
        gateways.begin()

    def take(self, line: bytes) -> None:
        """Relay one line; never waits for the gateway."""
        if len(line) > LINE_BYTES_MAX:
            words = f"a message is at most {LINE_BYTES_MAX} bytes"
            self._say(None, _error(None, INVALID_REQUEST, words))
            return
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            self._say(None, _error(None, PARSE_ERROR, "this line is not JSON"))
            return
        if not isinstance(message, dict):
            words = "a line is one JSON-RPC message; batches are not taken"
            self._say(None, _error(None, INVALID_REQUEST, words))
        elif "id" in message and "method" in message:
            self._begin(message, line)
        else:
            self._pass_on(message, line)

    def finish(self) -> None:
        """Give running calls EXIT_S, then cut them and close the session."""
        until_s = time.monotonic() + EXIT_S
        with self._lock:
            while self._calls and (left_s := until_s - time.monotonic()) > 0:
                self._idle.wait(left_s)
            for call in self._calls.values():
                call.cancelled = True
                call.exchange.cut()
        if self._session.session_id is not None:
            closing = threading.Thread(target=self._close_session, daemon=True)
            closing.start()
            closing.join(EXIT_S / 2)

    def _begin(self, message: Message, line: bytes) -> None:
        if not _is_id(message["id"]):
            words = "a request's id is a string or an integer"
            self._say(None, _error(None, INVALID_REQUEST, words))
            return
        call = _Call(message, line)
        with self._lock:
            problem = ""
            if call.key in self._calls:
                problem = "a request with this id is still running"
            elif len(self._calls) >= CALLS_MAX:
                problem = f"{CALLS_MAX} requests are running; wait for one to end"
            else:
                self._calls[call.key] = call
        if problem:
            self._say(None, _error(call.id, INVALID_REQUEST, problem))
            return
        threading.Thread(target=self._answer, args=(call,), daemon=True).start()

    def _pass_on(self, message: Message, line: bytes) -> None:
        """Relay a notification, or an answer to the gateway."""
        method = message.get("method")
        if method == "notifications/cancelled":
            self._cancel(message, line)
        elif method == "notifications/initialized":
            self._in_order.clear()
            self._notify(line, then=self._in_order.set)
        elif self._session.version is not None:
            self._notify(line)
        # In the newer era no notification goes from a client to a server over HTTP.

    def _cancel(self, message: Message, line: bytes) -> None:
        params = message.get("params")
        wanted = params.get("requestId") if isinstance(params, dict) else None
        with self._lock:
            call = self._calls.get((type(wanted), wanted)) if _is_id(wanted) else None
            if call is None or call.method == "initialize":
                return
            call.cancelled = True
        if call.modern is not None:
            # Over HTTP the end of the connection is the newer era's word for it.
            call.exchange.cut()
            return
        # Some gateways see a cancellation only by the end of the connection.
        self._notify(line, then=call.exchange.cut)

    def _notify(self, line: bytes, then: Callable[[], None] = lambda: None) -> None:
        """Send a notification without waiting for it; `then` follows whatever became of it."""
        threading.Thread(target=self._send, args=(line, then), daemon=True).start()

    def _send(self, line: bytes, then: Callable[[], None]) -> None:
        exchange = Exchange(NOTIFY_S)
        try:
            exchange.open("POST", self._gateways.url(), line, self._headers(None)).read()
        except (NoGateway, NotReached, BrokenOff, OSError) as error:
            sys.stderr.write(f"omniroute: a notification did not arrive: {error}\n")
        finally:
            exchange.close()
            then()

    def _answer(self, call: _Call) -> None:
        try:
            if call.modern is None:
                self._in_order.wait(NOTIFY_S)
            self._relay(call)
        except NoGateway as problem:
            self._fail(call, str(problem))
        except BrokenOff as problem:
            self._fail(
                call,
                "the gateway went away while it worked on this; whether it was done is not "
                f"known, omniroute_explain_route may tell; ask again if it was not ({problem})",
            )
        finally:
            if not call.answered:
                self._fail(call, "internal error; standard error has its cause")
            call.exchange.close()
            with self._lock:
                del self._calls[call.key]
                self._idle.notify_all()

    def _fail(self, call: _Call, words: str) -> None:
        self._say(call, _error(call.id, INTERNAL_ERROR, words))
        call.answered = True

    def _relay(self, call: _Call) -> None:
        response = self._opened(call)
        if response.status != 200:
            answer = {"jsonrpc": "2.0", "id": call.id, "error": refusal(response)}
            self._say(call, json.dumps(answer).encode())
            call.answered = True
            return
        for text in messages(response):
            message = _parsed(text)
            if "method" in message:
                self._say(call, text)
                continue
            if call.method == "initialize":
                self._remember(call, message, response)
            # An error that came before the id was read has none; here it is known.
            known = message.get("id") == call.id
            self._say(call, text if known else json.dumps({**message, "id": call.id}).encode())
            call.answered = True
            return
        raise BrokenOff("it ended without an answer")

    def _opened(self, call: _Call) -> "HTTPResponse":
        """Give the answer's head. A gateway that is gone, or has forgotten the session, once."""
        url = self._gateways.url()
        moved = reopened = False
        while True:
            if call.cancelled:
                raise BrokenOff("it was cancelled")
            session_id = self._session.session_id
            try:
                response = call.exchange.open("POST", url, call.line, self._headers(call))
            except NotReached as problem:
                if moved:
                    words = f"the gateway at {url} does not answer ({problem}); is it running?"
                    raise NoGateway(words) from None
                moved, url = True, self._gateways.url(gone=url)
                continue
            forgotten = response.status == 404 and call.modern is None and session_id is not None
            if not forgotten or reopened or call.method == "initialize":
                return response
            call.exchange.close()
            reopened = True
            self._reopen(url, session_id)

    def _headers(self, call: _Call | None) -> dict[str, str]:
        headers = {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "Connection": "close",
        }
        if self._api_key is not None:
            headers["Authorization"] = f"Bearer {self._api_key}"
        if call is not None and call.modern is not None:
            headers.update(modern_headers(call.message, call.modern))
        elif call is None or call.method != "initialize":
            if self._session.version is not None:
                headers["MCP-Protocol-Version"] = header_value(self._session.version)
            if self._session.session_id is not None:
                headers["Mcp-Session-Id"] = header_value(self._session.session_id)
        return headers

    def _remember(self, call: _Call, answer: Message, response: "HTTPResponse") -> None:
        """Keep what the older era's messages will carry from here on."""
        result = answer.get("result")
        version = result.get("protocolVersion") if isinstance(result, dict) else None
        if isinstance(version, str):
            self._session.opened_by = call.line
            self._session.version = version
            self._session.session_id = response.headers.get("Mcp-Session-Id")

    def _reopen(self, url: str, forgotten: str | None) -> None:
        """Open the session again on the client's behalf: it has done nothing wrong."""
        with self._session_lock:
            if self._session.session_id != forgotten or self._session.opened_by is None:
                return
            line = self._session.opened_by
            opening = _Call(json.loads(line), line)
            try:
                response = opening.exchange.open("POST", url, line, self._headers(opening))
                for text in messages(response):
                    self._remember(opening, _parsed(text), response)
            except NotReached as problem:
                raise BrokenOff(str(problem)) from None
            finally:
                opening.exchange.close()
            self._send(INITIALIZED, lambda: None)

    def _close_session(self) -> None:
        url = self._gateways.known_url()
        exchange = Exchange(EXIT_S)
        try:
            if url is not None:
                exchange.open("DELETE", url, b"", self._headers(None)).read()
        except (NotReached, BrokenOff, OSError):
            # The session ends by itself when nobody uses it.
            return
        finally:
            exchange.close()

    def _say(self, call: _Call | None, text: bytes) -> None:
        """Write one message as one line, unless its call was cancelled."""
        if b"\n" in text or b"\r" in text:
            text = json.dumps(_parsed(text)).encode()
        # A lock of its own: a client that does not read must not keep us from its end.
        with self._output_lock:
            if call is None or not call.cancelled:
                self._output.write(text)


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise BrokenOff("it sent something that is not JSON") from None
    if not isinstance(message, dict):
        raise BrokenOff("it sent something that is not a JSON-RPC message")
    return message


def _error(request_id: object, code: int, words: str) -> bytes:
    answer = {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": words}}
    return json.dumps(answer).encode()


def _is_id(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
