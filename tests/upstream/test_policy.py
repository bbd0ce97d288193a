"""What a failed call means for what happens next."""

from typing import get_args

import pytest

from omniroute.routing.errors import FailureKind
from omniroute.routing.policy import (
    BACKS_OFF,
    COOLDOWN_S,
    COUNTS_FOR_BREAKER,
    FALLS_BACK,
    counts_for_breaker,
    may_fall_back,
)

KINDS = frozenset(get_args(FailureKind))


def test_every_kind_of_failure_has_a_row() -> None:
    assert FALLS_BACK.keys() == COUNTS_FOR_BREAKER.keys() == KINDS


def test_only_the_requests_own_faults_end_it() -> None:
    assert {kind for kind in KINDS if not may_fall_back(kind)} == {"bad_request", "content_policy"}


@pytest.mark.parametrize(
    "kind",
    [
        "rate_limited",
        "auth",
        "quota_exhausted",
        "model_gone",
        "bad_request",
        "inexpressible",
        "context_too_long",
        "content_policy",
        "busy",
    ],
)
def test_a_refusal_with_a_reason_opens_no_circuit(kind: FailureKind) -> None:
    assert not counts_for_breaker(kind)


@pytest.mark.parametrize("kind", ["server_error", "connect", "tls", "truncated", "timeout_idle"])
def test_a_sign_that_a_provider_is_not_well_counts(kind: FailureKind) -> None:
    assert counts_for_breaker(kind)


def test_a_kind_that_rests_for_a_fixed_time_does_not_back_off() -> None:
    assert dict(COOLDOWN_S) == {"auth": 120.0, "quota_exhausted": 120.0}
    assert not BACKS_OFF & COOLDOWN_S.keys()
