"""Runs a coding client through every case, in a network of its own; what came of it is printed.

    unshare --user --map-root-user --net --pid --fork --kill-child --mount-proc \
        python -m tests.coding_clients.inside CLIENT NODE_FOLDER PACKAGE_FOLDER HOME

All that runs in here ends with this process, as it is the first of its process namespace.
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.four_providers import DIALECTS, gateway_of_four
from tests.processes import RunningGateway

from .clients import CLIENTS, TOOL, Ask, Client
from .closed import is_closed, take_loopback_up
from .running import Folders, run

DIES = "fast@fault=hang_up,after=0"
RAN = "the client ran its tool"


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that a client is asked, and what its answer must hold."""

    name: str
    ask: Ask
    expected: str


def main() -> int:
    """Run the client through its cases."""
    name, node, package, home = sys.argv[1], *map(Path, sys.argv[2:5])
    take_loopback_up()
    closed = is_closed()
    client = CLIENTS[name]
    wanted = os.environ.get("CASES", "").split()
    told: dict[str, object] = {"closed": closed}
    with gateway_of_four(home / "gateway", ("fast", DIES)) as running:
        _add_combo(running)
        ask = Ask(running.url, running.new_key("--name", name, "--scope", "full"), "", "")
        for case in _cases(client, ask):
            if not wanted or case.name in wanted:
                told[case.name] = _run(client, case, (node, package, home / case.name))
    print(json.dumps(told), flush=True)
    return 0


def _add_combo(running: RunningGateway) -> None:
    combo = {
        "name": "dying",
        "models": [{"target": f"openai_chat/{DIES}"}, {"target": "anthropic/fast"}],
    }
    added = running.call("POST", "/api/combos", combo, key=running.admin_key)
    assert added.status == 201, added.body


def _cases(client: Client, ask: Ask) -> Iterator[Case]:
    for dialect in DIALECTS:
        here = replace(ask, model=f"{dialect}/fast")
        yield Case(f"prompt-{dialect}", replace(here, prompt="say pong"), "say pong")
        loop = replace(here, prompt=f"use {client.shell}")
        yield Case(f"tool-{dialect}", loop, RAN)
    here = replace(ask, model="openai_chat/fast")
    yield Case("mcp", replace(here, prompt=f"use {client.mcp}", mcp=True), "circuitBreakers")
    yield Case("dying", replace(ask, model="dying", prompt="say pong"), "say pong")


def _run(client: Client, case: Case, folders: tuple[Path, Path, Path]) -> dict[str, object]:
    node, package, home = folders
    home.mkdir(parents=True)
    for name, content in client.files(case.ask).items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    tool = home / "bin" / TOOL
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\necho '{RAN}'\n")
    tool.chmod(0o755)
    # A login shell makes its path anew.
    (home / ".profile").write_text(f'PATH="{tool.parent}:$PATH"\n')
    where = Folders(node, package, home)
    ran = run(client.command(case.ask), where, client.environment(case.ask), client.said)
    return {"expected": case.expected, **ran}


if __name__ == "__main__":
    sys.exit(main())
