"""A second call where the first byte is slow: whoever has content first answers.

The idea: of a model's answers a few take many times as long as the others to begin, and a second
call elsewhere is nearly always there before them. So a combo may hedge: when a streamed answer
shows no first byte within the percentile it names of what its model normally takes, the same
request goes to the next candidate, and the first content wins. Normal is the median of that
percentile over the candidates that serve the model: one of them that has become slow for minutes
must not be what is normal there. The other call is cut at once, settled like one that a client
left, and is no failure; its wait counts (latency.py), so that what is slow is known to be.

A hedge is bounded thrice: by the percentile (at 95 one call in twenty is later), by the retry
budget of the second account, which it takes a token of, and by the candidates that a request
may try. It never waits for a place or a turn, never goes where the money for both in full
cannot be set aside, and never begins before SAMPLES_MIN answers say what is normal. A whole
answer shows nothing before it is done, so it is never hedged. The client sees one answer: a
call that has lost gives none of its Pieces away, and what a second call meets ends nothing.

Source: Dean and Barroso, "The Tail at Scale" (2013), hedged requests.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from .errors import RoutingError, UpstreamFailure
from .health.latency import Timing
from .leg import Leg
from .policy import FALLS_BACK

SAMPLES_MIN = 20

Second = Callable[[Leg], Awaitable[Leg | None]]
"""Gives a leg that has entered, None where there is to be no second call."""


class Begin(Protocol):
    """Lets a leg go out that is still needed, else gives it up; says whether it went."""

    def __call__(self, leg: Leg, *, is_needed: bool) -> bool: ...


def normal_s(timings: Sequence[Timing], percentile: int) -> float | None:
    """Give how long a first byte normally takes at most; None before that is known.

    Args:
        timings: of the candidate and of others that serve its model.
        percentile: of the answers that are normal.
    """
    known = sorted(
        one.percentile_s(percentile) for one in timings if one.first_byte.total >= SAMPLES_MIN
    )
    return known[(len(known) - 1) // 2] if known else None


@dataclass(slots=True)
class Race:
    """How the calls went.

    Attributes:
        winner: who had content first, None when nobody had and the first call failed.
        error: of the first call.
        rival: the second leg, None when there was no second call.
        rival_error: of the second call.
    """

    winner: Leg | None = None
    error: RoutingError | None = None
    rival: Leg | None = None
    rival_error: RoutingError | None = None


async def race(first: Leg, wait_s: float, second: Second, begin: Begin) -> Race:
    """Call, and after `wait_s` without a byte make a second call, too.

    Args:
        first: has begun.
        wait_s: how long its first byte is waited for.
        second: makes the other leg ready.
        begin: lets it go out.
    """
    ended = Race()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_called(first))
        other: asyncio.Task[RoutingError | None] | None = None
        await asyncio.wait((task,), timeout=wait_s)
        if not task.done() and first.first_byte_s is None:
            rival = await second(first)
            # Meanwhile the first one may have shown that it comes.
            is_needed = not task.done() and first.first_byte_s is None
            if rival is not None and begin(rival, is_needed=is_needed):
                ended.rival, other = rival, group.create_task(_called(rival))
        tasks = {task} if other is None else {task, other}
        is_over = _is_over(ended, first, task, other)
        while tasks and not is_over:
            _, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            is_over = _is_over(ended, first, task, other)
        for one in tasks:
            one.cancel()
    return ended


def _is_over(
    ended: Race,
    first: Leg,
    task: "asyncio.Task[RoutingError | None]",
    other: "asyncio.Task[RoutingError | None] | None",
) -> bool:
    """Whether somebody has won, or nobody can; the first call's content counts before."""
    if other is not None and other.done():
        ended.rival_error = other.result()
        if ended.rival_error is None:
            ended.winner = ended.rival
    if task.done():
        ended.error = task.result()
        if ended.error is None:
            ended.winner = first
    return ended.winner is not None or _is_hopeless(ended.error)


def _is_hopeless(error: RoutingError | None) -> bool:
    """Whether the first call met what every other would; what a second one met ends nothing."""
    if error is None:
        return False
    return not isinstance(error, UpstreamFailure) or not FALLS_BACK[error.kind]


async def _called(leg: Leg) -> RoutingError | None:
    """Call, and give the error: one call's failure is not the other's end."""
    try:
        await leg.call()
    except RoutingError as error:
        return error
    return None
