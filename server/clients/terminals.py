"""The rows of clients of the command line whose files are TOML or YAML."""

from collections.abc import Mapping

from .client import (
    ARGS,
    BEARER,
    CONTEXT_TOKENS,
    KEY_VARIABLE,
    SERVER,
    STDIO,
    STDIO_ENV,
    Client,
    ClientFile,
    Edit,
    Place,
    System,
    Where,
    Whole,
    at_home,
)

_GOOSE_FOLDERS: Mapping[System, tuple[str, ...]] = {
    "linux": ("$GOOSE_PATH_ROOT/config", "$XDG_CONFIG_HOME/goose", "~/.config/goose"),
    "macos": ("$GOOSE_PATH_ROOT/config", "$XDG_CONFIG_HOME/goose", "~/.config/goose"),
    "windows": (
        "$GOOSE_PATH_ROOT/config",
        "$APPDATA/Block/goose/config",
        "~/AppData/Roaming/Block/goose/config",
    ),
}

TERMINALS = (
    Client(
        name="codex",
        title="Codex",
        program="codex",
        source="https://developers.openai.com/codex/config-reference, read on 2026-11-23; version "
        "0.169.0 tried on 2026-11-23",
        then="Start `codex` anew; `/model` lists the gateway's models, `/mcp` its tools.",
        files=(
            ClientFile(
                # A project's file may name no provider, so there is none.
                Place("config.toml", at_home("~/.codex", "$CODEX_HOME")),
                "toml",
                (
                    Edit(("model",), "{model}", part="models"),
                    Edit(("model_provider",), SERVER, part="models"),
                    Edit(
                        ("model_providers", SERVER),
                        {
                            "name": "OmniRoute",
                            "base_url": "{url}/v1",
                            "wire_api": "responses",
                            # Without a credential of its own it would send the one that the
                            # user has for the vendor.
                            "experimental_bearer_token": "{key}",
                            "model_catalog_url": "{url}/v1/models",
                        },
                        part="models",
                        # Two ways to a credential at once stop it at its start.
                        instead_of=("env_key", "auth", "requires_openai_auth"),
                    ),
                    Edit(("features", "api_key_model_discovery"), True, part="models"),
                    Edit(
                        ("mcp_servers", SERVER),
                        STDIO,
                        transport="stdio",
                        instead_of=("url", "http_headers", "bearer_token_env_var"),
                    ),
                    Edit(
                        ("mcp_servers", SERVER),
                        {"url": "{url}/mcp", "http_headers": {"Authorization": BEARER}},
                        transport="http",
                        instead_of=("command", "args", "env", "bearer_token_env_var"),
                    ),
                ),
                secret=True,
            ),
        ),
    ),
    Client(
        name="continue",
        title="Continue",
        program="cn",
        own_path=True,
        key_reference=f"${{{{ secrets.{KEY_VARIABLE} }}}}",
        source="https://docs.continue.dev/reference, read on 2026-11-22; version 1.5.47 of `cn` "
        "tried on 2026-11-23",
        then="Start `cn` anew, or reload the editor's window, and choose OmniRoute. A config.json "
        "of older versions is read no more beside this file.",
        files=(
            ClientFile(
                Place("config.yaml", at_home("~/.continue", "$CONTINUE_GLOBAL_DIR")),
                "yaml",
                (
                    *(
                        Edit((name,), value, part=part, default=True)
                        for part in ("models", "mcp")
                        for name, value in (
                            ("name", "My assistant"),
                            ("version", "1.0.0"),
                            ("schema", "v1"),
                        )
                    ),
                    Edit(
                        ("models", Where("name", "OmniRoute")),
                        {
                            "name": "OmniRoute",
                            "provider": "openai",
                            "model": "{model}",
                            "apiBase": "{url}/v1",
                            "apiKey": "{key}",
                            "roles": ["chat", "edit", "apply"],
                            # Else it asks a model whose name it does not know for none.
                            "capabilities": ["tool_use"],
                        },
                        part="models",
                    ),
                    Edit(
                        ("mcpServers", Where("name", SERVER)),
                        {"name": SERVER, **STDIO},
                        transport="stdio",
                        instead_of=("type", "url", "requestOptions"),
                    ),
                    Edit(
                        ("mcpServers", Where("name", SERVER)),
                        {
                            "name": SERVER,
                            "type": "streamable-http",
                            "url": "{url}/mcp",
                            "requestOptions": {"headers": {"Authorization": BEARER}},
                        },
                        transport="http",
                        instead_of=("command", "args", "env"),
                    ),
                ),
                secret=True,
            ),
        ),
    ),
    Client(
        name="goose",
        title="Goose",
        program="goose",
        own_path=True,
        overrides=("GOOSE_PROVIDER", "GOOSE_MODEL"),
        source="https://github.com/aaif-goose/goose, documentation/docs/guides/config-files.md and "
        "crates/goose/src/config/declarative_providers.rs, read on 2026-11-23",
        then="Start `goose session` anew.",
        files=(
            ClientFile(
                Place("config.yaml", _GOOSE_FOLDERS),
                "yaml",
                (
                    # Versions before the providers have names of their own read these two.
                    Edit(("GOOSE_PROVIDER",), SERVER, part="models"),
                    Edit(("GOOSE_MODEL",), "{model}", part="models"),
                    Edit(("active_provider",), SERVER, part="models"),
                    Edit(
                        ("providers", SERVER),
                        {"enabled": True, "model": "{model}", "configured": True},
                        part="models",
                    ),
                    Edit(
                        ("extensions", SERVER),
                        {
                            "type": "stdio",
                            "name": SERVER,
                            "description": "OmniRoute's tools",
                            "enabled": True,
                            "cmd": "{command}",
                            "args": ARGS,
                            "envs": STDIO_ENV,
                            "timeout": 300,
                        },
                        transport="stdio",
                        instead_of=("uri", "headers"),
                    ),
                    Edit(
                        ("extensions", SERVER),
                        {
                            "type": "streamable_http",
                            "name": SERVER,
                            "description": "OmniRoute's tools",
                            "enabled": True,
                            "uri": "{url}/mcp",
                            "headers": {"Authorization": BEARER},
                            "timeout": 300,
                        },
                        transport="http",
                        instead_of=("cmd", "args", "envs", "env_keys"),
                    ),
                ),
                secret=True,
            ),
            ClientFile(
                Place(f"custom_providers/{SERVER}.json", _GOOSE_FOLDERS),
                "json",
                (
                    Edit(
                        ("name",),
                        SERVER,
                        part="models",
                    ),
                    Edit(("engine",), "openai", part="models"),
                    Edit(("display_name",), "OmniRoute", part="models"),
                    Edit(("base_url",), "{url}/v1/chat/completions", part="models"),
                    # Its own store for keys is the system's keyring, which no file reaches.
                    Edit(("requires_auth",), False, part="models"),
                    Edit(("headers",), {"Authorization": BEARER}, part="models"),
                    Edit(("dynamic_models",), True, part="models"),
                    Edit(
                        ("models", Where("name", "{model}")),
                        {"name": "{model}", "context_limit": CONTEXT_TOKENS},
                        part="models",
                        default=True,
                    ),
                    Edit(
                        ("models", Where("name", "{each}")),
                        Whole({"name": "{each}", "context_limit": "{each.context}"}),
                        part="models",
                    ),
                ),
                secret=True,
            ),
        ),
    ),
)
