"""What every test may use."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import processes
from tests.browser.browser import Browser, running
from tests.canaries.plugin import (
    pytest_configure,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
    pytest_unconfigure,
)
from tests.processes import RunningGateway

__all__ = [
    "pytest_configure",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
    "pytest_unconfigure",
]

settings.register_profile(
    "untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")
# A property that takes long shows a busy machine, and no fault.


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have collections of garbage pass over thousands of tests, and all that they import.

    Going through them stops a process for a second: long enough for what it talks to to give up.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A keyless gateway with nothing but the simulator; tests must not change it."""
    with processes.gateway(tmp_path_factory.mktemp("shared")) as running:
        yield running


@pytest.fixture
def running_gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    """A keyless gateway of the test's own."""
    with processes.gateway(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium of the worker's; each page that a test opens has cookies of its own."""
    with running() as browser:
        yield browser
