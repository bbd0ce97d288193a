"""What a client limits or wishes for by headers."""

from decimal import ROUND_FLOOR, Decimal, InvalidOperation

from omniroute.routing.errors import BadRequest

BUDGET_HEADER = b"x-omniroute-budget"
MODE_HEADER = b"x-omniroute-mode"
BUDGET_CHARS_MAX = 40
BUDGET_USD_MAX = 1_000_000


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
