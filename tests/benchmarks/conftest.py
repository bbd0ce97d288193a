"""The load and the upstream of the benchmarks, each in both of its makes."""

import sys
from collections.abc import Iterator

import pytest

from benchmarks.machine import cores
from benchmarks.programs import Programs, programs
from benchmarks.targets import upstream

PYTHON = Programs(
    (sys.executable, "-m", "benchmarks.load"), (sys.executable, "-m", "benchmarks.upstream"), False
)


@pytest.fixture(params=["fastest", "python"])
def made(request: pytest.FixtureRequest) -> Programs:
    """The programs that this machine has, and those that every machine has."""
    return programs() if request.param == "fastest" else PYTHON


@pytest.fixture
def port(made: Programs) -> Iterator[int]:
    """An upstream that runs."""
    with upstream(made, cores()[1]) as found:
        yield found
