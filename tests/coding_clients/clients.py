"""The coding clients: how each is told of the gateway, asked, and understood.

Every configuration is the one that the client's own manual gives for a gateway; what stands
beside it only keeps the client from calling its vendor, which nothing could answer here.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

TOOL = "simulated"
"""The program that the tool loop runs: what the simulator calls a shell tool with."""
MCP_TOOL = "omniroute_get_health"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a client is asked.

    Attributes:
        url: the gateway's.
        mcp: the gateway's MCP server is to be known, too.
    """

    url: str
    key: str
    model: str
    prompt: str
    mcp: bool = False


@dataclass(frozen=True, slots=True)
class Client:
    """One client.

    Attributes:
        command: its program in node_modules/.bin, and what follows.
        files: what is written into its home first.
        said: finds the answer in what it printed.
        shell: the name of its shell tool; `mcp` the one of MCP_TOOL.
    """

    name: str
    command: Callable[[Ask], list[str]]
    files: Callable[[Ask], Mapping[str, object]]
    said: Callable[[str], str]
    shell: str
    mcp: str
    environment: Callable[[Ask], Mapping[str, str]] = field(default=lambda ask: {})


def _claude(ask: Ask) -> list[str]:
    words = ["claude", "-p", ask.prompt, "--output-format", "json", "--model", ask.model]
    allowed = f"Bash({TOOL}:*),mcp__omniroute__{MCP_TOOL}"
    words += ["--allowedTools", allowed]
    if ask.mcp:
        words += ["--mcp-config", "mcp.json", "--strict-mcp-config"]
    return words


def _claude_files(ask: Ask) -> Mapping[str, object]:
    told = {
        "ANTHROPIC_BASE_URL": ask.url,
        "ANTHROPIC_AUTH_TOKEN": ask.key,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": ask.model,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        # Else its tools are not offered but searched for, by a tool of its own.
        "ENABLE_TOOL_SEARCH": "false",
    }
    server = {"type": "http", "url": f"{ask.url}/mcp", "headers": _bearer(ask)}
    return {
        ".claude/settings.json": {"env": told},
        "mcp.json": {"mcpServers": {"omniroute": server}},
    }


def _codex(ask: Ask) -> list[str]:
    return [
        *("codex", "exec", "--skip-git-repo-check", "--json"),
        *("-s", "danger-full-access", ask.prompt),
    ]


def _codex_files(ask: Ask) -> Mapping[str, object]:
    lines = [
        f'model = "{ask.model}"',
        'model_provider = "omniroute"',
        "check_for_update_on_startup = false",
        "[model_providers.omniroute]",
        'name = "OmniRoute"',
        f'base_url = "{ask.url}/v1"',
        'env_key = "OMNIROUTE_API_KEY"',
        'wire_api = "responses"',
        f'model_catalog_url = "{ask.url}/v1/models"',
        "[features]",
        "api_key_model_discovery = true",
        "plugins = false",
        "apps = false",
    ]
    if ask.mcp:
        lines += [
            "[mcp_servers.omniroute]",
            # Else the first question may be asked before the tools are known.
            "required = true",
            f'url = "{ask.url}/mcp"',
            'bearer_token_env_var = "OMNIROUTE_API_KEY"',
        ]
    return {".codex/config.toml": "\n".join(lines)}


def _codex_said(printed: str) -> str:
    events = [json.loads(line) for line in printed.splitlines()]
    items = [one["item"] for one in events if one["type"] == "item.completed"]
    return "\n".join(one["text"] for one in items if one["type"] == "agent_message")


def _gemini(ask: Ask) -> list[str]:
    return [
        *("gemini", "-p", ask.prompt, "-m", ask.model),
        *("--output-format", "json", "--yolo", "--skip-trust"),
    ]


def _gemini_files(ask: Ask) -> Mapping[str, object]:
    told: dict[str, object] = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"disableAutoUpdate": True},
    }
    if ask.mcp:
        server = {"httpUrl": f"{ask.url}/mcp", "headers": _bearer(ask), "trust": True}
        told["mcpServers"] = {"omniroute": server}
    return {".gemini/settings.json": told}


def _opencode(ask: Ask) -> list[str]:
    return ["opencode", "run", "--format", "json", ask.prompt]


def _opencode_files(ask: Ask) -> Mapping[str, object]:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "OmniRoute",
        "options": {"baseURL": f"{ask.url}/v1", "apiKey": "{env:OMNIROUTE_API_KEY}"},
        "models": {ask.model: {"name": "It"}},
    }
    told: dict[str, object] = {
        "$schema": "https://opencode.ai/config.json",
        "model": f"omniroute/{ask.model}",
        "small_model": f"omniroute/{ask.model}",
        "provider": {"omniroute": provider},
        "permission": {"bash": "allow"},
    }
    if ask.mcp:
        server = {"type": "remote", "url": f"{ask.url}/mcp", "headers": _bearer(ask)}
        told["mcp"] = {"omniroute": {**server, "oauth": False, "enabled": True}}
    return {".config/opencode/opencode.json": told}


def _opencode_said(printed: str) -> str:
    events = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return "\n".join(one["part"]["text"] for one in events if one["type"] == "text")


def _bearer(ask: Ask) -> dict[str, str]:
    return {"Authorization": f"Bearer {ask.key}"}


CLIENTS = {
    one.name: one
    for one in (
        Client(
            name="claude-code",
            command=_claude,
            files=_claude_files,
            said=lambda text: str(json.loads(text)["result"]),
            shell="Bash",
            mcp=f"mcp__omniroute__{MCP_TOOL}",
        ),
        Client(
            name="codex",
            command=_codex,
            files=_codex_files,
            said=_codex_said,
            shell="exec_command",
            mcp=f"mcp__omniroute__{MCP_TOOL}",
            environment=lambda ask: {"OMNIROUTE_API_KEY": ask.key},
        ),
        Client(
            name="gemini-cli",
            command=_gemini,
            files=_gemini_files,
            said=lambda text: str(json.loads(text)["response"]),
            shell="run_shell_command",
            mcp=f"mcp_omniroute_{MCP_TOOL}",
            environment=lambda ask: {
                "GEMINI_API_KEY": ask.key,
                "GOOGLE_GEMINI_BASE_URL": ask.url,
            },
        ),
        Client(
            name="opencode",
            command=_opencode,
            files=_opencode_files,
            said=_opencode_said,
            shell="bash",
            mcp=f"omniroute_{MCP_TOOL}",
            environment=lambda ask: {
                "OMNIROUTE_API_KEY": ask.key,
                "OPENCODE_DISABLE_MODELS_FETCH": "1",
            },
        ),
    )
}
