"""The session of the older protocol era: what it was opened with, and what it has asked to hear.

The newer era says everything in each message and has none. Source: the Model Context Protocol,
2025-11-25, "Lifecycle", "Transports" and "Resources".
"""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .relay_http import header_value

if TYPE_CHECKING:
    from http.client import HTTPResponse

KEPT_MAX = 1000
"""How many subscriptions are made again when the session is; later ones are not."""
KINDS = ("tools", "resources", "prompts")

Message = Mapping[str, Any]


class Session:
    """What later messages carry, and what a gateway that forgot it has to be told again.

    Attributes:
        opened_by: the client's `initialize`; None before it was answered.
        session_id: None while there is none, or the gateway keeps none.
        version: of the protocol, once it is agreed.
    """

    def __init__(self) -> None:
        self.opened_by: bytes | None = None
        self.session_id: str | None = None
        self.version: str | None = None
        self._changing: tuple[str, ...] = ()
        self._kept: dict[tuple[str, str], bytes] = {}

    @property
    def headers(self) -> dict[str, str]:
        """What every message after the first carries."""
        found: dict[str, str] = {}
        if self.version is not None:
            found["MCP-Protocol-Version"] = header_value(self.version)
        if self.session_id is not None:
            found["Mcp-Session-Id"] = header_value(self.session_id)
        return found

    def opened(self, line: bytes, answer: Message, response: "HTTPResponse") -> None:
        """Keep what the answer to `initialize` says."""
        result = answer.get("result")
        version = result.get("protocolVersion") if isinstance(result, dict) else None
        if not isinstance(result, dict) or not isinstance(version, str):
            return
        self.opened_by = line
        self.version = version
        self.session_id = response.headers.get("Mcp-Session-Id")
        offered = result.get("capabilities")
        if isinstance(offered, dict):
            self._changing = tuple(kind for kind in KINDS if _tells_changes(offered.get(kind)))

    def note(self, message: Message, line: bytes) -> None:
        """Keep a request that was answered well, if the session's state is changed by it."""
        method, params = message.get("method"), message.get("params")
        uri = params.get("uri") if isinstance(params, dict) else None
        if method == "logging/setLevel":
            self._kept[method, ""] = line
        elif method == "resources/subscribe" and isinstance(uri, str) and self._has_room:
            self._kept[method, uri] = line
        elif method == "resources/unsubscribe" and isinstance(uri, str):
            self._kept.pop(("resources/subscribe", uri), None)

    def kept(self) -> tuple[bytes, ...]:
        """Give the requests that make a new session what the old one was."""
        return tuple(self._kept.values())

    def missed(self) -> Iterator[bytes]:
        """Give the notifications of what may have changed while there was no session."""
        for kind in self._changing:
            yield _notification(f"notifications/{kind}/list_changed")
        for method, uri in tuple(self._kept):
            if method == "resources/subscribe":
                yield _notification("notifications/resources/updated", uri=uri)

    @property
    def _has_room(self) -> bool:
        return len(self._kept) < KEPT_MAX


def _tells_changes(offered: object) -> bool:
    return isinstance(offered, dict) and offered.get("listChanged") is True


def _notification(method: str, **params: str) -> bytes:
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if params:
        message["params"] = params
    return json.dumps(message).encode()
