"""The MCP SDK's refusals of messages that are none, without what was in the message.

In the older era the SDK answers such a message with its validator's words, which repeat the
values that they are about: a prompt, or a credential in the wrong place. The first line says what
is wrong, and the rest is left out.
"""

import json
from typing import Any

from starlette.types import Message, Send

REFUSED = 400


class FirstLines:
    """A `send` that leaves out all but the first line of a refusal's words."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        """Send a part of an answer; a refusal is held until all of it is there."""
        if message["type"] == "http.response.start" and message["status"] == REFUSED:
            self._start = message
            return
        start = self._start
        if start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body", False):
            return
        body = _first_line(self._body)
        length = (b"content-length", b"%d" % len(body))
        headers = [pair for pair in start.get("headers", ()) if pair[0] != b"content-length"]
        self._start = None
        await self._send({**start, "headers": [*headers, length]})
        await self._send({"type": "http.response.body", "body": body})


def _first_line(body: bytes) -> bytes:
    try:
        answer: Any = json.loads(body)
        words: str = answer["error"]["message"]
        first, more, _ = words.partition("\n")
    except (ValueError, TypeError, KeyError, AttributeError):
        return body
    if not more:
        return body
    answer["error"]["message"] = first
    return json.dumps(answer).encode()
