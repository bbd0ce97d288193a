"""What outcomes add up to, worked out one by one: the measure of what databases give."""

from collections.abc import Callable, Iterable, Sequence

from omniroute.routing.model import Attempt, Outcome
from omniroute.routing.usage import (
    UNFINISHED,
    CallDimension,
    CallRow,
    Grouping,
    LastFailure,
    Selection,
    Spread,
    Usage,
    UsageRow,
    UsageTotal,
)

Call = tuple[Outcome, Attempt]

NAMES: dict[Grouping, Callable[[Outcome], str | None]] = {
    "provider": lambda one: one.winner.provider if one.winner else None,
    "account": lambda one: one.winner.account_id if one.winner else None,
    "model": lambda one: one.winner.name if one.winner else None,
    "combo": lambda one: one.decision.combo if one.decision else None,
    "key": lambda one: one.key_id,
    "day": lambda one: str(int(one.at_unix_s // 86_400) * 86_400),
    "model_day": lambda one: (
        f"{int(one.at_unix_s // 86_400) * 86_400} {one.winner.name}" if one.winner else None
    ),
    "minute": lambda one: str(int(one.at_unix_s // 60) * 60),
    "error": lambda one: one.error,
    "hour": lambda one: str(int(one.at_unix_s // 3_600) * 3_600),
}


def usage(
    outcomes: Iterable[Outcome], selection: Selection, by: Sequence[Grouping], *, timed: bool
) -> Usage:
    """Add up requests."""
    chosen = [
        one
        for one in outcomes
        if _is_chosen(one, selection)
        and selection.provider in (None, NAMES["provider"](one))
        and selection.model in (None, NAMES["model"](one))
    ]
    return Usage(
        _row(None, chosen, timed=timed),
        {dimension: _rows(chosen, NAMES[dimension], timed=timed) for dimension in by},
    )


def calls(
    outcomes: Iterable[Outcome], selection: Selection, by: CallDimension
) -> tuple[CallRow, ...]:
    """Add up calls."""
    groups: dict[str, list[Call]] = {}
    for one in outcomes:
        for attempt in one.attempts if _is_chosen(one, selection) else ():
            candidate = attempt.candidate
            if selection.provider in (None, candidate.provider) and selection.model in (
                None,
                candidate.name,
            ):
                name = candidate.provider if by == "provider" else candidate.name
                groups.setdefault(name, []).append((one, attempt))
    return tuple(_calls(name, groups[name]) for name in sorted(groups))


def spread(values: Iterable[float]) -> Spread | None:
    """Give the values that 50, 95 and 99 percent are not above; None of none."""
    placed = sorted(values)
    if not placed:
        return None
    at_most = [
        next(one for place, one in enumerate(placed, 1) if place * 100 >= percent * len(placed))
        for percent in (50, 95, 99)
    ]
    return Spread(*at_most)


def _is_chosen(one: Outcome, selection: Selection) -> bool:
    return (
        selection.since_unix_s <= one.at_unix_s < selection.until_unix_s
        and selection.key_id in (None, one.key_id)
        and selection.combo in (None, NAMES["combo"](one))
    )


def _rows(
    chosen: Sequence[Outcome], name_of: Callable[[Outcome], str | None], *, timed: bool
) -> tuple[UsageRow, ...]:
    groups: dict[str | None, list[Outcome]] = {}
    for one in chosen:
        groups.setdefault(name_of(one), []).append(one)
    names = sorted(groups, key=lambda name: (name is not None, name or ""))
    return tuple(_row(name, groups[name], timed=timed) for name in names)


def _row(name: str | None, chosen: Sequence[Outcome], *, timed: bool) -> UsageRow:
    answered = [one for one in chosen if one.status == "answered"]
    firsts = [one.first_content_s for one in answered if one.first_content_s is not None]
    return UsageRow(
        name,
        _total(chosen),
        spread(one.total_s for one in answered) if timed else None,
        spread(firsts) if timed else None,
    )


def _total(chosen: Sequence[Outcome]) -> UsageTotal:
    simulated = [one for one in chosen if one.winner is not None and one.winner.simulated]
    return UsageTotal(
        requests=len(chosen),
        answered=sum(one.status == "answered" for one in chosen),
        failed=sum(one.status == "failed" for one in chosen),
        refused=sum(one.status == "refused" for one in chosen),
        client_gone=sum(one.status == "client_gone" for one in chosen),
        fallbacks=sum(max(len(one.attempts) - 1, 0) for one in chosen),
        fell_back=sum(len(one.attempts) > 1 for one in chosen),
        input_tokens=sum(one.usage.input_tokens for one in chosen),
        output_tokens=sum(one.usage.output_tokens for one in chosen),
        cached_input_tokens=sum(one.usage.cached_input_tokens for one in chosen),
        cache_write_tokens=sum(one.usage.cache_write_tokens for one in chosen),
        reasoning_tokens=sum(one.usage.reasoning_tokens for one in chosen),
        cost_usd_nanos=sum(one.cost_usd_nanos or 0 for one in chosen),
        unpriced=sum(one.cost_usd_nanos is None for one in chosen),
        simulated=len(simulated),
        simulated_usd_nanos=sum(one.cost_usd_nanos or 0 for one in simulated),
        cached=sum(one.usage.cached_input_tokens > 0 for one in chosen),
        answered_s=round(sum(one.total_s for one in chosen if one.status == "answered"), 6),
    )


def _calls(name: str, made: Sequence[Call]) -> CallRow:
    answered = [(one, attempt) for one, attempt in made if attempt.failure is None]
    failed = [
        (one, attempt)
        for one, attempt in made
        if attempt.failure is not None and attempt.failure not in UNFINISHED
    ]
    times = [_took_s(one, attempt) for one, attempt in answered]
    firsts = [_first_s(one, attempt) for one, attempt in answered]
    return CallRow(
        name,
        calls=len(made),
        answered=len(answered),
        failed=len(failed),
        answered_s=round(sum(times), 6),
        times=spread(times),
        first_byte=spread(one for one in firsts if one is not None),
        last_failure=_last(failed),
    )


def _took_s(one: Outcome, attempt: Attempt) -> float:
    return one.total_s if _at_once(one) else attempt.ended_s - attempt.started_s


def _first_s(one: Outcome, attempt: Attempt) -> float | None:
    if _at_once(one):
        return one.first_content_s
    return None if attempt.first_byte_s is None else attempt.first_byte_s - attempt.started_s


def _at_once(one: Outcome) -> bool:
    """Whether the request's own times stand for its call's."""
    return len(one.attempts) == 1 and one.status == "answered"


def _last(failed: Sequence[Call]) -> LastFailure | None:
    if not failed:
        return None
    one, attempt = max(
        failed, key=lambda call: (call[0].at_unix_s, call[0].request.request_id, call[1].number)
    )
    return LastFailure(
        one.request.request_id,
        at_unix_s=one.at_unix_s,
        kind=attempt.failure or "",
        detail=attempt.detail,
        provider_status=attempt.provider_status,
    )
