"""JSON, JSON with comments and JSON5, read with the place of every value in the text.

The two relaxed forms differ in what they allow: comments and a comma behind the last element
(jsonc, as editors write their settings), or all that JSON5 1.0.0 adds besides: names without
quotation marks, single quotes, escapes of its own, numbers in other notations.

Source: RFC 8259; JSON5 1.0.0, https://spec.json5.org, read on 2026-11-23.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from .client import Json

Dialect = Literal["json", "jsonc", "json5"]

DEPTH_MAX = 200

_GAP = {
    "json": re.compile(r"[ \t\r\n]*"),
    "jsonc": re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*[\s\S]*?\*/)*"),
    "json5": re.compile(r"(?:[\s\ufeff]+|//[^\r\n\u2028\u2029]*|/\*[\s\S]*?\*/)*"),
}
_TEXT = re.compile(r'"(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*+"')
_TEXT5 = re.compile(
    r'"(?:[^"\\\r\n]++|\\(?:\r\n|[\s\S]))*+"|' + r"'(?:[^'\\\r\n]++|\\(?:\r\n|[\s\S]))*+'"
)
_WORD = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)\b")
_WORD5 = re.compile(
    r"[+-]?(?:Infinity|NaN|0[xX][0-9a-fA-F]+|(?:0|[1-9]\d*)?\.?\d*(?:[eE][+-]?\d+)?)(?![\w.])"
    r"|(?:true|false|null)\b"
)
_NAME5 = re.compile(r"[^\W\d][\w\u200c\u200d]*|\$[\w$]*|[\w$]+")
_ESCAPE5 = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|[\s\S]))")
_LETTERS5 = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
_ENDS5 = ("\n", "\r", "\r\n", "\u2028", "\u2029")
_CONSTANTS: dict[str, Json] = {"true": True, "false": False, "null": None}


class NotJson(Exception):
    """The text cannot be read. Says where and why."""


@dataclass(slots=True)
class Node:
    """A value and where it stands.

    Attributes:
        start: of its first character.
        end: behind its last one.
        members: of an object: where each name starts, the name, and its value.
        items: of a list.
    """

    start: int
    end: int
    value: Json
    members: list[tuple[int, str, "Node"]] = field(default_factory=list)
    items: list["Node"] = field(default_factory=list)


def scanned(text: str, dialect: Dialect) -> Node:
    """Give the one value of a text.

    Raises:
        NotJson: it is none in this dialect.
    """
    scan = _Scan(text, dialect)
    node = scan.value(scan.gap(0), 0)
    end = scan.gap(node.end)
    if end != len(text):
        raise scan.wrong(end, "more follows where the file should end")
    return node


def gap_end(text: str, at: int, dialect: Dialect) -> int:
    """Give where spaces and comments from a place on end."""
    found = _GAP[dialect].match(text, at)
    return at if found is None else found.end()


class _Scan:
    def __init__(self, text: str, dialect: Dialect) -> None:
        self.text, self.dialect = text, dialect
        self._text, self._word = (_TEXT5, _WORD5) if dialect == "json5" else (_TEXT, _WORD)

    def gap(self, at: int) -> int:
        return gap_end(self.text, at, self.dialect)

    def wrong(self, at: int, why: str) -> NotJson:
        line = self.text.count("\n", 0, at) + 1
        column = at - self.text.rfind("\n", 0, at)
        kinds = {"json": "JSON", "jsonc": "JSON with comments", "json5": "JSON5"}
        return NotJson(f"line {line}, column {column} is no {kinds[self.dialect]}: {why}")

    def value(self, at: int, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise self.wrong(at, f"it is nested more than {DEPTH_MAX} deep")
        first = self.text[at : at + 1]
        if first == "{":
            return self._object(at, depth)
        if first == "[":
            return self._list(at, depth)
        if (found := self._text.match(self.text, at)) is not None:
            return Node(at, found.end(), self._unquoted(found[0]))
        found = self._word.match(self.text, at)
        if found is None or not found[0].strip("+-."):
            raise self.wrong(at, "a value is missing" if first else "it ends too early")
        return Node(at, found.end(), _word(found[0]))

    def _object(self, at: int, depth: int) -> Node:
        node = Node(at, at, {})
        named: dict[str, Json] = {}

        def member(here: int) -> int:
            name, end = self._name(here)
            colon = self.gap(end)
            if self.text[colon : colon + 1] != ":":
                raise self.wrong(colon, "a colon is missing")
            inner = self.value(self.gap(colon + 1), depth + 1)
            node.members.append((here, name, inner))
            named[name] = inner.value
            return inner.end

        node.end = self._elements(at, "}", member)
        node.value = named
        return node

    def _list(self, at: int, depth: int) -> Node:
        node = Node(at, at, [])

        def item(here: int) -> int:
            node.items.append(self.value(here, depth + 1))
            return node.items[-1].end

        node.end = self._elements(at, "]", item)
        node.value = [one.value for one in node.items]
        return node

    def _elements(self, at: int, close: str, element: Callable[[int], int]) -> int:
        """Read elements with commas between them and give where the bracket's end is."""
        here, first = self.gap(at + 1), True
        while self.text[here : here + 1] != close:
            if not first:
                if self.text[here : here + 1] != ",":
                    raise self.wrong(here, f"a comma or {close} is missing")
                comma, here = here, self.gap(here + 1)
                if self.text[here : here + 1] == close:
                    if self.dialect == "json":
                        raise self.wrong(comma, "a comma stands behind the last element")
                    break
            here, first = self.gap(element(here)), False
        return here + 1

    def _name(self, at: int) -> tuple[str, int]:
        if (found := self._text.match(self.text, at)) is not None:
            return self._unquoted(found[0]), found.end()
        found = _NAME5.match(self.text, at) if self.dialect == "json5" else None
        if found is None:
            raise self.wrong(at, "a name in quotation marks is missing")
        return found[0], found.end()

    def _unquoted(self, text: str) -> str:
        if self.dialect == "json5":
            plain = _ESCAPE5.sub(_unescaped, text[1:-1])
            # Two escapes may be the halves of one character.
            return plain.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        value: str = json.loads(text)
        return value


def _unescaped(found: re.Match[str]) -> str:
    four, two, other = found.groups()
    if four or two:
        return chr(int(four or two, 16))
    return "" if other in _ENDS5 else _LETTERS5.get(other, other)


def _word(text: str) -> Json:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    bare = text.lstrip("+-").lower()
    if bare.startswith("0x"):
        return int(text, 16)
    return int(text) if bare.isdigit() else float(text)
