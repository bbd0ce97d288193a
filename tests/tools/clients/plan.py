"""What the official clients are asked to do, and what each tells of it in the same form."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omniroute.tools.table import TABLE
from tests.processes import OMNIROUTE, RunningGateway

NAMES = tuple(tool.name for tool in TABLE)
MODELS = ("sim/fast", "sim/smart")
AT_ONCE = ("sim/fast@latency=0,pace=0=1", "sim/smart@latency=0,pace=0=1")
"""The same, which answer without waiting."""
REQUEST_ID = "$requestId"
"""Stands for the id of a request that the key has made."""
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "omniroute_get_health": {},
    "omniroute_list_combos": {"includeMetrics": True},
    "omniroute_get_combo_metrics": {"comboId": "proof"},
    "omniroute_switch_combo": {"comboId": "spare", "active": True},
    "omniroute_check_quota": {},
    "omniroute_route_request": {
        "model": "proof",
        "messages": [{"role": "user", "content": "say hello"}],
        "stream": True,
    },
    "omniroute_cost_report": {"period": "day"},
    "omniroute_list_models_catalog": {"capability": "chat"},
    "omniroute_simulate_route": {"model": "proof", "promptTokenEstimate": 100},
    "omniroute_set_budget_guard": {"maxCost": 5, "action": "alert"},
    "omniroute_set_resilience_profile": {"profile": "balanced"},
    "omniroute_test_combo": {"comboId": "proof", "testPrompt": "say hello"},
    "omniroute_get_provider_metrics": {"provider": "sim"},
    "omniroute_best_combo_for_task": {"taskType": "coding"},
    "omniroute_explain_route": {"requestId": REQUEST_ID},
    "omniroute_get_session_snapshot": {},
}
"""A call of each tool that a gateway with the combos `proof` and `spare` answers."""


@dataclass(frozen=True)
class Plan:
    """Which gateway is asked, how, and what.

    Attributes:
        version: of the protocol; 2025-11-25 by its handshake, 2026-07-28 without one.
        calls: the arguments by the tool's name.
    """

    transport: str
    version: str
    gateway: RunningGateway
    key: str
    calls: Mapping[str, Mapping[str, Any]]

    @property
    def is_modern(self) -> bool:
        return self.version == "2026-07-28"

    @property
    def url(self) -> str:
        return f"{self.gateway.url}/mcp"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    @property
    def command(self) -> list[str]:
        return [*OMNIROUTE, "--mcp"]

    @property
    def environment(self) -> dict[str, str]:
        return {**self.gateway.environment, "OMNIROUTE_API_KEY": self.key}


@dataclass(frozen=True)
class Told:
    """What a client saw.

    Attributes:
        version: the protocol's, as the client says it; None where it does not.
        schemas: the output schema of each tool that was listed.
        results: of each call, as the protocol's JSON.
        progress: what came before the answer to a streamed request; None where the client does
            not show it.
    """

    version: str | None
    schemas: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    progress: list[str] | None = None


def calls(request_id: str) -> dict[str, dict[str, Any]]:
    """Give a call of each tool of the table."""
    return {
        name: {
            key: request_id if value == REQUEST_ID else value
            for key, value in ARGUMENTS[name].items()
        }
        for name in NAMES
    }


def prepared(
    gateway: RunningGateway, models: Sequence[str] = MODELS
) -> tuple[str, dict[str, dict[str, Any]]]:
    """Give a key that may call every tool, and the calls: all that they ask for is there."""
    for name in ("proof", "spare"):
        made = gateway.command("combos", "add", name, *models, "--json")
        assert made.returncode == 0, made.stderr
    key = gateway.new_key("--name", "proof", "--scope", "full")
    ask = {"model": "proof", "messages": [{"role": "user", "content": "say hello"}]}
    answer = gateway.call("POST", "/v1/chat/completions", ask, key=key)
    assert answer.status == 200, json.dumps(answer.json())
    return key, calls(answer.headers["x-request-id"])
