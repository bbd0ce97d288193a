"""The user's fitness rules, kept together as one setting: they are read as a whole, and are few."""

from collections.abc import Callable, Sequence

import msgspec

from omniroute.routing.catalog.fitness_rules import with_rule, without_rule
from omniroute.routing.preference import FitnessRule

from .changes import NothingChanged
from .database import Statement, Steps

FITNESS = "fitness"
"""The setting that holds them."""

_READ = Statement("SELECT value FROM settings WHERE name = $1", (FITNESS,))


def rules_of(value: object, problems: list[str]) -> tuple[FitnessRule, ...]:
    """Give the rules that the setting holds, none where it was never set or cannot be used."""
    try:
        return () if value is None else msgspec.convert(value, tuple[FitnessRule, ...])
    except msgspec.ValidationError as error:
        problems.append(f"the setting {FITNESS!r} cannot be used: {error}")
        return ()


def rule_steps(rule: FitnessRule, now_unix_s: float, actor: str) -> Callable[[], Steps[None]]:
    """Give the steps that store one rule; as changes wait for one another, none is lost."""

    def steps() -> Steps[None]:
        rules = yield from _stored()
        yield setting_put(FITNESS, with_rule(rules, rule), now_unix_s, actor)

    return steps


def rule_removal_steps(
    pattern: str, kind: str, now_unix_s: float, actor: str
) -> Callable[[], Steps[None]]:
    """Give the steps that remove one rule.

    Raises:
        NothingChanged: from the steps, when there is no such rule.
    """

    def steps() -> Steps[None]:
        rules = yield from _stored()
        left = without_rule(rules, pattern, kind)
        if len(left) == len(rules):
            raise NothingChanged
        yield setting_put(FITNESS, left, now_unix_s, actor)

    return steps


def setting_put(name: str, value: object, now_unix_s: float, actor: str) -> Statement:
    """Give the statement that sets a setting to a value that JSON can say."""
    return Statement(
        "INSERT INTO settings (name, value, changed_unix_s, changed_by) "
        "VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO UPDATE SET "
        "value = excluded.value, changed_unix_s = excluded.changed_unix_s, "
        "changed_by = excluded.changed_by",
        (name, msgspec.json.encode(value).decode(), now_unix_s, actor),
    )


def _stored() -> Steps[Sequence[FitnessRule]]:
    rows = yield _READ
    value = msgspec.json.decode(rows[0]["value"]) if rows else None
    return rules_of(value, [])
