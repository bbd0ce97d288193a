"""The rows of clients of the command line whose files are JSON."""

from .client import (
    BEARER,
    KEY_VARIABLE,
    SERVER,
    STDIO,
    Client,
    ClientFile,
    Edit,
    Place,
    Where,
    at_home,
    in_app_data,
)

_CLINE_STDIO = Edit(
    ("mcpServers", SERVER),
    {**STDIO, "disabled": False},
    transport="stdio",
    instead_of=("type", "url", "headers"),
)
_CLINE_HTTP = Edit(
    ("mcpServers", SERVER),
    {
        "type": "streamableHttp",
        "url": "{url}/mcp",
        "headers": {"Authorization": BEARER},
        "disabled": False,
    },
    transport="http",
    instead_of=("command", "args", "env"),
)

COMMAND_LINE = (
    Client(
        name="gemini-cli",
        title="Gemini CLI",
        program="gemini",
        key_reference=f"${KEY_VARIABLE}",
        # It takes `auto` for a choice of its own among Google's models.
        model="auto/coding",
        overrides=("GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_GENAI_USE_VERTEXAI"),
        source="https://github.com/google-gemini/gemini-cli, docs/reference/configuration.md; "
        "version 0.61.0 tried on 2026-11-22",
        then="Start `gemini` anew.",
        files=(
            ClientFile(
                Place("settings.json", at_home("~/.gemini"), project=".gemini/settings.json"),
                "jsonc",
                (
                    Edit(("security", "auth", "selectedType"), "gemini-api-key", part="models"),
                    Edit(("model", "name"), "{model}", part="models"),
                    Edit(
                        ("mcpServers", SERVER),
                        STDIO,
                        transport="stdio",
                        instead_of=("httpUrl", "url", "type", "headers"),
                    ),
                    Edit(
                        ("mcpServers", SERVER),
                        {"httpUrl": "{url}/mcp", "headers": {"Authorization": BEARER}},
                        transport="http",
                        instead_of=("command", "args", "env", "url", "type"),
                    ),
                ),
            ),
            ClientFile(
                # Without /v1beta: the client adds it.
                Place(".env", at_home("~/.gemini"), project=".gemini/.env"),
                "env",
                (
                    Edit(("GEMINI_API_KEY",), "{key}", part="models"),
                    Edit(("GOOGLE_GEMINI_BASE_URL",), "{url}", part="models"),
                ),
                secret=True,
            ),
        ),
    ),
    Client(
        name="cline",
        title="Cline CLI",
        program="cline",
        source="version 3.0.65 tried on 2026-11-22: what `cline auth` writes",
        then="Start `cline` anew.",
        files=(
            ClientFile(
                Place("providers.json", at_home("~/.cline/data/settings")),
                "json",
                (
                    Edit(("version",), 1, part="models", default=True),
                    Edit(("lastUsedProvider",), "openai-compatible", part="models"),
                    Edit(
                        ("providers", "openai-compatible", "settings"),
                        {
                            "provider": "openai-compatible",
                            "apiKey": "{key}",
                            "model": "{model}",
                            "baseUrl": "{url}/v1",
                        },
                        part="models",
                    ),
                    # The whole file is thrown away when a provider in it has no such moment.
                    Edit(
                        ("providers", "openai-compatible", "updatedAt"),
                        "2026-01-01T00:00:00.000Z",
                        part="models",
                        default=True,
                    ),
                ),
                secret=True,
            ),
            ClientFile(
                Place("cline_mcp_settings.json", at_home("~/.cline/data/settings")),
                "json",
                (_CLINE_STDIO, _CLINE_HTTP),
            ),
        ),
    ),
    Client(
        name="cline-vscode",
        title="Cline in VS Code",
        own_path=True,
        source="what others say of where the extension keeps its copy, read on 2026-11-23",
        then="Reload the window of VS Code.",
        models_by_hand="in Cline's settings choose the API provider OpenAI Compatible, with the "
        "base URL {url}/v1, a key, and the model {model}.",
        files=(
            ClientFile(
                Place(
                    "cline_mcp_settings.json",
                    in_app_data("Code/User/globalStorage/saoudrizwan.claude-dev/settings"),
                ),
                "json",
                (_CLINE_STDIO, _CLINE_HTTP),
            ),
        ),
    ),
    Client(
        name="droid",
        title="Factory Droid",
        program="droid",
        source="https://docs.factory.ai/model-independence/byok and "
        "https://docs.factory.ai/cli/configuration/mcp, read on 2026-11-23",
        then="Start `droid` anew and choose OmniRoute with `/model`.",
        files=(
            ClientFile(
                Place("settings.json", at_home("~/.factory")),
                "jsonc",
                (
                    Edit(
                        ("customModels", Where("displayName", "OmniRoute")),
                        {
                            "model": "{model}",
                            "displayName": "OmniRoute",
                            "baseUrl": "{url}/v1",
                            "apiKey": "{key}",
                            "provider": "generic-chat-completion-api",
                            "maxOutputTokens": 16_384,
                        },
                        part="models",
                    ),
                ),
                secret=True,
            ),
            ClientFile(
                Place("mcp.json", at_home("~/.factory"), project=".factory/mcp.json"),
                "json",
                (
                    Edit(
                        ("mcpServers", SERVER),
                        {"type": "stdio", **STDIO, "disabled": False},
                        transport="stdio",
                        instead_of=("url", "headers"),
                    ),
                    Edit(
                        ("mcpServers", SERVER),
                        {
                            "type": "http",
                            "url": "{url}/mcp",
                            "headers": {"Authorization": BEARER},
                            "disabled": False,
                        },
                        transport="http",
                        instead_of=("command", "args", "env"),
                    ),
                ),
            ),
        ),
    ),
)
