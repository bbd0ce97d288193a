"""`omniroute password`: the dashboard's password, also where no gateway runs."""

import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.processes import free_port, plain_environment, run_command

Run = Callable[..., "subprocess.CompletedProcess[str]"]
PASSWORD = "seven fake horses 42"


@pytest.fixture
def omniroute(tmp_path: Path) -> Run:
    return partial(run_command, environment=plain_environment(tmp_path, PORT=str(free_port())))


def test_the_password_is_set_from_standard_input_shown_never_and_removed(
    omniroute: Run, tmp_path: Path
) -> None:
    none = omniroute("password", "show")
    weak = omniroute("password", "set", stdin="changeme")
    put = omniroute("password", "set", stdin=f"{PASSWORD}\n")
    shown = json.loads(omniroute("password", "show", "--json").stdout)
    removed, again = (omniroute("password", "remove") for _ in range(2))

    assert "no password" in none.stdout
    assert (weak.returncode, put.returncode) == (2, 0), put.stderr
    assert "12 to 1024 characters" in weak.stderr
    assert (shown["is_set"], shown["changed_by"]) == (True, "local-cli")
    assert (removed.returncode, again.returncode) == (0, 1)
    said = "".join(one.stdout + one.stderr for one in (none, weak, put, removed, again))
    assert PASSWORD not in said
    files = [one for one in (tmp_path / "data").rglob("*") if one.is_file()]
    assert files
    assert not [one for one in files if PASSWORD.encode() in one.read_bytes()]
