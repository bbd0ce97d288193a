"""What each of Google's models takes, told by its name.

Gemini 2.5 takes a budget of thought, Gemini 3 a level, those before neither. A name without a
version (`gemini-flash-latest`) stands for a new one. A model of another vendor behind this dialect
is taken to be like Gemini 2.5 Flash.

Source: Gemini API, "Thinking", "Gemini 3" and "Thought signatures", read 2026-11.
"""

import re
from functools import lru_cache
from typing import Literal

from msgspec import Struct

NAMES_MAX = 256
"""How many names' facts are kept."""

_GEMINI = re.compile(r"gemini-(?:(\d{1,2})(?:\.(\d{1,2}))?-)?([a-z]+(?:-lite)?)", re.IGNORECASE)
_UNTHINKING = re.compile(r"gemma|learnlm|gemini-2\.5.*(?:image|tts|native-audio)", re.IGNORECASE)
_ALL_LEVELS = ("minimal", "low", "medium", "high")
_NEWEST = (3, 9)

Form = Literal["none", "budget", "level"]


class Facts(Struct, frozen=True):
    """What a model takes.

    Attributes:
        form: how it is told how much to think.
        levels: from the least.
        tokens_min: the least budget beside 0.
        idle: whether it can be told not to think at all.
        signed: it refuses a call of the running turn that has no signature.
        media_in_results: a function's response may hold images and files.
    """

    form: Form = "budget"
    levels: tuple[str, ...] = ()
    tokens_min: int = 1
    tokens_max: int = 24_576
    idle: bool = True
    signed: bool = False
    media_in_results: bool = False


@lru_cache(NAMES_MAX)
def facts_of(model: str) -> Facts:
    """Give what a model takes."""
    if _UNTHINKING.search(model):
        return Facts("none")
    found = _GEMINI.search(model)
    if found is None:
        return Facts()
    version = _NEWEST if found[1] is None else (int(found[1]), int(found[2] or 0))
    kind = found[3].lower()
    if version < (2, 5):
        return Facts("none")
    if version >= (3, 0):
        return Facts(
            "level", _levels(kind, version), idle=False, signed=True, media_in_results=True
        )
    if kind == "pro":
        return Facts(tokens_min=128, tokens_max=32_768, idle=False)
    return Facts(tokens_min=512 if kind == "flash-lite" else 1)


def _levels(kind: str, version: tuple[int, int]) -> tuple[str, ...]:
    if kind != "pro":
        return _ALL_LEVELS
    return ("low", "high") if version < (3, 1) else _ALL_LEVELS[1:]
