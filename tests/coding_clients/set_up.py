"""Runs a coding client with what `omniroute setup` wrote for it, in a network of its own.

    unshare --user --map-root-user --net --pid --fork --kill-child --mount-proc \
        python -m tests.coding_clients.set_up CLIENT NODE_FOLDER PACKAGE_FOLDER HOME

What stands in a client's home before only keeps it from calling its vendor, which nothing could
answer here, and from asking before it runs a tool.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.four_providers import gateway_of_four
from tests.processes import OMNIROUTE, RunningGateway

from .clients import CLIENTS, MCP_TOOL
from .closed import is_closed, take_loopback_up
from .running import Folders, run

MODEL = "openai_chat/fast"
TRANSPORTS = ("stdio", "http")
PROMPT = "say pong"
SETUP_S_MAX = 60


@dataclass(frozen=True, slots=True)
class Program:
    """A client, and how it is asked once it is set up.

    Attributes:
        command: what asks it, but for the prompt.
        said: finds the answer in what it printed.
        mcp: what it calls MCP_TOOL.
        says: what its answer to a prompt holds.
        files: what its user has in their home before.
    """

    command: tuple[str, ...]
    said: Callable[[str], str]
    mcp: str
    files: Mapping[str, object] = field(default_factory=dict)
    says: str = PROMPT
    environment: Mapping[str, str] = field(default_factory=dict)


def _said(name: str) -> Callable[[str], str]:
    return CLIENTS[name].said


def _cline_said(printed: str) -> str:
    events = [json.loads(line) for line in printed.splitlines()]
    return [str(one["text"]) for one in events if "text" in one][-1]


PROGRAMS = {
    "claude-code": Program(
        (
            *("claude", "--output-format", "json"),
            *("--allowedTools", f"mcp__omniroute__{MCP_TOOL}", "-p"),
        ),
        _said("claude-code"),
        CLIENTS["claude-code"].mcp,
        {
            ".claude/settings.json": {
                "env": {
                    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                    # Else its tools are not offered but searched for, by a tool of its own.
                    "ENABLE_TOOL_SEARCH": "false",
                }
            }
        },
    ),
    "codex": Program(
        ("codex", "exec", "--skip-git-repo-check", "--json", "-s", "danger-full-access"),
        _said("codex"),
        CLIENTS["codex"].mcp,
        {
            ".codex/config.toml": "check_for_update_on_startup = false # quiet\n"
            "[features]\nplugins = false\napps = false\n"
            # Else the first question may be asked before the tools are known.
            "[mcp_servers.omniroute]\nrequired = true\n"
        },
    ),
    "gemini-cli": Program(
        ("gemini", "--output-format", "json", "--yolo", "--skip-trust", "-p"),
        _said("gemini-cli"),
        CLIENTS["gemini-cli"].mcp,
        {
            ".gemini/settings.json": {
                "privacy": {"usageStatisticsEnabled": False},
                "general": {"disableAutoUpdate": True},
            }
        },
        # What MCP servers say of themselves stands in its questions; where that has the word
        # tool, the simulator calls one first.
        says="[simulated by sim/fast] The tool answered",
    ),
    "opencode": Program(
        ("opencode", "run", "--format", "json"),
        _said("opencode"),
        CLIENTS["opencode"].mcp,
        environment={"OPENCODE_DISABLE_MODELS_FETCH": "1"},
    ),
    "kilo": Program(
        ("kilo", "run", "--auto", "--format", "json"),
        _said("opencode"),
        CLIENTS["opencode"].mcp,
        environment={"KILO_DISABLE_MODELS_FETCH": "1"},
    ),
    "cline": Program(
        ("cline", "--json", "--auto-approve", "true"),
        _cline_said,
        f"omniroute__{MCP_TOOL}",
    ),
    "continue": Program(
        ("cn", "--auto", "-p"),
        lambda printed: printed,
        MCP_TOOL,
    ),
}


def main() -> int:
    """Set the client up each way, ask it, and print what came of it."""
    name, node, package, home = sys.argv[1], *map(Path, sys.argv[2:5])
    take_loopback_up()
    told: dict[str, object] = {"closed": is_closed()}
    with gateway_of_four(home / "gateway", ("fast",)) as running:
        # A gateway with a key asks for one, so that a set-up makes one, too.
        running.new_key("--name", "another")
        for transport in TRANSPORTS:
            folders = Folders(node, package, home / transport)
            told |= _asked(name, transport, folders, running)
    print(json.dumps(told), flush=True)
    return 0


def _asked(
    name: str, transport: str, folders: Folders, running: RunningGateway
) -> dict[str, object]:
    program = PROGRAMS[name]
    for path, content in program.files.items():
        file = folders.home / path
        file.parent.mkdir(parents=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))
    folders.home.mkdir(exist_ok=True)
    done = subprocess.run(
        [*OMNIROUTE, "setup", name, "--transport", transport, "--model", MODEL],
        env={**running.environment, "HOME": str(folders.home)},
        cwd=folders.home,
        capture_output=True,
        text=True,
        timeout=SETUP_S_MAX,
        check=False,
    )
    setup = {"status": done.returncode, "printed": done.stdout, "complained": done.stderr}
    asked = {
        kind: run([*program.command, words], folders, program.environment, program.said)
        for kind, words in (("prompt", PROMPT), ("mcp", f"use {program.mcp}"))
    }
    return {f"{kind}-{transport}": one for kind, one in {"setup": setup, **asked}.items()}


if __name__ == "__main__":
    sys.exit(main())
