"""A gateway whose four providers each speak another dialect, for the vendors' own clients."""

from collections.abc import Iterator

import pytest

from tests.four_providers import gateway_of_four
from tests.processes import RunningGateway

from .upstreams import FAULTS


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Give the gateway; tests must not change it."""
    models = ("fast", "smart", "embed", *(f"fast@fault={one}" for one in FAULTS))
    with gateway_of_four(tmp_path_factory.mktemp("sdks"), models) as running:
        yield running
