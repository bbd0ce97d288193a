"""What the official clients are asked to do, and what each tells of it in the same form."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omniroute.tools.resources import RESOURCES
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


PROMPTS: Mapping[str, Mapping[str, str]] = {
    "choose_combo": {"task": "write a test", "budget": "0.5"},
    "investigate_request": {"requestId": REQUEST_ID},
    "weekly_cost_review": {"budget": "10"},
}
"""The prompts, with what they are filled with."""
VALUES = {"combo": "proof", "model": "sim/fast", "provider": "sim", "requestId": REQUEST_ID}
"""What the templates of resources are filled with."""
COMPLETION = ("omniroute://combos/{combo}", "combo", "pro")
"""A template, its argument and how the argument's value begins."""


@dataclass(frozen=True)
class Plan:
    """Which gateway is asked, how, and what.

    Attributes:
        version: of the protocol; 2025-11-25 by its handshake, 2026-07-28 without one.
        calls: the arguments by the tool's name.
        reads: addresses of resources.
        prompts: the arguments by the prompt's name.
    """

    transport: str
    version: str
    gateway: RunningGateway
    key: str
    calls: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reads: Sequence[str] = ()
    prompts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

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
        offered: the addresses of resources, their templates' and the names of prompts.
        texts: what was read at each address.
        words: of each prompt.
        completed: what COMPLETION was completed to; None where the client has no way to ask.
    """

    version: str | None
    schemas: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    progress: list[str] | None = None
    offered: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    completed: list[str] | None = None


def calls(request_id: str) -> dict[str, dict[str, Any]]:
    """Give a call of each tool of the table."""
    return {
        name: {
            key: request_id if value == REQUEST_ID else value
            for key, value in ARGUMENTS[name].items()
        }
        for name in NAMES
    }


def reads(request_id: str) -> list[str]:
    """Give an address of each kind of resource."""
    return [
        re.sub(r"\{\+?(\w+)\}", lambda found: VALUES[found[1]], row.uri).replace(
            REQUEST_ID, request_id
        )
        for row in RESOURCES
    ]


def prompts(request_id: str) -> dict[str, dict[str, str]]:
    """Give what each prompt is filled with."""
    return {
        name: {key: value.replace(REQUEST_ID, request_id) for key, value in filled.items()}
        for name, filled in PROMPTS.items()
    }


def prepared(gateway: RunningGateway, models: Sequence[str] = MODELS) -> tuple[str, str]:
    """Give a key that may call every tool, and the id of a request that it has made.

    What the calls ask for is there afterwards, and the gateway needs a key.
    """
    for name in ("proof", "spare"):
        made = gateway.command("combos", "add", name, *models, "--json")
        assert made.returncode == 0, made.stderr
    key = gateway.new_key("--name", "proof", "--scope", "full")
    ask = {"model": "proof", "messages": [{"role": "user", "content": "say hello"}]}
    answer = gateway.call("POST", "/v1/chat/completions", ask, key=key)
    assert answer.status == 200, json.dumps(answer.json())
    return key, answer.headers["x-request-id"]
