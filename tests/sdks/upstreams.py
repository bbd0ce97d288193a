"""What every vendor's client is tried over: a provider of each dialect."""

import pytest

from tests.four_providers import DIALECTS

UPSTREAMS = DIALECTS
SAID = "[simulated by sim/fast] You said: hello there"

over_all_upstreams = pytest.mark.parametrize("upstream", UPSTREAMS)


def over_upstreams_but(left_out: str) -> pytest.MarkDecorator:
    """Give the mark of a test of what one dialect of providers does not know."""
    return pytest.mark.parametrize("upstream", [one for one in UPSTREAMS if one != left_out])


one_gateway = pytest.mark.xdist_group("sdks")
"""Tests that share the one gateway of a run."""

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
"""One pixel."""
