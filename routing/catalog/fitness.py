"""How fit a model is for a kind of task, 0 to 1: priors, until its own outcomes say more.

Two tables, both found by a part of the model's name, the longest part winning:

- DOCUMENTED is the task-fitness table of OmniRoute (reference, section 3.13), by six task
  types. A task that a row does not have takes the row's `default`. A name that no row fits
  gets UNKNOWN plus the documented boosts. Policy `classic-6f` reads this and nothing else.
- `fitness.json` holds priors by family of question, derived from public outcome data by
  requirements/fitness.py, which says how and from what.

Policy `utility` reads both as one: the mean of the derived prior and the documented cell, or
whichever there is. Of a family that a model's data lacks, half is what its others say and half
the prior of its size. A name that neither table knows gets the prior of its size, as the name
tells it: "mini" is small, "opus" is large. A small relative of a known model ("gpt-5.4-nano"
under "gpt-5") loses SMALLER_BY, for the row speaks of its larger sibling.

These are opinions with a source, not measurements of a user's own traffic: they decide among
models whose price, speed and health leave room, and say nothing in absolute terms.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal, TypeVar, get_args

import msgspec

from ..wire.families import FAMILIES, Family

Task = Literal["coding", "review", "planning", "analysis", "debugging", "documentation"]
TASKS: tuple[Task, ...] = get_args(Task)
Fitness = tuple[tuple[str, float], ...]
"""Pairs of a task or family and its fitness."""
FitnessOf = Callable[[str], Fitness]

UNKNOWN = 0.5
DEFAULT = "default"
CACHED_MAX = 8192
"""Fitnesses kept; model names are free text, so the least used go."""

_COLUMNS = (*TASKS, DEFAULT)

# Source: OmniRoute 2.3.10, autoCombo/taskFitness, as the reference's section 3.13 has it.
DOCUMENTED: Mapping[str, tuple[float | None, ...]] = {
    "claude-sonnet": (0.95, 0.92, 0.90, 0.92, 0.93, 0.90, 0.85),
    "claude-opus": (0.92, 0.95, 0.95, 0.95, 0.90, 0.88, 0.85),
    "claude-haiku": (0.78, 0.70),
    "gpt-4o": (0.90, 0.88, 0.88, 0.85, 0.88, 0.92, 0.85),
    "gpt-4o-mini": (0.80, 0.72, None, None, None, 0.85),
    "gpt-4-turbo": (0.88,),
    "o1": (0.93, 0.90, 0.92, 0.90, 0.85),
    "o3": (0.95, 0.92, 0.95, 0.93),
    "o4-mini": (0.88,),
    "codex": (0.98, None, None, None, 0.92),
    "gemini-pro": (0.85, 0.90, 0.88, 0.88, None, 0.88, 0.80),
    "gemini-flash": (0.80, 0.75, None, None, 0.78, 0.82, 0.72),
    "gemini-2.5-pro": (0.92, 0.93, 0.93, 0.95),
    "gemini-2.5-flash": (0.82,),
    "deepseek-coder": (0.90, None, None, None, 0.90),
    "deepseek-v3": (0.85, 0.80, None, None, 0.82, 0.78, 0.75),
    "deepseek-r1": (0.88, 0.85, 0.85, 0.88),
    "qwen": (0.78,),
    "llama": (0.72,),
    "mistral": (0.75,),
    "mixtral": (0.77,),
}
"""By part of the name, in the order of TASKS and then the row's default."""

BOOSTS: tuple[tuple[str, frozenset[str], float], ...] = (
    ("coder", frozenset({"coding"}), 0.15),
    ("code", frozenset({"coding"}), 0.10),
    ("fast", frozenset({"coding"}), 0.05),
    ("thinking", frozenset({"planning", "analysis"}), 0.10),
)
"""Part of a name, tasks and what is added; only for a name that no row fits."""

SMALL = re.compile(
    r"(?<![a-z])(?:mini|nano|lite|small|tiny|haiku|flash|fast|cheap|[1-9]b)(?![a-z])"
)
LARGE = re.compile(r"(?<![a-z])(?:opus|pro|large|max|ultra|smart|\d{3}b)(?![a-z])")
PRIOR_SMALL, PRIOR_MEDIUM, PRIOR_LARGE = 0.68, 0.75, 0.82
SMALLER_BY = 0.10

_TASK_OF: Mapping[Family, str] = {
    "math": "analysis",
    "code": "coding",
    "factual": DEFAULT,
    "multiple choice": DEFAULT,
    "hard science": "analysis",
    "logic": "planning",
    "writing": "documentation",
    "general": DEFAULT,
}
FAMILY_OF: Mapping[str, Family] = {
    "coding": "code",
    "review": "code",
    "debugging": "code",
    "planning": "logic",
    "analysis": "general",
    "documentation": "writing",
}

_TABLE = Path(__file__).with_name("fitness.json")
_Row = TypeVar("_Row")


class _File(msgspec.Struct, frozen=True):
    source: str
    models: dict[str, dict[str, float]]


@lru_cache(maxsize=CACHED_MAX)
def documented_fitness(model: str) -> Fitness:
    """Give a model's fitness for every documented task and `default`, as documented."""
    name = model.lower()
    found = longest(DOCUMENTED, name)
    if found is None:
        return tuple((task, _boosted(name, task)) for task in _COLUMNS)
    row = DOCUMENTED[found]
    cells = dict(zip(_COLUMNS, (*row, *(None,) * (len(_COLUMNS) - len(row))), strict=True))
    fallback = cells[DEFAULT] or UNKNOWN
    return tuple((task, fallback if cell is None else cell) for task, cell in cells.items())


@lru_cache(maxsize=CACHED_MAX)
def fitness_of(model: str) -> Fitness:
    """Give a model's prior fitness for every family and every documented task."""
    families = {family: round(_family(model.lower(), family), 3) for family in FAMILIES}
    tasks = {task: families[FAMILY_OF[task]] for task in TASKS}
    row = longest(DOCUMENTED, model.lower())
    if row is not None:
        stated = zip(TASKS, DOCUMENTED[row][: len(TASKS)], strict=False)
        tasks |= {task: cell for task, cell in stated if cell is not None}
    return (*families.items(), *tasks.items())


def _family(name: str, family: Family) -> float:
    derived = _derived(name, family)
    stated = _stated(name, family)
    known = [one for one in (derived, stated) if one is not None]
    return sum(known) / len(known) if known else _prior(name)


def _derived(name: str, family: Family) -> float | None:
    found = longest(_models(), name, whole_words=True)
    if found is None:
        return None
    row = _models()[found]
    value = row.get(family)
    if value is None:
        # Half of what it shows elsewhere: one family says little of another.
        value = (sum(row.values()) / len(row) + _prior(found)) / 2
    smaller = SMALL.search(name) is not None and SMALL.search(found) is None
    return value - SMALLER_BY if smaller else value


def _stated(name: str, family: Family) -> float | None:
    found = longest(DOCUMENTED, name)
    if found is None:
        return None
    cells = dict(zip(_COLUMNS, DOCUMENTED[found], strict=False))
    cell = cells.get(_TASK_OF[family])
    # What a row says of coding alone says nothing of the other families.
    return cell if cell is not None or family == "code" else cells.get(DEFAULT)


def _prior(name: str) -> float:
    if SMALL.search(name):
        return PRIOR_SMALL
    return PRIOR_LARGE if LARGE.search(name) else PRIOR_MEDIUM


def _boosted(name: str, task: str) -> float:
    added = sum(boost for part, tasks, boost in BOOSTS if part in name and task in tasks)
    return round(min(UNKNOWN + added, 1.0), 4)


def longest(rows: Mapping[str, _Row], name: str, *, whole_words: bool = False) -> str | None:
    """Give the longest part that the name holds; a whole word is not part of a longer one."""
    found: Sequence[str] = [
        part for part in rows if part in name and (not whole_words or _stands_alone(part, name))
    ]
    return max(found, key=len, default=None)


def _stands_alone(part: str, name: str) -> bool:
    start = name.index(part)
    before, after = name[:start][-1:], name[start + len(part) :][:1]
    return not before.isalnum() and not after.isalnum()


@cache
def _models() -> dict[str, dict[str, float]]:
    return msgspec.json.decode(_TABLE.read_bytes(), type=_File).models
