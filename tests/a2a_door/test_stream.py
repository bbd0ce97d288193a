"""A stream of events under a clock of its own: heartbeats, readers that leave, slow readers."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from starlette.types import Message, Scope

from omniroute.a2a.stream import HEARTBEAT_S, PING, SEND_S_MAX, EventStream
from tests import virtual

SCOPE: Scope = {"type": "http"}


@dataclass
class Reader:
    """A client of a stream: `takes` is cleared when it takes nothing, `leaves` set when it goes."""

    got: list[tuple[float, bytes]] = field(default_factory=list[tuple[float, bytes]])
    takes: asyncio.Event = field(default_factory=asyncio.Event)
    leaves: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False
    closed: bool = False

    async def send(self, message: Message) -> None:
        await self.takes.wait()
        if message["type"] == "http.response.body":
            self.ended = not message.get("more_body", False)
            self.got.append((asyncio.get_running_loop().time(), message["body"]))

    async def receive(self) -> Message:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def events(self, *pauses_s: float) -> AsyncGenerator[bytes]:
        """Give an event after each pause."""
        try:
            for pause_s in pauses_s:
                await asyncio.sleep(pause_s)
                yield b"data: {}\n\n"
        finally:
            self.closed = True


def test_a_stream_that_has_nothing_to_say_sends_comments() -> None:
    async def run() -> None:
        reader = Reader()
        reader.takes.set()
        pauses_s = (2.5 * HEARTBEAT_S, HEARTBEAT_S / 2, HEARTBEAT_S / 2)
        await EventStream(reader.events(*pauses_s))(SCOPE, reader.receive, reader.send)

        pings_s = [at_s for at_s, body in reader.got if body == PING]
        assert pings_s == [HEARTBEAT_S, 2 * HEARTBEAT_S]
        assert sum(body.startswith(b"data") for _, body in reader.got) == len(pauses_s)
        assert reader.ended
        assert reader.closed

    virtual.run(run())


def test_a_reader_that_leaves_ends_its_stream_at_once() -> None:
    async def run() -> None:
        reader = Reader()
        reader.takes.set()
        loop = asyncio.get_running_loop()
        loop.call_later(5.0, reader.leaves.set)
        await EventStream(reader.events(1.0, 1e6))(SCOPE, reader.receive, reader.send)

        assert loop.time() == 5.0
        assert reader.closed
        assert not reader.ended

    virtual.run(run())


def test_a_reader_that_takes_nothing_is_left_after_a_while() -> None:
    async def run() -> None:
        reader = Reader()
        reader.takes.set()
        loop = asyncio.get_running_loop()
        loop.call_later(1.5, reader.takes.clear)
        await EventStream(reader.events(1.0, 1.0, 1e6))(SCOPE, reader.receive, reader.send)

        assert loop.time() == 2.0 + SEND_S_MAX
        assert reader.closed
        assert not reader.ended

    virtual.run(run())


def test_a_reader_that_takes_no_heartbeat_is_left_after_a_while() -> None:
    async def run() -> None:
        reader = Reader()
        reader.takes.set()
        loop = asyncio.get_running_loop()
        loop.call_later(0.5, reader.takes.clear)
        await EventStream(reader.events(1e6))(SCOPE, reader.receive, reader.send)

        assert loop.time() == HEARTBEAT_S + SEND_S_MAX
        assert reader.closed

    virtual.run(run())
