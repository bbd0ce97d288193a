"""Whether one candidate is asked again before the next one is tried.

The idea: some failures pass by themselves, so a combo may ask the same candidate again, a
moment later, `retries` times. That costs the client the delay, so it is off unless a combo
asks for it. A refusal for load (429, overloaded) is no reason to wait while another candidate
could answer at once: only the last one is asked again after it, and not before its own hint.
Everything else (a credential, a missing model, a request that is wrong) meets the same
answer again and is never repeated. Retries stop where the request's total time would.
"""

from .errors import FailureKind, UpstreamFailure
from .prepare import Patience

TRANSIENT: frozenset[FailureKind] = frozenset(
    {
        "server_error",
        "connect",
        "timeout_connect",
        "timeout_first_byte",
        "timeout_idle",
        "truncated",
        "malformed",
    }
)
REFUSED_FOR_LOAD: frozenset[FailureKind] = frozenset({"rate_limited", "overloaded"})


def wait_before_retry_s(
    failure: UpstreamFailure, patience: Patience, *, retries: int, is_last: bool
) -> float | None:
    """Give the seconds until the candidate is asked again, None when it is not.

    Args:
        failure: of its newest call.
        patience: what its combo wishes.
        retries: how often it has been asked again for this request.
        is_last: no other candidate is left to try.
    """
    if retries >= patience.retries:
        return None
    if failure.kind in TRANSIENT:
        return patience.retry_delay_s
    if failure.kind in REFUSED_FOR_LOAD and is_last:
        return max(patience.retry_delay_s, failure.retry_after_s or 0.0)
    return None
