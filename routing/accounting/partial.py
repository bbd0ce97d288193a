"""What an answer that did not come to its end is taken to have used.

Whoever leaves an answer still pays for a part of it, and the provider does not say for which. Until
somebody reads the bill, the most that it may say is taken, by the provider's own policy:

- A stream that is left stops at most providers: then its input is billed, and what was written.
  Some write to the end all the same and bill all of it (`Provider.runs_on`), and so does every
  provider with an answer that is not streamed: what was set aside for it counts as used.
- We leave an answer when its client does, when it takes too long, and when it is too large. An
  answer that its provider broke off is billed to where it broke.
- A call that failed before its first byte is not billed, unless we left it: then its provider may
  be at work.

What was reported in between is kept where it says more: some providers tell the input, and the
output so far, before the end.
"""

from msgspec import structs

from ..conversation import Usage
from ..errors import FailureKind

LEFT_BY_US: frozenset[FailureKind] = frozenset(
    {"timeout_first_byte", "timeout_idle", "timeout_total", "too_large"}
)
"""The failures that are our own doing: the provider was still at work, as far as it said."""


def is_left(failure: FailureKind | None) -> bool:
    """Whether an answer that is not over was left by us; None is that its client has left."""
    return failure is None or failure in LEFT_BY_US


def partial_usage(reported: Usage | None, most: Usage, *, written: int, runs_on: bool) -> Usage:
    """Give the most that may be billed.

    Args:
        reported: what the provider told so far.
        most: the bounds of input and output that were set aside.
        written: the bytes that came: no token is under a byte.
        runs_on: it is written to its end all the same.
    """
    told = structs.replace(most, output_tokens=0) if reported is None else reported
    output = most.output_tokens if runs_on else min(written, most.output_tokens)
    return structs.replace(told, output_tokens=max(told.output_tokens, output))
