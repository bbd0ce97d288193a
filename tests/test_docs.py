"""Documents that a change of the code must change too."""

import re
import tomllib
from pathlib import Path

import pytest

from omniroute.routing import errors
from omniroute.routing.errors import RoutingError
from omniroute.server.api.openapi import document
from omniroute.tools.table import TABLE

ROOT = Path(__file__).parent.parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def subclasses(kind: type[RoutingError]) -> set[type[RoutingError]]:
    return {kind} | {one for child in kind.__subclasses__() for one in subclasses(child)}


def test_package_openapi_and_changelog_name_the_same_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert headings[0] == "Unreleased"
    assert headings[1] == VERSION
    assert document((), version=VERSION)["info"]["version"] == VERSION


def test_every_error_code_has_its_heading() -> None:
    headings = set(re.findall(r"^## (\w+)$", (ROOT / "docs/errors.md").read_text(), re.MULTILINE))
    own = {one for one in subclasses(RoutingError) if one.__module__ == errors.__name__}

    assert {one.code for one in own} <= headings


@pytest.mark.parametrize("path", [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md"])
def test_every_link_between_documents_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text())

    assert [link for link in links if not (path.parent / link).exists()] == []


def test_no_lock_names_an_address() -> None:
    folders = ("requirements", "tests/environments/*", "benchmarks/peers/*")
    locks = [lock for folder in folders for lock in ROOT.glob(f"{folder}/*.txt")]
    packages = list(ROOT.glob("tests/*/packages/*/package-lock.json"))

    assert locks
    assert packages
    assert [lock for lock in locks if "://" in lock.read_text()] == []
    # What else is an address there is where to send money to a package's author.
    assert [lock for lock in packages if '"resolved"' in lock.read_text()] == []


def test_every_mcp_tool_has_its_heading() -> None:
    headings = set(re.findall(r"^## (\w+)$", (ROOT / "docs/mcp.md").read_text(), re.MULTILINE))

    assert {tool.name for tool in TABLE} == headings
