"""Charts as SVG paths, worked out on the server: a few short paths each, whatever they show.

A chart has a place for each step of time. Bars stand on each other; a line is broken where
nothing was measured, for that is not nought.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

WIDTH, HEIGHT = 720, 150
GAP = 0.15
"""The part of a step's width that is left free between bars."""
BARS_APART_MAX = 200
"""With more steps there is no room between bars."""

Kind = Literal["good", "bad", "note", "warn"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One chart: paths with their kinds, and the value at its top; 0 where there is nothing."""

    bars: tuple[tuple[Kind, str], ...] = ()
    lines: tuple[tuple[Kind, str], ...] = ()
    top: float = 0.0


def bars(*parts: tuple[Kind, Sequence[float]]) -> Drawn:
    """Give parts that stand on each other, the first at the bottom."""
    number = len(parts[0][1])
    totals = [sum(values[place] for _, values in parts) for place in range(number)]
    top = max(totals, default=0.0)
    if not top:
        return Drawn()
    step = WIDTH / number
    gap = GAP * step if number <= BARS_APART_MAX else 0.0
    below = [0.0] * number
    drawn: list[tuple[Kind, str]] = []
    for kind, values in parts:
        path: list[str] = []
        for place, value in enumerate(values):
            if value:
                size = value / top * HEIGHT
                base = HEIGHT - below[place] / top * HEIGHT
                wide = _short(step - gap)
                left = _short(place * step + gap / 2)
                path.append(f"M{left} {_short(base)}h{wide}v{_short(-size)}h-{wide}z")
                below[place] += value
        drawn.append((kind, "".join(path)))
    return Drawn(bars=tuple(drawn), top=top)


def lines(*parts: tuple[Kind, Sequence[float | None]]) -> Drawn:
    """Give lines through what was measured; a value alone is a short stroke."""
    top = max((one for _, values in parts for one in values if one is not None), default=0.0)
    if not top:
        return Drawn()
    step = WIDTH / len(parts[0][1])
    return Drawn(lines=tuple((kind, _line(values, step, top)) for kind, values in parts), top=top)


def _line(values: Sequence[float | None], step: float, top: float) -> str:
    path: list[str] = []
    before = False
    for place, value in enumerate(values):
        if value is not None:
            middle, height = _short((place + 0.5) * step), _short(HEIGHT * (1 - value / top))
            path.append(f"{'L' if before else 'M'}{middle} {height}{'' if before else 'h.5'}")
        before = value is not None
    return "".join(path)


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
