"""What a client limits or wishes for by headers."""

from decimal import ROUND_FLOOR, Decimal, InvalidOperation

import msgspec

from omniroute.routing.errors import BadRequest
from omniroute.routing.leg import HOP_HEADER
from omniroute.routing.preference import mode_named
from omniroute.routing.wire.sessions import HEADERS as SESSION_HEADERS

from ..exchange import Head, Header
from .cache import CACHE_HEADER, cache_wish
from .idempotency import NAME_HEADER

BUDGET_HEADER = b"x-omniroute-budget"
MODE_HEADER = b"x-omniroute-mode"
REQUEST_ID_HEADER = b"x-request-id"
HOP_HEADER_BYTES = HOP_HEADER.encode()
HEADER_CHARS_MAX = 200
"""The most that is kept of an id that a client names."""
BUDGET_CHARS_MAX = 40
BUDGET_USD_MAX = 1_000_000


class Wishes(msgspec.Struct, frozen=True):
    """What the headers of one request ask for.

    Attributes:
        via: the gateways that it came through.
        session: the headers that name a session.
        name: its idempotency key.
        cache_s: for how long its answer is kept; None where it does not say.
    """

    client_request_id: str | None = None
    via: str = ""
    spend_usd_nanos_max: int | None = None
    mode: str | None = None
    session: tuple[Header, ...] = ()
    name: bytes | None = None
    cache_s: int | None = None


NO_WISHES = Wishes()
_WISHED = frozenset(
    {
        *(REQUEST_ID_HEADER, HOP_HEADER_BYTES, BUDGET_HEADER, MODE_HEADER, NAME_HEADER),
        CACHE_HEADER,
        *SESSION_HEADERS,
    }
)


def wishes_of(head: Head) -> Wishes:
    """Give what a request's headers ask for.

    Raises:
        BadRequest: one of them is not understood.
    """
    named = head.named
    if _WISHED.isdisjoint(named):
        return NO_WISHES
    client_request_id, via = named.get(REQUEST_ID_HEADER), named.get(HOP_HEADER_BYTES, b"")
    budget, mode = named.get(BUDGET_HEADER), named.get(MODE_HEADER)
    cache = named.get(CACHE_HEADER)
    return Wishes(
        None if client_request_id is None else _kept(client_request_id),
        _kept(via),
        None if budget is None else budget_usd_nanos(budget),
        None if mode is None else mode_named(mode.decode("latin-1")),
        tuple([pair for pair in head.headers if pair[0] in SESSION_HEADERS]),
        named.get(NAME_HEADER),
        None if cache is None else cache_wish(cache),
    )


def _kept(value: bytes) -> str:
    return value.decode("latin-1")[:HEADER_CHARS_MAX]


def budget_usd_nanos(value: bytes) -> int:
    """Give the nano-dollars that a request may cost, never more than was said.

    Args:
        value: US dollars, such as `0.05`.

    Raises:
        BadRequest: it is no amount.
    """
    try:
        amount = Decimal(value[:BUDGET_CHARS_MAX].decode("ascii").strip())
        if amount.is_finite() and 0 <= amount <= BUDGET_USD_MAX:
            return int((amount * 1_000_000_000).to_integral_value(ROUND_FLOOR))
    except (InvalidOperation, UnicodeDecodeError):
        pass
    raise BadRequest(
        f"x-omniroute-budget is 0 to {BUDGET_USD_MAX} US dollars, such as 0.05",
        field="x-omniroute-budget",
    )
