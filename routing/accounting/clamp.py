"""How long an answer may be, so that what pays for it can.

A call's upper bound is its input and the longest answer it can give. Where the client set no
bound of its own, that is the model's longest answer, or OUTPUT_TOKENS_UNKNOWN_MAX where nobody
knows it: a small budget could then pay for nothing, although answers are nearly always short.
So the answer is clamped to what can be paid, and the provider is told so. That happens when the
bound is more than the request's own ceiling or the budget has left, and, where the client set
none, when it is more than HOLD_SHARE_PERCENT of what is left: a hold stands as long as the
answer runs, and a few of the longest would keep everyone else out. A bound that the client set
and the budget can pay is never touched.

The clamp stops at OUTPUT_TOKENS_FLOOR for each answer (or at what the client asked for, if that
is less): shorter ones are of no use, and the request is refused instead. The floor may take all
that is left. The refusal itself is not made here: what is left is only as last seen, so the
budgets' store judges the floor, too. Only a chat's answer can be made shorter: whatever else is
asked for is paid in full or refused.
"""

from msgspec import Struct

from ..model import Candidate, Features, Price
from .cost import TOKENS_PER_MTOK, dearest_input, output_tokens_bound, upper_bound_usd_nanos

OUTPUT_TOKENS_FLOOR = 256
HOLD_SHARE_PERCENT = 25


class Bound(Struct, frozen=True, gc=False):
    """What to set aside for a call.

    Attributes:
        output_tokens_max: what all its answers together are clamped to, None where they are not.
        least: there is no smaller one.
    """

    usd_nanos: int
    output_tokens_max: int | None = None
    least: bool = False


def least_bound(candidate: Candidate, features: Features) -> Bound:
    """Give the bound with the shortest answer that is of use; 0 when the price is unknown."""
    price = candidate.facts.price
    if price is None or not price.output or features.units_max:
        return Bound(upper_bound_usd_nanos(candidate, features), least=True)
    longest = output_tokens_bound(candidate, features)
    return _bound(price, features, min(_floor(features), longest))


def bound_within(
    candidate: Candidate, features: Features, *, ceiling: int | None, left: int | None
) -> Bound:
    """Give the bound that can be paid, or the least one.

    Args:
        candidate: who is to answer.
        features: of the request as the client wrote it.
        ceiling: what this call may cost at most, in nano-dollars.
        left: what the tightest budget has left, in nano-dollars.
    """
    full = upper_bound_usd_nanos(candidate, features)
    price = candidate.facts.price
    share = None if left is None else left * HOLD_SHARE_PERCENT // 100
    fits = left if features.output_tokens_max is not None else share
    is_paid = (ceiling is None or full <= ceiling) and (fits is None or full <= fits)
    if price is None or is_paid:
        return Bound(full)
    if not price.output or features.units_max:
        return Bound(full, least=True)
    allowed = min(one for one in (ceiling, share) if one is not None)
    rest = allowed * TOKENS_PER_MTOK - features.input_tokens_max * dearest_input(price)
    tokens = min(rest // price.output, output_tokens_bound(candidate, features))
    if tokens <= _floor(features):
        return least_bound(candidate, features)
    return _bound(price, features, tokens)


def _bound(price: Price, features: Features, tokens: int) -> Bound:
    """Give the bound of an answer of that length, whole tokens for each of several."""
    tokens = tokens // features.choices * features.choices
    exact = features.input_tokens_max * dearest_input(price) + tokens * price.output
    return Bound(
        -(-exact // TOKENS_PER_MTOK),
        None if tokens == features.output_tokens_max else tokens,
        least=tokens <= _floor(features),
    )


def _floor(features: Features) -> int:
    floor = OUTPUT_TOKENS_FLOOR * features.choices
    asked = features.output_tokens_max
    return floor if asked is None else min(floor, asked)
