"""`omniroute --mcp`: MCP on standard input and output, relayed to the running gateway.

A thin relay: each line is one JSON-RPC message and becomes one POST to the gateway's /mcp;
what comes back is written line by line. So every client that starts us shares one gateway,
one budget and one health. The gateway is looked for, and started, while standard input is
already read: a client waits for nothing but its first answer.

Nothing but protocol reaches standard output: its descriptor is put aside first, and what
anyone prints from then on goes to standard error.

Both protocol eras pass. The newer one says everything in each message; of the older one the
relay keeps the session and follows its stream of notifications, and opens both again when the
gateway has forgotten them. A call that was cancelled is cut off, and nothing more is said of
it. When standard input ends, or the client dies, running calls are cut, the session is closed
and the relay ends, all within a second.

Standard library only and threads: importing an event loop or the SDK would take longer than
all the rest of the start.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeGuard

from .relay_calls import Call, Calls
from .relay_gateway import Gateways, NoGateway
from .relay_http import (
    BrokenOff,
    Exchange,
    NotReached,
    messages,
    modern_headers,
    refusal,
)
from .relay_session import Session
from .relay_stdio import LINE_BYTES_MAX, Output, lines, wait_for_parents_end
from .relay_stream import ServerStream

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from types import FrameType

    from ..settings import Settings

NOTIFY_S = 5.0
"""How long the gateway may take to accept a notification."""
EXIT_S = 0.4
"""How long running calls may go on after standard input has ended."""
CLOSE_S = 0.25
"""How long closing the session may take."""

INITIALIZED = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
INTERNAL_ERROR = -32603

Message = Mapping[str, Any]


def run(settings: "Settings", stdio: tuple[int, int]) -> NoReturn:
    """Relay until standard input ends, and end the process.

    Args:
        settings: the data folder, and what a gateway is started with.
        stdio: the descriptors of the client's lines and of ours.
    """
    heard, said = stdio
    relay = Relay(
        Output(said),
        Gateways(settings, os.environ.get("OMNIROUTE_BASE_URL") or None),
        api_key=settings.environment.get("OMNIROUTE_API_KEY") or None,
    )
    threading.Thread(target=_end_with_parent, args=(relay,), daemon=True).start()
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupt)
    try:
        for line in lines(heard):
            relay.take(line)
    except KeyboardInterrupt:
        relay.finish(within_s=0)
    else:
        relay.finish(within_s=EXIT_S)
    # Nothing is left to do: what Python does at its end would only take time.
    sys.stderr.flush()
    os._exit(0)


def _interrupt(number: int, frame: "FrameType | None") -> None:
    raise KeyboardInterrupt


def _end_with_parent(relay: "Relay") -> None:
    wait_for_parents_end()
    relay.finish(within_s=0)
    os._exit(0)


class Relay:
    """Takes lines of one client and relays each to the gateway."""

    def __init__(self, output: Output, gateways: Gateways, *, api_key: str | None) -> None:
        self._output = output
        self._gateways = gateways
        self._api_key = api_key
        self._began = f"{time.time():.3f}"
        self._output_lock = threading.Lock()
        self._calls = Calls(self._answer)
        self._session = Session()
        self._session_lock = threading.Lock()
        self._stream = ServerStream(
            gateways, self._session, self._stream_headers, lambda text: self._say(None, text)
        )
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

    def finish(self, *, within_s: float) -> None:
        """Give running calls so long, then cut them and close the session."""
        self._stream.end()
        self._calls.end(within_s)
        if self._session.session_id is not None:
            closing = threading.Thread(target=self._close_session, daemon=True)
            closing.start()
            closing.join(CLOSE_S)

    def _begin(self, message: Message, line: bytes) -> None:
        if not _is_id(message["id"]):
            words = "a request's id is a string or an integer"
            self._say(None, _error(None, INVALID_REQUEST, words))
            return
        call = Call(message, line)
        problem = self._calls.begin(call)
        if problem:
            self._say(None, _error(call.id, INVALID_REQUEST, problem))

    def _pass_on(self, message: Message, line: bytes) -> None:
        """Relay a notification, or an answer to the gateway."""
        method = message.get("method")
        if method == "notifications/cancelled":
            self._cancel(message, line)
        elif method == "notifications/initialized":
            self._in_order.clear()
            self._notify(line, then=self._begun)
        elif self._session.version is not None:
            self._notify(line)
        # In the newer era no notification goes from a client to a server over HTTP.

    def _begun(self) -> None:
        """Let calls pass that waited for the session to begin, and listen."""
        self._in_order.set()
        self._stream.follow()

    def _cancel(self, message: Message, line: bytes) -> None:
        params = message.get("params")
        wanted = params.get("requestId") if isinstance(params, dict) else None
        call = self._calls.cancelled(wanted) if _is_id(wanted) else None
        if call is None:
            return
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

    def _answer(self, call: Call) -> None:
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

    def _fail(self, call: Call, words: str) -> None:
        self._say(call, _error(call.id, INTERNAL_ERROR, words))
        call.answered = True

    def _relay(self, call: Call) -> None:
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
                self._session.opened(call.line, message, response)
            elif call.modern is None and "result" in message:
                self._session.note(call.message, call.line)
            # An error that came before the id was read has none; here it is known.
            known = message.get("id") == call.id
            self._say(call, text if known else json.dumps({**message, "id": call.id}).encode())
            call.answered = True
            return
        raise BrokenOff("it ended without an answer")

    def _opened(self, call: Call) -> "HTTPResponse":
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

    def _headers(self, call: Call | None) -> dict[str, str]:
        headers = {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "Connection": "close",
            "X-Omniroute-Session-Start": self._began,
            "X-OmniRoute-Transport": "stdio",
        }
        if self._api_key is not None:
            headers["Authorization"] = f"Bearer {self._api_key}"
        if call is not None and call.modern is not None:
            headers.update(modern_headers(call.message, call.modern))
        elif call is None or call.method != "initialize":
            headers.update(self._session.headers)
        return headers

    def _stream_headers(self) -> dict[str, str]:
        headers = self._headers(None)
        del headers["Content-Type"]
        return {**headers, "Accept": "text/event-stream"}

    def _reopen(self, url: str, forgotten: str | None) -> None:
        """Open the session again on the client's behalf: it has done nothing wrong."""
        with self._session_lock:
            if self._session.session_id != forgotten or self._session.opened_by is None:
                return
            try:
                line = self._session.opened_by
                response, answer = self._asked(url, line)
                self._session.opened(line, answer, response)
                self._send(INITIALIZED, lambda: None)
                for line in self._session.kept():
                    self._asked(url, line)
            except NotReached as problem:
                raise BrokenOff(str(problem)) from None
        self._stream.follow()
        for text in self._session.missed():
            self._say(None, text)

    def _asked(self, url: str, line: bytes) -> "tuple[HTTPResponse, Message]":
        """Ask something of our own and give the answer, empty when there is none."""
        call = Call(json.loads(line), line)
        answer: Message = {}
        try:
            response = call.exchange.open("POST", url, line, self._headers(call))
            for text in messages(response):
                answer = _parsed(text)
                if "method" not in answer:
                    break
        finally:
            call.exchange.close()
        return response, answer

    def _close_session(self) -> None:
        url = self._gateways.known_url()
        exchange = Exchange(CLOSE_S)
        try:
            if url is not None:
                exchange.open("DELETE", url, b"", self._headers(None)).read()
        except (NotReached, BrokenOff, OSError):
            # The session ends by itself when nobody uses it.
            return
        finally:
            exchange.close()

    def _say(self, call: Call | None, text: bytes) -> None:
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


def _is_id(value: object) -> TypeGuard[str | int]:
    return isinstance(value, str | int) and not isinstance(value, bool)
