"""The plot of a run: bars on a logarithmic scale, as SVG that reads on light and dark pages."""

import math
from collections.abc import Mapping
from html import escape

from benchmarks.results import OURS, Spread

WIDTH, LABEL_WIDTH, VALUE_WIDTH = 760, 180, 90
ROW, TITLE, GAP = 24, 30, 22
INK, MUTED, OWN, OTHER = "#57606a", "#8c959f", "#0a7ea4", "#a9b4bf"


def svg(panels: Mapping[str, Mapping[str, Spread]]) -> str:
    """Give one panel a figure: a bar a target to the median, a line over what rounds gave."""
    parts, top = [], GAP
    for title, bars in panels.items():
        if bars:
            parts += _panel(title, bars, top)
            top += TITLE + ROW * len(bars) + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" '
        f'font-family="system-ui, sans-serif" font-size="13">\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _panel(title: str, bars: Mapping[str, Spread], top: int) -> list[str]:
    """Give a panel's marks. A target that adds nothing measurable has a bar without length."""
    low = min((max(one.least, 0.1) for one in bars.values()), default=0.1) / 1.5
    high = max(max(one.most, low) for one in bars.values()) * 1.1
    room = WIDTH - LABEL_WIDTH - VALUE_WIDTH

    def at(value: float) -> float:
        share = math.log(max(value, low) / low) / math.log(high / low)
        return LABEL_WIDTH + room * share

    found = [f'<text x="0" y="{top + 12}" fill="{INK}" font-weight="600">{escape(title)}</text>']
    for place, (name, one) in enumerate(bars.items()):
        y = top + TITLE + place * ROW
        fill = OWN if name.startswith(OURS) else OTHER
        found += [
            f'<text x="{LABEL_WIDTH - 8}" y="{y + 11}" text-anchor="end" fill="{INK}">'
            f"{escape(name)}</text>",
            f'<rect x="{LABEL_WIDTH}" y="{y}" width="{at(one.median) - LABEL_WIDTH:.1f}" '
            f'height="14" rx="2" fill="{fill}"/>',
            f'<path d="M{at(one.least):.1f} {y + 7}H{at(one.most):.1f}" stroke="{INK}"/>',
            f'<text x="{at(max(one.most, one.median)) + 6:.1f}" y="{y + 11}" fill="{MUTED}">'
            f"{one.median:,.0f} us</text>",
        ]
    return found
