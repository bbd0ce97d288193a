"""Changes made in the text of a JSON file: all that is not changed stays as it was written.

Comments, order, spaces, the kind of line ends and a comma behind the last element stay. What is
added is indented as its neighbours are, and written on one line where they are.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .changes import Change, Put, WrongShape, in_words, nested
from .client import Json, Path, Step, Where
from .json_scan import Dialect, Node, gap_end, scanned

UNIT = "  "
LINE_CHARS_MAX = 100
LIST_CHARS_MAX = 60
BOM = "\ufeff"


def parsed(text: str, dialect: Dialect) -> Json:
    """Give a text's value; None of a text with nothing in it.

    Raises:
        NotJson: it cannot be read.
    """
    text = text.removeprefix(BOM)
    if gap_end(text, 0, dialect) == len(text):
        return None
    return scanned(text, dialect).value


def edited(text: str, changes: Sequence[Change], dialect: Dialect) -> str:
    """Give a text with changes made in it.

    Raises:
        NotJson: it cannot be read.
        WrongShape: something stands where an object or a list should.
    """
    mark = BOM if text.startswith(BOM) else ""
    text = text.removeprefix(BOM)
    for change in changes:
        text = _with_change(text, change, dialect)
    return mark + text


@dataclass(frozen=True, slots=True)
class _Writing:
    """A text, and how it is written."""

    text: str
    dialect: Dialect
    unit: str
    line_end: str

    def rendered(self, value: Json, indent: str, *, inline: bool) -> str:
        if inline:
            return json.dumps(value, ensure_ascii=False)
        return _lines(value, self.unit).replace("\n", f"{self.line_end}{indent}")

    def entry(self, step: Step, value: Json, indent: str, *, inline: bool) -> str:
        written = self.rendered(value, indent, inline=inline)
        return written if isinstance(step, Where) else f"{_quoted(step)}: {written}"

    def indent_at(self, at: int) -> str:
        """Give what the line of a place begins with."""
        line = self.text[self.text.rfind("\n", 0, at) + 1 :]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def spliced(self, start: int, end: int, new: str) -> str:
        return self.text[:start] + new + self.text[end:]


def _with_change(text: str, change: Change, dialect: Dialect) -> str:
    if gap_end(text, 0, dialect) == len(text):
        if not isinstance(change, Put):
            return text
        written = _lines(nested(change.path, change.value), UNIT)
        return f"{text.rstrip()}\n{written}\n".lstrip("\n")
    root = scanned(text, dialect)
    writing = _Writing(text, dialect, _unit(text, root), "\r\n" if "\r\n" in text else "\n")
    node, walked = root, 0
    for step in change.path:
        place = _place(node, step)
        if place is None:
            break
        node, walked = _children(node)[place][1], walked + 1
    if isinstance(change, Put):
        return _put(writing, node, change, walked)
    return _dropped(writing, root, change.path) if walked == len(change.path) else text


def _put(writing: _Writing, node: Node, change: Put, walked: int) -> str:
    rest = change.path[walked:]
    if not rest or node.value is None:
        indent = writing.indent_at(node.start)
        inline = "\n" not in writing.text
        written = writing.rendered(nested(rest, change.value), indent, inline=inline)
        return writing.spliced(node.start, node.end, written)
    step = rest[0]
    kind = list if isinstance(step, Where) else dict
    if not isinstance(node.value, kind):
        where = in_words(change.path[:walked]) or "the file"
        raise WrongShape(f"{where} is no {'list' if kind is list else 'object'}")
    value = nested(rest, change.value)
    inner = value[0] if isinstance(value, list) else value[step]  # type: ignore[index,call-overload]
    return _added(writing, node, step, inner)


def _added(writing: _Writing, node: Node, step: Step, value: Json) -> str:
    """Give the text with an element more at the end of an object or a list."""
    text, children = writing.text, _children(node)
    inline = "\n" not in text[node.start : node.end] and (bool(children) or "\n" not in text)
    indent = writing.indent_at(node.start) + writing.unit
    if not children:
        content = text[node.start + 1 : node.end - 1].rstrip()
        written = writing.entry(step, value, indent, inline=inline)
        if not inline:
            line = writing.line_end
            written = f"{line}{indent}{written}{line}{writing.indent_at(node.start)}"
        return writing.spliced(node.start + 1, node.end - 1, content + written)
    start, last = children[-1]
    if inline:
        written = writing.entry(step, value, "", inline=True)
        line_end = (text + "\n").index("\n", node.end)
        if (
            "\n" not in text
            or line_end - text.rfind("\n", 0, node.start) + len(written) < LINE_CHARS_MAX
        ):
            return writing.spliced(last.end, last.end, f", {written}")
        return _unfolded(writing, node, writing.entry(step, value, indent, inline=False))
    if not text[text.rfind("\n", 0, start) + 1 : start].strip():
        indent = writing.indent_at(start)
    after = gap_end(text, last.end, writing.dialect)
    comma = text[after] == ","
    ends = node.start + len(text[node.start : node.end - 1].rstrip())
    written = writing.entry(step, value, indent, inline=False)
    tail = f"{writing.line_end}{indent}{written}{',' if comma else ''}"
    if ends == last.end:
        tail = f"{'' if comma else ','}{tail}"
        return writing.spliced(ends, ends, tail)
    head = text[last.end : ends]
    return writing.spliced(last.end, ends, f"{'' if comma else ','}{head}{tail}")


def _unfolded(writing: _Writing, node: Node, written: str) -> str:
    """Give the text with an object or a list of one line on several, and an entry more."""
    text, outer = writing.text, writing.indent_at(node.start)
    inner = text[node.start + 1 : node.end - 1]
    starts = [start for start, _ in _children(node)]
    lines = [
        text[start:end].strip()
        for start, end in zip(starts, [*starts[1:], node.end - 1], strict=True)
    ]
    last = _children(node)[-1][1].end
    comma = "" if gap_end(text, last, writing.dialect) == node.end - 1 else ","
    lines[-1] = f"{text[starts[-1] : last]},{text[last : node.end - 1].strip().removeprefix(',')}"
    head = inner[: starts[0] - node.start - 1].strip()
    line = f"{writing.line_end}{outer}{writing.unit}"
    body = line.join([*([head] if head else []), *lines, f"{written}{comma}"])
    return writing.spliced(node.start + 1, node.end - 1, f"{line}{body}{writing.line_end}{outer}")


def _dropped(writing: _Writing, root: Node, path: Path) -> str:
    """Give the text without one element, the comma that it needs no more, and its line."""
    text, dialect = writing.text, writing.dialect
    above = root
    for step in path[:-1]:
        place = _place(above, step)
        assert place is not None  # noqa: S101 - the caller walked the path
        above = _children(above)[place][1]
    children = _children(above)
    place = _place(above, path[-1])
    assert place is not None  # noqa: S101 - the caller walked the path
    start, node = children[place]
    end = node.end
    after = gap_end(text, end, dialect)
    if text[after] == ",":
        end = after + 1
    elif place:
        # The element before is the last one now, and keeps no comma.
        comma = gap_end(text, children[place - 1][1].end, dialect)
        text = text[:comma] + text[comma + 1 :]
        start, end = start - 1, end - 1
    return _without_line(text, start, end)


def _without_line(text: str, start: int, end: int) -> str:
    """Give the text without a part, and without its line when nothing else is on that."""
    begins = text.rfind("\n", 0, start) + 1
    rest = re.compile(r"[ \t]*(?://[^\r\n]*)?").match(text, end)
    ends = end if rest is None else rest.end()
    if not text[begins:start].strip() and text[ends : ends + 2].startswith(("\n", "\r\n")):
        return text[:begins] + text[text.index("\n", ends) + 1 :]
    head, tail = text[:start].rstrip(" \t"), text[end:]
    return f"{head} {tail.lstrip(' ')}" if head.endswith(",") else head + tail


def _children(node: Node) -> list[tuple[int, Node]]:
    """Give where each element starts, with its name if it has one, and its value."""
    if node.members:
        return [(start, inner) for start, _, inner in node.members]
    return [(one.start, one) for one in node.items]


def _place(node: Node, step: Step) -> int | None:
    """Give the place among an object's or a list's elements that a step leads to."""
    if isinstance(step, Where):
        found = [
            place
            for place, one in enumerate(node.items)
            if isinstance(one.value, dict) and one.value.get(step.field) == step.value
        ]
        return found[0] if found else None
    # Of two with one name programs take the last.
    named = [place for place, (_, name, _) in enumerate(node.members) if name == step]
    return named[-1] if named else None


def _unit(text: str, root: Node) -> str:
    """Give what the file's own lines are indented by."""
    for start, _ in _children(root):
        before = text[text.rfind("\n", 0, start) + 1 : start]
        if before and not before.strip():
            return before
    return UNIT


def _lines(value: Json, unit: str, depth: int = 1) -> str:
    """Give a value on several lines, but a list of plain values that is short on one."""
    plain = json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping) and value:
        parts = [f"{_quoted(name)}: {_lines(one, unit, depth + 1)}" for name, one in value.items()]
        brackets = "{}"
    elif isinstance(value, list | tuple) and (
        len(plain) > LIST_CHARS_MAX or any(isinstance(one, Mapping | list) for one in value)
    ):
        parts = [_lines(one, unit, depth + 1) for one in value]
        brackets = "[]"
    else:
        return plain
    inner = f",\n{unit * depth}".join(parts)
    return f"{brackets[0]}\n{unit * depth}{inner}\n{unit * (depth - 1)}{brackets[1]}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
