"""Changes made in the text of a TOML file: comments, order and all that is not changed stay.

tomlkit makes them in the text, and Python's own parser reads what came of it: a text that does
not say exactly what was meant is never given.
"""

import json
import re
import tomllib
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable

from .changes import Change, Put, applied, in_words, nested
from .client import Json
from .formats import NotReadable

BOM = "\ufeff"
TABLES_DEEP = 2
"""How deep a new object is a table with a header; below, it stands in a line."""


def parsed(text: str) -> Json:
    """Give a text's values; None of a text with nothing in it.

    Raises:
        NotReadable: it is not TOML.
    """
    try:
        held: Json = tomllib.loads(text.removeprefix(BOM))
    except tomllib.TOMLDecodeError as error:
        raise NotReadable(f"it is not TOML: {error}") from error
    return held or None


def edited(text: str, changes: Sequence[Change]) -> str:
    """Give a text with changes made in it.

    Raises:
        NotReadable: it is not TOML, or a value is written in a way that is not edited.
        WrongShape: something else stands where a table should.
    """
    mark = BOM if text.startswith(BOM) else ""
    text = text.removeprefix(BOM)
    for change in changes:
        text = _with_change(text, change)
    return mark + text


def _with_change(text: str, change: Change) -> str:
    held = parsed(text)
    wanted = applied(held, change)
    if _exact(wanted) == _exact(held):
        return text
    names = [step for step in change.path if isinstance(step, str)]
    assert len(names) == len(change.path)  # noqa: S101 - no row has a list of tables
    try:
        document = tomlkit.parse(text)
        if isinstance(change, Put):
            _put(document, names, change.value, depth=0)
        else:
            _drop(document, names)
        made = tomlkit.dumps(document)
    except (TOMLKitError, TypeError, ValueError) as error:
        raise _not_edited(change) from error
    made = _as_before(text, made)
    if _exact(parsed(made)) != _exact(wanted):
        raise _not_edited(change)
    return made


def _put(table: MutableMapping[str, Any], names: list[str], value: Json, *, depth: int) -> None:
    name, *rest = names
    held = table.get(name)
    if rest and isinstance(held, MutableMapping):
        _put(held, rest, value, depth=depth + 1)
        return
    table[name] = _item(nested(tuple(rest), value), table, depth)


def _drop(table: MutableMapping[str, Any], names: list[str]) -> None:
    name, *rest = names
    if rest:
        _drop(table[name], rest)
    else:
        del table[name]


def _item(value: Json, above: MutableMapping[str, Any], depth: int) -> Any:
    """Give a value as tomlkit writes it: an object as a table of its own, or in a line."""
    if not isinstance(value, Mapping):
        return tomlkit.item(value)
    if depth >= TABLES_DEEP or isinstance(above, InlineTable):
        line = tomlkit.inline_table()
        for name, inner in value.items():
            line.append(name, _item(inner, line, depth + 1))
        return line
    only_tables = bool(value) and all(isinstance(inner, Mapping) for inner in value.values())
    table = tomlkit.table(is_super_table=only_tables and depth + 1 < TABLES_DEEP)
    for name, inner in value.items():
        table.append(name, _item(inner, table, depth + 1))
    if not table.is_super_table():
        # Else the next header stands right below.
        table.add(tomlkit.nl())
    return table


def _as_before(text: str, made: str) -> str:
    """Give the new text with line ends, and blank lines around it, as the old one had them."""
    if not text.endswith("\n\n"):
        made = made.rstrip("\n") + "\n"
    if not text.strip():
        made = made.lstrip("\n")
    made = _set_off(text, made)
    return re.sub(r"\r?\n", "\r\n", made) if "\r\n" in text else made


def _set_off(text: str, made: str) -> str:
    """Give the new text with a blank line above each new table."""
    old = set(text.split("\n"))
    found: list[str] = []
    for line in made.split("\n"):
        above = found[-1] if found else ""
        if line.startswith("[") and line not in old and above and not above.startswith("["):
            found.append("")
        found.append(line)
    return "\n".join(found)


def _exact(value: Json) -> str:
    """Give a form in which 1, 1.0 and true are three values, and an empty table is none."""
    return json.dumps(_kept(value or {}), default=str, sort_keys=True)


def _kept(value: Json) -> Json:
    """Give a value without empty tables: one that held nothing but tables has no header."""
    if not isinstance(value, Mapping):
        return value
    kept = {name: _kept(inner) for name, inner in value.items()}
    return {name: inner for name, inner in kept.items() if inner != {} and inner is not None}


def _not_edited(change: Change) -> NotReadable:
    return NotReadable(f"{in_words(change.path)} is written in a way that is not edited here")
