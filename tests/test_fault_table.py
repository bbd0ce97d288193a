"""docs/faults.md holds every fault of the catalogue once, and names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/faults.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)

ENGINE = (*range(1, 33), 46, 51, 52)
"""The faults that the routing engine answers for: none of them may be without a test."""


def known_tests() -> set[str]:
    return {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)\(", path.read_text(encoding="utf-8"))
    }


def test_every_fault_of_the_catalogue_has_one_row() -> None:
    assert [int(number) for number, *_ in ROWS] == list(range(1, 61))


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))

    assert len(named) > 60
    assert named - known_tests() == set()


def test_every_fault_of_the_engine_has_a_test_and_what_has_none_says_so() -> None:
    without = {int(number): words for number, _, words, named in ROWS if "`test_" not in named}

    assert not without.keys() & set(ENGINE)
    assert set(without.values()) == {"not built yet"}
