"""The value at a place of what several sorted runs hold together, without merging them.

The values are not moved: the range in which the value lies is halved until few are left, which
are put in order. So a percentile of a hundred thousand times that are kept in thirty sorted runs
takes some hundred steps, where sorting them all would take milliseconds in one go.
"""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import chain

from omniroute.routing.usage import PERCENTS, Spread, place_of

FEW = 128
"""So many values are put in order at once."""

Runs = Sequence["array[float]"]


def value_at(runs: Runs, place: int) -> float:
    """Give the value at a place, from 1, of all runs together; each is sorted and has values."""
    if len(runs) == 1:
        return runs[0][place - 1]
    low, high = min(run[0] for run in runs), max(run[-1] for run in runs)
    starts, ends = [0] * len(runs), [len(run) for run in runs]
    while sum(ends) - sum(starts) > FEW:
        middle = low + (high - low) / 2
        if not low < middle < high:
            # No number is between them: whatever is left has one of two values.
            bounds = zip(runs, starts, ends, strict=True)
            lows = sum(bisect_right(run, low, start, end) for run, start, end in bounds)
            return low if place <= lows else high
        bounds = zip(runs, starts, ends, strict=True)
        cuts = [bisect_right(run, middle, start, end) for run, start, end in bounds]
        if sum(cuts) >= place:
            high, ends = middle, cuts
        else:
            low, starts = middle, cuts
    left = zip(runs, starts, ends, strict=True)
    found = sorted(chain.from_iterable(run[start:end] for run, start, end in left))
    return found[place - 1 - sum(starts)]


def spread_of(runs: Runs) -> Spread | None:
    """Give the percentiles of all runs together, of the nearest rank; None of no values."""
    runs = [run for run in runs if run]
    number = sum(map(len, runs))
    if not number:
        return None
    return Spread(*(value_at(runs, place_of(one, number)) for one in PERCENTS))
