"""One gateway for all advisories that do not change it."""

from collections.abc import Iterator

import pytest

from tests.advisories.attacked import Attacked, attacked
from tests.processes import RunningGateway, gateway


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with attacked(tmp_path_factory.mktemp("attacked")) as made:
        yield made


@pytest.fixture(scope="session")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway that needs no key from this machine."""
    with gateway(tmp_path_factory.mktemp("keyless")) as made:
        yield made
