"""A YAML text as values that know where they stand in it.

ruamel.yaml reads it. Its marks say where a value begins; where one ends that has lines of its
own, it also counts the comments below, so that is told from the last value inside.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, SequenceNode

from .client import Json
from .formats import NotReadable

Kind = Literal["object", "list", "value", "shared"]

_GAP = r"(?:[ \t\r\n]|#[^\n]*\n)*"
_COLON = re.compile(r"[ \t]*:")
_DASH = re.compile(_GAP + "-")
_ALIAS = re.compile(_GAP + r"\*[^\s,\[\]{}]+")
_PROPERTIES = re.compile(_GAP + r"[&!][^\s]*")
_PLAIN = {"null": None, "~": None, "": None}


@dataclass(frozen=True, slots=True)
class Node:
    """A value in the text.

    Attributes:
        kind: `shared` is what stands for a value elsewhere in the text.
        start: of what stands for it; for lines of its own, of the first entry.
        end: just behind its last character, comments apart.
        after: just behind the colon or dash that it belongs to.
        column: of the entry that it is the value of; -1 for the whole text.
        flow: it is written in brackets.
        in_flow: what holds it is.
        members: an object's or a list's entries: where each begins, its name, its value.
    """

    kind: Kind
    value: Json
    start: int
    end: int
    after: int
    column: int
    flow: bool = False
    in_flow: bool = False
    members: "tuple[tuple[int, str, Node], ...]" = ()

    @property
    def is_block(self) -> bool:
        """Whether it has lines of its own."""
        return self.kind in ("object", "list") and not self.flow


def scanned(text: str) -> Node | None:
    """Give the text's value; None when there is nothing in it.

    Raises:
        NotReadable: it is not YAML, several documents, or written in a way that is not edited.
    """
    try:
        root = YAML(typ="rt", pure=True).compose(text)
        if root is None:
            return None
        return _Scan(text).node(root, _Holder(root.start_mark.index, -1))
    except RecursionError as error:
        raise NotReadable(
            "it holds a value that holds itself, or too many in one another"
        ) from error
    except (YAMLError, ValueError) as error:
        words = " ".join(str(error).split())
        raise NotReadable(f"it is not YAML: {words}") from error


@dataclass(frozen=True, slots=True)
class _Holder:
    """What holds a value: where it may begin, and the column of its entry."""

    after: int
    column: int
    in_flow: bool = False


class _Scan:
    """Reads nodes of one text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def node(self, given: Any, holder: _Holder) -> Node:
        if given.start_mark.index < holder.after:
            return self._shared(given, holder)
        match given:
            case MappingNode():
                return self._object(given, holder)
            case SequenceNode():
                return self._list(given, holder)
        start, end = given.start_mark.index, given.end_mark.index
        if start == end:
            start = end = holder.after
        elif given.style in ("|", ">"):
            end = self._literal_end(start, end)
        return self._made(holder, "value", _scalar(given), (start, end))

    def _shared(self, given: Any, holder: _Holder) -> Node:
        """Give what an alias stands for."""
        found = _ALIAS.match(self._text, holder.after)
        if found is None:
            raise NotReadable("it has an alias in a place that is not edited")
        start = found.end() - len(found[0].split()[-1])
        value = self.node(given, _Holder(given.start_mark.index, -1)).value
        return self._made(holder, "shared", value, (start, found.end()))

    def _object(self, given: Any, holder: _Holder) -> Node:
        flow = bool(given.flow_style)
        members: list[tuple[int, str, Node]] = []
        for key, inner in given.value:
            start = key.start_mark.index
            colon = _COLON.match(self._text, key.end_mark.index)
            if colon is None and not flow:
                raise NotReadable("it has a key that is no word, which is not edited")
            after = key.end_mark.index if colon is None else colon.end()
            column = start - line_start(self._text, start)
            node = self.node(inner, _Holder(after, column, flow))
            members.append((start, str(key.value), node))
        value = {name: node.value for _, name, node in members}
        return self._made(holder, "object", value, self._span(given, members), members)

    def _list(self, given: Any, holder: _Holder) -> Node:
        flow = bool(given.flow_style)
        members: list[tuple[int, str, Node]] = []
        end = self._content(given)
        for inner in given.value:
            if flow:
                start = after = inner.start_mark.index
                after = min(after, given.end_mark.index)
            else:
                dash = _DASH.match(self._text, end)
                if dash is None:
                    raise NotReadable("it has a list that is not edited")
                after, start = dash.end(), dash.end() - 1
            column = start - line_start(self._text, start)
            node = self.node(inner, _Holder(after, column, flow))
            end = node.end
            members.append((start, "", node))
        value = [node.value for _, _, node in members]
        return self._made(holder, "list", value, self._span(given, members), members)

    def _span(self, given: Any, members: list[tuple[int, str, Node]]) -> tuple[int, int]:
        if given.flow_style:
            return self._content(given), given.end_mark.index
        return members[0][0], members[-1][2].end

    def _content(self, given: Any) -> int:
        """Give where a collection begins behind its anchor and tag."""
        start: int = given.start_mark.index
        while found := _PROPERTIES.match(self._text, start):
            start = found.end()
        if given.flow_style:
            start = min(at for at in map(self._find(start), "[{") if at >= 0)
        return start

    def _find(self, start: int) -> Any:
        return lambda sign: self._text.find(sign, start)

    def _literal_end(self, start: int, end: int) -> int:
        """Give where a text of several lines ends; with a + its last lines belong to it."""
        head = self._text[start : self._text.index("\n", start)]
        if "+" in head.partition("#")[0]:
            return end - 1 if self._text[:end].endswith("\n") else end
        return start + len(self._text[start:end].rstrip())

    def _made(
        self,
        holder: _Holder,
        kind: Kind,
        value: Json,
        span: tuple[int, int],
        members: "list[tuple[int, str, Node]] | None" = None,
    ) -> Node:
        flow = members is not None and self._text[span[0] : span[0] + 1] in ("[", "{")
        return Node(
            kind,
            value,
            *span,
            holder.after,
            holder.column,
            flow=flow,
            in_flow=holder.in_flow,
            members=tuple(members or ()),
        )


def line_start(text: str, at: int) -> int:
    """Give where the line of a place begins."""
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """Give where the line of a place ends, before what ends it."""
    found = text.find("\n", at)
    if found < 0:
        return len(text)
    return found - 1 if text[found - 1 : found] == "\r" and found > at else found


def _scalar(given: Any) -> Json:
    """Give a scalar's value by its tag; what JSON has no word for as a text with its tag."""
    text, tag = str(given.value), str(given.tag)
    name = tag.rpartition(":")[2]
    readers: Mapping[str, Any] = {
        "str": str,
        "null": lambda _: None,
        "bool": lambda word: word.lower() == "true",
        "int": lambda word: int(word.replace("_", ""), 0 if word[:2].isalnum() else 10),
        "float": lambda word: float(word.replace("_", "")),
    }
    try:
        value: Json = readers[name](text)
    except (KeyError, ValueError):
        return f"{tag} {text}"
    return value
