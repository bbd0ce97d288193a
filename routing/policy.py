"""What a failed call means for what happens next, as tables keyed by its kind.

The idea: a failure that names the request as its cause ends the request, for no candidate
would do better; every other failure is the candidate's own, and the next one is tried. Only
a failure that says "this provider is not well" moves a circuit breaker. A refusal that
gives its reason (a rate limit, a credential, credit, a missing model) rests the account or
the model for a while instead: a breaker's probe would meet the same refusal.

A cooldown follows the provider's own hint where it gave one. Without a hint a rate limit or
an overload backs off, for longer with every further one in a row (health/cooldown.py; the
bases are those of the resilience profile in force). A success ends both. With no traffic
nothing happens: cooldowns end by time passing, and no timer is kept.

The times are those of the documented error table of OmniRoute 2.3.10: 120 s after a refused
credential or missing credit, up to 120 s after a rate limit and 60 s after an overload.
"""

from collections.abc import Mapping

from .errors import FailureKind

FALLS_BACK: Mapping[FailureKind, bool] = {
    "auth": True,
    "quota_exhausted": True,
    "rate_limited": True,
    "overloaded": True,
    "server_error": True,
    "bad_request": False,
    # Only to a candidate with more room: the engine compares the context sizes.
    "context_too_long": True,
    "content_policy": False,
    "model_gone": True,
    "connect": True,
    "tls": True,
    "egress_refused": True,
    "timeout_connect": True,
    "timeout_first_byte": True,
    "timeout_idle": True,
    "timeout_total": True,
    "truncated": True,
    "malformed": True,
    "too_large": True,
    "busy": True,
}
"""Whether the next candidate is tried, as long as no content has reached the client."""

COUNTS_FOR_BREAKER: Mapping[FailureKind, bool] = {
    "auth": False,
    "quota_exhausted": False,
    "rate_limited": False,
    # An overload says when it is over by its cooldown; a breaker on top would wait twice.
    "overloaded": False,
    "server_error": True,
    "bad_request": False,
    "context_too_long": False,
    "content_policy": False,
    "model_gone": False,
    "connect": True,
    "tls": True,
    "egress_refused": False,
    "timeout_connect": True,
    "timeout_first_byte": True,
    "timeout_idle": True,
    "timeout_total": True,
    "truncated": True,
    "malformed": True,
    "too_large": True,
    "busy": False,
}
"""Whether the failure is one of those in a row that open a circuit."""

COOLDOWN_S: Mapping[FailureKind, float] = {
    "auth": 120.0,
    "quota_exhausted": 120.0,
    # Holds for the one model at the account, never for the account.
    "model_gone": 600.0,
}
"""Seconds of rest after a failure without a hint, of the kinds that do not back off.

Other kinds rest not at all: a breaker watches those that repeat, and resting an only account
after one of them would refuse requests that it could have answered.
"""

BACKS_OFF: frozenset[FailureKind] = frozenset({"rate_limited", "overloaded"})
"""The kinds whose rest has a bound that doubles with every further one in a row."""

BACKOFF_S_MAX = 120.0
"""The longest back-off after rate limits."""
TRANSIENT_S_MAX = 60.0
"""The longest back-off after overloads."""


def may_fall_back(kind: FailureKind) -> bool:
    """Whether another candidate may do better; context_too_long only one with more room."""
    return FALLS_BACK[kind]


def counts_for_breaker(kind: FailureKind) -> bool:
    """Whether a circuit breaker counts this failure."""
    return COUNTS_FOR_BREAKER[kind]
