"""The rows of clients that are told of every model: they ask the gateway for no list."""

from .client import (
    BEARER,
    CONTEXT_TOKENS,
    KEY_VARIABLE,
    SERVER,
    STDIO,
    STDIO_ENV,
    Client,
    ClientFile,
    Edit,
    Json,
    Place,
    Where,
    Whole,
    at_home,
)


def _open_code(schema: str) -> tuple[Edit, ...]:
    """Give what OpenCode reads, and what was made from it."""
    return (
        Edit(("$schema",), schema, part="models", default=True),
        Edit(("$schema",), schema, default=True),
        Edit(("model",), f"{SERVER}/{{model}}", part="models"),
        # It names sessions with this one.
        Edit(("small_model",), f"{SERVER}/auto/cheap", part="models"),
        Edit(
            ("provider", SERVER),
            {
                "npm": "@ai-sdk/openai-compatible",
                "name": "OmniRoute",
                "options": {"baseURL": "{url}/v1", "apiKey": "{key}"},
            },
            part="models",
        ),
        *(
            Edit(("provider", SERVER, "models", name), {"name": name}, part="models")
            for name in ("{model}", "auto/cheap")
        ),
        Edit(
            ("provider", SERVER, "models", "{each}"),
            {
                "name": "{each}",
                # One limit without the other is refused.
                "limit": Whole({"context": "{each.context}", "output": "{each.output}"}),
            },
            part="models",
        ),
        Edit(
            ("mcp", SERVER),
            {
                "type": "local",
                "command": ["{command}", "{args}"],
                "environment": STDIO_ENV,
                "enabled": True,
            },
            transport="stdio",
            instead_of=("url", "headers", "oauth"),
        ),
        Edit(
            ("mcp", SERVER),
            {
                "type": "remote",
                "url": "{url}/mcp",
                "headers": {"Authorization": BEARER},
                # Else it looks for a server to log in at.
                "oauth": False,
                "enabled": True,
            },
            transport="http",
            instead_of=("command", "environment"),
        ),
    )


_ZED_PROVIDER = ("language_models", "openai_compatible", "OmniRoute")
_ZED_CAN: Json = {
    "tools": True,
    "images": True,
    "parallel_tool_calls": True,
    "prompt_cache_key": True,
    "chat_completions": True,
}

CATALOGS = (
    Client(
        name="opencode",
        title="OpenCode",
        program="opencode",
        overrides=("OPENCODE_CONFIG", "OPENCODE_CONFIG_CONTENT"),
        key_reference=f"{{env:{KEY_VARIABLE}}}",
        source="https://opencode.ai/docs/config, read on 2026-11-22; version 1.18.33 tried on "
        "2026-11-23",
        then="Start `opencode` anew; `/models` lists the gateway's models.",
        files=(
            ClientFile(
                Place(
                    "opencode.json",
                    at_home("~/.config/opencode", "$XDG_CONFIG_HOME/opencode"),
                    others=("opencode.jsonc", "config.json"),
                    project="opencode.json",
                ),
                "jsonc",
                _open_code("https://opencode.ai/config.json"),
            ),
        ),
    ),
    Client(
        name="kilo",
        title="Kilo Code",
        program="kilo",
        key_reference=f"{{env:{KEY_VARIABLE}}}",
        source="https://kilo.ai/docs/cli, read on 2026-11-22; version 7.7.9 tried on 2026-11-23",
        then="Start `kilo` anew; `/models` lists the gateway's models.",
        files=(
            ClientFile(
                Place(
                    "kilo.json",
                    at_home("~/.config/kilo", "$XDG_CONFIG_HOME/kilo"),
                    others=("kilo.jsonc",),
                    # A project's file that names a variable was passed over when tried.
                ),
                "jsonc",
                _open_code("https://app.kilo.ai/config.json"),
            ),
        ),
    ),
    Client(
        name="zed",
        title="Zed",
        program="zed",
        own_path=True,
        source="https://zed.dev/docs/ai/mcp and https://zed.dev/docs/ai/use-api-access, read on "
        "2026-11-23",
        then=f"Zed takes a key from the variable {KEY_VARIABLE} of the environment that it is "
        "started in, or from Settings > AI > LLM Providers > OmniRoute, and from no file.",
        files=(
            ClientFile(
                Place(
                    "settings.json",
                    {
                        "linux": ("$XDG_CONFIG_HOME/zed", "~/.config/zed"),
                        "macos": ("~/.config/zed",),
                        "windows": ("$APPDATA/Zed", "~/AppData/Roaming/Zed"),
                    },
                ),
                "jsonc",
                (
                    Edit((*_ZED_PROVIDER, "api_url"), "{url}/v1", part="models"),
                    *(
                        Edit(
                            (*_ZED_PROVIDER, "available_models", Where("name", name)),
                            Whole(
                                {
                                    "name": name,
                                    "display_name": name,
                                    "max_tokens": tokens,
                                    "capabilities": _ZED_CAN,
                                }
                            ),
                            part="models",
                            default=name == "{model}",
                        )
                        for name, tokens in (
                            ("{model}", CONTEXT_TOKENS),
                            ("{each}", "{each.context}"),
                        )
                    ),
                    Edit(
                        ("agent", "default_model"),
                        {"provider": "OmniRoute", "model": "{model}"},
                        part="models",
                        default=True,
                    ),
                    Edit(
                        ("context_servers", SERVER),
                        STDIO,
                        transport="stdio",
                        instead_of=("url", "headers"),
                    ),
                    Edit(
                        ("context_servers", SERVER),
                        {"url": "{url}/mcp", "headers": {"Authorization": BEARER}},
                        transport="http",
                        instead_of=("command", "args", "env", "source"),
                    ),
                ),
            ),
        ),
    ),
    Client(
        name="openclaw",
        title="OpenClaw",
        program="openclaw",
        own_path=True,
        overrides=("OPENCLAW_CONFIG_PATH",),
        key_reference=f"${{{KEY_VARIABLE}}}",
        source="docs/concepts/model-providers/custom-providers.md and docs/cli/mcp/transports.md "
        "of the package openclaw 2026.9.6, read on 2026-11-23",
        then="Run `openclaw config validate`; a running gateway of its own takes the file over.",
        files=(
            ClientFile(
                Place("openclaw.json", at_home("~/.openclaw", "$OPENCLAW_STATE_DIR")),
                "json5",
                (
                    Edit(
                        ("models", "providers", SERVER),
                        {
                            "baseUrl": "{url}/v1",
                            "apiKey": "{key}",
                            "api": "openai-completions",
                        },
                        part="models",
                    ),
                    Edit(
                        ("models", "providers", SERVER, "models", Where("id", "{model}")),
                        {"id": "{model}", "name": "{model}", "input": ["text", "image"]},
                        part="models",
                    ),
                    Edit(
                        ("models", "providers", SERVER, "models", Where("id", "{each}")),
                        {
                            "id": "{each}",
                            "name": "{each}",
                            "input": ["text", "image"],
                            "contextWindow": "{each.context}",
                            "maxTokens": "{each.output}",
                        },
                        part="models",
                    ),
                    Edit(
                        ("agents", "defaults", "model"),
                        {"primary": f"{SERVER}/{{model}}"},
                        part="models",
                    ),
                    Edit(
                        ("mcp", "servers", SERVER),
                        STDIO,
                        transport="stdio",
                        instead_of=("url", "headers", "transport", "auth"),
                    ),
                    Edit(
                        ("mcp", "servers", SERVER),
                        {
                            "url": "{url}/mcp",
                            # Without a word it speaks the transport of 2024.
                            "transport": "streamable-http",
                            "headers": {"Authorization": BEARER},
                        },
                        transport="http",
                        instead_of=("command", "args", "env", "auth"),
                    ),
                ),
                secret=True,
            ),
        ),
    ),
)
