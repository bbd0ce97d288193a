"""Clients' files, checked by what the client itself has for it."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.ide_configs import FOLDER

from .closed import COMMAND
from .install import installed, node

pytestmark = pytest.mark.long

CHECK_S_MAX = 100

Validate = Callable[[str], Any]


@pytest.fixture
def openclaw(tmp_path: Path) -> Validate:
    """Give what has OpenClaw check a text as its configuration, where it can call nobody."""
    program = installed("openclaw") / "node_modules/.bin/openclaw"
    path = f"{node() / 'bin'}:{os.environ['PATH']}"

    def validate(text: str) -> Any:
        file = tmp_path / ".openclaw/openclaw.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        done = subprocess.run(
            [*COMMAND, str(program), "config", "validate", "--json"],
            env={"HOME": str(tmp_path), "PATH": path, "OMNIROUTE_API_KEY": "sk-omni-fake"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CHECK_S_MAX,
            check=False,
        )
        return json.loads(done.stdout)

    return validate


@pytest.mark.parametrize("name", ["openclaw.json", "http/openclaw.json"])
def test_openclaw_takes_what_is_written_for_it(openclaw: Validate, name: str) -> None:
    told = openclaw((FOLDER / "openclaw" / name).read_text())

    assert (told["valid"], told["warnings"]) == (True, []), told


def test_openclaw_refuses_a_word_that_it_does_not_know(openclaw: Validate) -> None:
    text = (FOLDER / "openclaw/http/openclaw.json").read_text()

    told = openclaw(text.replace('"streamable-http"', '"streamableHttp"'))

    assert [one["path"] for one in told["issues"]] == ["mcp.servers.omniroute.transport"], told
