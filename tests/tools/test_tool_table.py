"""The surface of the MCP tools, pinned: a change of it shows in the diff."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from omniroute.routing.access import SCOPES
from omniroute.tools.shapes import input_schema, output_schema
from omniroute.tools.table import TABLE, Tool

PINNED = Path(__file__).parent / "tools_table.json"

DOCUMENTED_ARGUMENTS = {
    "omniroute_get_health": (),
    "omniroute_list_combos": ("includeMetrics",),
    "omniroute_switch_combo": ("comboId", "active"),
    "omniroute_get_combo_metrics": ("comboId",),
    "omniroute_cost_report": ("period",),
    "omniroute_get_provider_metrics": ("provider",),
    "omniroute_get_session_snapshot": (),
    "omniroute_list_models_catalog": ("provider", "capability"),
    "omniroute_best_combo_for_task": ("taskType", "budgetConstraint", "latencyConstraint"),
    "omniroute_check_quota": ("provider", "connectionId"),
    "omniroute_route_request": ("model", "messages", "combo", "budget", "role", "stream"),
    "omniroute_simulate_route": ("model", "promptTokenEstimate", "combo"),
    "omniroute_test_combo": ("comboId", "testPrompt"),
    "omniroute_explain_route": ("requestId",),
    "omniroute_set_budget_guard": ("maxCost", "action", "degradeToTier"),
    "omniroute_set_resilience_profile": ("profile",),
}
"""Source: reference "omniroute-behaviour", 1.4."""


def as_listed(tool: Tool[Any, Any]) -> dict[str, Any]:
    return {
        "name": tool.name,
        "scope": tool.scope,
        "title": tool.title,
        "description": tool.description,
        "changes": tool.changes,
        "replaces": tool.replaces,
        "repeatable": tool.repeatable,
        "openWorld": tool.open_world,
        "inputSchema": input_schema(tool.takes),
        "outputSchema": output_schema(tool.gives),
    }


def test_the_tool_table_is_the_pinned_one() -> None:
    """After a wanted change: write the printed JSON to tests/tools/tools_table.json."""
    table = [as_listed(tool) for tool in TABLE]

    assert table == json.loads(PINNED.read_text(encoding="utf-8")), json.dumps(table, indent=1)


def test_every_documented_argument_is_taken() -> None:
    for tool in TABLE:
        taken = input_schema(tool.takes).get("properties", {})

        assert set(DOCUMENTED_ARGUMENTS[tool.name]) <= set(taken), tool.name


@pytest.mark.parametrize("tool", TABLE, ids=lambda tool: tool.name)
def test_a_schema_is_valid_and_plain(tool: Tool[Any, Any]) -> None:
    for schema in (input_schema(tool.takes), output_schema(tool.gives)):
        jsonschema.Draft202012Validator.check_schema(schema)
        text = json.dumps(schema)

        assert schema["type"] == "object"
        assert "$ref" not in text
        assert '"title"' not in text
    assert '"type": "null"' not in json.dumps(input_schema(tool.takes))


@pytest.mark.parametrize("tool", TABLE, ids=lambda tool: tool.name)
def test_a_tool_is_named_scoped_and_described_for_a_model(tool: Tool[Any, Any]) -> None:
    assert tool.name.startswith("omniroute_")
    assert len(tool.name) <= 48
    assert tool.scope in SCOPES
    assert 80 <= len(tool.description) <= 400
