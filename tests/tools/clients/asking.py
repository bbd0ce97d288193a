"""The official clients: Python's, TypeScript's in both its lines, and the Inspector."""

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ResourceTemplateReference, TextContent, TextResourceContents

from tests.coding_clients.install import installed, node

from ..official import PACKAGES
from .plan import COMPLETION, Plan, Told

HERE = Path(__file__).parent
INSPECTOR = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
CLIENT_S_MAX = 120
SERVER = "omniroute"
SERVER_INFO = "io.modelcontextprotocol/serverInfo"


def python(plan: Plan, home: Path) -> Told:
    """Ask with the official Python client."""

    async def ask() -> Told:
        mode = plan.version if plan.is_modern else "legacy"
        with anyio.fail_after(CLIENT_S_MAX):
            if plan.transport == "http":
                async with httpx2.AsyncClient(headers=plan.headers, timeout=CLIENT_S_MAX) as http:
                    over = streamable_http_client(plan.url, http_client=http)
                    async with Client(over, mode=mode) as client:
                        return await _asked(client, plan)
            command, *words = plan.command
            server = StdioServerParameters(command=command, args=words, env=plan.environment)
            async with Client(server, mode=mode) as client:
                return await _asked(client, plan)

    return anyio.run(ask)


async def _asked(client: Client, plan: Plan) -> Told:
    heard: list[str] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message or "")

    told = Told(client.protocol_version, progress=heard)
    for tool in (await client.list_tools()).tools:
        told.schemas[tool.name] = tool.output_schema
    for name, arguments in plan.calls.items():
        streams = arguments.get("stream") is True
        result = await client.call_tool(
            name, dict(arguments), progress_callback=hear if streams else None
        )
        told.results[name] = result.model_dump(by_alias=True, mode="json", exclude_none=False)
    template, argument, begun = COMPLETION
    completion = await client.complete(
        ResourceTemplateReference(uri=template), {"name": argument, "value": begun}
    )
    return replace(await _read(client, plan, told), completed=completion.completion.values)


async def _read(client: Client, plan: Plan, told: Told) -> Told:
    """Read what stands beside the tools."""
    told.offered.extend(str(one.uri) for one in (await client.list_resources()).resources)
    templates = (await client.list_resource_templates()).resource_templates
    told.offered.extend(one.uri_template for one in templates)
    told.offered.extend(one.name for one in (await client.list_prompts()).prompts)
    for uri in plan.reads:
        (contents,) = (await client.read_resource(uri)).contents
        assert isinstance(contents, TextResourceContents)
        told.texts[uri] = contents.text
    for name, arguments in plan.prompts.items():
        (message,) = (await client.get_prompt(name, dict(arguments))).messages
        assert isinstance(message.content, TextContent)
        told.words[name] = message.content.text
    return told


def typescript(plan: Plan, home: Path) -> Told:
    """Ask with the official TypeScript client, the line that knows both eras."""
    return _typescript(plan, sdk=2)


def typescript_1(plan: Plan, home: Path) -> Told:
    """Ask with the first line of the official TypeScript SDK, which most clients are made of."""
    return _typescript(plan, sdk=1)


def _typescript(plan: Plan, *, sdk: int) -> Told:
    given = {
        "sdk": sdk,
        "transport": plan.transport,
        "version": plan.version,
        "modern": plan.is_modern,
        "url": plan.url,
        "headers": plan.headers,
        "command": plan.command,
        "environment": plan.environment,
        "calls": plan.calls,
        "reads": plan.reads,
        "prompts": plan.prompts,
        "completion": COMPLETION,
    }
    script = (HERE / "typescript.mjs").read_text()
    told = _node("--input-type=module", "-e", script, given=json.dumps(given), home=None)
    return Told(**json.loads(told))


def inspector(plan: Plan, home: Path) -> Told:
    """Ask with the Inspector's command line: a process for each question."""
    servers: Mapping[str, Any] = {
        "http": {"type": "streamable-http", "url": plan.url, "headers": plan.headers},
        "stdio": {
            "type": "stdio",
            "command": plan.command[0],
            "args": plan.command[1:],
            "env": plan.environment,
        },
    }
    config = home / "servers.json"
    config.write_text(json.dumps({"mcpServers": {SERVER: servers[plan.transport]}}))
    era = "modern" if plan.is_modern else "legacy"

    def ask(*words: str) -> Any:
        program = str(installed("mcp", PACKAGES) / INSPECTOR)
        how = ("--config", str(config), "--server", SERVER, "--protocol-era", era)
        form = ("--stored-auth-only", "--format", "json", "-q")
        return json.loads(_node(program, "--cli", *how, *form, *words, home=home))

    told = Told(plan.version)
    # Strict: a schema that some client could not use is an exit status of 6.
    for tool in ask("--method", "tools/list", "--strict")["result"]["tools"]:
        told.schemas[tool["name"]] = tool["outputSchema"]
    for name, arguments in plan.calls.items():
        words = ("--tool-name", name, "--tool-args-json", json.dumps(arguments))
        result = told.results[name] = ask("--method", "tools/call", *words)["result"]
        # Only the newer era's answers say who gave them: the Inspector names no version.
        assert (SERVER_INFO in result.get("_meta", {})) == plan.is_modern, result
    listed = ask("--method", "resources/list")["result"]["resources"]
    told.offered.extend(one["uri"] for one in listed)
    listed = ask("--method", "resources/templates/list")["result"]["resourceTemplates"]
    told.offered.extend(one["uriTemplate"] for one in listed)
    told.offered.extend(one["name"] for one in ask("--method", "prompts/list")["result"]["prompts"])
    for uri in plan.reads:
        read = ask("--method", "resources/read", "--uri", uri)["result"]
        told.texts[uri] = read["contents"][0]["text"]
    for name, given in plan.prompts.items():
        filled = [f"{key}={value}" for key, value in given.items()]
        named = ("--prompt-name", name, "--prompt-args", *filled)
        got = ask("--method", "prompts/get", *named)["result"]
        told.words[name] = got["messages"][0]["content"]["text"]
    return told


def _node(*words: str, given: str = "", home: Path | None) -> str:
    done = subprocess.run(
        [str(node() / "bin/node"), *words],
        cwd=installed("mcp", PACKAGES),
        env={"HOME": str(home or Path.home()), "PATH": str(node() / "bin")},
        input=given,
        capture_output=True,
        text=True,
        timeout=CLIENT_S_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


CLIENTS: Mapping[str, Callable[[Plan, Path], Told]] = {
    "python": python,
    "typescript": typescript,
    "typescript-1": typescript_1,
    "inspector": inspector,
}
