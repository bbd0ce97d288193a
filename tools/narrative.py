"""A decision as text that people, and models, read from top to bottom."""

from collections.abc import Sequence

from .explanations import AttemptInfo, ContrastInfo, Explanation, VerdictInfo

CANDIDATES_MAX = 20
"""Candidates, and attempts, that are told one by one."""


def narrated(told: Explanation) -> str:
    """Give the story of a request: what was asked, what came of it, and why."""
    parts = [
        f"Request {told.request_id}",
        told.explanation,
        _lines("What was asked and what came of it", _facts(told)),
    ]
    if told.verdicts:
        kept = sorted(told.verdicts, key=lambda one: (not one.kept, -one.probability))
        parts.append(_lines("Candidates", _short([_verdict(one) for one in kept])))
    if told.attempts:
        parts.append(_lines("Attempts", _short([_attempt(one) for one in told.attempts])))
    if told.contrast is not None:
        parts.append(_lines("Against the runner-up", _contrast(told.contrast)))
    return "\n\n".join(parts) + "\n"


def _lines(heading: str, lines: Sequence[str]) -> str:
    return "\n".join([heading, *(f"- {line}" for line in lines)])


def _short(lines: list[str]) -> list[str]:
    left = len(lines) - CANDIDATES_MAX
    return lines if left <= 0 else [*lines[:CANDIDATES_MAX], f"and {left} more"]


def _facts(told: Explanation) -> list[str]:
    decision, asked = told.decision, told.asked
    facts = [
        f"asked for: {asked.model}, at {told.at}",
        f"status: {told.status}" + (f" ({told.error})" if told.error else ""),
    ]
    if told.strategy is not None:
        combo = "" if decision.combo_used is None else f" of combo {decision.combo_used}"
        facts.append(f"strategy: {told.strategy}{combo}")
    if decision.provider_selected is not None:
        facts.append(f"answered by: {decision.provider_selected}/{decision.model_used}")
    prompt, completion = _known(told.tokens.prompt), _known(told.tokens.completion)
    facts.append(f"tokens: {prompt} in, {completion} out")
    cost = decision.cost_actual
    facts.append("cost: " + ("not known" if cost is None else f"${cost:.6f}"))
    facts.append(f"time: {decision.latency_actual} ms in all")
    return facts


def _known(figure: int | None) -> str:
    return "not known" if figure is None else str(figure)


def _verdict(one: VerdictInfo) -> str:
    name = f"{one.provider}/{one.model}"
    why = f": {one.detail}" if one.detail else ""
    if not one.kept:
        return f"{name} was left out, {one.reason}{why}"
    score = "" if one.score is None else f", score {one.score:.3f}"
    return f"{name} could be tried, first with probability {one.probability:.2f}{score}{why}"


def _attempt(one: AttemptInfo) -> str:
    name = f"{one.number}. {one.provider}/{one.model}"
    if one.failure is None:
        other = f", with {one.model_served}" if one.swapped else ""
        return f"{name} answered in {one.latency_ms} ms{other}"
    status = "" if one.provider_status is None else f" (HTTP {one.provider_status})"
    detail = f": {one.detail}" if one.detail else ""
    return f"{name} failed with {one.failure}{status} after {one.latency_ms} ms{detail}"


def _contrast(one: ContrastInfo) -> list[str]:
    lines = [
        f"{one.chosen} was first with probability {one.probability:.2f}, {one.runner_up} with "
        f"{one.runner_up_probability:.2f}"
    ]
    lines += [
        f"{delta.name}: {delta.chosen:.3f} against {delta.runner_up:.3f}"
        for delta in one.deltas
        if delta.advantage
    ]
    lines += [
        f"{flip.provider}/{flip.model} would be level with {flip.name} {flip.needed:.4g} "
        f"instead of {flip.now:.4g}"
        for flip in one.would_flip
    ]
    return lines
