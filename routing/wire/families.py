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

_ESCAPE_BYTES_MAX = 12  # \ud83d\ude00, the longest that one character takes
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
_NUMBER = re.compile(r"\d+")
_LETTERS = str.maketrans({code: " " for code in map(chr, range(128)) if not code.isalpha()})
"""Leaves the words of a lower-case text; other scripts stay as they are, and are known to none."""

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


class _Turn(msgspec.Struct):
    """One turn of any dialect: `content` (text or parts), or Gemini's `parts`."""

    role: str | None = None
    content: msgspec.Raw = msgspec.Raw()
    parts: msgspec.Raw = msgspec.Raw()


class _Part(msgspec.Struct):
    text: msgspec.Raw = msgspec.Raw()


_turns = msgspec.json.Decoder(list[_Turn])
_parts = msgspec.json.Decoder(list[_Part])
_text = msgspec.json.Decoder(str)


def family_of(text: str) -> Family:
    """Give the kind of question that a text asks; only its head is read."""
    head = text[:HEAD_CHARS_MAX]
    if _options(head) >= OPTIONS_MIN:
        return "multiple choice"
    words = head.lower().translate(_LETTERS).split()
    known = [word for word in words if word in _FAMILY_OF]
    marks = dict.fromkeys(FAMILIES, 0)
    for word in known:
        marks[_FAMILY_OF[word]] += 2 if word in _STRONG else 1
    marks["code"] += sum(map(head.count, _CODE)) + 2 * sum(map(head.count, _CODE_ALONE))
    marks["math"] += 2 * (head.count("^") + (sum(map(head.count, _MATH)) if "\\" in head else 0))
    marks["multiple choice"] += 2 * sum(map(head.count, _CHOICE))
    numbers = sum(1 for _ in islice(_NUMBER.finditer(head), NUMBERS_MAX))
    if numbers:
        marks["math"] += 2 * len(_SUM.findall(head)) + numbers // 2
        # An amount that is asked for by other amounts.
        if numbers >= AMOUNTS_MIN and any(one in head for one in _AMOUNT):
            marks["math"] += 2
    best = max(FAMILIES, key=marks.__getitem__)
    if marks[best] >= ENOUGH:
        return best
    if len(head) <= QUESTION_CHARS_MAX and _FACT.search(head):
        return "factual"
    return "general"


def family_of_turns(raw: msgspec.Raw) -> Family:
    """Give the family of a request's turns as they stand in its body, in any dialect.

    Turns that no dialect would write give "general": reading them is the codec's work, and a
    request must not fail because its kind is not known.
    """
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if bytes(memoryview(raw)[:1]) == b'"':
            return family_of(_head(raw))
        for turn in reversed(_turns.decode(raw)):
            asked = turn.role == "user" or (turn.role is None and bool(memoryview(turn.parts)))
            text = _text_of(turn) if asked else ""
            if text:
                return family_of(text)
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


def _text_of(turn: _Turn) -> str:
    raw = turn.content if memoryview(turn.content) else turn.parts
    if bytes(memoryview(raw)[:1]) == b'"':
        return _head(raw)
    texts = []
    for part in _parts.decode(raw) if memoryview(raw) else ():
        if memoryview(part.text):
            texts.append(_head(part.text))
        if sum(map(len, texts)) >= HEAD_CHARS_MAX:
            break
    return "\n".join(texts)


def _head(raw: msgspec.Raw) -> str:
    """Give the beginning of a string as JSON writes it, without decoding the rest."""
    written = memoryview(raw)
    if len(written) <= HEAD_CHARS_MAX + 2:
        return _text.decode(raw)
    # The cut may fall inside an escape or a character: then a little earlier is a good place.
    for end in range(HEAD_CHARS_MAX, HEAD_CHARS_MAX - _ESCAPE_BYTES_MAX, -1):
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            return _text.decode(bytes(written[:end]) + b'"')
    return ""
