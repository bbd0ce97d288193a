"""Make the table of expected lengths of answers that the gateway ships, from public data.

    .venv/bin/python requirements/lengths.py DATA_FOLDER

Writes routing/catalog/lengths.json, in the shape that routing/catalog/lengths.py reads: output
tokens by family of question, of models by a part of their name and of two kinds of model.

Two sources. LLMRouterBench has what each model cost on each data set, and by its accuracies how
many questions a set has: the smallest number that all of them are whole parts of. What one
question cost, divided by the model's price of output, is about what was written; the question
itself is a small part of it, so sets of many turns are left out. Aider's leaderboard has the
tokens themselves, of two tries at most a case.

The questions of both are harder than most, so the table has the geometric mean of what was found
and EVERYDAY. Prices are those of the gateway's own price list.
"""

import argparse
import csv
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from omniroute.routing.catalog.prices import facts_of
from omniroute.routing.wire.families import FAMILIES

TARGET = Path(__file__).parent.parent / "routing/catalog/lengths.json"
SOURCE = "LLMRouterBench at 0e267fb (arXiv 2601.07206, MIT); Aider polyglot at 5dc9490 (Apache-2.0)"
EVERYDAY = 500
TRIES = 2
QUESTIONS_MAX = 5000
FAMILY_OF_SET = {
    "AIME": "math",
    "LiveMathBench": "math",
    "LiveCodeBench": "code",
    "GPQA": "hard science",
    "HLE": "hard science",
    "MMLU-Pro": "multiple choice",
    "SimpleQA": "factual",
    "ArenaHard": "writing",
}
# As the price list names what the benchmark names; models it does not have are left out.
PRICED = {
    "claude-sonnet-4": ("anthropic", "claude-sonnet-4"),
    "deepseek-r1-0528": ("openrouter", "deepseek/deepseek-r1-0528"),
    "gemini-2.5-flash": ("gemini", "gemini-2.5-flash"),
    "gemini-2.5-pro": ("gemini", "gemini-2.5-pro"),
    "glm-4.6": ("openrouter", "z-ai/glm-4.6"),
    "gpt-5": ("openai", "gpt-5"),
    "kimi-k2-0905": ("openrouter", "moonshotai/kimi-k2-0905"),
    "qwen3-235b-a22b-2507": ("openrouter", "qwen/qwen3-235b-a22b-2507"),
    "qwen3-235b-a22b-thinking-2507": ("openrouter", "qwen/qwen3-235b-a22b-thinking-2507"),
}
# A part of a vendor's name for the model, and whether it thinks before it answers.
NAMES = {
    "claude-sonnet-4": ("claude-sonnet-4", False),
    "deepseek-r1-0528": ("deepseek-r1", True),
    "gemini-2.5-flash": ("gemini-2.5-flash", True),
    "gemini-2.5-pro": ("gemini-2.5-pro", True),
    "glm-4.6": ("glm-4.6", True),
    "gpt-5": ("gpt-5", True),
    "kimi-k2-0905": ("kimi-k2", False),
    "qwen3-235b-a22b-2507": ("qwen3-235b-a22b", False),
    "qwen3-235b-a22b-thinking-2507": ("qwen3-235b-a22b-thinking", True),
    "claude-opus-4-20250514 (no think)": ("claude-opus-4", False),
    "claude-sonnet-4-20250514 (no thinking)": ("claude-sonnet-4", False),
    "gemini-2.5-pro-preview-06-05 (default think)": ("gemini-2.5-pro", True),
    "gemini-2.5-flash-preview-05-20 (24k think)": ("gemini-2.5-flash", True),
    "DeepSeek R1 (0528)": ("deepseek-r1", True),
    "o3": ("o3", True),
}

Row = Mapping[str, float]
"""Output tokens by family."""
Found = dict[str, dict[str, list[float]]]
"""Output tokens by model and family."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table; give an exit status."""
    parser = argparse.ArgumentParser(description="Make routing/catalog/lengths.json.")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args(arguments).folder
    found: Found = defaultdict(lambda: defaultdict(list))
    for model, family, tokens in chain(
        _bench(folder), _aider((folder / "aider_polyglot.yml").read_text("utf-8"))
    ):
        found[NAMES[model][0]][family].append(tokens)
    known = {model: _everyday(row) for model, row in sorted(found.items())}
    thinks = dict(NAMES.values())
    kinds = [_kind([known[one] for one in known if thinks[one] is does]) for does in (False, True)]
    rows = {model: _filled(row, kinds[thinks[model]]) for model, row in known.items()}
    lines = ",\n".join(
        f"{json.dumps(model)}:{json.dumps(_rounded(row))}" for model, row in rows.items()
    )
    plain, thinking = (json.dumps(_rounded(kind)) for kind in kinds)
    TARGET.write_text(
        f'{{"source":{json.dumps(SOURCE)},\n"plain":{plain},\n"thinking":{thinking},\n'
        f'"models":{{\n{lines}\n}}}}\n',
        "utf-8",
    )
    print(f"{TARGET.name}: {len(rows)} models, {TARGET.stat().st_size} bytes")
    return 0


def _bench(folder: Path) -> Iterable[tuple[str, str, float]]:
    accuracies = _table(folder / "llmrouterbench_accuracy.csv")
    costs = _table(folder / "llmrouterbench_cost.csv")
    questions = {
        name: _questions([row[name] for row in accuracies.values()]) for name in FAMILY_OF_SET
    }
    for model, row in costs.items():
        price = facts_of(*PRICED[model]).price if model in PRICED else None
        for name, family in FAMILY_OF_SET.items() if price is not None else ():
            usd = float(row[name]) / questions[name]
            yield model, family, usd * 1e15 / price.output  # nano-dollars a million tokens


def _questions(accuracies: Sequence[str]) -> int:
    """Give the smallest number of questions of which every accuracy is a whole part."""
    for number in range(1, QUESTIONS_MAX):
        if all(
            f"{round(float(one) * number / 100) * 100 / number:.2f}" == f"{float(one):.2f}"
            for one in accuracies
        ):
            return number
    raise SystemExit(f"no number of questions fits {accuracies}")


def _aider(text: str) -> Iterable[tuple[str, str, float]]:
    for entry in text.split("- dirname:")[1:]:
        fields = dict(re.findall(r"^  (\w+): (.+)$", entry, re.MULTILINE))
        if fields["model"] in NAMES and "completion_tokens" in fields:
            cases = int(fields["test_cases"]) * TRIES
            yield fields["model"], "code", int(fields["completion_tokens"]) / cases


def _everyday(found: Mapping[str, Sequence[float]]) -> Row:
    return {family: math.sqrt(_mean(values) * EVERYDAY) for family, values in found.items()}


def _kind(rows: Sequence[Row]) -> Row:
    """Give what the models of a kind write; a family that none has is the mean of the others."""
    known = {
        family: _mean(row[family] for row in rows if family in row)
        for family in FAMILIES
        if any(family in row for row in rows)
    }
    return {family: known.get(family, _mean(known.values())) for family in FAMILIES}


def _filled(row: Row, kind: Row) -> Row:
    """Give a model's row; where it lacks a family it is to its kind there as it is elsewhere."""
    ratio = _mean(value / kind[family] for family, value in row.items())
    return {family: row.get(family, kind[family] * ratio) for family in FAMILIES}


def _mean(values: Iterable[float]) -> float:
    """Give the geometric mean."""
    logs = [math.log(value) for value in values]
    return math.exp(math.fsum(logs) / len(logs))


def _rounded(row: Row) -> dict[str, int]:
    return {family: int(float(f"{value:.2g}")) for family, value in row.items()}


def _table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


if __name__ == "__main__":
    raise SystemExit(main())
