"""Changes made in the text of a YAML file: comments, order and all that is not changed stay.

A change is cut into the text where the value stands, and what came of it is read again: a text
that does not say exactly what was meant is never given. So what is written in a way that is not
known here, such as a value that several names share, is refused and not guessed at.
"""

import json
import re
from collections.abc import Mapping, Sequence

from .changes import Change, Put, WrongShape, applied, in_words, nested
from .client import Json, Path, Step, Where
from .formats import NotReadable
from .yaml_scan import Node, line_end, line_start, scanned

BOM = "\ufeff"
UNIT = "  "

_PLAIN = re.compile(r"[A-Za-z_/][\w./@+-]*(?: [\w./@+-]+)*|https?://[\w./:@%-]*[\w/]")
_UNPRINTABLE = re.compile(
    "[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""YAML 1.2, section 5.1, without its line ends and its byte order mark."""
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
"""What YAML 1.1 or 1.2 takes for something else than a text."""


def parsed(text: str) -> Json:
    """Give a text's values; None of a text with nothing in it.

    Raises:
        NotReadable: it is not YAML, or not one document.
    """
    root = scanned(text.removeprefix(BOM))
    return None if root is None or root.value == {} else root.value


def edited(text: str, changes: Sequence[Change]) -> str:
    """Give a text with changes made in it.

    Raises:
        NotReadable: it is not YAML, or written in a way that is not edited.
        WrongShape: something stands where an object or a list should.
    """
    mark = BOM if text.startswith(BOM) else ""
    text = text.removeprefix(BOM)
    for change in changes:
        wanted = applied(parsed(text), change)
        made = _with_change(text, change)
        if _exact(parsed(made)) != _exact(wanted or None):
            words = in_words(change.path)
            raise NotReadable(f"{words} is written in a way that is not edited here")
        text = made
    return mark + text


def _with_change(text: str, change: Change) -> str:
    root = scanned(text)
    writing = _Writing(text)
    if root is None or root.value is None:
        if not isinstance(change, Put):
            return text
        lines = _lines(nested(change.path, change.value))
        return writing.at_end(lines) if root is None else writing.root_replaced(root, lines)
    node, walked = root, 0
    for step in change.path:
        place = _place(node, step)
        if place is None:
            break
        node, walked = node.members[place][2], walked + 1
    if not isinstance(change, Put):
        return _dropped(writing, root, change.path) if walked == len(change.path) else text
    rest = change.path[walked:]
    if not rest or node.value is None:
        return writing.replaced(node, nested(rest, change.value))
    wanted = "list" if isinstance(rest[0], Where) else "object"
    if node.kind != wanted:
        raise WrongShape(f"{in_words(change.path[:walked]) or 'the file'} is no {wanted}")
    return writing.added(node, nested(rest, change.value))


class _Writing:
    """A text that is written into."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._line = "\r\n" if "\r\n" in text else "\n"

    def at_end(self, lines: Sequence[str]) -> str:
        text = self._text
        gap = self._line if text and not text.endswith("\n") else ""
        return text + gap + self._joined(lines, 0) + self._line

    def root_replaced(self, root: Node, lines: Sequence[str]) -> str:
        if root.start == root.end:
            return self.at_end(lines)
        return self.spliced(root.start, root.end, self._joined(lines, 0))

    def replaced(self, node: Node, value: Json) -> str:
        """Give the text with another value in a value's place."""
        line = _in_line(value)
        if node.in_flow:
            return self.spliced(node.start, node.end, _flow(value))
        if line is not None:
            if node.is_block or node.start == node.end:
                return self.spliced(node.after, node.end, f" {line}")
            return self.spliced(node.start, node.end, line)
        if self._text[node.after - 1] == "-":
            first, *others = _lines(value)
            tail = self._below(others, node.column + len(UNIT))
            return self.spliced(node.after, node.end, f" {first}{tail}")
        below = self._below(_lines(value), node.column + len(UNIT))
        if node.is_block:
            return self.spliced(node.after, node.end, below)
        # A comment on its line stays there.
        rest = self._text[node.end :]
        ends = line_end(rest, 0)
        return self._text[: node.after] + rest[:ends].rstrip() + below + rest[ends:]

    def added(self, node: Node, value: Json) -> str:
        """Give the text with the entry of an object or list of one at the end of another."""
        if not node.flow:
            start = node.members[0][0]
            column = start - line_start(self._text, start)
            ends = line_end(self._text, node.end)
            return self.spliced(ends, ends, self._below(_lines(value), column))
        if node.members:
            last = node.members[-1][2].end
            return self.spliced(last, last, f", {_flow(value)[1:-1]}")
        if node.column < 0:
            return self.spliced(node.start, node.end, self._joined(_lines(value), 0))
        return self.replaced(node, value)

    def without(self, node: Node, place: int) -> str:
        """Give the text without one entry of an object or a list."""
        text, members = self._text, node.members
        start, _, last = members[place]
        following = members[place + 1][0] if place + 1 < len(members) else None
        if node.flow:
            if following is not None:
                return self.spliced(start, following, "")
            return self.spliced(members[place - 1][2].end if place else start, last.end, "")
        if len(members) == 1 and node.column >= 0:
            return self.replaced(node, {} if node.kind == "object" else [])
        if text[line_start(text, start) : start].strip() and following is not None:
            return self.spliced(start, following, "")
        ends = text.find("\n", last.end) + 1
        return text[: line_start(text, start)] + (text[ends:] if ends else "")

    def spliced(self, start: int, end: int, new: str) -> str:
        return self._text[:start] + new + self._text[end:]

    def _below(self, lines: Sequence[str], column: int) -> str:
        return self._line + self._joined(lines, column) if lines else ""

    def _joined(self, lines: Sequence[str], column: int) -> str:
        return self._line.join(" " * column + line for line in lines)


def _dropped(writing: _Writing, root: Node, path: Path) -> str:
    above = root
    for step in path[:-1]:
        above = above.members[_known(above, step)][2]
    return writing.without(above, _known(above, path[-1]))


def _known(node: Node, step: Step) -> int:
    place = _place(node, step)
    assert place is not None  # noqa: S101 - the path leads to something
    return place


def _place(node: Node, step: Step) -> int | None:
    """Give the place among a value's entries that a step leads to."""
    for place, (_, name, inner) in enumerate(node.members):
        if isinstance(step, Where):
            held = inner.value
            if isinstance(held, Mapping) and held.get(step.field) == step.value:
                return place
        elif node.kind == "object" and name == step:
            return place
    return None


def _lines(value: Json) -> list[str]:
    """Give the lines of an object or a list that has entries."""
    found: list[str] = []
    if isinstance(value, Mapping):
        for name, inner in value.items():
            line = _in_line(inner)
            if line is not None:
                found.append(f"{_text(name)}: {line}")
            else:
                found += [f"{_text(name)}:", *(UNIT + one for one in _lines(inner))]
        return found
    assert isinstance(value, Sequence)  # noqa: S101 - what has no entries is in a line
    for inner in value:
        line = _in_line(inner)
        first, *others = _lines(inner) if line is None else [line]
        found += [f"- {first}", *(UNIT + one for one in others)]
    return found


def _in_line(value: Json) -> str | None:
    """Give a value that is written in a line; None when it has lines of its own."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return None if value else "{}"
    if isinstance(value, Sequence) and any(isinstance(one, Mapping | list) for one in value):
        return None
    return _flow(value)


def _flow(value: Json) -> str:
    """Give a value as JSON, which YAML reads but for what it wants escaped in its own way."""
    text = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\U{ord(found[0]):08x}", text)


def _text(text: str) -> str:
    """Give a text, in quotes where YAML could take it for something else."""
    plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS
    return text if plain else _flow(text)


def _exact(value: Json) -> str:
    """Give a form in which 1, 1.0 and true are three values."""
    return json.dumps(value)
