"""A routing decision and what came of it, in sentences."""

from omniroute.routing.model import Attempt, Decision, Outcome, Verdict
from omniroute.routing.policy import OUTRUN

ATTEMPTS_TOLD_MAX = 8


def explain(outcome: Outcome) -> str:
    """Give in words who answered, who was passed over or failed before, and why."""
    sentences = [_choice(outcome.decision)] if outcome.decision is not None else []
    failed = [one for one in outcome.attempts if one.failure is not None]
    sentences += [_failure(one) for one in failed[:ATTEMPTS_TOLD_MAX]]
    winner = outcome.winner
    if outcome.status == "answered" and winner is not None:
        sentences.append(f"{winner.name} answered.")
        if outcome.output_tokens_clamp is not None:
            sentences.append(
                f"The answer was clamped to {outcome.output_tokens_clamp} tokens, so that it "
                "could be paid."
            )
        if winner.simulated:
            sentences.append("The answer is simulated: no real provider is behind it.")
    elif outcome.status == "client_gone":
        sentences.append("The client left before the answer was complete.")
    else:
        sentences.append(f"Nobody answered: {outcome.error_detail or outcome.error}.")
    return " ".join(sentences)


def _choice(decision: Decision) -> str:
    kept = len(decision.order)
    dropped = len(decision.verdicts) - kept
    what = f"Combo {decision.combo!r}" if decision.combo is not None else repr(decision.target)
    told = f"{what} has {_count(len(decision.verdicts), 'candidate')}, strategy {decision.strategy}"
    if dropped:
        reasons = sorted({one.reason for one in decision.verdicts if not one.kept})
        told += f"; {dropped} could not be tried ({', '.join(reasons)})"
    stays = [f" {one.candidate.name}: {one.detail}." for one in decision.verdicts if _told(one)]
    return f"{told}.{''.join(stays)}"


def _told(verdict: Verdict) -> bool:
    """Whether there is more to say of one that could be tried: why a session is there."""
    return verdict.kept and bool(verdict.detail)


def _failure(attempt: Attempt) -> str:
    if attempt.failure == OUTRUN:
        return f"{attempt.candidate.name} was late: {attempt.detail}."
    detail = f": {attempt.detail}" if attempt.detail else ""
    return f"{attempt.candidate.name} failed with {attempt.failure}{detail}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
