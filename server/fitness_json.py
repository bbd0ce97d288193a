"""What `/api/fitness` speaks, as values: part of management.py's contract."""

from dataclasses import dataclass

from omniroute.routing.health.experience import ALL
from omniroute.routing.preference import FitnessRule
from omniroute.routing.views import FitnessView


@dataclass(frozen=True, slots=True)
class RuleJson:
    """How fit models are whose `provider/model` holds `pattern`; kind "" is every kind of task."""

    pattern: str
    fitness: float
    kind: str = ""


@dataclass(frozen=True, slots=True)
class LearnedJson:
    """What own requests have shown of a model in a family.

    `reliability` multiplies its fitness; `output_tokens` is None while the table's length holds.
    """

    model: str
    family: str
    good: int
    bad: int
    reliability: float
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class SpeedJson:
    """How long a model takes for an output token, in microseconds."""

    model: str
    token_us: int


@dataclass(frozen=True, slots=True)
class FitnessJson:
    """The user's rules, and what was learned."""

    rules: tuple[RuleJson, ...]
    learned: tuple[LearnedJson, ...]
    speeds: tuple[SpeedJson, ...]


def rule_json(rule: FitnessRule) -> RuleJson:
    """Give a rule as the API shows it."""
    return RuleJson(rule.pattern, rule.fitness, rule.kind)


def fitness_json(view: FitnessView) -> FitnessJson:
    """Give all of it as the API shows it."""
    return FitnessJson(
        rules=tuple(map(rule_json, view.rules)),
        learned=tuple(
            LearnedJson(
                model=seen.model,
                family=seen.family,
                good=seen.good,
                bad=seen.bad,
                reliability=learned.reliability,
                output_tokens=learned.output_tokens,
            )
            for seen, learned in view.seen
            if seen.family != ALL
        ),
        speeds=tuple(
            SpeedJson(seen.model, learned.token_us)
            for seen, learned in view.seen
            if learned.token_us is not None
        ),
    )
