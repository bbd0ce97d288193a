"""Requests as they happen, for whoever watches: a feed of what is stored, by whichever process.

Nothing runs while nobody watches. While somebody does, the store is asked every LOOK_S what came
since the last look (store/written.py), once for all who watch in this process: whoever's turn it
is looks, and hands what it finds to the others. So what is shown is on record, a request of
another worker or replica is shown as well, and the path of requests knows nothing of it.

Memory is bounded: who takes what came more slowly than it comes is told how much was passed over.
A watch ends by itself after LIFE_S, when its key is no more, and when the gateway ends; a browser
comes back by itself, says what it saw last, and is looked at anew.
"""

import asyncio
import base64
import binascii
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from omniroute.routing.access import ADMIN
from omniroute.routing.errors import BadRequest, RateLimited, StorageUnavailable
from omniroute.routing.model import Caller
from omniroute.routing.ports import Clock

from .store.database import Database, Row
from .store.written import News, Position, newest_position, written_after

LOOK_S = 0.5
BEAT_S = 10.0
LIFE_S = 300.0
LOOK_ROWS_MAX = 50
JOIN_ROWS_MAX = 200
"""Rows of each process in one look, and for who comes back: nobody reads more in half a second."""
WAITING_MAX = 500
"""Requests that wait for one who watches; older ones are passed over and told as lost."""
WATCHING_MAX = 64
BACK = 20
"""So many of each process's newest requests are told to who says nothing of what it has seen."""
AFTER_CHARS_MAX = 16_384
RETRY_MS = 1_000


class State(msgspec.Struct, frozen=True, rename="camel"):
    """How it is now.

    `calls` are under way; None for who may not know. `lost` is how many requests at most were
    passed over, None where some may have been and how many is not this key's to know.
    """

    calls: int | None
    lost: int | None


@dataclass(frozen=True, slots=True)
class _Told:
    """A request as all who watch are told it, and whose it is."""

    writer: str
    number: int
    key_id: str
    data: bytes


@dataclass(slots=True, eq=False)
class _Watch:
    """One who watches. It changes in place.

    Attributes:
        seen: up to where everything is told, or waits.
    """

    key_id: str | None
    seen: dict[str, int]
    waiting: deque[bytes] = field(default_factory=deque[bytes])
    lost: int | None = 0

    def take(self, news: News, told: Sequence[_Told]) -> None:
        """Take what came, as far as it is new here and may be seen."""
        if news.lost:
            self._lose(news.lost if self.key_id is None else None)
        for one in told:
            if one.number <= self.seen.get(one.writer, 0):
                continue
            if self.key_id not in (None, one.key_id):
                continue
            if len(self.waiting) == WAITING_MAX:
                self.waiting.popleft()
                self._lose(1)
            self.waiting.append(one.data)
        for writer, number in news.position.items():
            self.seen[writer] = max(number, self.seen.get(writer, 0))

    def _lose(self, number: int | None) -> None:
        self.lost = None if number is None or self.lost is None else self.lost + number


@dataclass(frozen=True, slots=True)
class Known:
    """What a feed knows of the gateway.

    Attributes:
        calls: gives how many calls are under way.
        still: gives the caller of a key as it is now, None where it is no more.
        shown: gives what is told of a request.
    """

    calls: Callable[[], int]
    still: Callable[[str], Caller | None]
    shown: Callable[[Row], object]


class Feed:
    """Tells requests as they are stored.

    Args:
        database: where they are stored.
        clock: the time.
        known: what is known of the gateway.
        look_s: how often the store is asked.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        known: Known,
        *,
        look_s: float = LOOK_S,
    ) -> None:
        self._database = database
        self._clock = clock
        self._known = known
        self._watching: set[_Watch] = set()
        self._position: Position = {}
        self._look_s = look_s
        self._looked_s = -look_s
        self._one_looks = asyncio.Lock()
        self._ended = asyncio.Event()

    @property
    def watching(self) -> int:
        """How many watch."""
        return len(self._watching)

    def end(self) -> None:
        """End all watches, and those that come."""
        self._ended.set()

    async def watch(self, caller: Caller, after: str = "") -> AsyncGenerator[bytes]:
        """Give server-sent events (WHATWG HTML, section 9.2, read 23 November 2026).

        An event `request` is a request; its id is what `after` says to go on behind it. An event
        `state` comes at the beginning and when something of it is another.

        Raises:
            BadRequest: `after` is no such id.
            RateLimited: WATCHING_MAX watch already.
        """
        seen = position_of(after)
        if len(self._watching) >= WATCHING_MAX:
            raise RateLimited(
                f"{WATCHING_MAX} watch the requests of this gateway already; close one of them",
                retry_after_s=BEAT_S,
            )
        key_id = None if ADMIN in caller.scopes else caller.key_id
        if seen is None:
            seen = dict(await self._database.read(newest_position(self._clock.unix(), BACK)))
        return self._events(_Watch(key_id, seen), caller)

    async def _events(self, watch: _Watch, caller: Caller) -> AsyncGenerator[bytes]:
        yield b"retry: %d\n\n" % RETRY_MS
        began_s = beaten_s = self._clock.now()
        told: State | None = None
        try:
            await self._join(watch)
            while not self._ended.is_set():
                state = self._state(watch)
                if state != told:
                    told = state
                    yield b"event: state\ndata: %b\n\n" % msgspec.json.encode(state)
                for event in self._taken(watch):
                    yield event
                now_s = self._clock.now()
                if now_s - beaten_s >= BEAT_S:
                    beaten_s = now_s
                    if now_s - began_s >= LIFE_S or not self._may(caller):
                        return
                    yield b": still here\n\n"
                await self._turn()
        except StorageUnavailable:
            # Who watches comes back by itself, and says what it has seen.
            return
        finally:
            self._watching.discard(watch)

    async def _join(self, watch: _Watch) -> None:
        """Have a watch be told of all that comes, from what it has seen on."""
        async with self._one_looks:
            # Nobody looks meanwhile: what comes after this is in the next look, and none before it.
            now_unix_s = self._clock.unix()
            unit = written_after(watch.seen, now_unix_s, JOIN_ROWS_MAX)
            news = await self._database.read(unit)
            watch.take(news, self._told(news))
            if not self._watching:
                self._position = news.position
            self._watching.add(watch)

    def _taken(self, watch: _Watch) -> list[bytes]:
        """Give what waits as events."""
        events: list[bytes] = []
        while watch.waiting:
            data = watch.waiting.popleft()
            # All that came in one look has one id at its end: who lost a part of it gets it again.
            name = b"" if watch.waiting else b"id: %b\n" % after_of(watch.seen).encode()
            events.append(b"event: request\n%bdata: %b\n\n" % (name, data))
        return events

    def _state(self, watch: _Watch) -> State:
        return State(self._known.calls() if watch.key_id is None else None, watch.lost)

    def _may(self, caller: Caller) -> bool:
        now = self._known.still(caller.key_id)
        return now is not None and not now.scopes.isdisjoint({"read:usage", ADMIN})

    async def _turn(self) -> None:
        """Wait for the next look, and look unless somebody else does."""
        try:
            async with asyncio.timeout(self._look_s):
                await self._ended.wait()
        except TimeoutError:
            await self._look()

    async def _look(self) -> None:
        async with self._one_looks:
            now_s = self._clock.now()
            if now_s - self._looked_s < self._look_s / 2:
                return
            self._looked_s = now_s
            unit = written_after(self._position, self._clock.unix(), LOOK_ROWS_MAX)
            try:
                news = await self._database.read(unit)
            except StorageUnavailable:
                # The next look begins where this one did, so nothing is passed over.
                return
            self._position = news.position
            told = self._told(news)
            for watch in self._watching:
                watch.take(news, told)

    def _told(self, news: News) -> list[_Told]:
        """Give each request as it is told, made once for all who watch."""
        return [
            _Told(writer, number, row["key_id"], msgspec.json.encode(self._known.shown(row)))
            for writer, number, row in news.rows
        ]


def after_of(position: Mapping[str, int]) -> str:
    """Give a position as an event's id."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def position_of(after: str) -> dict[str, int] | None:
    """Give the position of an event's id; None of none.

    Raises:
        BadRequest: it is no such id.
    """
    if not after:
        return None
    try:
        if len(after) > AFTER_CHARS_MAX:
            raise ValueError(after)
        data = base64.b64decode(after + "=" * (-len(after) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(data, type=dict[str, int])
    except (ValueError, binascii.Error, RecursionError):
        raise BadRequest("after is the id of an event of this feed", field="after") from None
