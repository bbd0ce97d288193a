"""How long an answer is expected to be, in output tokens: priors, until own outcomes say more.

`lengths.json` has them by family of question, of models by a part of their name (the longest
part that fits, as with fitness) and of two kinds of model: those that think before they answer,
as the name tells, and plain ones. It is derived from public data by requirements/lengths.py,
which says how and from what.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

import msgspec

from ..wire.families import FAMILIES, Family
from .fitness import CACHED_MAX, longest

Lengths = tuple[tuple[Family, int], ...]
"""Pairs of a family and its output tokens."""

THINKING = re.compile(r"think|reason|(?<![a-z])(?:o[134]|r1|qwq|magistral)(?![a-z0-9])")

_TABLE = Path(__file__).with_name("lengths.json")


class _File(msgspec.Struct, frozen=True):
    source: str
    plain: Mapping[Family, int]
    thinking: Mapping[Family, int]
    models: Mapping[str, Mapping[Family, int]]


@lru_cache(maxsize=CACHED_MAX)
def lengths_of(model: str) -> Lengths:
    """Give the prior length of a model's answers for every family."""
    name, table = model.lower(), _file()
    found = longest(table.models, name, whole_words=True)
    kind = table.thinking if THINKING.search(name) else table.plain
    row = kind if found is None else table.models[found]
    return tuple((family, row[family]) for family in FAMILIES)


@cache
def _file() -> _File:
    return msgspec.json.decode(_TABLE.read_bytes(), type=_File)
