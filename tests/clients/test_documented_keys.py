"""The files of clients that no test can run, held against what their makers document.

Each schema is written from the page that it names, and lets nothing through that the page does
not know: a name that no client reads would be passed over without a word.
"""

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from omniroute.server.clients.formats import parsed

from .ide_configs import FOLDER

Schema = dict[str, Any]

TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
LIST: Schema = {"type": "array", "items": {"type": "string"}}
COMMAND: Schema = {"type": "string", "pattern": "omniroute$"}
ADDRESS: Schema = {"type": "string", "pattern": "^http://127.0.0.1:20128/mcp$"}


def a(required: str, **properties: Schema) -> Schema:
    """Give the schema of an object with these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def servers(root: str, *ways: Schema, **beside: Schema) -> Schema:
    """Give the schema of a file with servers of these kinds."""
    return a(root, **{root: {"type": "object", "additionalProperties": {"oneOf": ways}}}, **beside)


PLAIN = a("command", command=COMMAND, args=LIST, env=TEXTS)

CLAUDE_DESKTOP = servers("mcpServers", PLAIN)
"""https://modelcontextprotocol.io/docs/develop/connect-local-servers, read on 2026-11-22."""
CURSOR = servers(
    "mcpServers",
    a("command", type={"const": "stdio"}, command=COMMAND, args=LIST, env=TEXTS),
    a("url", url=ADDRESS, headers=TEXTS),
)
"""https://cursor.com/docs/mcp, read on 2026-11-22."""
WINDSURF = servers("mcpServers", PLAIN, a("serverUrl", serverUrl=ADDRESS, headers=TEXTS))
"""https://docs.windsurf.com/windsurf/cascade/mcp, read on 2026-11-22; Antigravity's are alike."""
VSCODE = servers(
    "servers",
    a("type command", type={"const": "stdio"}, command=COMMAND, args=LIST, env=TEXTS),
    a("type url", type={"const": "http"}, url=ADDRESS, headers=TEXTS),
    inputs={
        "type": "array",
        "items": a(
            "type id description",
            type={"const": "promptString"},
            id={"type": "string"},
            description={"type": "string"},
            password={"type": "boolean"},
        ),
    },
)
"""microsoft/vscode-docs, docs/agents/reference/mcp-configuration.md of 2026-05-28."""
VSCODE_MODELS: Schema = {
    "type": "array",
    "items": a(
        "vendor models",
        name={"type": "string"},
        vendor={"const": "customendpoint"},
        apiKey={"type": "string"},
        apiType={"enum": ["chat-completions", "responses", "messages"]},
        models={
            "type": "array",
            "items": a(
                "id name url toolCalling vision maxInputTokens maxOutputTokens",
                id={"type": "string"},
                name={"type": "string"},
                url={"type": "string", "pattern": "/v1/chat/completions$"},
                toolCalling={"type": "boolean"},
                vision={"type": "boolean"},
                maxInputTokens={"type": "integer"},
                maxOutputTokens={"type": "integer"},
            ),
        },
    ),
}
"""https://github.com/microsoft/vscode/issues/316916, read on 2026-11-23."""
CLINE = servers(
    "mcpServers",
    a("command", command=COMMAND, args=LIST, env=TEXTS, disabled={"type": "boolean"}),
    a(
        "type url",
        type={"const": "streamableHttp"},
        url=ADDRESS,
        headers=TEXTS,
        disabled={"type": "boolean"},
    ),
)
"""What Cline's command line 3.0.65 reads, tried on 2026-11-22; the extension's file is alike."""
DROID = servers(
    "mcpServers",
    a(
        "type command",
        type={"const": "stdio"},
        command=COMMAND,
        args=LIST,
        env=TEXTS,
        disabled={"type": "boolean"},
    ),
    a(
        "type url",
        type={"const": "http"},
        url=ADDRESS,
        headers=TEXTS,
        disabled={"type": "boolean"},
    ),
)
"""Factory-AI/factory, docs/cli/configuration/mcp.mdx, read on 2026-11-23."""
DROID_MODELS = a(
    "customModels",
    customModels={
        "type": "array",
        "items": a(
            "model baseUrl apiKey provider",
            model={"type": "string"},
            displayName={"type": "string"},
            baseUrl={"type": "string", "pattern": "/v1$"},
            apiKey={"type": "string"},
            provider={"const": "generic-chat-completion-api"},
            maxOutputTokens={"type": "integer"},
        ),
    },
)
"""https://docs.factory.ai/model-independence/byok, read on 2026-11-23."""

GOOSE = a(
    "GOOSE_PROVIDER GOOSE_MODEL active_provider providers extensions",
    GOOSE_PROVIDER={"const": "omniroute"},
    GOOSE_MODEL={"type": "string"},
    active_provider={"const": "omniroute"},
    providers=a(
        "omniroute",
        omniroute=a(
            "enabled model configured",
            enabled={"type": "boolean"},
            model={"type": "string"},
            configured={"type": "boolean"},
        ),
    ),
    extensions={
        "type": "object",
        "additionalProperties": {
            "oneOf": [
                a(
                    "type name enabled cmd args timeout",
                    type={"const": "stdio"},
                    name={"type": "string"},
                    description={"type": "string"},
                    enabled={"type": "boolean"},
                    cmd=COMMAND,
                    args=LIST,
                    envs=TEXTS,
                    timeout={"type": "integer"},
                ),
                a(
                    "type name enabled uri timeout",
                    type={"const": "streamable_http"},
                    name={"type": "string"},
                    description={"type": "string"},
                    enabled={"type": "boolean"},
                    uri=ADDRESS,
                    headers=TEXTS,
                    timeout={"type": "integer"},
                ),
            ]
        },
    },
)
"""aaif-goose/goose, documentation/docs/guides/config-files.md, read on 2026-11-23."""
GOOSE_PROVIDER = a(
    "name engine display_name base_url models",
    name={"const": "omniroute"},
    engine={"enum": ["openai", "ollama", "anthropic"]},
    display_name={"type": "string"},
    base_url={"type": "string", "pattern": "/v1/chat/completions$"},
    headers=TEXTS,
    requires_auth={"const": False},
    dynamic_models={"type": "boolean"},
    models={
        "type": "array",
        "items": a(
            "name context_limit", name={"type": "string"}, context_limit={"type": "integer"}
        ),
    },
)
"""aaif-goose/goose, crates/goose/src/config/declarative_providers.rs, read on 2026-11-23."""
ZED_SERVERS: Schema = {
    "type": "object",
    "additionalProperties": {"oneOf": [PLAIN, a("url", url=ADDRESS, headers=TEXTS)]},
}
"""https://zed.dev/docs/ai/mcp, read on 2026-11-23."""
ZED = a(
    "language_models agent context_servers",
    language_models=a(
        "openai_compatible",
        openai_compatible=a(
            # The variable that its key is in is named after it.
            "OmniRoute",
            OmniRoute=a(
                "api_url available_models",
                api_url={"type": "string", "pattern": "/v1$"},
                available_models={
                    "type": "array",
                    "items": a(
                        "name max_tokens capabilities",
                        name={"type": "string"},
                        display_name={"type": "string"},
                        max_tokens={"type": "integer"},
                        capabilities=a(
                            "tools images parallel_tool_calls prompt_cache_key",
                            tools={"type": "boolean"},
                            images={"type": "boolean"},
                            parallel_tool_calls={"type": "boolean"},
                            prompt_cache_key={"type": "boolean"},
                            chat_completions={"type": "boolean"},
                        ),
                    ),
                },
            ),
        ),
    ),
    agent=a(
        "default_model",
        default_model=a(
            "provider model", provider={"const": "OmniRoute"}, model={"type": "string"}
        ),
    ),
    context_servers=ZED_SERVERS,
)
"""https://zed.dev/docs/ai/use-api-access, read on 2026-11-23; for the capabilities the settings
of zed-industries/zed after its change 39989."""

FILES: dict[str, Schema] = {
    "claude-desktop/claude_desktop_config.json": CLAUDE_DESKTOP,
    "cursor/mcp.json": CURSOR,
    "cursor/http/mcp.json": CURSOR,
    "windsurf/mcp_config.json": WINDSURF,
    "windsurf/http/mcp_config.json": WINDSURF,
    "antigravity/mcp_config.json": WINDSURF,
    "antigravity/http/mcp_config.json": WINDSURF,
    "vscode/mcp.json": VSCODE,
    "vscode/http/mcp.json": VSCODE,
    "vscode/chatLanguageModels.json": VSCODE_MODELS,
    "cline-vscode/cline_mcp_settings.json": CLINE,
    "cline-vscode/http/cline_mcp_settings.json": CLINE,
    "droid/mcp.json": DROID,
    "droid/http/mcp.json": DROID,
    "droid/settings.json": DROID_MODELS,
    "goose/config.yaml": GOOSE,
    "goose/http/config.yaml": GOOSE,
    "goose/omniroute.json": GOOSE_PROVIDER,
    "zed/settings.json": ZED,
    "zed/http/settings.json": ZED,
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_the_names_that_its_maker_documents_and_no_others(name: str) -> None:
    told = parsed((FOLDER / name).read_text(), "yaml" if name.endswith(".yaml") else "json")

    assert list(jsonschema.Draft202012Validator(FILES[name]).iter_errors(told)) == []


def test_no_file_of_these_clients_is_left_out() -> None:
    clients = {name.partition("/")[0] for name in FILES}

    found = {path for one in clients for path in (FOLDER / one).rglob("*") if path.is_file()}
    assert found == {FOLDER / Path(name) for name in FILES}


def test_a_name_of_another_client_does_not_pass() -> None:
    cursors = {"mcpServers": {"omniroute": {"url": "http://127.0.0.1:20128/mcp"}}}

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(WINDSURF).validate(cursors)
