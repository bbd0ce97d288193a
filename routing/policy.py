"""What a failed call means for what happens next, as tables keyed by its kind.

The idea: a failure that names the request as its cause ends the request, for no candidate
would do better; every other failure is the candidate's own, and the next one is tried. Only
a failure that says "this provider is not well" moves a circuit breaker. A refusal that
gives its reason (a rate limit, a credential, credit, a missing model) rests the account or
the model for a while instead: a breaker's probe would meet the same refusal. An overload does
both: it rests its model, and counts half.

A cooldown follows the provider's own hint where it gave one. Without a hint a rate limit or
an overload backs off, for longer with every further one in a row (health/cooldown.py; the
bases are those of the resilience profile in force). A success ends both. With no traffic
nothing happens: cooldowns end by time passing, and no timer is kept.

The times are those of the documented error table of OmniRoute 2.3.10: 120 s after a refused
credential or missing credit, up to 120 s after a rate limit and 60 s after an overload.
"""

from collections.abc import Mapping

from .errors import FailureKind

OUTRUN = "outrun"
"""How an attempt ended that was cut off as another one of its request had content first. It is
no failure."""

FALLS_BACK: Mapping[FailureKind, bool] = {
    "auth": True,
    "quota_exhausted": True,
    "rate_limited": True,
    "overloaded": True,
    "server_error": True,
    "bad_request": False,
    # It was not sent; a provider of the client's own dialect would be told it.
    "inexpressible": True,
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

COUNTS_FOR_BREAKER: Mapping[FailureKind, float] = {
    "auth": 0.0,
    "quota_exhausted": 0.0,
    "rate_limited": 0.0,
    # It rests its model already, and is milder than a breakdown: twice as many open a circuit.
    "overloaded": 0.5,
    "server_error": 1.0,
    "bad_request": 0.0,
    "inexpressible": 0.0,
    "context_too_long": 0.0,
    "content_policy": 0.0,
    "model_gone": 0.0,
    "connect": 1.0,
    "tls": 1.0,
    "egress_refused": 0.0,
    "timeout_connect": 1.0,
    "timeout_first_byte": 1.0,
    "timeout_idle": 1.0,
    "timeout_total": 1.0,
    "truncated": 1.0,
    "malformed": 1.0,
    "too_large": 1.0,
    "busy": 0.0,
}
"""How much the failure counts among those in a row that open a circuit; 0: not at all."""

OPENS_AT_ONCE: frozenset[FailureKind] = frozenset({"tls"})
"""The kinds that open a circuit by themselves: a certificate gets no better by asking again,
and whoever stands in between should not be sent credentials to try with."""

LOCKS_OUT: frozenset[FailureKind] = frozenset({"model_gone"})
"""The kinds that lock a model at an account out (health/lockout.py), never the account."""

COOLDOWN_S: Mapping[FailureKind, float] = {
    "auth": 120.0,
    "quota_exhausted": 120.0,
}
"""Seconds of rest after a failure without a hint, of the kinds that do not back off.

Other kinds rest not at all: a breaker watches those that repeat, and resting an only account
after one of them would refuse requests that it could have answered.
"""

BACKS_OFF: frozenset[FailureKind] = frozenset({"rate_limited", "overloaded"})
"""The kinds whose rest has a bound that doubles with every further one in a row."""

HOPELESS: frozenset[FailureKind] = frozenset(
    {
        *("auth", "quota_exhausted", "bad_request", "context_too_long", "content_policy"),
        *("model_gone", "tls", "egress_refused", "too_large"),
    }
)
"""The kinds that a client meets again when it sends the same request soon: somebody has to mend
something first."""

ADVICE: Mapping[FailureKind, str] = {
    "auth": "give the account a key that the provider takes: `omniroute providers add`",
    "quota_exhausted": "add credit at the provider, or raise its spend limit",
    "rate_limited": "wait, or add another account or model to fall back to",
    "overloaded": "wait, or add another model to fall back to",
    "server_error": "ask again; the provider's status page may know more",
    "bad_request": "mend the request: every provider would refuse it",
    "context_too_long": "send less, or ask a model with a longer context",
    "content_policy": "change what is asked: the provider refuses it by its policy",
    "model_gone": "ask for a model that the account has: `omniroute providers list`",
    "connect": "see whether the provider's address is right and can be reached",
    "tls": "see who answers at the provider's address: its certificate is not good",
    "egress_refused": "the account's address is one that the gateway does not call",
    "timeout_connect": "see whether the provider's address is right and can be reached",
    "timeout_first_byte": "ask again, or raise first_byte_s for a model that thinks for long",
    "timeout_idle": "ask again",
    "timeout_total": "ask for less, or raise total_s",
    "truncated": "ask again",
    "malformed": "see whether the base URL is right and nothing stands in between",
    "too_large": "ask for less",
    "busy": "wait, or raise the limits that the gateway keeps for it",
}
"""What somebody can do about a failure, said with it."""

BACKOFF_S_MAX = 120.0
"""The longest back-off after rate limits."""
TRANSIENT_S_MAX = 60.0
"""The longest back-off after overloads."""


def may_fall_back(kind: FailureKind) -> bool:
    """Whether another candidate may do better; context_too_long only one with more room."""
    return FALLS_BACK[kind]


def counts_for_breaker(kind: FailureKind) -> bool:
    """Whether a circuit breaker counts this failure."""
    return COUNTS_FOR_BREAKER[kind] > 0
