"""The benchmark of quality: what it prints is what the policies do on rows they never saw."""

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

QUESTIONS = {
    "sums": "Solve the equation x + {} = 19.",
    "programs": "Write a Python function that adds {} to a list.",
}
SCORES = {
    "sums": {"solver-7b": 1.0, "coder-7b": 0.0, "middling-7b": 0.6},
    "programs": {"solver-7b": 0.0, "coder-7b": 1.0, "middling-7b": 0.6},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hundred questions of two kinds, and a specialist for each beside one that is neither."""
    lines = [
        json.dumps({"task": task, "prompt": question.format(number)} | SCORES[task])
        for task, question in QUESTIONS.items()
        for number in range(50)
    ]
    (tmp_path / "llmrouter_9.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return tmp_path


def test_choosing_by_the_kind_of_question_finds_the_specialists(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.quality", str(folder), "--splits", "3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    gains = {
        name.strip(): float(gain)
        for name, gain in re.findall(r"^(.+?) +([+-][\d.]+) % \+-", done.stdout, re.MULTILINE)
    }
    assert done.returncode == 0, done.stderr
    assert "the best single model scores 0.600" in done.stdout
    assert gains["best single model"] == 0.0
    # From 0.6 to 1 is two thirds more; the floor under each candidate costs a part of it.
    assert gains["oracle"] == pytest.approx(66.7)
    assert gains["auto smart, fitness measured"] > 64
    assert gains["auto smart, task given"] > 64
    assert gains["random"] == pytest.approx(-11.1)
