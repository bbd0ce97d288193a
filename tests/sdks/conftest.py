"""A gateway whose four providers each speak another dialect, for the vendors' own clients."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import processes
from tests.processes import OMNIROUTE, RunningGateway, plain_environment

from .upstreams import FAULTS, UPSTREAMS

LISTENS = "listens on "


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Give the gateway; every provider is the simulator over HTTP. Tests must not change it."""
    home = tmp_path_factory.mktemp("sdks")
    with simulator() as simulated, processes.gateway(home) as running:
        for dialect in UPSTREAMS:
            wish = {
                "provider": dialect,
                "dialect": dialect,
                "base_url": simulated + ("/v1beta" if dialect == "gemini" else "/v1"),
                "models": ["fast", "smart", "embed", *(f"fast@fault={one}" for one in FAULTS)],
            }
            added = running.call("POST", "/api/providers", wish, key=running.admin_key)
            assert added.status == 201, added.body
        yield running


@contextmanager
def simulator() -> Iterator[str]:
    """Run the simulator and give its address."""
    with subprocess.Popen(
        [*OMNIROUTE, "simulator", "--port", "0"],
        env=plain_environment(Path("/nonexistent")),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        try:
            yield said.partition(LISTENS)[2].split()[0]
        finally:
            process.terminate()
