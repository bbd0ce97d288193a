"""Every example of the README and the guides runs as it is written."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import processes
from tests.a2a_door import guide
from tests.processes import RunningGateway

ROOT = Path(__file__).parent.parent
DOCUMENTS = ("README.md", "docs/a2a.md", "docs/api.md")
EXAMPLE_S_MAX = 60
ELSEWHERE = ("make run", "make test")
"""Examples that a test cannot run inside itself: CI and the other tests do."""


def examples() -> list[tuple[str, str, str]]:
    """Give (where, language, text) of every shell and Python example."""
    found = []
    # These are run where their answers are judged.
    answered = {shell for shell, _, _ in guide.examples()}
    for document in DOCUMENTS:
        blocks = re.findall(r"```(sh|python)\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
        for number, (language, text) in enumerate(blocks, 1):
            if text.strip() not in ELSEWHERE and text not in answered:
                found.append((f"{document}#{number}", language, text))
    return found


EXAMPLES = examples()


@pytest.fixture(scope="module")
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """A gateway for each document: its examples may change it, in the order they stand in."""
    with processes.gateway(tmp_path_factory.mktemp("examples")) as running:
        # `explain --last` needs a request to tell of, whichever example runs first.
        body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
        running.call("POST", "/v1/chat/completions", body)
        yield running


@pytest.mark.xdist_group("examples")
@pytest.mark.parametrize(
    ("gateway", "language", "text"),
    [(name.partition("#")[0], language, text) for name, language, text in EXAMPLES],
    ids=[name for name, _, _ in EXAMPLES],
    indirect=["gateway"],
)
def test_an_example_runs_as_it_is_written(
    gateway: RunningGateway, language: str, text: str
) -> None:
    here = text.replace("http://127.0.0.1:20128", gateway.url)
    here = here.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    command = ["bash", "-euo", "pipefail", "-c", here]
    if language == "python":
        command = [sys.executable, "-c", here]

    done = subprocess.run(
        command,
        env={
            **gateway.environment,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "GROQ_API_KEY": "sk-fake-groq",
        },
        capture_output=True,
        text=True,
        timeout=EXAMPLE_S_MAX,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert '"error"' not in done.stdout
    assert done.stdout.strip()


def test_there_are_examples_for_every_door() -> None:
    texts = "".join(text for _, _, text in EXAMPLES)

    for part in (
        "/v1/chat/completions",
        "openai",
        "mcp",
        "/a2a",
        "a2a send",
        "omniroute chat",
        "providers",
    ):
        assert part in texts
