"""Names and patterns by themselves: what a key is allowed, what an alias fits, what is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.catalog.names import (
    alias_of,
    check_alias,
    is_reserved,
    is_within,
    name_allowed,
    replaced,
    spelled,
)
from omniroute.routing.errors import BadRequest

FEW = st.text("ab", max_size=8)
PATTERNS = st.text("ab*", max_size=8)


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("fast", ["fast"], ["", "fas", "fast2", "xfast", "FAST", "f*"]),
        ("*", ["", "a", "a/b", "*", "a*b"], []),
        ("groq/*", ["groq/", "groq/llama", "groq/*"], ["groq", "xgroq/a", "g*", "*", "openai/a"]),
        ("*-mini", ["-mini", "gpt-mini"], ["mini", "gpt-mini2", "gpt-mini*"]),
        ("aba*aba", ["abaaba", "abaXaba"], ["aba", "ababa", "abaab", "baaba"]),
        ("a*b*c", ["abc", "aXbYc", "abbc", "abcbc"], ["ac", "ab", "bc", "acb", "abcd", "xabc"]),
        ("a*bc*c", ["abcc", "abcXc"], ["abc", "abcd", "acbc"]),
        ("a*b*b", ["abb", "abXb"], ["ab", "aXb", "ba"]),
        ("**a**", ["a", "bab"], ["", "b"]),
        ("a*b*b*c", ["abbc", "aXbXbXc"], ["abc", "aXbc"]),
        ("", [""], ["a", "*"]),
    ],
)
def test_a_pattern_fits_these_names_and_not_those(
    pattern: str, fitting: list[str], others: list[str]
) -> None:
    assert [name for name in fitting if not is_within(name, pattern)] == []
    assert [name for name in others if is_within(name, pattern)] == []


@given(name=FEW, pattern=PATTERNS)
def test_a_star_stands_for_any_text_and_nothing_else_does(name: str, pattern: str) -> None:
    same = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name)

    assert is_within(name, pattern) is (same is not None)


@given(narrow=PATTERNS, wide=PATTERNS, texts=st.lists(FEW, max_size=6))
def test_a_pattern_within_another_allows_nothing_beyond_it(
    narrow: str, wide: str, texts: list[str]
) -> None:
    named = [text for text in (*texts, narrow.replace("*", "ab")) if is_within(text, narrow)]

    assert not is_within(narrow, wide) or all(is_within(text, wide) for text in named)


def test_a_name_is_allowed_by_any_pattern_and_everything_where_there_are_none() -> None:
    allowed = ("groq/*", "fast")

    told = [
        name_allowed(allowed, *names)
        for names in (("groq/a",), ("fast",), ("a", "fast"), ("a", "b"), ())
    ]

    assert told == [True, True, True, False, False]
    assert name_allowed((), "anything") is True
    assert name_allowed(()) is True


ALIASES = (
    ("gpt-*", "one"),
    ("gpt-4*", "two"),
    ("gpt-?o", "three"),
    ("gpt-4o", "four"),
    ("*", "five"),
    ("?", "six"),
)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("gpt-4o", "four"),
        ("gpt-5o", "three"),
        ("gpt-4.1", "two"),
        ("gpt-5", "one"),
        ("gpt-", "one"),
        ("claude", "five"),
        ("x", "six"),
        ("", "five"),
        ("*", "five"),
    ],
)
def test_the_most_specific_alias_wins_whatever_stands_first(name: str, target: str) -> None:
    assert alias_of(ALIASES, name) == target
    assert alias_of(tuple(reversed(ALIASES)), name) == target


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # More characters that must be there, fewer stars, fewer marks: each alone.
        ("abc*", "ab*"),
        ("ab?", "a*"),
        ("a?*", "a**"),
        ("abc", "ab?"),
        ("a?c", "a??"),
        ("a???????????", "a?????????*"),
    ],
)
def test_of_two_aliases_that_fit_the_one_with_more_said_wins(first: str, second: str) -> None:
    name = first.replace("*", "x").replace("?", "c")

    assert alias_of([(second, "second"), (first, "first")], name) == "first"
    assert alias_of([(first, "first"), (second, "second")], name) == "first"


def pattern_of(characters: int, marks: int, stars: int) -> str:
    return "a" * characters + "?" * marks + "*" * stars


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # A character weighs 11, a star takes 49 of it and a mark 4.
        (pattern_of(6, 0, 2), pattern_of(1, 0, 1)),
        (pattern_of(1, 0, 1), pattern_of(5, 0, 2)),
        (pattern_of(10, 0, 3), pattern_of(1, 0, 1)),
        (pattern_of(1, 0, 1), pattern_of(22, 0, 6)),
        (pattern_of(1, 0, 1), pattern_of(23, 0, 6)),
        (pattern_of(3, 0, 1), pattern_of(3, 1, 1)),
        (pattern_of(1, 0, 1), pattern_of(2, 3, 1)),
        (pattern_of(5, 10, 1), pattern_of(1, 0, 1)),
    ],
)
def test_how_much_is_said_is_weighed_as_it_is_documented(first: str, second: str) -> None:
    name = "a" * 60

    assert alias_of([(second, "second"), (first, "first")], name) == "first"
    assert alias_of([(first, "first"), (second, "second")], name) == "first"


def test_of_two_as_specific_the_first_wins_and_none_is_none() -> None:
    assert alias_of([("a*", "one"), ("*a", "two")], "a") == "one"
    assert alias_of([("a*", "one"), ("plain", "two")], "b") is None
    assert alias_of([], "b") is None
    assert alias_of([("plain", "two")], "plain") == "two"


@given(name=FEW, pattern=st.text("ab*?", max_size=8))
def test_an_alias_fits_as_its_signs_say(name: str, pattern: str) -> None:
    signs = {"*": ".*", "?": "."}
    same = re.fullmatch("".join(signs.get(sign, sign) for sign in pattern), name, re.DOTALL)

    assert (alias_of([(pattern, "it")], name) == "it") is (same is not None)


def test_an_alias_of_many_stars_is_judged_at_once() -> None:
    assert alias_of([("*a" * 120 + "b", "it")], "a" * 5000) is None
    assert alias_of([("*a" * 120, "it")], "a" * 5000) == "it"


FULL = [(f"alias-{number}", "one") for number in range(500)]


@pytest.mark.parametrize(
    ("aliases", "name", "target"),
    [
        ([], "a", "b"),
        ([], "x" * 256, "y" * 256),
        ([], "gpt-*", "auto"),
        ([], "auto*", "b"),
        ([], ".a/b..c/...", ".."),
        ([], "omniroute", "b"),
        (FULL[:499], "one more", "b"),
        (FULL, "alias-499", "another"),
    ],
)
def test_an_alias_within_its_bounds_is_none_that_is_refused(
    aliases: list[tuple[str, str]], name: str, target: str
) -> None:
    refused: str | None = None
    try:
        check_alias(aliases, name, target)
    except BadRequest as error:
        refused = str(error)

    assert refused is None


@pytest.mark.parametrize(
    ("name", "target", "field", "words"),
    [
        ("", "b", "name", "name has 1 to 256 printable"),
        ("x" * 257, "b", "name", "name has 1 to 256 printable"),
        ("two\nlines", "b", "name", "printable"),
        ("a", "", "target", "target has 1 to 256 printable"),
        ("a", "x" * 257, "target", "printable"),
        ("a", "two\nlines", "target", "printable"),
        ("auto", "b", "name", "of the gateway's own"),
        ("claude-auto", "b", "name", "of the gateway's own"),
        ("auto/mine", "b", "name", "of the gateway's own"),
        ("omniroute/x", "b", "name", "of the gateway's own"),
        ("..", "b", "name", "no part of a name is . or .."),
        ("a/./x", "b", "name", "no part of a name is . or .."),
        ("a", "a", "target", "stand for itself"),
        ("a", "gpt-*", "target", "without wildcards"),
        ("a", "gpt-?", "target", "without wildcards"),
        ("one more", "b", "name", "at most 500 aliases"),
    ],
)
def test_an_alias_that_could_not_be_used_is_refused_with_its_field(
    name: str, target: str, field: str, words: str
) -> None:
    with pytest.raises(BadRequest, match=re.escape(words)) as refused:
        check_alias(FULL, name, target)

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (" claude-opus[1m] ", "claude-opus"),
        ("omniroute/auto", "auto"),
        ("omniroute/claude[1m]", "claude"),
        ("claude[1m]x", "claude[1m]x"),
        ("x/omniroute/a", "x/omniroute/a"),
    ],
)
def test_a_name_is_read_without_what_clients_put_around_it(target: str, name: str) -> None:
    assert spelled(target) == name


def test_names_of_our_own_are_reserved_and_old_ones_have_one_in_their_place() -> None:
    names = ("auto", "auto/new", "claude-auto", "omniroute/x", "auto-x", "omniroute", "fast")

    assert [name for name in names if is_reserved(name)] == list(names[:4])
    assert replaced("gpt-4", "gpt-5.6-sol") is True
    assert replaced("gpt-4", "gpt-4") is False
    assert replaced("fast", "gpt-5.6-sol") is False
