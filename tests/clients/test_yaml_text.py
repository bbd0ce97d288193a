"""YAML changed in place: the data as wished, all else as it was written."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from omniroute.server.clients.changes import Drop, Put, WrongShape, applied
from omniroute.server.clients.client import Json, Where
from omniroute.server.clients.formats import NotReadable
from omniroute.server.clients.yaml_text import edited, parsed

NAMES = st.sampled_from(["a", "b", "extensions", "omni-route", "ä", "with space", "no", "1"])
WORDS = st.sampled_from(
    ["", "x", "yes", "NULL", "~", "1", "1.5", "0x1f", "a: b", "a #b", "- a", "*x", "&y", "!t", "😀"]
)
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    WORDS,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
BEHIND = st.sampled_from(["", "  # behind: it", " # - it's"])
BETWEEN: st.SearchStrategy[list[str]] = st.sampled_from([[], [""], ["# between: [them", "  # - b"]])


@st.composite
def written(draw: st.DrawFn, value: Any = None) -> tuple[str, Any]:
    """Give data, and a text of it as people write YAML: in blocks or brackets, with comments."""
    value = draw(OBJECTS) if value is None else value

    def quoted(one: Any) -> str:
        return json.dumps(one).encode("utf-16", "surrogatepass").decode("utf-16")

    def plain(one: Any) -> str:
        # Surrogate pairs are JSON's, not YAML's.
        text = json.dumps(one, ensure_ascii=False)
        return text if text.isprintable() else quoted(one)

    def lines(one: Any, indent: str) -> list[str]:
        found: list[str] = []
        for entry in one.items() if isinstance(one, dict) else [(None, inner) for inner in one]:
            name, inner = entry
            head = f"{indent}-" if name is None else f"{indent}{plain(name)}:"
            found += draw(BETWEEN)
            nested = bool(inner) and isinstance(inner, dict | list) and draw(st.booleans())
            if nested and isinstance(inner, dict) and name is None and draw(st.booleans()):
                first, *others = lines_bare(inner, indent + "  ")
                found += [f"{head} {first.strip()}", *others]
            elif nested:
                deeper = indent if isinstance(inner, list) and name is not None else indent + "  "
                found += [head + draw(BEHIND), *lines(inner, deeper)]
            else:
                found.append(f"{head} {plain(inner)}{draw(BEHIND)}")
        return found

    def lines_bare(one: Any, indent: str) -> list[str]:
        return [f"{indent}{plain(name)}: {plain(inner)}" for name, inner in one.items()]

    return "\n".join([*draw(BETWEEN), *lines(value, ""), *draw(BETWEEN), ""]), value


def printable(value: Any) -> bool:
    """Whether the writer above writes it as YAML reads it."""
    return json.dumps(value, ensure_ascii=False).isprintable()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_text_is_read_as_what_was_written(data: st.DataObject) -> None:
    text, value = data.draw(written(data.draw(OBJECTS.filter(printable))))

    assert parsed(text) == (value or None)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_change_in_the_text_is_the_change_in_the_data(data: st.DataObject) -> None:
    text, value = data.draw(written(data.draw(OBJECTS.filter(printable))))
    path = tuple(data.draw(st.lists(NAMES, min_size=1, max_size=3)))
    change = Put(path, data.draw(VALUES)) if data.draw(st.booleans()) else Drop(path)
    try:
        wished = applied(value or None, change)
    except WrongShape:
        with pytest.raises(WrongShape):
            edited(text, [change])
        return

    after = edited(text, [change])

    assert parsed(after) == (wished or None)
    assert (YAML(typ="safe", pure=True).load(after) or {}) == (wished or {})


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_line_outlives_what_is_put_beside_it(data: st.DataObject) -> None:
    value = data.draw(OBJECTS.filter(printable))
    text, _ = data.draw(written({"before": 1, **value, "after": [1, {"b": 2}]}))

    after = edited(text, [Put(("new",), data.draw(VALUES)), Put(("newer", "deep"), 1)])

    left = iter(after.splitlines())
    assert all(line in left for line in text.splitlines())


GOOSE = """\
# what I like
GOOSE_MODE: auto   # mine
extensions:
  developer:
    enabled: true
    args: ["a"]   # why

  memory:
    enabled: false
# the provider
active_provider: openai  # which

# the end
"""


def test_what_is_added_stands_with_its_like_and_in_their_form() -> None:
    server: Json = {"type": "stdio", "cmd": "omniroute", "args": ["--mcp"], "timeout": 300}

    after = edited(
        GOOSE, [Put(("extensions", "omniroute"), server), Put(("active_provider",), "omniroute")]
    )

    assert after == GOOSE.replace(
        "    enabled: false\n",
        "    enabled: false\n  omniroute:\n    type: stdio\n    cmd: omniroute\n"
        '    args: ["--mcp"]\n    timeout: 300\n',
    ).replace("active_provider: openai  # which", "active_provider: omniroute  # which")


def test_an_item_is_found_by_its_field_and_added_as_its_neighbours_are() -> None:
    text = "models:\n- name: Mine   # first\n  roles: [chat]\n  model: x\nmcpServers: []\n"
    ours = (Where("name", "OmniRoute"),)

    added = edited(text, [Put(("models", *ours), {"name": "OmniRoute", "env": {"K": "v"}})])
    changed = edited(added, [Put(("models", *ours, "env", "K"), "w")])
    server = edited(text, [Put(("mcpServers", *ours), {"name": "OmniRoute", "a": 1})])

    assert added == text.replace("mcpServers", "- name: OmniRoute\n  env:\n    K: v\nmcpServers")
    assert changed == added.replace("K: v", "K: w")
    assert server == text.replace("[]", "\n  - name: OmniRoute\n    a: 1").replace(": \n", ":\n")


def test_what_is_taken_out_takes_its_lines_along_and_no_others() -> None:
    added = edited(GOOSE, [Put(("extensions", "omniroute"), {"cmd": "x", "env": {"K": "v"}})])

    assert edited(added, [Drop(("extensions", "omniroute"))]) == GOOSE


def test_line_ends_and_a_byte_order_mark_stay() -> None:
    after = edited("\ufeffa: 1\r\nb:\r\n  c: 2\r\n", [Put(("b", "d"), {"e": 3})])

    assert after == "\ufeffa: 1\r\nb:\r\n  c: 2\r\n  d:\r\n    e: 3\r\n"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", "a:\n  b: x\n"),
        ("# yours", "# yours\na:\n  b: x\n"),
        ("---\n", "---\na:\n  b: x\n"),
        ("null\n", "a:\n  b: x\n"),
        ("{}\n", "a:\n  b: x\n"),
        ("a:\n", "a:\n  b: x\n"),
        ("a: # yours\nc: 1", "a: # yours\n  b: x\nc: 1"),
        ("a: {}\n", "a:\n  b: x\n"),
        ("a: {c: 1} # yours\n", 'a: {c: 1, "b": "x"} # yours\n'),
        ("a:\n  c: |\n    long\n\n# yours\n", "a:\n  c: |\n    long\n  b: x\n\n# yours\n"),
        ("a:\n  c: &shared {d: 1}\ne: *shared\n", "a:\n  c: &shared {d: 1}\n  b: x\ne: *shared\n"),
        ("f: &shared [1]\na:\n  c: *shared\n", "f: &shared [1]\na:\n  c: *shared\n  b: x\n"),
    ],
)
def test_each_form_of_a_file_takes_an_entry(text: str, after: str) -> None:
    assert edited(text, [Put(("a", "b"), "x")]) == after


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: &shared\n  b: 1\nc: *shared\n", ("a", "b")),
        ("a: &shared\n  b: 1\nc: *shared\n", ("c", "b")),
        ("a: &shared 1\nc: *shared\n", ("a",)),
    ],
)
def test_a_value_that_several_names_share_is_refused(text: str, path: tuple[str, ...]) -> None:
    with pytest.raises((NotReadable, WrongShape)):
        edited(text, [Put(path, 2)])


@pytest.mark.parametrize("text", ["a: [1", "a: 1\n b: 2\n", "a: 1\n---\nb: 1\n", "? [a]\n: b\n"])
def test_what_cannot_be_read_is_refused_in_words(text: str) -> None:
    with pytest.raises(NotReadable, match="it "):
        parsed(text)


@pytest.mark.parametrize("text", ["a: &it\n  b: *it\n", "a: " + "[" * 5000])
def test_what_has_no_end_is_refused_in_words(text: str) -> None:
    with pytest.raises(NotReadable, match="a value that holds itself, or too many in one another"):
        parsed(text)


@pytest.mark.parametrize("text", ["a: []\n", "a: word\n", "- a\n"])
def test_something_else_in_the_way_is_not_overwritten(text: str) -> None:
    with pytest.raises(WrongShape, match="is no object"):
        edited(text, [Put(("a", "b"), 1)])
