"""The pipe to a browser: commands go in, answers and events come out, one at a time.

Messages are JSON, each ended by a zero byte. An event is handed to whoever listens to its
session, in the order in which they come and always before a later answer: after a command has
been answered, everything that happened before it is known.

Source: chromedevtools.github.io/devtools-protocol (tot), read on 2026-11-23.
"""

import os
import select
import time
from collections.abc import Callable
from typing import Any

import orjson

Message = dict[str, Any]
Listener = Callable[[str, Message], None]

ANSWER_S_MAX = 60.0
"""How long a command may take: ten times what the slowest took on a machine in full use."""
PIECE_BYTES = 1_000_000


class CommandRefused(Exception):
    """The browser answered that it did not do what was asked."""


class BrowserGone(Exception):
    """The browser ended, or says nothing any more."""


class Pipe:
    """Both directions of one browser."""

    def __init__(self, *, reads: int, writes: int) -> None:
        self._reads = reads
        self._writes = writes
        self._left = b""
        self._messages: list[bytes] = []
        self._number = 0
        self._answers: dict[int, Message] = {}
        self._untold: set[int] = set()
        self._listeners: dict[str, Listener] = {}

    def close(self) -> None:
        os.close(self._writes)
        os.close(self._reads)

    def listen(self, session: str, listener: Listener) -> None:
        """Hand every event of a session to `listener`, with its name and parameters."""
        self._listeners[session] = listener

    def leave(self, session: str) -> None:
        """Listen to a session no more."""
        self._listeners.pop(session, None)

    def call(self, command: str, session: str = "", **parameters: Any) -> Message:
        """Send a command and give what the browser answers.

        Raises:
            CommandRefused: it answered that it could not.
            BrowserGone: it did not answer.
        """
        number = self._send(command, session, parameters)
        until = time.monotonic() + ANSWER_S_MAX
        while number not in self._answers:
            self._take(until, command)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise CommandRefused(f"{command}: {answer['error']['message']}")
        result: Message = answer["result"]
        return result

    def tell(self, command: str, session: str = "", **parameters: Any) -> None:
        """Send a command whose answer nobody waits for: what a listener may do."""
        self._untold.add(self._send(command, session, parameters))

    def take_events(self, wait_s: float) -> None:
        """Hand on the events that come within a time; returns at the first."""
        until = time.monotonic() + wait_s
        if self._messages or self._readable(until):
            self._take(until + ANSWER_S_MAX, "an event")

    def _send(self, command: str, session: str, parameters: Message) -> int:
        self._number += 1
        message: Message = {"id": self._number, "method": command, "params": parameters}
        if session:
            message["sessionId"] = session
        left = memoryview(orjson.dumps(message) + b"\0")
        try:
            while left:
                left = left[os.write(self._writes, left) :]
        except BrokenPipeError:
            raise BrowserGone(f"the browser ended before {command}") from None
        return self._number

    def _take(self, until: float, waited_for: str) -> None:
        """Take one message from the browser and hand it on."""
        while not self._messages:
            if not self._readable(until):
                raise BrowserGone(f"the browser has not answered in time: {waited_for}")
            piece = os.read(self._reads, PIECE_BYTES)
            if not piece:
                raise BrowserGone(f"the browser ended while it was asked for {waited_for}")
            *self._messages, self._left = (self._left + piece).split(b"\0")
        message: Message = orjson.loads(self._messages.pop(0))
        number = message.get("id")
        if number is None:
            listener = self._listeners.get(message.get("sessionId", ""))
            if listener is not None:
                listener(message["method"], message["params"])
        elif number in self._untold:
            self._untold.remove(number)
        else:
            self._answers[number] = message

    def _readable(self, until: float) -> bool:
        left_s = max(0.0, until - time.monotonic())
        return bool(select.select([self._reads], [], [], left_s)[0])
