"""One JSON-RPC message to the gateway over HTTP, and what comes back.

MCP's streamable HTTP, seen from a client: a message is a POST, its answer a JSON body or an
event stream with notifications before the answer. Source: the Model Context Protocol,
2025-11-25 and 2026-07-28, "Transports"; the header encoding is that of the latter.
"""

import base64
import json
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

CONNECT_S = 5.0
IDLE_S = 60.0
"""The longest silence of an answer; the gateway sends a sign of life every 15 s."""
ANSWER_BYTES_MAX = 64 * 2**20
READ_BYTES = 64 * 1024
WORDS_MAX = 300

META_VERSION = "io.modelcontextprotocol/protocolVersion"
NAMED: Mapping[str, str] = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""The methods whose header Mcp-Name repeats a parameter, and which."""

_PLAIN = re.compile(r"[\x20-\x7E]*")
_WRAPPED = re.compile(r"=\?base64\?.*\?=")

Message = Mapping[str, Any]


class NotReached(Exception):
    """Nobody listens there: nothing was sent."""


class BrokenOff(Exception):
    """The gateway went away, or did not speak MCP, after the message was sent."""


def modern_version(message: Message) -> str | None:
    """Give the version that a message of the newer era carries; None in the older one."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    version = meta.get(META_VERSION) if isinstance(meta, dict) else None
    return version if isinstance(version, str) else None


def modern_headers(message: Message, version: str) -> dict[str, str]:
    """Give the headers that the newer era compares with the body."""
    method = str(message.get("method"))
    headers = {"MCP-Protocol-Version": header_value(version), "Mcp-Method": header_value(method)}
    params = message.get("params")
    name = params.get(NAMED.get(method)) if isinstance(params, dict) else None
    if isinstance(name, str):
        headers["Mcp-Name"] = header_value(name)
    return headers


def header_value(text: str) -> str:
    """Give a text as a header can carry it: as it is, or wrapped in base64."""
    plain = _PLAIN.fullmatch(text) and text == text.strip() and not _WRAPPED.fullmatch(text)
    if plain:
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8', 'replace')).decode('ascii')}?="


class Exchange:
    """One POST. `cut` may be called from another thread at any time.

    Args:
        idle_s: the longest silence that is waited through.
    """

    def __init__(self, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._connection: HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._cut = False

    def open(
        self, method: str, base_url: str, body: bytes, headers: Mapping[str, str]
    ) -> HTTPResponse:
        """Send a message and give the answer's head.

        Raises:
            NotReached: nothing was sent.
            BrokenOff: it was, and no answer came.
        """
        try:
            parts = urlsplit(base_url)
            kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
            connection = kind(parts.hostname or "", parts.port, timeout=CONNECT_S)
            self._connection = connection
            connection.connect()
        except (OSError, HTTPException, ValueError) as error:
            raise NotReached(str(error)) from error
        self._hold(connection.sock)
        try:
            connection.request(method, f"{parts.path.rstrip('/')}/mcp", body, dict(headers))
            return connection.getresponse()
        except (OSError, HTTPException, ValueError) as error:
            raise BrokenOff(f"{type(error).__name__}: {error}") from error

    def cut(self) -> None:
        """Break the connection off: the gateway then cancels what it does for it."""
        with self._lock:
            self._cut = True
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the connection, whatever became of it."""
        if self._connection is not None:
            self._connection.close()

    def _hold(self, connected: socket.socket) -> None:
        with self._lock:
            self._socket = connected
            connected.settimeout(self._idle_s)
            if self._cut:
                connected.shutdown(socket.SHUT_RDWR)


def messages(response: HTTPResponse) -> Iterator[bytes]:
    """Give the JSON texts of an answer as they come.

    Raises:
        BrokenOff: the connection ended inside, was silent for too long, or too much came.
    """
    kind = response.headers.get_content_type()
    try:
        if kind == "text/event-stream":
            yield from _events(response)
        elif kind == "application/json":
            body = response.read(ANSWER_BYTES_MAX + 1)
            if len(body) > ANSWER_BYTES_MAX:
                raise BrokenOff(f"the answer is larger than {ANSWER_BYTES_MAX} bytes")
            yield body
    except (OSError, HTTPException, ValueError) as error:
        raise BrokenOff(f"{type(error).__name__}: {error}") from error


def _events(response: HTTPResponse) -> Iterator[bytes]:
    """Give the data of each event. Source: WHATWG HTML, "Server-sent events"."""
    held: list[bytes] = []
    data: list[bytes] = []
    size = 0
    while chunk := response.read1(READ_BYTES):
        held.append(chunk)
        size += len(chunk)
        if size > ANSWER_BYTES_MAX:
            raise BrokenOff(f"an event is larger than {ANSWER_BYTES_MAX} bytes")
        if b"\n" not in chunk:
            continue
        *lines, rest = b"".join(held).split(b"\n")
        held = [rest]
        for line in lines:
            text = line.rstrip(b"\r")
            if text.startswith(b"data:"):
                data.append(text[5:].removeprefix(b" "))
            elif not text:
                event = b"\n".join(data)
                # One without data only tells where to go on.
                if event:
                    yield event
                data.clear()
        size = len(rest) + sum(map(len, data))


def refusal(response: HTTPResponse) -> dict[str, Any]:
    """Give the JSON-RPC error of an answer that is none: its own, or one that tells of it."""
    with suppress(OSError, HTTPException, ValueError):
        text = response.read(READ_BYTES)
        with suppress(ValueError, RecursionError):
            body = json.loads(text)
            error = body.get("error") if isinstance(body, dict) else None
            if isinstance(error, dict) and isinstance(error.get("code"), int):
                return error
            if isinstance(error, dict) and isinstance(error.get("message"), str):
                return {"code": -32603, "message": error["message"]}
        words = text.decode("utf-8", "replace").strip()[:WORDS_MAX]
        return {
            "code": -32603,
            "message": f"the gateway answered HTTP {response.status}: {words or response.reason}",
        }
    return {"code": -32603, "message": f"the gateway answered HTTP {response.status}"}
