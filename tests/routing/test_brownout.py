"""A provider that becomes slow is felt by few: the simulation of benchmarks/, bounded."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_brown_out_raises_the_p99_by_a_fifth_at_most_for_six_percent_more_calls() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.brownout", "--check"),
            *("--policy", "p2c, hedged", "--seconds", "40", "--seed", "20261122"),
        ],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "p2c, hedged" in done.stdout
