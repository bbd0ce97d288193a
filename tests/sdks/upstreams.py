"""What every vendor's client is tried over: a provider of each dialect."""

import pytest

from tests.four_providers import DIALECTS

UPSTREAMS = DIALECTS
FAULTS = ("rate_limited", "bad_key", "forbidden", "model_gone", "context_too_long", "server_error",
          "overloaded", "error_later", "hang_up")  # fmt: skip
SAID = "[simulated by sim/fast] You said: hello there"

over_all_upstreams = pytest.mark.parametrize("upstream", UPSTREAMS)
one_gateway = pytest.mark.xdist_group("sdks")
"""Tests that share the one gateway of a run."""

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
"""One pixel."""
