"""Every statement is a constant: what comes from outside is bound, never written into SQL.

Threat T3, and the advisory CVE-2026-42208 of another gateway, whose key check joined the
Authorization header into a statement.
"""

import ast
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from omniroute.server.store.backup_file import quoted
from tests.test_house import MODULES, ROOT

SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|DROP\s+TABLE|ALTER\s+TABLE)\b",
    re.IGNORECASE | re.DOTALL,
)
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")
OF_CONSTANTS = {
    # Which columns is chosen by a Literal, from a table of theirs; what is asked for is bound.
    ("server/store/usage.py", "usage"),
    ("server/store/usage.py", "sums"),
    ("server/store/pieces.py", "_read"),
    ("server/store/calls.py", "calls"),
    ("server/store/calls.py", "steps"),
    ("server/store/calls.py", "_newest_failures"),
    ("server/store/spreads.py", "percentiles"),
    # Its columns, order and conditions are constants of the same module.
    ("server/store/tool_calls.py", "select"),
    # A backup names the tables and columns that there are, quoted; their rows are bound.
    ("server/store/backup_copy.py", "_copy"),
    ("server/store/backup_file.py", "_key_ids"),
    ("server/store/backup_file.py", "_rows_of"),
    ("server/store/restoring.py", "_fill"),
    ("server/store/restoring.py", "_pages"),
    ("server/store/restoring.py", "_replace_all"),
    ("server/store/restoring.py", "database_of_rows"),
}
"""The functions that join constants to statements, other than by the names of such."""
SERVER = [path for path in MODULES if path.relative_to(ROOT).as_posix().startswith("server/")]


def joined(tree: ast.AST) -> list[ast.AST]:
    """Give every expression that makes a text of parts: f-strings, %, +, format and join."""
    found: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.append(node)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
            found.append(node)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("format", "join", "replace")
        ):
            found.append(node)
    return found


def words_of(node: ast.AST) -> str:
    """Give the constant text within an expression."""
    texts = (one.value for one in ast.walk(node) if isinstance(one, ast.Constant))
    return " ".join(text for text in texts if isinstance(text, str))


def is_constant(node: ast.AST) -> bool:
    """Whether an f-string has only constants in it, by their names."""
    if not isinstance(node, ast.JoinedStr):
        return False
    parts = [one.value for one in node.values if isinstance(one, ast.FormattedValue)]
    return all(isinstance(one, ast.Name) and CONSTANT.fullmatch(one.id) for one in parts)


def joining(tree: ast.Module) -> set[str]:
    """Give the functions that join SQL of more than constants.

    What is joined outside of functions is made of constants, once.
    """
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    return {
        function.name
        for function in functions
        for node in joined(function)
        if SQL.search(words_of(node)) and not is_constant(node)
    }


@pytest.mark.parametrize("path", SERVER, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_function_joins_sql(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()

    made = joining(ast.parse(path.read_text(encoding="utf-8")))

    assert made - {function for module, function in OF_CONSTANTS if module == name} == set()


def test_the_functions_that_join_constants_are_still_there() -> None:
    made = {
        (name, function)
        for name in {module for module, _ in OF_CONSTANTS}
        for function in joining(ast.parse((ROOT / name).read_text(encoding="utf-8")))
    }

    assert made == OF_CONSTANTS


@pytest.mark.parametrize(
    "text",
    [
        'def f(x): return f"SELECT * FROM keys WHERE key = {x}"',
        'def f(x): return f"SELECT {COLUMNS} FROM keys WHERE key = {x}"',
        "def f(x): return \"DELETE FROM keys WHERE key = '%s'\" % x",
        'def f(x): return "UPDATE keys SET name = " + x',
        'def f(x): return "INSERT INTO keys VALUES ({})".format(x)',
    ],
)
def test_the_rule_finds_what_it_forbids(text: str) -> None:
    assert joining(ast.parse(text)) == {"f"}


@pytest.mark.parametrize("name", ["plain", 'a"b', '"; DROP TABLE keys; --', "it's", "a\\b", '""'])
def test_a_name_of_a_backup_cannot_end_its_quotes(name: str) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(f"CREATE TABLE {quoted(name)} (one INTEGER)")
        made = [row[0] for row in database.execute("SELECT name FROM sqlite_master")]

    assert made == [name]
