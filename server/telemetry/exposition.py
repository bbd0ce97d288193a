"""Figures as Prometheus reads them: its text format, version 0.0.4.

Source: Prometheus, "Exposition formats" (prometheus.io/docs/instrumenting/exposition_formats) and
"Metric and label naming", read 2026-11.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Literal

from .figures import BUCKETS_S, Counted, Ended, Spread, Tally

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
TOKENS = (
    ("input", "input_tokens"),
    ("output", "output_tokens"),
    ("cached_input", "cached_input_tokens"),
    ("cache_write", "cache_write_tokens"),
    ("reasoning", "reasoning_tokens"),
)
"""Types of tokens and the fields of a Tally; reasoning is part of output, cached of input."""
Labels = Mapping[str, str]
Number = int | str
Kind = Literal["counter", "gauge"]

_BOUNDS = (*(f"{one:g}" for one in BUCKETS_S), "+Inf")


class Page:
    """Lines of an answer to a scrape."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def figure(
        self, name: str, kind: Kind, words: str, values: Iterable[tuple[Labels, Number]]
    ) -> None:
        """Add a metric, one line for each of its values; nothing where it has none."""
        found = [f"{name}{_labels(labels)} {value}" for labels, value in values]
        if found:
            self._head(name, kind, words)
            self._lines += found

    def spread(self, name: str, words: str, values: Iterable[tuple[Labels, Spread]]) -> None:
        """Add a histogram in seconds."""
        found = [line for labels, spread in values for line in _spread_lines(name, labels, spread)]
        if found:
            self._head(name, "histogram", words)
            self._lines += found

    def text(self) -> str:
        """Give the page."""
        return "".join(f"{line}\n" for line in self._lines)

    def _head(self, name: str, kind: str, words: str) -> None:
        self._lines += [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]


def tell(page: Page, counted: Counted) -> None:
    """Add everything that was counted."""
    _tell_requests(page, counted.requests)
    _tell_calls(page, counted)
    if counted.blocked:
        words = "Times in which an event loop did not turn for more than half a second."
        page.figure("omniroute_loop_blocked_total", "counter", words, [({}, counted.blocked)])
        words = "For how long event loops did not turn in those times."
        page.figure(
            "omniroute_loop_blocked_seconds_total",
            "counter",
            words,
            [({}, decimal(counted.blocked_us, 6))],
        )


def _tell_requests(page: Page, requests: Mapping[Ended, Tally]) -> None:
    names = ("door", "kind", "status", "error", "provider", "model")
    page.figure(
        "omniroute_requests_total",
        "counter",
        "Requests that are over, by how they ended and who answered them.",
        [(dict(zip(names, key, strict=True)), one.requests) for key, one in requests.items()],
    )
    page.figure(
        "omniroute_fallbacks_total",
        "counter",
        "Requests that needed more than one call, by how they ended.",
        _summed(requests, ("status",), (2,), lambda one: one.fallbacks),
    )
    page.figure(
        "omniroute_tokens_total",
        "counter",
        "Tokens of requests, by type: cached_input is part of input, reasoning of output.",
        [
            ({**labels, "type": kind}, value)
            for kind, field in TOKENS
            for labels, value in _summed(requests, ("provider", "model"), (4, 5), attrgetter(field))
        ],
    )
    page.figure(
        "omniroute_cost_usd_total",
        "counter",
        "What requests cost, in dollars, as far as prices are known.",
        [
            (labels, decimal(value, 9))
            for labels, value in _summed(
                requests, ("provider", "model"), (4, 5), lambda one: one.cost_usd_nanos
            )
        ],
    )
    page.figure(
        "omniroute_unpriced_requests_total",
        "counter",
        "Requests whose price is not known: their cost is in no sum.",
        _summed(requests, ("provider", "model"), (4, 5), lambda one: one.unpriced),
    )
    page.spread(
        "omniroute_request_duration_seconds",
        "From a request's arrival to the end of its answer.",
        _spreads(requests, lambda one: one.total),
    )
    page.spread(
        "omniroute_first_content_seconds",
        "From a request's arrival to the first content of its answer.",
        _spreads(requests, lambda one: one.first_content),
    )


def _tell_calls(page: Page, counted: Counted) -> None:
    page.spread(
        "omniroute_upstream_call_duration_seconds",
        "Calls to providers, by how they ended.",
        [
            ({"provider": provider, "ended": ended}, one)
            for (provider, ended), one in counted.calls.items()
        ],
    )
    page.spread(
        "omniroute_tool_call_duration_seconds",
        "Calls of MCP tools, by how they ended.",
        [({"tool": tool, "ended": ended}, one) for (tool, ended), one in counted.tools.items()],
    )
    page.figure(
        "omniroute_a2a_tasks_total",
        "counter",
        "A2A tasks that came to an end, or to a question, by their state.",
        [({"state": state}, count) for state, count in counted.tasks.items()],
    )


def decimal(value: int, places: int) -> str:
    """Give an integer of small units as a number of the large one, exactly."""
    whole, rest = divmod(value, 10**places)
    return f"{whole}.{rest:0{places}d}".rstrip("0").rstrip(".")


def _summed(
    requests: Mapping[Ended, Tally],
    names: Sequence[str],
    places: Sequence[int],
    value: Callable[[Tally], int],
) -> list[tuple[Labels, int]]:
    """Give a number of the tallies by some of their labels; what is 0 for nobody is left out."""
    sums: dict[tuple[str, ...], int] = {}
    for key, one in requests.items():
        part = tuple(key[place] for place in places)
        sums[part] = sums.get(part, 0) + value(one)
    return [
        (dict(zip(names, part, strict=True)), number)
        for part, number in sums.items()
        if number or any(part)
    ]


def _spreads(
    requests: Mapping[Ended, Tally], spread: Callable[[Tally], Spread]
) -> list[tuple[Labels, Spread]]:
    sums: dict[tuple[str, str], Spread] = {}
    for key, one in requests.items():
        sums.setdefault((key[1], key[2]), Spread()).add(spread(one))
    return [
        ({"kind": kind, "status": status}, one)
        for (kind, status), one in sums.items()
        if any(one.counts)
    ]


def _spread_lines(name: str, labels: Labels, spread: Spread) -> list[str]:
    lines, total = [], 0
    for bound, count in zip(_BOUNDS, spread.counts, strict=True):
        total += count
        lines.append(f"{name}_bucket{_labels({**labels, 'le': bound})} {total}")
    shown = _labels(labels)
    lines.append(f"{name}_sum{shown} {decimal(spread.sum_us, 6)}")
    lines.append(f"{name}_count{shown} {total}")
    return lines


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
