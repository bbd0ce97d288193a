"""The tool that says which combo suits a kind of task, and what speaks for and against others."""

from typing import Annotated

from msgspec import Meta, structs

from omniroute.routing.advice import Advice, Prospect, Wanted, advise
from omniroute.routing.catalog.fitness import Task
from omniroute.routing.errors import NotFound

from .invocation import Invocation
from .routes import BUDGET_USD_MAX, TOKENS_MAX, nanos
from .shapes import Arguments, Result
from .units import milliseconds, usd

ALTERNATIVES_MAX = 3
LATENCY_MS_MAX = 3_600_000
PROMPT_TOKENS = 1000
"""How long a prompt is taken to be where nobody says."""
TELLING = 0.1
"""Costs and times that differ by less than this share are much the same."""
FITNESS_TELLING = 0.01


class BestCombo(Arguments, frozen=True):
    """What omniroute_best_combo_for_task takes."""

    task_type: Annotated[Task, Meta(description="What kind of task it is.")]
    budget_constraint: Annotated[
        Annotated[float, Meta(ge=0, le=BUDGET_USD_MAX)] | None,
        Meta(description="US dollars that one request may cost at most."),
    ] = None
    latency_constraint: Annotated[
        Annotated[float, Meta(gt=0, le=LATENCY_MS_MAX)] | None,
        Meta(description="Milliseconds that a whole answer may take."),
    ] = None
    prompt_token_estimate: Annotated[
        int, Meta(ge=0, le=TOKENS_MAX, description="About how many tokens a prompt has.")
    ] = PROMPT_TOKENS


class ComboFigures(Result, frozen=True):
    """A combo and what it would probably do."""

    id: str
    name: Annotated[str, Meta(description="Ask for it by this name.")]
    likely_model: Annotated[str, Meta(description="Who would most probably be asked first.")]
    probability: Annotated[float, Meta(description="0 to 1, with which it would be.")]
    fitness: Annotated[float, Meta(description="For the task, 0 to 1, as reliable as it was.")]
    expected_cost: Annotated[
        float | None, Meta(description="US dollars of one request; null: not known.")
    ]
    expected_latency_ms: Annotated[
        int | None, Meta(description="Of a whole answer; null: not measured yet.")
    ]
    free: Annotated[bool, Meta(description="Nobody that it could ask costs anything.")]
    simulated: Annotated[bool, Meta(description="No real model would answer.")]


class Recommended(ComboFigures, frozen=True):
    """The combo that suits best."""

    reason: str


class Alternative(ComboFigures, frozen=True):
    """Another one."""

    tradeoff: Annotated[str, Meta(description="What it is beside the recommended one.")]


class FreeCombo(Result, frozen=True):
    """A combo that costs nothing."""

    id: str
    name: str


class ComboLeftOut(Result, frozen=True):
    """A combo that does not come into question."""

    id: str
    name: str
    reason: str


class Recommendation(Result, frozen=True):
    """What omniroute_best_combo_for_task gives."""

    recommended_combo: Annotated[
        Recommended | None,
        Meta(description="null: none keeps to the constraints and could answer now."),
    ]
    alternatives: Annotated[
        tuple[Alternative, ...], Meta(description="The next best, three at most.")
    ]
    free_alternative: Annotated[
        FreeCombo | None, Meta(description="The best other one that is free; null: there is none.")
    ]
    left_out: Annotated[
        tuple[ComboLeftOut, ...], Meta(description="Who does not come into question, and why.")
    ]


async def best_combo_for_task(call: Invocation, arguments: BestCombo) -> Recommendation:
    """Run omniroute_best_combo_for_task.

    Raises:
        NotFound: there is no combo that is switched on.
    """
    latency_ms = arguments.latency_constraint
    wanted = Wanted(
        task=arguments.task_type,
        input_tokens=arguments.prompt_token_estimate,
        usd_nanos_max=nanos(arguments.budget_constraint),
        latency_s_max=None if latency_ms is None else latency_ms / 1000,
    )
    gateway = call.gateway
    await gateway.view.gather()
    advice = advise(gateway.route, wanted, call.caller)
    if not any(one.active for one in gateway.route.configs.current().combos):
        raise NotFound(
            "no combo is switched on: switch one on with omniroute_switch_combo, make one with "
            '`omniroute combos add`, or ask for the model "auto"'
        )
    return _recommendation(advice, wanted)


def _recommendation(advice: Advice, wanted: Wanted) -> Recommendation:
    best, others = next(iter(advice.prospects), None), advice.prospects[1:]
    free = next((one.combo for one in others if one.free), None)
    return Recommendation(
        recommended_combo=None if best is None else _recommended(best, wanted),
        alternatives=tuple(
            Alternative(**structs.asdict(_figures(one)), tradeoff=_tradeoff(one, best, wanted))
            for one in others[:ALTERNATIVES_MAX]
            if best is not None
        ),
        free_alternative=None if free is None else FreeCombo(free.combo_id, free.name),
        left_out=tuple(
            ComboLeftOut(one.combo.combo_id, one.combo.name, one.reason) for one in advice.left_out
        ),
    )


def _recommended(one: Prospect, wanted: Wanted) -> Recommended:
    cost, latency_s = one.cost_usd_nanos, one.latency_s
    reasons = (
        f"{one.likely.name} would most probably be asked first ({one.probability:.0%})",
        f"fitness for {wanted.task} {one.fitness:.2f}",
        "its cost is not known" if cost is None else f"about {_dollars(cost)} a request",
        "its speed is not measured yet"
        if latency_s is None
        else f"about {latency_s:.1f} s an answer",
    )
    return Recommended(**structs.asdict(_figures(one)), reason=", ".join(reasons))


def _figures(one: Prospect) -> ComboFigures:
    return ComboFigures(
        id=one.combo.combo_id,
        name=one.combo.name,
        likely_model=one.likely.name,
        probability=one.probability,
        fitness=round(one.fitness, 3),
        expected_cost=usd(one.cost_usd_nanos),
        expected_latency_ms=None if one.latency_s is None else milliseconds(one.latency_s),
        free=one.free,
        simulated=one.likely.simulated,
    )


def _tradeoff(one: Prospect, best: Prospect, wanted: Wanted) -> str:
    """Give in words where a combo differs from the best one; what speaks for it comes first."""
    good: list[str] = []
    bad: list[str] = []
    if one.cost_usd_nanos is None or best.cost_usd_nanos is None:
        bad.extend(["its cost is not known"] if best.cost_usd_nanos is not None else [])
    elif _differ(one.cost_usd_nanos, best.cost_usd_nanos):
        cheaper = one.cost_usd_nanos < best.cost_usd_nanos
        costs = f"{_dollars(one.cost_usd_nanos)} instead of {_dollars(best.cost_usd_nanos)}"
        (good if cheaper else bad).append(f"{'cheaper' if cheaper else 'dearer'} ({costs})")
    if one.latency_s is None or best.latency_s is None:
        bad.extend(["its speed is not measured yet"] if best.latency_s is not None else [])
    elif _differ(one.latency_s, best.latency_s):
        faster = one.latency_s < best.latency_s
        times = f"{one.latency_s:.1f} s instead of {best.latency_s:.1f} s"
        (good if faster else bad).append(f"{'faster' if faster else 'slower'} ({times})")
    if abs(one.fitness - best.fitness) >= FITNESS_TELLING:
        fitter = one.fitness > best.fitness
        fits = f"fit for {wanted.task} ({one.fitness:.2f} instead of {best.fitness:.2f})"
        (good if fitter else bad).append(f"{'more' if fitter else 'less'} {fits}")
    if good and bad:
        return f"{', '.join(good)}, but {', '.join(bad)}"
    return ", ".join(good or bad) or "much the same"


def _differ(one: float, other: float) -> bool:
    return abs(one - other) > TELLING * max(one, other)


def _dollars(nanos_: int) -> str:
    return f"${nanos_ / 1e9:.6f}"
