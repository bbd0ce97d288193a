"""The rows of Claude Code and Claude Desktop."""

from .client import BEARER, SERVER, STDIO, Client, ClientFile, Edit, Place, at_home

CLAUDE = (
    Client(
        name="claude-code",
        title="Claude Code",
        program="claude",
        key_reference="${OMNIROUTE_API_KEY}",
        # Its list of models shows only names that begin with claude.
        model="claude-auto",
        # It sends both its credentials, and the gateway refuses two that differ.
        overrides=("ANTHROPIC_API_KEY",),
        source="https://code.claude.com/docs/en/llm-gateway-connect; version 2.1.330 tried on "
        "2026-11-22",
        then="Start `claude` anew; `/model` lists the gateway's models, `/mcp` its tools.",
        files=(
            ClientFile(
                Place(
                    "settings.json",
                    at_home("~/.claude", "$CLAUDE_CONFIG_DIR"),
                    project=".claude/settings.local.json",
                ),
                "json",
                (
                    Edit(
                        ("env",),
                        {
                            # Without /v1: the client adds it.
                            "ANTHROPIC_BASE_URL": "{url}",
                            "ANTHROPIC_AUTH_TOKEN": "{key}",
                            "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
                            "ANTHROPIC_DEFAULT_OPUS_MODEL": "{model}",
                            "ANTHROPIC_DEFAULT_SONNET_MODEL": "{model}",
                            "ANTHROPIC_DEFAULT_HAIKU_MODEL": "{model}",
                        },
                        part="models",
                        # Two credentials at once are refused by the gateway when they differ.
                        instead_of=("ANTHROPIC_API_KEY",),
                    ),
                ),
                secret=True,
            ),
            ClientFile(
                Place(".claude.json", at_home("~", "$CLAUDE_CONFIG_DIR"), project=".mcp.json"),
                "json",
                (
                    Edit(
                        ("mcpServers", SERVER),
                        {"type": "stdio", **STDIO},
                        transport="stdio",
                        instead_of=("url", "headers"),
                    ),
                    Edit(
                        ("mcpServers", SERVER),
                        {
                            "type": "http",
                            "url": "{url}/mcp",
                            "headers": {"Authorization": BEARER},
                        },
                        transport="http",
                        instead_of=("command", "args", "env"),
                    ),
                ),
            ),
        ),
    ),
    Client(
        name="claude-desktop",
        title="Claude Desktop",
        own_path=True,
        source="https://modelcontextprotocol.io/docs/develop/connect-local-servers, read on "
        "2026-11-22",
        then="Quit Claude Desktop wholly and start it again.",
        models_by_hand="Help > Troubleshooting > Enable Developer Mode, then Developer > "
        "Configure Third-Party Inference.",
        files=(
            ClientFile(
                Place(
                    "claude_desktop_config.json",
                    {
                        "macos": ("~/Library/Application Support/Claude",),
                        "windows": ("$APPDATA/Claude", "~/AppData/Roaming/Claude"),
                        # Packages for Linux that others make keep it here.
                        "linux": ("$XDG_CONFIG_HOME/Claude", "~/.config/Claude"),
                    },
                ),
                "json",
                (
                    # Its file knows no servers over HTTP; those are added in its settings.
                    Edit(("mcpServers", SERVER), STDIO, transport="stdio"),
                ),
            ),
        ),
    ),
)
