"""JSON in its three kinds, changed in place: the data as wished, all else as it was written."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omniroute.server.clients.changes import Drop, Put, WrongShape, applied
from omniroute.server.clients.client import Where
from omniroute.server.clients.json_scan import DEPTH_MAX, Dialect, NotJson
from omniroute.server.clients.json_text import edited, parsed

NAMES = st.sampled_from(["a", "b", "mcpServers", "omni-route", "ä", "with space", '"quoted"'])
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.text(max_size=8)
)
LONG = st.just("x" * 120)
VALUES = st.recursive(
    SCALARS | LONG,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
GAPS = {
    "json": ["", " ", "\n  ", "\r\n\t"],
    "jsonc": ["", " ", "\n  ", '// it\'s, {not} "here"\n', "/* nor, } ] here */"],
    "json5": ["", " ", "\n  ", "// it's, {not} here\n", "/* nor\n here */", "\u00a0"],
}


@st.composite
def written(draw: st.DrawFn, dialect: Dialect, value: Any = None) -> tuple[str, Any]:
    """Give data, and a text of it with any gaps that the dialect allows."""
    value = draw(OBJECTS) if value is None else value
    gap = st.sampled_from(GAPS[dialect])

    def text(one: Any) -> str:
        if isinstance(one, dict):
            members = [
                f"{draw(gap)}{name(key)}{draw(gap)}:{draw(gap)}{text(inner)}{draw(gap)}"
                for key, inner in one.items()
            ]
            return "{" + ",".join(members) + trailing(members) + "}"
        if isinstance(one, list):
            items = [f"{draw(gap)}{text(inner)}{draw(gap)}" for inner in one]
            return "[" + ",".join(items) + trailing(items) + "]"
        return json.dumps(one, ensure_ascii=draw(st.booleans()))

    def name(key: str) -> str:
        if dialect == "json5" and key.isidentifier() and draw(st.booleans()):
            return key
        return json.dumps(key)

    def trailing(elements: list[str]) -> str:
        allowed = elements and dialect != "json" and draw(st.booleans())
        return f",{draw(gap)}" if allowed else draw(gap)

    return f"{draw(gap)}{text(value)}{draw(gap)}", value


@pytest.mark.parametrize("dialect", ["json", "jsonc", "json5"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_text_is_read_as_what_was_written(dialect: Dialect, data: st.DataObject) -> None:
    text, value = data.draw(written(dialect))

    assert parsed(text, dialect) == value


@pytest.mark.parametrize("dialect", ["json", "jsonc", "json5"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_change_in_the_text_is_the_change_in_the_data(
    dialect: Dialect, data: st.DataObject
) -> None:
    text, value = data.draw(written(dialect))
    path = tuple(data.draw(st.lists(NAMES, min_size=1, max_size=3)))
    put = data.draw(st.booleans())
    change = Put(path, data.draw(VALUES)) if put else Drop(path)

    try:
        wished = applied(value, change)
    except WrongShape:
        with pytest.raises(WrongShape):
            edited(text, [change], dialect)
        return

    assert parsed(edited(text, [change], dialect), dialect) == wished


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_comments_outlive_every_change(data: st.DataObject) -> None:
    value = data.draw(OBJECTS)
    inner = json.dumps({"here": value}, indent=2)
    text = f"// first\n{inner[:-1]}, // second\n  /* third */\n}} // fourth\n"
    path = ("here", *data.draw(st.lists(NAMES, min_size=1, max_size=2)))
    try:
        after = edited(text, [Put(path, data.draw(VALUES))], "jsonc")
    except WrongShape:
        return

    found = [after.find(words) for words in ("// first", "// second", "/* third */", "// fourth")]
    assert -1 not in found
    assert found == sorted(found)


def test_what_is_added_is_indented_as_its_neighbours_are() -> None:
    text = (
        '{\n\t"theme": "dark", // mine\n\t"mcpServers": {\n\t\t"other": {"command": "x"}\n\t}\n}\n'
    )

    after = edited(text, [Put(("mcpServers", "omniroute"), {"command": "omniroute"})], "jsonc")

    assert after == (
        '{\n\t"theme": "dark", // mine\n\t"mcpServers": {\n\t\t"other": {"command": "x"},\n'
        '\t\t"omniroute": {\n\t\t\t"command": "omniroute"\n\t\t}\n\t}\n}\n'
    )


def test_a_comma_behind_the_last_element_stays_the_last() -> None:
    text = "{\n  a: 1,\n  // the end\n}\n"

    assert edited(text, [Put(("b",), 2)], "json5") == '{\n  a: 1,\n  // the end\n  "b": 2,\n}\n'


def test_a_comment_behind_the_last_element_stays_with_it() -> None:
    text = '{\n  "a": 1 // one\n}\n'

    assert edited(text, [Put(("b",), 2)], "jsonc") == '{\n  "a": 1, // one\n  "b": 2\n}\n'


def test_line_ends_and_a_byte_order_mark_stay() -> None:
    text = '\ufeff{\r\n  "a": 1\r\n}\r\n'

    after = edited(text, [Put(("b",), {"c": 2})], "json")

    assert after == '\ufeff{\r\n  "a": 1,\r\n  "b": {\r\n    "c": 2\r\n  }\r\n}\r\n'


def test_a_file_of_one_line_stays_one() -> None:
    assert edited('{"a":1}', [Put(("b", "c"), [2])], "json") == '{"a":1, "b": {"c": [2]}}'


@pytest.mark.parametrize("text", ["", "\n", "  \n\n"])
def test_an_empty_file_becomes_one_with_the_change_in_it(text: str) -> None:
    assert parsed(text, "json") is None
    assert edited(text, [Put(("a", "b"), 1)], "json") == '{\n  "a": {\n    "b": 1\n  }\n}\n'


def test_comments_of_a_file_without_a_value_stay() -> None:
    after = edited("// yours\n", [Put(("a",), 1)], "jsonc")

    assert after == '// yours\n{\n  "a": 1\n}\n'


def test_a_removed_element_takes_its_line_and_its_comma_along() -> None:
    text = '{\n  "a": 1,\n  "b": 2, // two\n  "c": 3\n}\n'

    without_b = edited(text, [Drop(("b",))], "jsonc")
    without_both = edited(without_b, [Drop(("c",))], "jsonc")

    assert without_b == '{\n  "a": 1,\n  "c": 3\n}\n'
    assert without_both == '{\n  "a": 1\n}\n'


def test_an_object_of_a_list_is_found_by_its_field() -> None:
    text = '[\n  {"name": "Other"},\n  {"name": "OmniRoute", "url": "old", "mine": 1}\n]\n'
    step = Where("name", "OmniRoute")

    changed = edited(text, [Put((step, "url"), "new")], "jsonc")
    added = edited('[{"name": "Other"}]', [Put((step,), {"url": "new"})], "json")

    assert changed == text.replace("old", "new")
    assert added == '[{"name": "Other"}, {"name": "OmniRoute", "url": "new"}]'


def test_of_two_members_of_one_name_the_last_one_counts() -> None:
    assert edited('{"a": 1, "a": 2}', [Put(("a",), 3)], "json") == '{"a": 1, "a": 3}'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            "{a: 'it\\'s', $b: \"two\\\nlines\", c_1: +.5e1,}",
            {"a": "it's", "$b": "twolines", "c_1": 5},
        ),
        (
            "[0xFF, -0x10, Infinity, 5., '\\x41\\u0042\\v\\0']",
            [255, -16, float("inf"), 5, "AB\v\0"],
        ),
        ("{/* a */ 'b': null, // c\n}", {"b": None}),
    ],
)
def test_all_that_json5_adds_is_read(text: str, value: object) -> None:
    assert parsed(text, "json5") == value


@pytest.mark.parametrize(
    ("text", "dialect", "where", "why"),
    [
        ('{\n  "a": 1,\n}', "json", "line 2, column 9", "behind the last element"),
        ('{\n  // note\n  "a": 1\n}', "json", "line 2, column 3", "a name in quotation marks"),
        ("{a: 1}", "jsonc", "line 1, column 2", "a name in quotation marks"),
        ('{"a" 1}', "json", "line 1, column 6", "a colon"),
        ('{"a": 1 "b": 2}', "json", "line 1, column 9", "a comma or }"),
        ('{"a": [1, 2}', "json", "line 1, column 12", "a comma or ]"),
        ('{"a": ', "json", "line 1, column 7", "ends too early"),
        ('{"a": tru}', "jsonc", "line 1, column 7", "a value is missing"),
        ('{"a": 01}', "json", "line 1, column 7", "a value is missing"),
        ('{"a": "\t"}', "json", "line 1, column 7", "a value is missing"),
        ("{} {}", "json", "line 1, column 4", "more follows"),
        ("[" * (DEPTH_MAX + 2), "json", "column", "nested"),
        ("[+]", "json5", "line 1, column 2", "a value is missing"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(
    text: str, dialect: Dialect, where: str, why: str
) -> None:
    with pytest.raises(NotJson, match=why) as refused:
        parsed(text, dialect)

    assert where in str(refused.value)


@pytest.mark.parametrize("text", ['{"mcpServers": []}', '{"mcpServers": "none"}', "[]"])
def test_something_else_in_the_way_is_not_overwritten(text: str) -> None:
    with pytest.raises(WrongShape, match="is no object"):
        edited(text, [Put(("mcpServers", "omniroute"), {})], "json")


def test_a_line_that_would_be_too_long_becomes_several() -> None:
    text = '{\n  "env": { "A": "1", /* b */ "B": "2" },\n  "c": 0\n}\n'

    after = edited(text, [Put(("env", "URL"), "http://127.0.0.1:20128/" + "x" * 80)], "jsonc")

    assert after == (
        '{\n  "env": {\n    "A": "1", /* b */\n    "B": "2",\n'
        f'    "URL": "http://127.0.0.1:20128/{"x" * 80}"\n  }},\n  "c": 0\n}}\n'
    )
