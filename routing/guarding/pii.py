"""The first content guard: personal data and secrets that have a shape of their own.

Patterns alone, on this machine: an e-mail address, a payment card (with its check digit), an
IBAN (with its check digits), a telephone number with its country or in the American form, an
American social security number, a provider's API key. Names, addresses and whatever has no
shape are not found, and a number of the right shape and check digit may be none: a guard of
patterns makes leaks rarer, and proves nothing.

Every pattern is bounded, so that LONGEST characters decide what begins at a place; and consists
either of a run without blanks, or of digits, capitals and what stands between groups of them.
Streams rest on both (answers.py).

Sources: check digits of cards ISO/IEC 7812-1 annex B, IBANs ISO 13616-1 (mod 97 of ISO/IEC 7064),
numbers of social security that are never given: SSA, "Social Security Number Randomization".
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache

from ..content import Span

LONGEST = 360
"""More than the characters of the longest thing that is found."""
_GAP = "[ \u00a0.\\-]"
_BLANK = "[ \u00a0]"
_PATTERNS = {
    "email": (r"(?<![\w.%+\-])[\w.%+\-]{1,64}@(?:[\w\-]{1,63}\.){1,4}[^\W\d_]{2,24}"),
    "api_key": (
        r"(?<![A-Za-z0-9_\-])(?:sk-[A-Za-z0-9_\-]{16,200}|gh[pousr]_[A-Za-z0-9]{36,200}"
        r"|github_pat_[A-Za-z0-9_]{22,200}|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_\-]{35}"
        r"|xox[abprs]-[A-Za-z0-9\-]{10,200}|gsk_[A-Za-z0-9]{20,200}|hf_[A-Za-z0-9]{20,200})"
    ),
    "iban": (
        rf"(?<![A-Za-z\d])[A-Z]{{2}}\d{{2}}(?:{_BLANK}?[A-Z\d]{{4}}){{2,7}}"
        rf"(?:{_BLANK}?[A-Z\d]{{1,3}})?(?![A-Za-z\d])"
    ),
    "card": rf"(?<!\d)[2-6\uff12-\uff16](?:{_GAP}?\d){{12,18}}(?!\d)",
    "ssn": r"(?<![\d\-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d\-])",
    "phone": (
        r"(?<![\w+])\+\d(?:[ \u00a0.\-/()]{0,2}\d){6,14}(?!\d)"
        rf"|(?<![\w(])(?:\(\d{{3}}\){_BLANK}?|\d{{3}}{_GAP})\d{{3}}{_GAP}\d{{4}}(?!\d)"
    ),
}
KINDS = tuple(_PATTERNS)
_CARD_DIGITS_MIN = 13
"""The most, 19, are in the pattern."""
_IBAN_CHARS = range(15, 35)


class PiiGuard:
    """Fulfils the port ContentGuard."""

    name = "pii"
    kinds = KINDS
    longest = LONGEST

    def find(self, text: str, kinds: Collection[str], *, start: int = 0) -> Iterator[Span]:
        """Give what stands in a text from `start` on, from left to right, nothing twice."""
        pattern = _pattern()
        while (found := pattern.search(text, start)) is not None:
            kind = found.lastgroup or ""
            end = _SHORTENED[kind](found[0]) if kind in _SHORTENED else len(found[0])
            if end and (not kinds or kind in kinds):
                start = found.start() + end
                yield Span(found.start(), start, kind)
            else:
                # A part of it may be something all the same.
                start = found.start() + 1

    def held_from(self, text: str) -> int:
        """Give from where on a text may be the beginning of something: what follows decides."""
        least = max(0, len(text) - LONGEST)
        return min(
            found.start()
            for found in (_RUN.search(text, least), _GROUPS.search(text, least))
            if found
        )


_RUN = re.compile(r"\S*\Z")
_GROUPS = re.compile(r"[\dA-Z \u00a0.\-/()+]*\Z")


@cache
def _pattern() -> re.Pattern[str]:
    # Compiled when the first text is looked at: it takes milliseconds, and most never are.
    return re.compile("|".join(f"(?P<{kind}>{one})" for kind, one in _PATTERNS.items()))


def _card_end(text: str) -> int:
    """Give how much of a run of digits is a card's number, the most that can be; 0 is none."""
    places = [place for place, char in enumerate(text) if char.isdecimal()]
    for count in range(len(places), _CARD_DIGITS_MIN - 1, -1):
        end = places[count - 1] + 1
        digits = [int(text[place]) for place in places[:count]]
        if end in places:
            continue
        if _is_issued(digits) and _luhn(digits):
            return end
    return 0


def _is_issued(digits: list[int]) -> bool:
    """Whether cards begin so. Times in milliseconds do not, and look like cards else."""
    if len(digits) == _CARD_DIGITS_MIN:
        return digits[0] == 4
    return digits[0] != 2 or 22 <= digits[0] * 10 + digits[1] <= 27


def _luhn(digits: list[int]) -> bool:
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _iban_end(text: str) -> int:
    """Give how much of a text is an IBAN, the most that can be; 0 is none."""
    blanks = [place for place, char in enumerate(text) if char in " \u00a0"]
    for end in (len(text), *reversed(blanks)):
        compact = text[:end].replace(" ", "").replace("\u00a0", "")
        if len(compact) in _IBAN_CHARS:
            digits = "".join(str(int(char, 36)) for char in compact[4:] + compact[:4])
            if int(digits) % 97 == 1:
                return end
    return 0


_SHORTENED: Mapping[str, Callable[[str], int]] = {"card": _card_end, "iban": _iban_end}
