"""The help, and the pages of docs/ that are made of the same tables."""

from pathlib import Path
from typing import get_args

import pytest

from omniroute.routing.access import ADMIN, PRESETS, SCOPES
from omniroute.routing.model import Dialect, Strategy
from omniroute.server.cli.command import Option
from omniroute.server.cli.commands import COMMANDS
from omniroute.server.setting import Setting
from omniroute.server.settings_names import SETTINGS

from .pages import HELP, ROOT, helps, pages

ANEW = "run `python -m tests.cli.pages` and look at the difference"


@pytest.mark.parametrize(
    "path", sorted(pages()), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_a_page_says_what_the_tables_say(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == pages()[path], ANEW


def test_no_help_is_pinned_of_a_command_that_is_gone() -> None:
    assert {path.stem for path in HELP.iterdir()} == helps().keys()


def test_no_line_of_help_is_too_long_for_a_terminal() -> None:
    lines = [line for text in helps().values() for line in text.splitlines()]

    assert max(map(len, lines)) <= 100


def test_help_lists_the_scopes_strategies_and_dialects_that_there_are() -> None:
    scope, strategy, dialect = (
        _words("keys add", "--scope"),
        _words("combos add", "--strategy"),
        _words("providers add", "--dialect"),
    )

    assert [name for name in (*SCOPES, ADMIN, *PRESETS) if name not in scope] == []
    assert [name for name in get_args(Strategy) if name not in strategy] == []
    assert [name for name in get_args(Dialect) if name not in dialect] == []


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.name)
def test_a_setting_is_told_in_whole_sentences(row: Setting) -> None:
    assert row.meaning.endswith(".")


def _words(path: str, name: str) -> str:
    found: list[Option] = [
        option
        for command in COMMANDS
        if command.path == path
        for option in command.options
        if option.name == name
    ]
    return found[0].words
