"""The tool that asks each model of a combo a short question, to see who answers."""

from collections.abc import Callable, Sequence
from typing import Annotated

from msgspec import Meta

from omniroute.routing.trials import Question, Trial, plan_trials, try_models

from .invocation import Invocation
from .routes import ComboNamed, active_combo
from .shapes import Arguments, Result
from .units import milliseconds, usd

PROMPT = "Say hello"
PROMPT_CHARS_MAX = 500
SENT_CHARS_MAX = 200
"""What of the prompt is sent, as documented: a trial is short."""
OUTPUT_TOKENS_MAX = 50


class TestCombo(Arguments, frozen=True):
    """What omniroute_test_combo takes."""

    combo_id: ComboNamed
    test_prompt: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=PROMPT_CHARS_MAX,
            description="What each model is asked; its first 200 characters are sent.",
        ),
    ] = PROMPT


class TrialInfo(Result, frozen=True):
    """How one model did."""

    provider: str
    model: str
    success: bool
    latency_ms: Annotated[int, Meta(description="Until the whole answer, or the failure.")]
    cost: Annotated[float | None, Meta(description="US dollars; null: the price is unknown.")]
    token_count: Annotated[
        int | None, Meta(description="Tokens of prompt and answer; null: not known.")
    ]
    error: Annotated[str | None, Meta(description="null: it answered.")]
    first_content_ms: Annotated[int | None, Meta(description="null: no content came.")]
    answer: Annotated[str, Meta(description="The beginning of what it said.")]
    request_id: Annotated[str, Meta(description="For omniroute_explain_route.")]
    simulated: Annotated[bool, Meta(description="No real model answered.")]


class TrialSummary(Result, frozen=True):
    """All of them together. Who is fastest and cheapest is null where nobody answered."""

    total_providers: Annotated[
        int, Meta(description="How many were asked: each model of each provider counts.")
    ]
    successful: int
    fastest_provider: str | None
    cheapest_provider: Annotated[str | None, Meta(description="Among those with a known price.")]
    fastest_model: Annotated[str | None, Meta(description="As provider/model.")]
    cheapest_model: Annotated[str | None, Meta(description="As provider/model.")]
    total_cost: Annotated[float | None, Meta(description="US dollars; null: a price is unknown.")]


class Trials(Result, frozen=True):
    """What omniroute_test_combo gives."""

    results: Annotated[tuple[TrialInfo, ...], Meta(description="In the combo's order.")]
    summary: TrialSummary
    prompt_truncated: Annotated[bool, Meta(description="Only the prompt's beginning was sent.")]


async def test_combo(call: Invocation, arguments: TestCombo) -> Trials:
    """Run omniroute_test_combo. Cancelling it ends every call that runs.

    Raises:
        ModelNotFound: no active combo has that name or id, or nobody serves its models.
    """
    combo = active_combo(call.gateway, arguments.combo_id)
    question = Question(arguments.test_prompt[:SENT_CHARS_MAX], OUTPUT_TOKENS_MAX, "mcp")
    engine = call.gateway.route
    plan = plan_trials(engine, combo.name, question)
    found: dict[str, Trial] = {}

    async def told(trial: Trial) -> None:
        found[trial.model] = trial
        await call.tell(float(len(found)), _progress(trial, len(found), len(plan.models)))

    await call.tell(0.0, f"asking {len(plan.models)} models of combo {combo.name!r}")
    await try_models(engine, plan, call.caller, told)
    trials = [found[model] for model in plan.models]
    return Trials(
        results=tuple(map(_info, trials)),
        summary=_summary(trials),
        prompt_truncated=len(arguments.test_prompt) > SENT_CHARS_MAX,
    )


def _progress(trial: Trial, done: int, total: int) -> str:
    how = f"answered in {milliseconds(trial.total_s)} ms" if trial.ok else "did not answer"
    return f"{done} of {total}: {trial.model} {how}"


def _info(trial: Trial) -> TrialInfo:
    provider, model = _split(trial)
    first_s = trial.first_content_s
    return TrialInfo(
        provider=provider,
        model=model,
        success=trial.ok,
        latency_ms=milliseconds(trial.total_s),
        cost=usd(trial.cost_usd_nanos),
        token_count=trial.tokens,
        error=trial.error or None,
        first_content_ms=None if first_s is None else milliseconds(first_s),
        answer=trial.answer,
        request_id=trial.request_id,
        simulated=trial.simulated,
    )


def _summary(trials: Sequence[Trial]) -> TrialSummary:
    good = [one for one in trials if one.ok]
    fastest = _least(good, lambda one: one.total_s)
    cheapest = _least(good, lambda one: one.cost_usd_nanos)
    costs = [one.cost_usd_nanos for one in trials if one.cost_usd_nanos is not None]
    return TrialSummary(
        total_providers=len(trials),
        successful=len(good),
        fastest_provider=None if fastest is None else _split(fastest)[0],
        cheapest_provider=None if cheapest is None else _split(cheapest)[0],
        fastest_model=None if fastest is None else fastest.model,
        cheapest_model=None if cheapest is None else cheapest.model,
        total_cost=usd(sum(costs)) if len(costs) == len(trials) else None,
    )


def _least(trials: Sequence[Trial], figure: Callable[[Trial], float | None]) -> Trial | None:
    """Give the first of those with the least figure; unknown ones do not count."""
    known = [
        (value, place) for place, one in enumerate(trials) if (value := figure(one)) is not None
    ]
    return trials[min(known)[1]] if known else None


def _split(trial: Trial) -> tuple[str, str]:
    provider, _, model = trial.model.partition("/")
    return provider, model
