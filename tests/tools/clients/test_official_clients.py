"""The official clients ask for all that the MCP server has, over both transports, in both eras."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from omniroute.tools.prompts import PROMPTS as PROMPT_ROWS
from omniroute.tools.resources import RESOURCES
from tests import processes
from tests.processes import RunningGateway

from .asking import CLIENTS
from .plan import ARGUMENTS, NAMES, PROMPTS, Plan, calls, prepared, prompts, reads

VERSIONS = ("2025-11-25", "2026-07-28")
TRANSPORTS = ("http", "stdio")
OLD_ALONE = ("typescript-1",)
"""Clients that know the older era alone."""
SLOW = ("inspector",)
"""Clients that are a process for each question: they read only the last of each kind."""
CASES = [
    (client, transport, version)
    for client in CLIENTS
    for transport in TRANSPORTS
    for version in VERSIONS
    if version == VERSIONS[0] or client not in OLD_ALONE
]
in_every_way = pytest.mark.parametrize(("client", "transport", "version"), CASES)

Prepared = tuple[RunningGateway, str, str]


@pytest.fixture(scope="session")
def prepared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """A gateway that needs a key, with one and a request that it has made."""
    with processes.gateway(tmp_path_factory.mktemp("clients")) as running:
        yield (running, *prepared(running))


@in_every_way
def test_an_official_client_lists_and_calls_every_tool(
    prepared_gateway: Prepared, tmp_path: Path, client: str, transport: str, version: str
) -> None:
    gateway, key, request_id = prepared_gateway

    told = CLIENTS[client](Plan(transport, version, gateway, key, calls(request_id)), tmp_path)

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


@in_every_way
def test_an_official_client_reads_what_stands_beside_the_tools(
    prepared_gateway: Prepared, tmp_path: Path, client: str, transport: str, version: str
) -> None:
    gateway, key, request_id = prepared_gateway
    wanted, filled = reads(request_id), prompts(request_id)
    if client in SLOW:
        wanted, filled = wanted[-1:], dict(list(filled.items())[-1:])
    plan = Plan(transport, version, gateway, key, reads=wanted, prompts=filled)

    told = CLIENTS[client](plan, tmp_path)

    assert {row.uri for row in RESOURCES} <= set(told.offered)
    assert {row.name for row in PROMPT_ROWS} <= set(told.offered)
    assert list(told.texts) == wanted
    assert request_id in told.texts[wanted[-1]]
    assert list(told.words) == list(filled)
    assert all(told.words.values())
    assert told.completed in (None, ["proof"])


def test_everything_that_is_offered_is_asked_for() -> None:
    assert set(NAMES) <= set(ARGUMENTS)
    assert {row.name for row in PROMPT_ROWS} == set(PROMPTS)
