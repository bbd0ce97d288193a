"""Make the table of prior fitness that the gateway ships, from public outcome data.

    .venv/bin/python requirements/fitness.py DATA_FOLDER

Writes routing/catalog/fitness.json, in the shape that routing/catalog/fitness.py reads: by part
of a model's name, the prior fitness for each family of question that the data has. A running
gateway reads the table, never the data.

Three sources, each with its own scale: averages of flagship models on hard sets
(LLMRouterBench), pass rates on coding exercises (Aider's polyglot leaderboard), and scores of
nine small open models (LLMRouter). A percentage of one says nothing beside a percentage of
another, so each data set is stretched over its source's BAND, from its worst model to its best.
The bands are ours: they put flagships above small models, and overlap. Where the prompts are on
record (LLMRouter) the families are those that the gateway finds in them, not those of the data
sets: what a family holds at run time is what its fitness must be of. A family is the mean of
its data sets; a model that several sources know gets their mean. Several settings of one model
(how long it may think) count as one, by their mean.
"""

import argparse
import csv
import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from omniroute.routing.wire.families import family_of

TARGET = Path(__file__).parent.parent / "routing/catalog/fitness.json"
SOURCE = (
    "LLMRouterBench at 0e267fb (arXiv 2601.07206, MIT); Aider polyglot at 5dc9490 (Apache-2.0); "
    "LLMRouter at 4e7a796 (MIT)"
)
BENCH_BAND, AIDER_BAND, OPEN_BAND = (0.70, 0.95), (0.50, 0.95), (0.45, 0.80)

FAMILY_OF_SET = {
    "AIME": "math",
    "LiveMathBench": "math",
    "LiveCodeBench": "code",
    "SWE-bench": "code",
    "GPQA": "hard science",
    "HLE": "hard science",
    "MMLU-Pro": "multiple choice",
    "SimpleQA": "factual",
    "ArenaHard": "writing",
    "tau2": "general",
}
ROWS_MIN = 100
"""Prompts of a family, below which nothing is derived for it."""
# As vendors' model names spell what the sources spell with dates, settings or blanks.
SPELLED = (
    (r"\s*\(.*\)", ""),
    (r"\s+", "-"),
    (r"-diff,.*$", ""),
    (r"^deepseek-chat-v2\.5$", "deepseek-v2.5"),
    (r"^deepseek-chat-v3$", "deepseek-v3"),
    (r"^deepseek-v3\.1-terminus$", "deepseek-v3.1"),
    (r"^gemini-2\.0-pro.*$", "gemini-2.0-pro"),
    (r"-(?:20\d\d-\d\d-\d\d|20\d{6}|exp-01-21|preview-\d\d-\d\d|\d{4})$", ""),
    (r"-(?:preview|beta|exp|latest|quality|2507|32b-instruct)(?:-\d\d-\d\d)?$", ""),
    (r"-03-2025$|-25\.01$|-\d\d-\d\d$|-2507$", ""),
    (r"-preview$|-2507$", ""),
)
NOT_A_MODEL = re.compile(r"\+|quasar|optimus|openhands|exp-1206", re.IGNORECASE)

Scores = Mapping[str, Mapping[str, float]]
"""By data set and then by model."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table; give an exit status."""
    parser = argparse.ArgumentParser(description="Make routing/catalog/fitness.json.")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args(arguments).folder
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for scores, band in (
        (_bench(folder / "llmrouterbench_accuracy.csv"), BENCH_BAND),
        ({"LiveCodeBench": _aider(folder / "aider_polyglot.yml")}, AIDER_BAND),
        (_open(folder / "llmrouter_9.jsonl.gz"), OPEN_BAND),
    ):
        for model, family, value in _stretched(scores, band):
            found[model][family].append(value)
    rows = ",\n".join(
        f"{json.dumps(model)}:"
        + json.dumps({family: round(fmean(all_), 3) for family, all_ in sorted(row.items())})
        for model, row in sorted(found.items())
    )
    TARGET.write_text(f'{{"source":{json.dumps(SOURCE)},\n"models":{{\n{rows}\n}}}}\n', "utf-8")
    print(f"{TARGET.name}: {len(found)} models, {TARGET.stat().st_size} bytes")
    return 0


def _stretched(scores: Scores, band: tuple[float, float]) -> Iterator[tuple[str, str, float]]:
    """Give (model, family, fitness): one source's, by the mean of the family's data sets."""
    low, high = band
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for name, row in scores.items():
        worst, best = min(row.values()), max(row.values())
        for model, score in row.items():
            share = (score - worst) / (best - worst)
            found[model, FAMILY_OF_SET.get(name, name)].append(low + share * (high - low))
    for (model, family), values in found.items():
        yield model, family, fmean(values)


def _bench(path: Path) -> Scores:
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            model = _spelled(row.pop("model"))
            for name, score in row.items():
                if score:
                    scores[name][model] = float(score)
    return scores


def _aider(path: Path) -> Mapping[str, float]:
    text = path.read_text("utf-8")
    pairs = re.findall(r"^  model: (.+?)$.*?^  pass_rate_2: ([\d.]+)$", text, re.M | re.S)
    rates: dict[str, list[float]] = defaultdict(list)
    for name, rate in pairs:
        if not NOT_A_MODEL.search(name):
            rates[_spelled(name)].append(float(rate))
    return {model: fmean(values) for model, values in rates.items()}


def _open(path: Path) -> Scores:
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            del row["task"]
            family = family_of(row.pop("prompt"))
            for model, score in row.items():
                scores[family][model].append(float(score))
    return {
        family: {model: fmean(values) for model, values in row.items()}
        for family, row in scores.items()
        if min(map(len, row.values())) >= ROWS_MIN
    }


def _spelled(name: str) -> str:
    spelled = name.strip().lower()
    for pattern, replacement in SPELLED:
        spelled = re.sub(pattern, replacement, spelled)
    return spelled


if __name__ == "__main__":
    raise SystemExit(main())
