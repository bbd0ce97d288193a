"""A gateway with four providers, each of another dialect: the simulator over HTTP."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import processes
from .processes import OMNIROUTE, RunningGateway, plain_environment

DIALECTS = ("openai_chat", "openai_responses", "anthropic", "gemini")
"""The providers' names, too."""
LISTENS = "listens on "


@contextmanager
def gateway_of_four(home: Path, models: Sequence[str]) -> Iterator[RunningGateway]:
    """Run the gateway; each provider has these models of the simulator's."""
    with simulator() as simulated, processes.gateway(home) as running:
        for dialect in DIALECTS:
            add_provider(running, simulated, dialect, models, name=dialect)
        yield running


def add_provider(
    running: RunningGateway, simulated: str, dialect: str, models: Sequence[str], *, name: str
) -> None:
    """Add the simulator to a gateway as a provider of a dialect."""
    wish = {
        "provider": name,
        "dialect": dialect,
        "base_url": simulated + ("/v1beta" if dialect == "gemini" else "/v1"),
        "models": list(models),
    }
    added = running.call("POST", "/api/providers", wish, key=running.admin_key)
    assert added.status == 201, added.body


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
