"""TOML changed in place: the data as wished, all else as it was written."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omniroute.server.clients.changes import Drop, Put, WrongShape, applied
from omniroute.server.clients.client import Json
from omniroute.server.clients.formats import NotReadable
from omniroute.server.clients.toml_text import edited, parsed

NAMES = st.sampled_from(["a", "b", "mcp_servers", "omni-route", "with space", "ä", "1"])
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8),
    st.lists(st.integers(0, 9), max_size=3),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3), max_leaves=8
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
BEHIND = st.sampled_from(["", "  # behind = it", " # [it]"])
BETWEEN: st.SearchStrategy[list[str]] = st.sampled_from([[], [""], ["# between = it", "# [b]"]])


@st.composite
def written(draw: st.DrawFn, value: dict[str, Any]) -> str:
    """Give a text of data as people write TOML: with headers, dots or braces, and comments."""

    def quoted(text: str) -> str:
        return json.dumps(text, ensure_ascii=False)

    def plain(one: Any) -> str:
        if isinstance(one, dict):
            inner = (f"{quoted(name)} = {plain(value)}" for name, value in one.items())
            return f"{{ {', '.join(inner)} }}"
        return json.dumps(one, ensure_ascii=False)

    def dotted(name: str, one: Any) -> list[str]:
        if isinstance(one, dict) and draw(st.booleans()):
            return [line for key, inner in one.items() for line in dotted(f"{name}.{key}", inner)]
        return [f"{name} = {plain(one)}{draw(BEHIND)}"]

    def table(path: str, held: dict[str, Any]) -> list[str]:
        found: list[str] = []
        below: list[str] = []
        for name, one in held.items():
            whole = f"{path}.{quoted(name)}" if path else quoted(name)
            found += draw(BETWEEN)
            if isinstance(one, dict) and draw(st.booleans()):
                headless = all(isinstance(inner, dict) for inner in one.values())
                inside = table(whole, one)
                # A table that has only tables below it needs no header.
                bare = headless and inside and inside[0].startswith("[")
                head = [] if bare else [f"[{whole}]{draw(BEHIND)}"]
                below += [*draw(BETWEEN), *head, *inside]
            elif name.isascii() and " " not in name:
                found += [f"{name} = {plain(one)}{draw(BEHIND)}"]
            else:
                found += [f"{quoted(name)} = {plain(one)}{draw(BEHIND)}"]
        return [*found, *below]

    return "\n".join([*table("", value), ""])


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_change_in_the_text_is_the_change_in_the_data(data: st.DataObject) -> None:
    value = data.draw(OBJECTS)
    text = data.draw(written(value))
    path = tuple(data.draw(st.lists(NAMES, min_size=1, max_size=3)))
    change = Put(path, data.draw(VALUES)) if data.draw(st.booleans()) else Drop(path)
    try:
        wished = applied(value, change)
    except WrongShape:
        with pytest.raises(WrongShape):
            edited(text, [change])
        return

    after = edited(text, [change])

    assert without_empty(tomllib.loads(after)) == without_empty(wished)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_line_outlives_what_is_put_beside_it(data: st.DataObject) -> None:
    text = data.draw(written({"before": 1, **data.draw(OBJECTS)}))
    tables: Json = {"command": "x", "env": {"K": "v"}}

    after = edited(text, [Put(("new",), 1), Put(("new_servers", "omniroute"), tables)])

    lines = after.splitlines()
    assert [line for line in text.splitlines() if line and line not in lines] == []
    assert after.count("#") == text.count("#")


def without_empty(value: Any) -> Any:
    """Give data without tables that hold nothing: a table that held only others has no header."""
    if not isinstance(value, dict):
        return value
    kept = {name: without_empty(inner) for name, inner in value.items()}
    return {name: inner for name, inner in kept.items() if inner != {}}


CODEX = """\
# my codex
model = "gpt-5" # mine
approval = "never"

[mcp_servers.other]   # an other
command = "x"
# the end of the other

[features]
web = true  # why

[tui]
notifications = [1,
  2, # two
]
"""


def test_what_is_added_stands_with_its_like_and_in_their_form() -> None:
    server: Json = {"command": "omniroute", "args": ["--mcp"], "env": {"OMNIROUTE_API_KEY": "k"}}

    after = edited(
        CODEX,
        [
            Put(("model",), "auto"),
            Put(("model_provider",), "omniroute"),
            Put(("mcp_servers", "omniroute"), server),
            Put(("features", "api_key_model_discovery"), True),
            Put(("model_providers", "omniroute"), {"name": "OmniRoute"}),
        ],
    )

    assert (
        after
        == """\
# my codex
model = "auto" # mine
approval = "never"
model_provider = "omniroute"

[mcp_servers.other]   # an other
command = "x"
# the end of the other

[mcp_servers.omniroute]
command = "omniroute"
args = ["--mcp"]
env = {OMNIROUTE_API_KEY = "k"}

[features]
web = true  # why
api_key_model_discovery = true

[tui]
notifications = [1,
  2, # two
]

[model_providers.omniroute]
name = "OmniRoute"
"""
    )


def test_what_is_taken_out_takes_its_table_along_and_no_other() -> None:
    added = edited(CODEX, [Put(("mcp_servers", "omniroute"), {"command": "x"})])

    assert edited(added, [Drop(("mcp_servers", "omniroute"))]) == CODEX


def test_line_ends_and_a_byte_order_mark_stay() -> None:
    after = edited("\ufeffa = 1\r\n# end\r\n", [Put(("b", "c"), {"d": 2})])

    assert after == "\ufeffa = 1\r\n# end\r\n\r\n[b.c]\r\nd = 2\r\n"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", "[a.b]\nc = 1\n"),
        ("\n", "[a.b]\nc = 1\n"),
        ("# yours\n", "# yours\n\n[a.b]\nc = 1\n"),
        ("[a]\n", "[a]\n[a.b]\nc = 1\n"),
        ("[a]\nx = 1", "[a]\nx = 1\n\n[a.b]\nc = 1\n"),
        ("a = {x = 1}\n", "a = {x = 1,b = {c = 1}}\n"),
        ("a.x = 1\n", "a.x = 1\n\n[a.b]\nc = 1\n"),
        ("[[a]]\n", None),
        ("a = 1\n", None),
    ],
)
def test_each_form_of_a_file_takes_a_table(text: str, after: str | None) -> None:
    change = Put(("a", "b"), {"c": 1})

    if after is None:
        with pytest.raises(WrongShape, match="a is no object"):
            edited(text, [change])
    else:
        assert edited(text, [change]) == after


@pytest.mark.parametrize("text", ["a = ", "a = 1\na = 2\n", "[a", "a: 1\n"])
def test_what_cannot_be_read_is_refused_in_words(text: str) -> None:
    with pytest.raises(NotReadable, match=r"it is not TOML: .+ \(at "):
        parsed(text)
