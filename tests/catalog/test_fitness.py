"""How fit a model is for a kind of task: the documented table, and the derived priors."""

import json
from pathlib import Path

import pytest

from omniroute.routing.catalog.fitness import (
    DOCUMENTED,
    TASKS,
    documented_fitness,
    fitness_of,
)
from omniroute.routing.wire.families import FAMILIES

DERIVED = json.loads(
    (Path(__file__).parents[2] / "routing/catalog/fitness.json").read_text("utf-8")
)


@pytest.mark.parametrize(
    ("model", "task", "fitness"),
    [
        ("claude-sonnet-4-20250514", "coding", 0.95),
        ("Claude-Opus-5-5", "review", 0.95),
        ("claude-opus-5-5", "default", 0.85),
        # The row says nothing of planning and has no default.
        ("claude-haiku-4-5", "planning", 0.5),
        # The longest part wins: the documented order would take gpt-4o's 0.90.
        ("gpt-4o-mini", "coding", 0.80),
        ("gpt-4o", "documentation", 0.92),
        ("gemini-2.5-pro", "analysis", 0.95),
        ("deepseek-v3-0324", "documentation", 0.78),
        ("mixtral-8x7b", "coding", 0.77),
    ],
)
def test_the_documented_table_says(model: str, task: str, fitness: float) -> None:
    assert dict(documented_fitness(model))[task] == fitness


@pytest.mark.parametrize(
    ("model", "task", "fitness"),
    [
        ("unheard-of", "coding", 0.5),
        ("star-fast", "coding", 0.55),
        ("star-code", "coding", 0.6),
        # "coder" holds "code" too.
        ("star-coder-fast", "coding", 0.8),
        ("star-thinking", "planning", 0.6),
        ("star-thinking", "coding", 0.5),
        # A boost is for names that no row fits.
        ("qwen-coder", "coding", 0.78),
    ],
)
def test_a_name_that_no_row_fits_gets_one_half_and_boosts(
    model: str, task: str, fitness: float
) -> None:
    assert dict(documented_fitness(model))[task] == pytest.approx(fitness)


@pytest.mark.parametrize("model", [*DOCUMENTED, *DERIVED["models"], "unheard-of", "", "x" * 300])
def test_every_model_has_a_fitness_for_every_task_and_family(model: str) -> None:
    fitness = dict(fitness_of(model))

    assert set(fitness) == {*FAMILIES, *TASKS}
    assert all(0.0 < one < 1.0 for one in fitness.values())


def test_an_unknown_name_gets_the_prior_of_its_size() -> None:
    small, medium, large = (
        dict(fitness_of(name))["general"] for name in ("star-mini", "star", "star-ultra")
    )

    assert small < medium < large


def test_a_small_relative_is_less_fit_than_the_model_that_the_data_knows() -> None:
    assert dict(fitness_of("gpt-5.4-nano"))["math"] < dict(fitness_of("gpt-5.4"))["math"]


def test_outcomes_and_the_documented_cell_are_weighed_alike() -> None:
    derived = DERIVED["models"]["gemini-2.5-pro"]["code"]

    assert dict(fitness_of("gemini-2.5-pro"))["code"] == round((derived + 0.92) / 2, 3)


def test_the_derived_table_names_its_sources() -> None:
    assert "LLMRouterBench" in DERIVED["source"]
    assert {family for row in DERIVED["models"].values() for family in row} <= {*FAMILIES}
