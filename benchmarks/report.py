"""docs/performance.md from a run: its tables, its plot, and what was not measured.

    python -m benchmarks.report [build/benchmark.json]

Keeps the run as docs/performance.json, draws docs/performance.svg, and writes what stands
between the two marks in docs/performance.md. Nothing there is written by hand.
"""

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import goals
from benchmarks.cases import CASES, HELD
from benchmarks.goals import number
from benchmarks.plot import svg
from benchmarks.results import DIRECT, OURS, Figures, Results, Spread, ratios, read, spread

ROOT = Path(__file__).parent.parent
LAST = ROOT / "build/benchmark.json"
PAGE, KEPT, PLOT = (ROOT / f"docs/performance.{end}" for end in ("md", "json", "svg"))
BEGIN = "<!-- Made by `python -m benchmarks.report` from performance.json; do not edit. -->"
END = "<!-- The end of what is made. -->"

HEADS = {
    "idle": "after the first answer",
    "after": "after the load",
    "mcp": "with MCP in use",
    "at_once": "at once",
    "errors": "errors",
    "rss_mb_peak": "memory, MB",
}

Values = Callable[[Results, str], list[float]]


def main(arguments: Sequence[str]) -> int:
    """Write the three files; give an exit status."""
    source = Path(arguments[0]) if arguments else LAST
    if source.resolve() != KEPT:
        shutil.copyfile(source, KEPT)
    results = read(KEPT)
    PAGE.write_text(page(PAGE.read_text("utf-8"), results), "utf-8")
    PLOT.write_text(plot(results), "utf-8")
    print(f"Made {PAGE.name} and {PLOT.name} from {source}.")
    return 0


def page(old: str, results: Results) -> str:
    """Give the page with what is made of a run in place of what was."""
    before, _, rest = old.partition(BEGIN)
    _, _, after = rest.partition(END)
    image = "![Added latency and CPU, on a logarithmic scale](performance.svg)"
    return f"{before}{BEGIN}\n\n{image}\n\n{text(results)}\n{END}{after}"


def text(results: Results) -> str:
    """Give everything that is told of a run, as Markdown."""
    parts = [_made(results), *_goals(results), *_tables(results), *_rest(results)]
    return "\n".join(parts)


def plot(results: Results) -> str:
    """Give the plot of a run."""
    rows = (
        ("added p50, 1 connection (all on a logarithmic scale)", _added("c1", "p50_us")),
        ("CPU a request, 32 connections", _plain("c32", "cpu_us")),
        ("CPU a paced chunk", _plain("paced", "event_cpu_us")),
    )
    panels: dict[str, dict[str, Spread]] = {}
    for title, values in rows:
        found = {name: spread(values(results, name)) for name in _proxies(results)}
        panels[title] = {name: one for name, one in found.items() if one is not None}
    return svg(panels)


def _plain(case: str, figure: str) -> Values:
    return lambda results, target: results.values(case, target, figure)


def _added(case: str, figure: str) -> Values:
    return lambda results, target: results.added(case, target, figure)


ROWS: tuple[tuple[str, str, Values], ...] = (
    *(
        (f"{case}: {words}", "us", _added(case, figure))
        for case in ("c1", "c32", "c128")
        for words, figure in (("added p50", "p50_us"), ("added p99", "p99_us"))
    ),
    *((f"{case}: CPU a request", "us", _plain(case, "cpu_us")) for case in ("c1", "c32", "c128")),
    ("c32: requests a second", "", _plain("c32", "per_s")),
    ("burst: CPU a chunk", "us", _plain("burst", "event_cpu_us")),
    ("burst: added first byte p50", "us", _added("burst", "first_p50_us")),
    ("paced: CPU a chunk", "us", _plain("paced", "event_cpu_us")),
    ("paced: lag of a chunk p50", "us", _plain("paced", "lag_p50_us")),
    ("paced: lag of a chunk p99", "us", _plain("paced", "lag_p99_us")),
    ("s500: errors", "", _plain("s500", "errors")),
    ("s500: CPU a chunk", "us", _plain("s500", "event_cpu_us")),
    ("s500: lag of a chunk p50", "us", _plain("s500", "lag_p50_us")),
    ("s500: lag of a chunk p99", "us", _plain("s500", "lag_p99_us")),
    ("large: added p50", "us", _added("large", "p50_us")),
    ("large: CPU a request", "us", _plain("large", "cpu_us")),
    ("tls-c1: CPU a request", "us", _plain("tls-c1", "cpu_us")),
    ("tls-c32: CPU a request", "us", _plain("tls-c32", "cpu_us")),
    ("pair-c32: CPU a request", "us", _plain("pair-c32", "cpu_us")),
    ("pair-burst: CPU a chunk", "us", _plain("pair-burst", "event_cpu_us")),
    ("a2a: time p50", "us", _plain("a2a", "p50_us")),
    ("a2a: CPU a send", "us", _plain("a2a", "cpu_us")),
    ("mcp-health: time p50", "us", _plain("mcp-health", "p50_us")),
    ("mcp-health: CPU a call", "us", _plain("mcp-health", "cpu_us")),
    ("mcp-route: time p50", "us", _plain("mcp-route", "p50_us")),
    ("mcp-route: CPU a call", "us", _plain("mcp-route", "cpu_us")),
)


def _made(results: Results) -> str:
    made = results.made
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    programs = "compiled" if results.compiled else "Python's own, so the fastest are held up"
    return (
        f"Measured on {made['date']}: {made['machine']}, {made['python']}; `{results.command}`. "
        f"One core for the target, one for the load and the upstream ({programs}); "
        f"{len(results.rounds)} interleaved rounds; when it began the machine's load average was "
        f"{made['load_average']}. Beside it: {versions or 'nothing'}.\n"
        + "".join(_python(results, name) for name in results.pythons)
    )


def _python(results: Results, name: str) -> str:
    """Give what a target runs on, and how much faster that is than the slowest of the run."""
    one = results.pythons[name]
    slowest = max(other.work_us for other in results.pythons.values())
    words = f"\n- {name} ran on {one.name}, {one.build}"
    if one.work_us < slowest:
        words += f"; pure Python takes it {one.work_us / slowest:.2f} times the CPU of the other"
    if len(results.pythons) > 1 and name == results.judged:
        words += ". The goals and the ratios are of this one"
    return words + ".\n"


def _goals(results: Results) -> Iterator[str]:
    lines = goals.judged(results)
    yield f"### The goals\n\n{goals.verdict(lines)}\n"
    yield "| what | goal | measured: median (least to most of the rounds) | |"
    yield "| --- | --- | --- | --- |"
    for line in lines:
        yield f"| {line.goal.words} | " + " | ".join(goals.shown(line)) + " |"
    yield ""


def _tables(results: Results) -> Iterator[str]:
    """Give the medians, and the ratios of ours to each of the others with their spread."""
    names = _proxies(results)
    rows = [row for row in ROWS if any(row[2](results, name) for name in names)]
    if not rows:
        return
    yield "### The figures\n\nMedians of the rounds.\n"
    yield from _table(["figure", *names], [_medians(results, names, row) for row in rows])
    others = [name for name in names if not name.startswith(OURS)]
    if others:
        yield f"### {'OmniRoute' if results.judged == OURS else results.judged} to the others\n"
        yield "Pair by pair within a round: median (least to most).\n"
        heads = [f"to {name}" for name in others]
        body = [[row[0], *(_ratio(results, row[2], name) for name in others)] for row in rows]
        body = [row for row in body if set(row[1:]) != {"-"}]
        yield from _table(["figure", *heads], body)
    for case in (*CASES, HELD):
        yield f"- {case.name}: {case.words}."
    yield ""


def _medians(results: Results, names: list[str], row: tuple[str, str, Values]) -> list[str]:
    words, unit, values = row
    cells = []
    for name in names:
        found = spread(values(results, name))
        cells.append(f"{number(found.median)} {unit}".strip() if found else "-")
    return [words, *cells]


def _ratio(results: Results, values: Values, other: str) -> str:
    found = spread(ratios(values(results, results.judged), values(results, other)))
    if found is None:
        return "-"
    return f"{number(found.median)} ({number(found.least)} to {number(found.most)})"


def _rest(results: Results) -> Iterator[str]:
    yield "### Memory, starts, streams held and clients that leave\n"
    yield from _parts("memory, MB", ("idle", "after", "mcp"), results.memory_mb)
    yield from _parts(f"held: {HELD.words}", ("at_once", "errors", "rss_mb_peak"), results.held)
    starts = {name: spread(times) for name, times in results.starts_s.items()}
    yield from _table(
        ["start, seconds", "median", "most"],
        [[name, number(one.median), number(one.most)] for name, one in starts.items() if one],
    )
    yield from _table(
        ["a decision on 20 candidates, CPU", "p50", "p99"],
        [[n, f"{number(a)} us", f"{number(b)} us"] for n, (a, b) in results.deciding_us.items()],
    )
    if results.left_ms:
        left = results.left_ms
        yield (
            f"Clients that left before the first byte: {number(left['freed'])} of "
            f"{number(left['clients'])} freed the upstream, p50 after {number(left['p50'])} ms, "
            f"p99 {number(left['p99'])} ms.\n"
        )
    if results.soak:
        soak = {name: number(value) for name, value in results.soak.items()}
        yield (
            f"The soak, after a first round that fills the caches: {soak['requests']} requests and "
            f"{soak['left']} streams whose client left; memory {soak['first_mib']} MiB before, "
            f"{soak['last_mib']} MiB after, {soak['errors']} errors.\n"
        )
    failed = {name: results.errors(name) for name in results.targets}
    words = ", ".join(f"{name} {count}" for name, count in failed.items() if count)
    yield f"Requests that failed, of all rounds: {words or 'none'}.\n"
    yield "Not measured: " + "; ".join(results.not_measured) + ".\n"


def _parts(title: str, parts: tuple[str, ...], rows: dict[str, Figures]) -> Iterator[str]:
    """Give a table of what there is of these parts."""
    known = [part for part in parts if any(part in one for one in rows.values())]
    heads = [title, *(HEADS[part] for part in known)]
    cells = [
        [name, *(number(one[part]) if part in one else "-" for part in known)]
        for name, one in rows.items()
    ]
    yield from _table(heads, cells)


def _table(heads: list[str], rows: list[list[str]]) -> Iterator[str]:
    """Give a table; nothing when there is no row."""
    if not rows:
        return
    yield "| " + " | ".join(heads) + " |"
    yield "| " + " | ".join("---" for _ in heads) + " |"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def _proxies(results: Results) -> list[str]:
    return [name for name in results.targets if name != DIRECT]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
