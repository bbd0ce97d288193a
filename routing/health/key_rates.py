"""What keys have asked for in the last minute, and how many of their requests are under way.

The promise: in any 60 seconds a key has no more requests let in than its limit, to the second,
and never more under way than it may have at once. Tokens are not known before the answer is over.
A request is let in when what it is expected to take (its input as estimated, and of its output
what answers usually have, or less where it asks for less) fits beside what is counted; what it
really took is counted when it ends, in the second in which it does. So tokens may pass their limit
by what is under way, and then nothing is let in until they have left the minute. One request that
alone is expected to take more than the limit is let in when nothing else is counted.

A minute is 61 counters of one second, in a ring, with their sum: a second leaves when all of it is
more than 60 seconds ago. A refusal says when enough will have left. What is refused counts
nothing. Where several gateways share a database, each lets in its share of a limit, and at least
one of it: together they let in no more than the limit, or one each.

Nothing here runs by itself, and a key without limits never comes here.
"""

from array import array
from collections import OrderedDict
from dataclasses import dataclass, field

from ..errors import RateLimited
from ..rates import Rates

MINUTE_S = 60
SECONDS = MINUTE_S + 1
KEYS_MAX = 4096
"""Keys that are counted for at most; of more, those go that were counted longest ago."""
BUSY_RETRY_S = 1.0
"""When a key that has too many requests under way is told to come again."""

_LAST, _REQUESTS, _TOKENS = 0, 1, 2
_HEAD = 3
COUNTERS = _HEAD + 2 * SECONDS
"""How many numbers a key's minute takes."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one request asks of its key's limits."""

    key_id: str
    rates: Rates
    tokens: int


class Minute:
    """The last minute of one key, in numbers that others may share: whoever uses it has them alone.

    Args:
        numbers: COUNTERS of them, all 0 in the beginning.
    """

    __slots__ = ("_numbers",)

    def __init__(self, numbers: "array[int] | memoryview[int]") -> None:
        self._numbers = numbers

    def forget(self, now_s: float) -> None:
        """Let seconds go that are over for a minute."""
        numbers, second = self._numbers, int(now_s)
        last = numbers[_LAST]
        for gone in range(max(last + 1, second - MINUTE_S), second + 1):
            place = _HEAD + 2 * (gone % SECONDS)
            numbers[_REQUESTS] -= numbers[place]
            numbers[_TOKENS] -= numbers[place + 1]
            numbers[place] = numbers[place + 1] = 0
        if second > last:
            numbers[_LAST] = second

    @property
    def requests(self) -> int:
        """How many requests were let in."""
        return self._numbers[_REQUESTS]

    @property
    def tokens(self) -> int:
        """How many tokens are counted."""
        return self._numbers[_TOKENS]

    def add(self, second: int, *, requests: int, tokens: int) -> None:
        """Count in a second, which is nothing where that has left."""
        numbers = self._numbers
        if second <= numbers[_LAST] - SECONDS:
            return
        place = _HEAD + 2 * (second % SECONDS)
        numbers[place] += requests
        numbers[place + 1] += tokens
        numbers[_REQUESTS] += requests
        numbers[_TOKENS] += tokens

    @property
    def last(self) -> int:
        """The second that is counted in."""
        return self._numbers[_LAST]

    def wait_s(self, now_s: float, *, what: int, too_many: int) -> float:
        """Give the seconds until so many more than may be have left."""
        numbers = self._numbers
        for second in range(numbers[_LAST] - MINUTE_S, numbers[_LAST] + 1):
            too_many -= numbers[_HEAD + 2 * (second % SECONDS) + what]
            if too_many <= 0:
                return max(second + SECONDS - now_s, 0.001)
        return float(SECONDS)


@dataclass(slots=True)
class Turn:
    """A request that was let in. It ends once.

    Attributes:
        second: the one that it is counted in.
        requests_left, tokens_left: what its key had left of the minute then, here; None is all.
    """

    need: Need
    book: "KeyRates"
    second: int
    requests_left: int | None
    tokens_left: int | None

    def end(self, tokens: int, now_s: float) -> None:
        """Give its place back, and count what it really took."""
        self.book.left(self, tokens, now_s)


@dataclass(slots=True)
class _Known:
    minute: Minute
    under_way: int = 0


@dataclass(slots=True)
class KeyRates:
    """The requests of every key with limits, in this process.

    Attributes:
        gateways: how many share the limits.
    """

    gateways: int = 1
    _known: OrderedDict[str, _Known] = field(default_factory=OrderedDict[str, _Known])

    def enter(self, need: Need, now_s: float) -> Turn:
        """Let a request in.

        Raises:
            RateLimited: a limit of its key is reached; nothing was counted.
        """
        known = self._of(need.key_id)
        turn = admit(self, known.minute, known.under_way, need, now_s)
        known.under_way += 1
        return turn

    def share(self, gateways: int) -> None:
        """Let in this gateway's share alone from now on: so many have the same limits."""
        self.gateways = max(gateways, 1)

    def left(self, turn: Turn, tokens: int, now_s: float) -> None:
        """Note that a request has ended."""
        known = self._known.get(turn.need.key_id)
        if known is not None:
            known.under_way -= 1
            settle(known.minute, turn, tokens, now_s)

    def _of(self, key_id: str) -> _Known:
        known = self._known.get(key_id)
        if known is None:
            known = self._known[key_id] = _Known(Minute(array("q", bytes(8 * COUNTERS))))
            if len(self._known) > KEYS_MAX:
                idle = (one for one, its in self._known.items() if not its.under_way)
                self._known.pop(next(idle, ""), None)
        self._known.move_to_end(key_id)
        return known


def admit(book: KeyRates, minute: Minute, under_way: int, need: Need, now_s: float) -> Turn:
    """Count a request, if its key's limits let it in.

    Raises:
        RateLimited: they do not; nothing was counted.
    """
    minute.forget(now_s)
    rates, gateways = need.rates, book.gateways
    most = _share(rates.concurrency_max, gateways)
    if most is not None and under_way >= most:
        raise _refusal(need, f"{most} requests at the same time", under_way, BUSY_RETRY_S)
    requests_max = _share(rates.requests_per_minute, gateways)
    if requests_max is not None and minute.requests >= requests_max:
        too_many = minute.requests - requests_max + 1
        wait_s = minute.wait_s(now_s, what=0, too_many=too_many)
        raise _refusal(need, f"{requests_max} requests a minute", minute.requests, wait_s)
    tokens_max = _share(rates.tokens_per_minute, gateways)
    if tokens_max is not None:
        too_many = minute.tokens + min(need.tokens, tokens_max) - tokens_max
        if too_many > 0:
            wait_s = minute.wait_s(now_s, what=1, too_many=too_many)
            raise _refusal(need, f"{tokens_max} tokens a minute", minute.tokens, wait_s)
    minute.add(minute.last, requests=1, tokens=need.tokens)
    return Turn(
        need,
        book,
        minute.last,
        None if requests_max is None else requests_max - minute.requests,
        None if tokens_max is None else max(tokens_max - minute.tokens, 0),
    )


def settle(minute: Minute, turn: Turn, tokens: int, now_s: float) -> None:
    """Count what a request really took in the place of what it was expected to take."""
    minute.forget(now_s)
    minute.add(turn.second, requests=0, tokens=-turn.need.tokens)
    minute.add(minute.last, requests=0, tokens=tokens)


def _share(limit: int | None, gateways: int) -> int | None:
    return None if limit is None else max(limit // gateways, 1)


def _refusal(need: Need, limit: str, counted: int, wait_s: float) -> RateLimited:
    return RateLimited(
        f"key {need.key_id} may have {limit} here and has {counted}: ask again in {wait_s:.0f} s, "
        "or have its limit raised (`omniroute keys change`)",
        retry_after_s=wait_s,
    )
