"""Sixteen tools by all 256 sets of scopes over both transports: who may call what."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from omniroute.tools.table import TABLE
from tests import processes
from tests.processes import OMNIROUTE, RunningGateway
from tests.tools.clients.plan import AT_ONCE, calls, prepared

from .matrix import NEEDED, NEW, OLD, SCOPES, SUBSETS, Calls, over_http, over_stdio, wrong

UNCHECKED = (*OMNIROUTE[:2], "tests.tools.scopes.unchecked")
FEW = (*((scope,) for scope in SCOPES), (), SCOPES)
"""Sets that tell every tool from every other by its scope."""

RECORDED_S_MAX = 10.0
"""How long the last call may take until it is on record."""

Asked = tuple[RunningGateway, Calls]


@pytest.fixture(scope="session")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """A gateway that needs a key, and a call of every tool."""
    with processes.gateway(tmp_path_factory.mktemp("scopes")) as running:
        yield running, calls(prepared(running, AT_ONCE)[1])


def key_with(gateway: RunningGateway, scopes: tuple[str, ...]) -> str:
    wish = {"name": "matrix", "scopes": scopes}
    made = gateway.call("POST", "/api/keys", wish, key=gateway.admin_key)
    assert made.status == 201, made.body
    assert sorted(made.json()["key"]["scopes"]) == sorted(scopes)
    secret: str = made.json()["secret"]
    return secret


def on_record(gateway: RunningGateway, *, at_least: int = 0) -> dict[str, int]:
    """Give the figures of the calls on record, once there are so many."""
    ends = time.monotonic() + RECORDED_S_MAX
    while True:
        answer = gateway.call("GET", "/api/mcp/audit/stats", key=gateway.admin_key)
        found: dict[str, int] = answer.json()
        if found["totalCalls"] >= at_least or time.monotonic() > ends:
            return found
        time.sleep(0.05)


def found_wrong(
    asked: Asked, transport: str, version: str, subsets: tuple[tuple[str, ...], ...], folder: Path
) -> list[str]:
    """Give what came out wrong for these sets of scopes."""
    gateway, every = asked
    found: list[str] = []
    for scopes in subsets:
        key = key_with(gateway, scopes)
        if transport == "http":
            answers = over_http(gateway, key, every, version)
        else:
            answers = over_stdio(gateway, key, every, version, folder)
        listed, *rest = answers
        found += wrong(scopes, dict(zip(every, rest, strict=True)), listed)
    return found


@pytest.mark.parametrize(("transport", "version"), [("http", NEW), ("stdio", OLD)])
def test_every_set_of_scopes_may_call_what_it_should_and_nothing_else(
    asked: Asked, tmp_path: Path, transport: str, version: str
) -> None:
    gateway, every = asked
    refused = [(scopes, name) for scopes in SUBSETS for name in every if NEEDED[name] not in scopes]
    before = on_record(gateway)

    found = found_wrong(asked, transport, version, SUBSETS, tmp_path)

    assert len(SUBSETS) == 256
    assert found == []
    after = on_record(gateway, at_least=before["totalCalls"] + len(SUBSETS) * len(every))
    assert after["totalCalls"] - before["totalCalls"] == len(SUBSETS) * len(every)
    assert after["refused"] - before["refused"] == len(refused)


@pytest.mark.parametrize(("transport", "version"), [("http", OLD), ("stdio", NEW)])
def test_the_other_era_of_each_transport_asks_for_the_same_scopes(
    asked: Asked, tmp_path: Path, transport: str, version: str
) -> None:
    assert found_wrong(asked, transport, version, FEW, tmp_path) == []


def test_without_the_check_the_matrix_finds_every_call_that_should_be_refused(
    tmp_path: Path,
) -> None:
    with processes.gateway(tmp_path, program=UNCHECKED) as running:
        every = calls(prepared(running, AT_ONCE)[1])
        over = {
            transport: found_wrong((running, every), transport, NEW, FEW, tmp_path)
            for transport in ("http", "stdio")
        }

    should_be_refused = [
        (scopes, name) for scopes in FEW for name in every if NEEDED[name] not in scopes
    ]
    assert len(over["http"]) == len(over["stdio"]) == len(should_be_refused)


def test_every_tool_is_in_the_matrix() -> None:
    assert [tool.name for tool in TABLE if tool.name not in NEEDED] == []
