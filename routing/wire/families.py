"""What kind of question a request asks, found from its last user text by cheap marks.

The idea: models differ less in general than by kind of question, and seven kinds carry most of
the difference. A decision needs the kind alone, never the text: this module reads the head of
the last user turn that has any, at most HEAD_CHARS_MAX characters, once, and gives one word.

Two kinds show in the shape of a text: a list of lettered options, and code. The rest shows in
its words: each known word counts for its family, a strong one twice, numbers count for math, the
more so where an amount is asked for, and the family with the highest sum wins if it reaches
ENOUGH. A short text that shows nothing else and holds a question word asks for a fact; the rest
is "general", which is never wrong.
A text cannot choose a policy or a model by this; it only says which column of the fitness table
is read.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Literal, get_args

import msgspec

Family = Literal[
    "math",
    "code",
    "factual",
    "multiple choice",
    "hard science",
    "logic",
    "writing",
    "general",
]
FAMILIES: tuple[Family, ...] = get_args(Family)

HEAD_CHARS_MAX = 2000
ENOUGH = 2
"""The sum of marks that a family needs; one word alone proves nothing."""
QUESTION_CHARS_MAX = 300
"""A longer text that holds a question word asks for more than a fact."""
OPTIONS_MIN = 3
AMOUNTS_MIN = 2
"""Numbers that make "how many" a question of math; with fewer it asks for a fact."""
NUMBERS_MAX = 6
"""Numbers that count for math, two for a mark: a long table of them is not a problem to solve."""

KEPT_MAX = 256
"""Texts whose family is kept: a loop of tool calls asks again and again with the same last one."""
_kept: dict[tuple[int, int], Family] = {}
"""By the hash and length of a text; the text itself is a prompt, and not kept."""

_ESCAPE_BYTES_MAX = 12  # \ud83d\ude00, the longest that one character takes
_QUOTE = ord('"')
_OPTION = re.compile(r"[A-E][).:]\s")
_CODE = (
    *("class ", "return ", "import ", "const ", "();", ") {", "=> "),
    *("Traceback (", "Error:", "Exception", "SELECT "),
)
# These tell alone that it is code.
_CODE_ALONE = ("```", "def ", "#include", ">>> ", ") -> ")
_MATH = ("\\boxed", "\\frac", "\\sqrt", "\\sum", "\\int", "\\cdot", "\\times", "\\le", "\\ge")
_SUM = re.compile(r"\d\s*[+*/=]\s*\d")
_CHOICE = ("of the following", "of these", "most likely", "best describes", "best explains")
_AMOUNT = ("ow many ", "ow much ", "ow far ", "ow long ", "ow old ", "percentage ")
_FACT = re.compile(
    r"\b(?:who|whom|whose|when|where|which|what|how (?:many|much|far|long|old|tall))\b",
    re.IGNORECASE,
)
_FACT_WORDS = frozenset(("who", "whom", "whose", "when", "where", "which", "what", "how"))
_NUMBER = re.compile(r"\d+")
_DIGITS = frozenset("0123456789")
_NUMBERS = bytes(code if chr(code) in _DIGITS else 32 for code in range(256))
_OPTION_LETTERS = frozenset("ABCDE")
_SUM_SIGNS = frozenset("+*/=")
_SIGNS = frozenset("ST()>`#:^\\") | _DIGITS | _OPTION_LETTERS | _SUM_SIGNS
"""What all marks but a few words hold: one look at which of these a text has saves the search
for most of the marks."""
_NO_SIGNS = bytes(code for code in range(256) if chr(code) not in _SIGNS)
_LETTERS = bytes(code if code > 127 or chr(code).isalpha() else 32 for code in range(256))
"""Leaves the words of a lower-case text in UTF-8; other scripts stay as they are, and are known
to none."""

_WORDS: dict[Family, str] = {
    "math": "solve equation integral derivative polynomial triangle probability remainder "
    "percent total sum many average algebra geometry fraction integer divisible prove theorem "
    "perimeter radius matrix modulo",
    "code": "code function python javascript typescript java rust golang sql bug debug compile "
    "refactor algorithm class method api unittest pytest regex json script implement program "
    "endpoint repository commit docker async exception array string list return returns",
    "hard science": "quantum molecule molecular enzyme protein reaction photon thermodynamic "
    "hamiltonian electron orbital isotope genome dna rna catalyst entropy relativistic spectrum "
    "chemistry physics biology hydrogen synthesis stereochemistry wavelength plasma neutrino",
    "logic": "clue clues puzzle deduce deduction premise premises syllogism knights knaves liar "
    "neighbor neighbour lives either neither logically infer contradiction riddle houses",
    "writing": "write essay poem story email letter blog article rewrite rephrase summarize "
    "summarise translate draft tone paragraph slogan headline novel lyrics sentence proofread "
    "edit marketing",
}
# These tell alone what is asked.
_STRONG_WORDS = (
    "function python javascript typescript sql regex debug refactor equation integral polynomial "
    "theorem quantum enzyme hamiltonian puzzle syllogism essay poem rewrite summarize translate "
    "proofread percent clue clues"
)
_STRONG = frozenset(_STRONG_WORDS.split())
_FAMILY_OF: dict[str, Family] = {
    word: family for family, words in _WORDS.items() for word in words.split()
}


def _by_sign() -> dict[str, tuple[tuple[str, int], ...]]:
    """Give the marks of code with their weights, by a sign that each holds; "" where none does."""
    found: dict[str, tuple[tuple[str, int], ...]] = {}
    for marks, weight in ((_CODE, 1), (_CODE_ALONE, 2)):
        for mark in marks:
            sign = next((one for one in mark if one in _SIGNS), "")
            found[sign] = (*found.get(sign, ()), (mark, weight))
    return found


_CODE_BY_SIGN = _by_sign()


class Turn(msgspec.Struct, gc=False):
    """One turn of any dialect: `content` (text or parts), or Gemini's `parts`."""

    role: str | None = None
    content: msgspec.Raw = msgspec.Raw()
    parts: msgspec.Raw = msgspec.Raw()


class _Part(msgspec.Struct, gc=False):
    text: msgspec.Raw = msgspec.Raw()


_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_turns = msgspec.json.Decoder(list[Turn])
_parts = msgspec.json.Decoder(list[_Part])
_text = msgspec.json.Decoder(str)


def family_of(text: str) -> Family:
    """Give the kind of question that a text asks; only its head is read."""
    head = text[:HEAD_CHARS_MAX]
    key = (hash(head), len(head))
    known = _kept.get(key)
    if known is None:
        if len(_kept) >= KEPT_MAX:
            del _kept[next(iter(_kept))]
        known = _kept[key] = _family_of_head(head)
    return known


def family_of_turns(turns: Sequence[Turn]) -> Family:
    """Give the family of a request's turns as they stand in its body, in any dialect.

    Parts that no dialect would write give "general": reading them is the codec's work, and a
    request must not fail because its kind is not known.
    """
    try:
        for turn in reversed(turns):
            if turn.role == "user" or (turn.role is None and turn.parts):
                text = _text_of(turn)
                if text:
                    return family_of(text)
    except _UNREADABLE:
        pass
    return "general"


def family_of_input(raw: msgspec.Raw) -> Family:
    """Give the family of turns that are not taken apart yet, or of a text in their place."""
    try:
        if raw and memoryview(raw)[0] == _QUOTE:
            return family_of(_head(raw))
        return family_of_turns(_turns.decode(raw))
    except _UNREADABLE:
        return "general"


def _family_of_head(head: str) -> Family:
    written = head.encode("utf-8", "surrogatepass")
    signs = set(written.translate(None, _NO_SIGNS).decode())
    if len(signs & _OPTION_LETTERS) >= OPTIONS_MIN and _options(head) >= OPTIONS_MIN:
        return "multiple choice"
    lower = head.lower().encode("utf-8", "surrogatepass")
    words = lower.translate(_LETTERS).decode("utf-8", "surrogatepass").split()
    marks = dict.fromkeys(FAMILIES, 0)
    for word in filter(_FAMILY_OF.__contains__, words):
        marks[_FAMILY_OF[word]] += 2 if word in _STRONG else 1
    marks["code"] += _code(head, signs)
    marks["math"] += _math(head, signs)
    marks["multiple choice"] += 2 * sum(map(head.count, _CHOICE))
    best = max(FAMILIES, key=marks.__getitem__)
    if marks[best] >= ENOUGH:
        return best
    if len(head) <= QUESTION_CHARS_MAX and _asks_for_a_fact(head, words):
        return "factual"
    return "general"


def _options(head: str) -> int:
    """Give how many different letters stand before an option of a list."""
    found = {one[0] for one in _OPTION.findall(head)}
    if len(found) < OPTIONS_MIN:
        return len(found)
    return len(
        {
            one.group()[0]
            for one in _OPTION.finditer(head)
            if not (before := head[max(one.start() - 1, 0) : one.start()]).isalnum()
            or not before.isascii()
        }
    )


def _code(head: str, signs: set[str]) -> int:
    """Give the marks of code."""
    found = 0
    for sign in ("", *signs):
        for mark, weight in _CODE_BY_SIGN.get(sign, ()):
            found += weight * head.count(mark)
    return found


def _math(head: str, signs: set[str]) -> int:
    """Give the marks of math that are no words."""
    found = 0
    if "^" in signs:
        found += 2 * head.count("^")
    if "\\" in signs:
        found += 2 * sum(map(head.count, _MATH))
    numbers = _numbers(head, signs)
    if numbers:
        found += numbers // 2
        if not signs.isdisjoint(_SUM_SIGNS):
            found += 2 * len(_SUM.findall(head))
        # An amount that is asked for by other amounts.
        if numbers >= AMOUNTS_MIN and any(one in head for one in _AMOUNT):
            found += 2
    return found


def _numbers(head: str, signs: set[str]) -> int:
    """Give how many numbers there are, at most NUMBERS_MAX."""
    if not head.isascii():  # other scripts have digits of their own
        return len(list(islice(_NUMBER.finditer(head), NUMBERS_MAX)))
    if signs.isdisjoint(_DIGITS):
        return 0
    return min(len(head.encode().translate(_NUMBERS).split()), NUMBERS_MAX)


def _asks_for_a_fact(head: str, words: list[str]) -> bool:
    # Beyond ASCII there are letters that match without being the same: only the search tells.
    if head.isascii() and _FACT_WORDS.isdisjoint(words):
        return False
    return _FACT.search(head) is not None


def _text_of(turn: Turn) -> str:
    raw = turn.content or turn.parts
    if not raw:
        return ""
    if memoryview(raw)[0] == _QUOTE:
        return _head(raw)
    texts: list[str] = []
    size = 0
    for part in _parts.decode(raw):
        if part.text:
            texts.append(_head(part.text))
            size += len(texts[-1])
        if size >= HEAD_CHARS_MAX:
            break
    return "\n".join(texts)


def _head(raw: msgspec.Raw) -> str:
    """Give the beginning of a string as JSON writes it, without decoding the rest."""
    if len(raw) <= HEAD_CHARS_MAX + 2:
        return _text.decode(raw)
    written = memoryview(raw)
    # The cut may fall inside an escape or a character: then a little earlier is a good place.
    for end in range(HEAD_CHARS_MAX, HEAD_CHARS_MAX - _ESCAPE_BYTES_MAX, -1):
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            return _text.decode(bytes(written[:end]) + b'"')
    return ""
