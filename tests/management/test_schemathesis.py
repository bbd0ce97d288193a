"""The API's document and the gateway that it describes, judged by Schemathesis.

It makes requests of the document, right ones and wrong ones, sends them in sequences that use
what was made before, and holds every answer against the document: no 5xx, no status, type, header
or shape that is not described, nothing accepted that the document forbids, no route without its
key, no method that is not told of. What is left out, and why, is in its configuration.
"""

import json
import subprocess
from pathlib import Path

import pytest

from omniroute.server.api.departed import DEPARTED, MOVED
from tests import foreign, processes

NAME = "schemathesis"
CONFIGURATION = foreign.FOLDER / NAME / "schemathesis.toml"
SECONDS_MAX = 1_800
"""It takes a minute; this ends one that hangs."""


GONE = """
[[operations]]
# A documented method that is not here says with 410 what to do instead.
include-path = "{path}"
checks.unsupported_method.enabled = false
"""


def configuration(folder: Path) -> Path:
    """Give the configuration, with what server/api/departed.py tells."""
    gone = sorted({one.path for one in DEPARTED} | {one.path for one in MOVED})
    text = CONFIGURATION.read_text() + "".join(GONE.format(path=path) for path in gone)
    made = folder / CONFIGURATION.name
    made.write_text(text)
    return made


def judged(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Have a gateway that needs keys judged."""
    with processes.gateway(folder, OMNIROUTE_REQUIRE_KEY="always") as running:
        key = f"Authorization: Bearer {running.admin_key}"
        command = foreign.python_of(NAME).with_name(NAME)
        return subprocess.run(
            [
                *(str(command), "--config-file", str(configuration(folder)), "run", "--no-color"),
                *(f"{running.url}/openapi.json", "-H", key),
                *("--report", "json", "--report-json-path", str(folder / "report.json")),
                *arguments,
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )


def test_schemathesis_finds_no_fault_in_what_is_answered(tmp_path: Path) -> None:
    done = judged(tmp_path, "--max-examples", "3", "--workers", "1", "--generation-deterministic")

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert json.loads((tmp_path / "report.json").read_text())


@pytest.mark.long
def test_schemathesis_finds_no_fault_in_many_thousand_requests(tmp_path: Path) -> None:
    done = judged(tmp_path, "--max-examples", "100")

    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
