"""Of the small faults in what guards us, tests notice nearly all, and the rest are explained."""

import re
from pathlib import Path

import pytest

from tests.mutation.areas import AREAS
from tests.mutation.run import isolated_score

ROOT = Path(__file__).parents[2]
KILLED_SHARE_MIN = 0.95
HEADING = "## Mutants that no test can notice"


def explained() -> set[str]:
    """Give the names of the mutants that docs/security.md explains."""
    text = (ROOT / "docs/security.md").read_text("utf-8")
    section = text.partition(HEADING)[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `+ ?(.*?) ?`+ \| .+ \|$", section, re.MULTILINE))


@pytest.mark.long
@pytest.mark.parametrize("area", sorted(AREAS))
def test_what_guards_us_is_noticed_when_it_breaks(area: str) -> None:
    score = isolated_score(area)

    unexplained = {one.name for one in score.survivors} - explained()
    assert score.share >= KILLED_SHARE_MIN
    assert unexplained == set()
