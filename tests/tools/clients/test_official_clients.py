"""The official clients list and call every tool, over both transports and in both eras."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests import processes
from tests.processes import RunningGateway

from .asking import CLIENTS
from .plan import ARGUMENTS, NAMES, Plan, prepared

VERSIONS = ("2025-11-25", "2026-07-28")
TRANSPORTS = ("http", "stdio")
OLD_ALONE = ("typescript-1",)
"""Clients that know the older era alone."""
CASES = [
    (client, transport, version)
    for client in CLIENTS
    for transport in TRANSPORTS
    for version in VERSIONS
    if version == VERSIONS[0] or client not in OLD_ALONE
]

Prepared = tuple[RunningGateway, str, dict[str, dict[str, Any]]]


@pytest.fixture(scope="session")
def prepared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """A gateway that needs a key, with one and calls for it."""
    with processes.gateway(tmp_path_factory.mktemp("clients")) as running:
        yield (running, *prepared(running))


@pytest.mark.parametrize(("client", "transport", "version"), CASES)
def test_an_official_client_lists_and_calls_every_tool(
    prepared_gateway: Prepared, tmp_path: Path, client: str, transport: str, version: str
) -> None:
    gateway, key, calls = prepared_gateway

    told = CLIENTS[client](Plan(transport, version, gateway, key, calls), tmp_path)

    assert told.version in (None, version)
    assert tuple(told.schemas) == NAMES
    assert tuple(told.results) == NAMES
    if told.progress is not None:
        answer = told.results["omniroute_route_request"]["structuredContent"]
        # TypeScript's client drops a step that it reads together with the answer.
        assert told.progress
        assert answer["response"]["content"].startswith(told.progress[-1])
    for name, result in told.results.items():
        assert not result.get("isError"), f"{name}: {result}"
        Draft202012Validator(told.schemas[name]).validate(result["structuredContent"])
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"]


def test_every_tool_has_a_call() -> None:
    assert set(NAMES) <= set(ARGUMENTS)
