"""Answers that are given again to the same question of the same key, where that is asked for.

Off by default. A client asks for it request by request (`x-omniroute-cache: 600`, in seconds), or
the gateway's setting does so for all; `x-omniroute-cache: off` asks the models in any case. An
answer is kept by everything that it depends on: the key and what it may do, the whole body, the
headers that reach the provider, and the version of the configuration, so that any change of it
begins anew. Only good answers are kept, in memory and of this process alone; a no-log key keeps
nothing. Whoever gets one pays nothing, and no provider is called.
"""

from collections import OrderedDict
from hashlib import blake2b

import msgspec

from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Caller, RouteRequest

from ..exchange import Exchange, Head, Wait, headers_of, line, lines_of

CACHE_HEADER = b"x-omniroute-cache"
KEPT_S_MAX = 86_400
ANSWER_BYTES_MAX = 4 * 2**20
"""A longer answer is not kept."""
CACHE_BYTES_MAX = 64 * 2**20
"""What all kept answers take together; the one not asked for longest goes first."""

MISS = line(CACHE_HEADER, "miss")
_OF_ONE_CALL = (
    *(b"x-omniroute-cost", b"x-omniroute-budget"),
    *(b"x-ratelimit-", b"anthropic-ratelimit-", b"retry-after"),
)
"""Lines of what one call cost and left, which say nothing of the next one."""


def cache_wish(value: bytes) -> int:
    """Give for how many seconds the header asks to keep an answer; 0 is not at all.

    Raises:
        BadRequest: it is neither a number of seconds nor `off`.
    """
    word = value.strip().lower()
    if word == b"off":
        return 0
    if word.isdigit() and int(word) <= KEPT_S_MAX:
        return int(word)
    raise BadRequest(
        f"x-omniroute-cache is a whole number of seconds up to {KEPT_S_MAX}, or off",
        field="x-omniroute-cache",
    )


class Kept(msgspec.Struct, frozen=True, gc=False):
    """An answer as it was sent: its status was 200."""

    lines: bytes
    body: bytes
    made_s: float
    until_s: float

    @property
    def size_bytes(self) -> int:
        """What it takes."""
        return len(self.lines) + len(self.body)


class ResponseCache:
    """Kept answers of one process, by name."""

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size_bytes(self) -> int:
        """What all kept answers take."""
        return self._bytes

    def find(self, name: bytes, now_s: float) -> Kept | None:
        """Give an answer that is still good."""
        kept = self._kept.get(name)
        if kept is not None and kept.until_s <= now_s:
            self._drop(name)
            kept = None
        if kept is None:
            self.misses += 1
            return None
        self.hits += 1
        self._kept.move_to_end(name)
        return kept

    def clear(self, now_s: float) -> tuple[int, int]:
        """Forget all answers; gives how many there were, and how many of them had run out."""
        expired = sum(one.until_s <= now_s for one in self._kept.values())
        removed = len(self._kept)
        self._kept.clear()
        self._bytes = 0
        return removed, expired

    def keep(self, name: bytes, lines: bytes, body: bytes, now_s: float, kept_s: float) -> None:
        """Keep a good answer, unless it is too long."""
        told = [one for one in headers_of(lines) if not one[0].startswith(_OF_ONE_CALL)]
        kept = Kept(lines_of(told), body, now_s, now_s + kept_s)
        if kept.size_bytes > ANSWER_BYTES_MAX:
            return
        if name in self._kept:
            self._drop(name)
        self._kept[name] = kept
        self._bytes += kept.size_bytes
        while self._bytes > CACHE_BYTES_MAX:
            self._drop(next(iter(self._kept)))

    def _drop(self, name: bytes) -> None:
        self._bytes -= self._kept.pop(name).size_bytes


def cache_name(request: RouteRequest, caller: Caller, *, config_version: int) -> bytes:
    """Give the name of all that an answer depends on."""
    operation = request.operation
    about = (
        caller.key_id,
        sorted(caller.scopes),
        caller.models,
        config_version,
        request.target,
        request.mode,
        request.spend_usd_nanos_max,
        operation.dialect,
        operation.features.stream,
        operation.headers,
        operation.query,
    )
    head = msgspec.json.encode(about)
    return blake2b(b"%d\0%b%b" % (len(head), head, operation.body), digest_size=32).digest()


async def send_kept(exchange: Exchange, kept: Kept, now_s: float, *, stream: bool) -> None:
    """Answer with what was kept; a stream comes at once."""
    age = b"age: %d\r\n" % max(int(now_s - kept.made_s), 0)
    lines = kept.lines + line(CACHE_HEADER, "hit") + age
    wait = exchange.start(200, lines) if stream else exchange.whole(200, lines, kept.body)
    if wait is not None:
        await wait
    if stream and (wait := exchange.end(kept.body)) is not None:
        await wait


class Tape:
    """An Exchange that notes what a stream sends, up to ANSWER_BYTES_MAX.

    Attributes:
        lines: of the answer's head.
        parts: what was sent; None where it became too much.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.head: Head = exchange.head
        self.body = exchange.body
        self.lines = b""
        self.parts: list[bytes] | None = []
        self._exchange = exchange
        self._bytes = 0

    async def read(self, bytes_max: int) -> bytes:
        """Give the body when it is here."""
        return await self._exchange.read(bytes_max)

    def whole(self, status: int, lines: bytes, body: bytes) -> Wait:
        """Answer with a body that is complete: a stream does so only where it failed."""
        self.parts = None
        return self._exchange.whole(status, lines, body)

    def start(self, status: int, lines: bytes) -> Wait:
        """Begin the answer."""
        self.lines = lines
        return self._exchange.start(status, lines + MISS)

    def write(self, data: bytes) -> Wait:
        """Send a part of the answer, and note it."""
        self._note(data)
        return self._exchange.write(data)

    def end(self, data: bytes = b"") -> Wait:
        """Send the last part, and note it."""
        self._note(data)
        return self._exchange.end(data)

    def _note(self, data: bytes) -> None:
        self._bytes += len(data)
        if self._bytes > ANSWER_BYTES_MAX:
            self.parts = None
        elif self.parts is not None:
            self.parts.append(data)
