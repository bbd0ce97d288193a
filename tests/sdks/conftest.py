"""A gateway whose four providers each speak another dialect, for the vendors' own clients."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from tests import processes
from tests.four_providers import DIALECTS, add_provider, simulator
from tests.processes import RunningGateway

Faulty = Callable[[str, str], str]


@pytest.fixture(scope="session")
def simulated() -> Iterator[str]:
    """Give the simulator's address."""
    with simulator() as address:
        yield address


@pytest.fixture(scope="session")
def here(simulated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Give the gateway; tests must not change it."""
    with processes.gateway(tmp_path_factory.mktemp("sdks")) as running:
        for dialect in DIALECTS:
            models = ("fast", "smart", "embed")
            add_provider(running, simulated, dialect, models, name=dialect)
        yield running


@pytest.fixture(scope="session")
def faulty(here: RunningGateway, simulated: str) -> Faulty:
    """Give a model of a provider of a dialect that has a fault, and nobody has asked yet."""
    numbers = count()

    def make(dialect: str, fault: str) -> str:
        name, model = f"faulty{next(numbers)}", f"fast@fault={fault}"
        add_provider(here, simulated, dialect, (model,), name=name)
        return f"{name}/{model}"

    return make
