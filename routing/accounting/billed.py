"""What an answer is taken to have cost, also where another model gave it than was asked for.

A provider that swaps the model in silence bills one of the two, and does not say which. Until
somebody reads the bill, the dearer one is taken: a budget must not be spent beyond its cap
because a swap was believed to be cheap. A served model without a known price leaves the price
of the one that was asked for; an asked one without a price stays unknown.
"""

from collections.abc import Callable

from ..catalog.swaps import told_swap
from ..conversation import Usage
from ..model import Candidate, ModelFacts
from .cost import cost_usd_nanos


def billed_usd_nanos(
    candidate: Candidate,
    served: str | None,
    usage: Usage,
    *,
    facts: Callable[[str, str], ModelFacts],
) -> int | None:
    """Give what the answer cost in nano-dollars, None where the price is unknown."""
    asked = cost_usd_nanos(candidate.facts.price, usage)
    if asked is None or served is None or not told_swap(candidate.model, served):
        return asked
    return max(asked, cost_usd_nanos(facts(candidate.provider, served).price, usage) or 0)
