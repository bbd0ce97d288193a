"""`omniroute mcp`: the same with a gateway that runs and, on its data folder, without one."""

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.processes import RunningGateway, gateway, run_command

Run = Callable[..., "subprocess.CompletedProcess[str]"]
VERSION = "2026-07-28"


def call_tool(running: RunningGateway, name: str, **arguments: Any) -> int:
    """Call a tool over HTTP in the newer era and give the status."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": name, "arguments": arguments, "_meta": meta}
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": "tools/call",
        "mcp-name": name,
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return running.call("POST", "/mcp", body, headers=headers).status


def told(run: Run, *words: str, status: int = 0) -> str:
    done = run("mcp", *words)
    assert done.returncode == status, done.stderr
    return done.stdout


def entries(run: Run, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(told(run, "audit", "--json", *words))["entries"]
    return found


def test_what_was_called_is_listed_counted_and_verified(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        for name, arguments in (
            ("omniroute_get_health", {}),
            ("omniroute_get_health", {"odd": 1}),
            ("omniroute_list_combos", {}),
        ):
            assert call_tool(running, name, **arguments) == 200
        status = told(running.command, "status")
        with_it = entries(running.command)
        shown = told(running.command, "audit", "--limit", "1")

    def alone(*words: str) -> "subprocess.CompletedProcess[str]":
        return run_command(*words, environment=running.environment)

    assert [one["toolName"] for one in with_it] == [
        "omniroute_list_combos",
        "omniroute_get_health",
        "omniroute_get_health",
    ]
    assert [one["outcome"] for one in with_it] == ["answered", "failed", "answered"]
    assert {(one["era"], one["transport"]) for one in with_it} == {(VERSION, "http")}
    assert "online for" in status
    assert "omniroute_list_combos at 20" in status
    assert "2 older ones: --offset 1" in shown
    assert entries(alone) == with_it
    assert entries(alone, "--outcome", "failed", "--tool", "omniroute_get_health") == with_it[1:2]
    assert entries(alone, "--offset", "2") == with_it[2:]
    assert "omniroute --mcp` starts one" in told(alone, "status")
    figures = told(alone, "stats")
    assert "2 (66.7 %)" in figures
    assert "omniroute_get_health" in figures
    assert "3 calls in 1 chains verified, 0 broken" in told(alone, "verify")


def test_a_record_that_was_tampered_with_ends_with_1_and_says_where(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        for _ in range(3):
            call_tool(running, "omniroute_get_health")
    with closing(sqlite3.connect(running.data_dir / "storage.sqlite")) as database, database:
        database.execute("DELETE FROM mcp_tool_audit WHERE seq = 2")

    def alone(*words: str) -> "subprocess.CompletedProcess[str]":
        return run_command(*words, environment=running.environment)

    found = told(alone, "verify", status=1)

    assert "1 broken" in found
    assert "the row is missing" in found


def test_tools_are_listed_and_an_empty_record_says_so(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        tools = told(running.command, "tools")
        nothing = told(running.command, "audit")
        wrong = running.command("mcp", "audit", "--limit", "0")

    assert "omniroute_route_request" in tools
    assert "write:route" in tools
    assert "No call of a tool is on record" in nothing
    assert wrong.returncode != 0
    assert "limit is a number from 1 to 500" in wrong.stderr
