"""What a user says of how fit models are: rules that win over every table.

A rule has a part of `provider/model` names, as the tables have, and a kind of task: a family, a
documented task, or every one. Of the rules that fit a name the one with the longest part counts,
for each kind for itself; of equally long ones the one that names the kind before the one that
names its family, and that before the one for every kind.
"""

from collections.abc import Iterable, Sequence

from ..errors import BadRequest
from ..preference import FitnessRule
from ..wire.families import FAMILIES
from .fitness import DEFAULT, FAMILY_OF, TASKS, Fitness
from .names import check_parts

EVERY = ""
"""The kind of a rule for every kind of task."""
KINDS: tuple[str, ...] = (*FAMILIES, *TASKS)
RULES_MAX = 500
PATTERN_CHARS_MAX = 256


def check_rule(rule: FitnessRule) -> FitnessRule:
    """Give a rule as it is kept, in lower case.

    Raises:
        BadRequest: with the field that is wrong.
    """
    pattern = rule.pattern.strip().lower()
    if not 0 < len(pattern) <= PATTERN_CHARS_MAX or not pattern.isprintable():
        raise BadRequest(
            f"pattern is a part of provider/model of 1 to {PATTERN_CHARS_MAX} printable characters",
            field="pattern",
        )
    check_parts(pattern, "pattern")
    if rule.kind not in (EVERY, *KINDS):
        raise BadRequest(
            f"kind is one of {', '.join(KINDS)}, or is left out for all of them", field="kind"
        )
    # Written so that NaN is refused too.
    if not 0.0 <= rule.fitness <= 1.0:
        raise BadRequest("fitness is 0 to 1", field="fitness")
    return FitnessRule(pattern, rule.kind, rule.fitness)


def with_rule(rules: Sequence[FitnessRule], rule: FitnessRule) -> tuple[FitnessRule, ...]:
    """Give the rules with one more, in the place of the one of its pattern and kind.

    Raises:
        BadRequest: there are too many.
    """
    made = (*without_rule(rules, rule.pattern, rule.kind), rule)
    if len(made) > RULES_MAX:
        raise BadRequest(f"there are {RULES_MAX} fitness rules already, which is the most")
    return tuple(sorted(made, key=lambda one: (one.pattern, one.kind)))


def without_rule(rules: Sequence[FitnessRule], pattern: str, kind: str) -> tuple[FitnessRule, ...]:
    """Give the rules without the one of a pattern and kind."""
    return tuple(one for one in rules if (one.pattern, one.kind) != (pattern, kind))


def ruled(fitness: Fitness, name: str, rules: Iterable[FitnessRule]) -> Fitness:
    """Give a model's fitness with what the rules say in its place.

    Args:
        fitness: by the tables.
        name: the candidate's `provider/model`.
        rules: the user's.
    """
    fitting = [one for one in rules if one.pattern in name.lower()]
    if not fitting:
        return fitness
    # The documented table has no families; a rule on one counts there all the same.
    kinds = dict.fromkeys((*(kind for kind, _ in fitness), *(one.kind for one in fitting)))
    known = dict(fitness)
    found = ((kind, _said(kind, fitting, known.get(kind))) for kind in kinds if kind != EVERY)
    return tuple((kind, value) for kind, value in found if value is not None)


def _said(kind: str, fitting: Sequence[FitnessRule], otherwise: float | None) -> float | None:
    family = FAMILY_OF.get(kind, kind)
    steps = (EVERY, "general" if kind == DEFAULT else family, kind)
    best = max(
        (one for one in fitting if one.kind in steps),
        key=lambda one: (len(one.pattern), max(at for at, k in enumerate(steps) if k == one.kind)),
        default=None,
    )
    return otherwise if best is None else best.fitness
