"""`omniroute guards`: rules are set, shown and forgotten."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import plain_environment, run_command

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def omniroute(tmp_path: Path) -> Run:
    environment = plain_environment(tmp_path)

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return run_command(*words, environment=environment)

    return run


def test_a_rule_is_set_used_explained_and_forgotten(omniroute: Run) -> None:
    omniroute("guards", "set", "redact")
    omniroute("guards", "set", "off", "--combo", "cheap", "--kind", "card")
    shown = omniroute("guards", "show")
    asked = omniroute("chat", "--model", "sim/fast", "write to maria@example.org")
    told = omniroute("explain", "--last")
    rules = json.loads(omniroute("guards", "forget", "--combo", "cheap", "--json").stdout)["rules"]

    lines = shown.stdout.splitlines()
    assert [line.split() for line in lines[1:3]] == [
        ["every", "request", "redact", "off", "all"],
        ["combo", "cheap", "off", "off", "card"],
    ]
    assert "write to [EMAIL_REDACTED]" in asked.stdout
    assert "request held" in told.stdout
    assert "1 email, replaced" in told.stdout
    assert (rules["everywhere"]["requests"], rules["combos"]) == ("redact", {})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("set", "eat"), "there is no mode 'eat'"),
        (("set", "warn", "--key", "a", "--combo", "b"), "give --key or --combo"),
        (("set", "warn", "--kind", "name"), "knows no kind 'name'"),
        (("forget",), "give --key or --combo"),
    ],
)
def test_words_that_make_no_rule_are_refused(
    omniroute: Run, words: tuple[str, ...], said: str
) -> None:
    refused = omniroute("guards", *words)

    assert refused.returncode in (1, 2)
    assert said in refused.stderr
