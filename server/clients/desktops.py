"""The rows of editors with an agent of their own whose files are JSON."""

from .client import (
    BEARER,
    KEY_VARIABLE,
    SERVER,
    STDIO,
    Client,
    ClientFile,
    Edit,
    Format,
    Json,
    Place,
    Where,
    at_home,
    in_app_data,
)

_INPUT = "omniroute-key"
_HTTP_WAYS = ("url", "serverUrl", "headers")


def _servers(place: Place, form: Format, http: Json, *, root: str = "mcpServers") -> ClientFile:
    """Give a file that lists MCP servers, with how it writes one that is reached over HTTP."""
    stdio: Json = {"type": "stdio", **STDIO} if root == "servers" else STDIO
    return ClientFile(
        place,
        form,
        (
            Edit((root, SERVER), stdio, transport="stdio", instead_of=_HTTP_WAYS),
            Edit(
                (root, SERVER),
                http,
                transport="http",
                instead_of=("command", "args", "env", *_HTTP_WAYS),
            ),
            *(
                (
                    Edit(
                        ("inputs", Where("id", _INPUT)),
                        {
                            "type": "promptString",
                            "description": "A key of OmniRoute",
                            "password": True,
                        },
                        needs="reference",
                    ),
                )
                if root == "servers"
                else ()
            ),
        ),
    )


_HEADERS: Json = {"Authorization": BEARER}

DESKTOPS = (
    Client(
        name="cursor",
        title="Cursor",
        program="cursor",
        own_path=True,
        key_reference=f"${{env:{KEY_VARIABLE}}}",
        source="https://cursor.com/docs/mcp, read on 2026-11-22",
        then="Restart Cursor; Settings > MCP shows the server.",
        models_by_hand="Settings > Models > Override OpenAI Base URL. Cursor's own servers make "
        "the calls, so this needs an https address of the gateway that they can reach.",
        files=(
            _servers(
                Place("mcp.json", at_home("~/.cursor"), project=".cursor/mcp.json"),
                "json",
                {"url": "{url}/mcp", "headers": _HEADERS},
            ),
        ),
    ),
    Client(
        name="vscode",
        title="VS Code",
        program="code",
        own_path=True,
        key_reference=f"${{input:{_INPUT}}}",
        source="https://code.visualstudio.com/docs/agents/reference/mcp-configuration and "
        "https://github.com/microsoft/vscode/issues/316916, read on 2026-11-23",
        then="Run `MCP: List Servers` in VS Code and start omniroute; the model picker of the "
        "chat has OmniRoute.",
        files=(
            _servers(
                Place("mcp.json", in_app_data("Code/User"), project=".vscode/mcp.json"),
                "jsonc",
                {"type": "http", "url": "{url}/mcp", "headers": _HEADERS},
                root="servers",
            ),
            ClientFile(
                Place("chatLanguageModels.json", in_app_data("Code/User")),
                "jsonc",
                (
                    Edit(
                        (Where("name", "OmniRoute"),),
                        {
                            "name": "OmniRoute",
                            "vendor": "customendpoint",
                            "apiKey": "{key}",
                            "apiType": "chat-completions",
                            "models": [
                                {
                                    "id": "{model}",
                                    "name": "OmniRoute {model}",
                                    "url": "{url}/v1/chat/completions",
                                    "toolCalling": True,
                                    "vision": True,
                                    "maxInputTokens": 200_000,
                                    "maxOutputTokens": 32_000,
                                }
                            ],
                        },
                        part="models",
                    ),
                ),
                secret=True,
            ),
        ),
    ),
    Client(
        name="windsurf",
        title="Windsurf",
        program="windsurf",
        own_path=True,
        key_reference=f"${{env:{KEY_VARIABLE}}}",
        source="https://docs.windsurf.com/windsurf/cascade/mcp, read on 2026-11-22",
        then="Refresh the MCP servers in Cascade.",
        models_by_hand="it takes no model endpoint of one's own.",
        files=(
            _servers(
                Place("mcp_config.json", at_home("~/.codeium/windsurf")),
                "json",
                # A `url`, as Cursor has it, is passed over without a word.
                {"serverUrl": "{url}/mcp", "headers": _HEADERS},
            ),
        ),
    ),
    Client(
        name="antigravity",
        title="Antigravity",
        program="agy",
        own_path=True,
        source="https://antigravity.google/docs/mcp, read on 2026-11-22",
        then="Refresh the MCP servers (Manage MCP Servers), or start `agy` anew.",
        models_by_hand="it takes no model endpoint of one's own.",
        files=(
            _servers(
                Place(
                    "config/mcp_config.json",
                    at_home("~/.gemini"),
                    # Where builds before June 2026 keep it.
                    others=("antigravity/mcp_config.json",),
                ),
                "json",
                {"serverUrl": "{url}/mcp", "headers": _HEADERS},
            ),
        ),
    ),
)
