"""Every test of an advisory has its link, and there are as many as were promised."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
LINK = re.compile(r"https://[\w./-]+[\w]|GHSA(?:-\w{4}){3}|CVE-\d{4}-\d{4,}|issues/\d+")
ADVISORY = re.compile(r"GHSA(?:-\w{4}){3}|CVE-\d{4}-\d{4,}|(?:issues|pull)/\d+")
LEAST = 40


def written() -> list[ast.FunctionDef]:
    """Give every test function but those here."""
    files = [path for path in HERE.glob("test_*.py") if path != Path(__file__)]
    return [
        node
        for path in files
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def test_every_test_has_its_link() -> None:
    without = [one.name for one in written() if not LINK.search(ast.get_docstring(one) or "")]

    assert len(written()) >= LEAST
    assert without == []


def test_so_many_advisories_are_tried() -> None:
    named = {found for one in written() for found in ADVISORY.findall(ast.get_docstring(one) or "")}

    assert len(named) >= LEAST
