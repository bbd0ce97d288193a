"""What the pages say: one catalogue a language, a file of it for each page.

A word has a name such as `combos.empty`: the file and the name in it. Words may have places,
`{name}`, which the template fills. Another language is another folder beside `en`; a word that
it lacks is said in English.
"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "strings"
DEFAULT = "en"
_EMBEDDING_ENDS, _ISOLATE_ENDS = "\u202c", "\u2069"
_ENDS = {
    **dict.fromkeys("\u202a\u202b\u202d\u202e", _EMBEDDING_ENDS),
    **dict.fromkeys("\u2066\u2067\u2068", _ISOLATE_ENDS),
}
"""What ends each mark that changes the direction of what follows it."""


class UnknownWord(KeyError):
    """No catalogue has a word of that name."""


@cache
def languages() -> tuple[str, ...]:
    """Give the languages that there are, by their tags."""
    return tuple(sorted(one.name for one in FOLDER.iterdir() if one.is_dir()))


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Give every word of a language by its name."""
    found: dict[str, str] = {}
    for path in sorted((FOLDER / language).glob("*.toml")):
        for name, text in tomllib.loads(path.read_text("utf-8")).items():
            found[f"{path.stem}.{name}"] = text
    return found


def say(language: str, name: str, /, **places: object) -> str:
    """Give a word with its places filled.

    Raises:
        UnknownWord: English does not have it.
    """
    text = catalogue(language).get(name) or catalogue(DEFAULT).get(name)
    if text is None:
        raise UnknownWord(name)
    return text.format(**{key: closed(one) for key, one in places.items()}) if places else text


def closed(value: object) -> object:
    """Give a text whose marks that turn a line around end where it ends; anything else as it is.

    What somebody named or said may open such a mark and leave it open: the words of the page
    after it would read backwards. Source: Unicode Standard Annex 9, sections 2.1 to 2.6.
    """
    if not isinstance(value, str) or not any(mark in value for mark in _ENDS):
        return value
    open_marks: list[str] = []
    for mark in value:
        if mark in _ENDS:
            open_marks.append(_ENDS[mark])
        elif mark in open_marks:
            del open_marks[len(open_marks) - 1 - open_marks[::-1].index(mark) :]
    return value + type(value)("".join(reversed(open_marks)))


def language_of(accepted: str, known: Sequence[str] | None = None) -> str:
    """Give the language that an Accept-Language header asks for first among the known ones."""
    wishes: list[tuple[float, str]] = []
    for part in accepted.split(",")[:20]:
        tag, _, weight = part.strip().partition(";q=")
        try:
            wishes.append((-float(weight or 1), tag.strip().lower().partition("-")[0]))
        except ValueError:
            continue
    found = (tag for _, tag in sorted(wishes, key=lambda one: one[0]))
    return next((one for one in found if one in (known or languages())), DEFAULT)
