"""The conformance suite's tools that only answer: with content, logs, progress, or an error.

What each has to do is what the suite says of it: the official conformance suite,
@modelcontextprotocol/conformance 0.2.0-alpha.12, "Server Implementation Requirements" of its
scenarios (read 2026-11-23).
"""

import asyncio
import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp.types import (
    AudioContent,
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)
from mcp.types import Tool as McpTool

from omniroute.tools.additions import AddedTool, Context

SCOPE = "write:route"
"""What a key must carry to call a tool of the suite's."""
PAUSE_S = 0.05
NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}}
TEXT = "This is a simple text response for testing."

Run = Callable[[Context, CallToolRequestParams], Awaitable[Any]]


def tool(name: str, run: Run, schema: Mapping[str, Any] = NO_ARGUMENTS) -> AddedTool:
    """Give a tool of the suite's under its name."""
    words = f"A fixture of the conformance suite: {name}."
    return AddedTool(McpTool(name=name, description=words, input_schema=dict(schema)), SCOPE, run)


def text(words: str) -> TextContent:
    return TextContent(type="text", text=words)


def said(*blocks: ContentBlock) -> CallToolResult:
    return CallToolResult(content=list(blocks))


def png() -> str:
    """Give an image of one red pixel, in base64. Source: PNG, third edition, section 5."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xff\0\0")
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b64encode(b"\x89PNG\r\n\x1a\n" + parts).decode()


def wav() -> str:
    """Give eight samples of silence, in base64. Source: RIFF WAVE, PCM."""
    samples = b"\x80" * 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(samples)) + samples
    return b64encode(struct.pack("<4sI", b"RIFF", len(body)) + body).decode()


def image() -> ImageContent:
    return ImageContent(type="image", data=png(), mime_type="image/png")


def embedded(uri: str, kind: str, words: str) -> EmbeddedResource:
    contents = TextResourceContents(uri=uri, mime_type=kind, text=words)
    return EmbeddedResource(type="resource", resource=contents)


def _fixed(*blocks: ContentBlock) -> Run:
    async def run(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
        return said(*blocks)

    return run


async def _fail(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    words = "This tool intentionally returns an error for testing"
    return CallToolResult(content=[text(words)], is_error=True)


async def _log(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.session.send_log_message("info", words, related_request_id=ctx.request_id)
        await asyncio.sleep(PAUSE_S)
    return said(text("logged three times"))


async def _progress(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    for done in (0, 50, 100):
        await ctx.session.report_progress(done, 100, f"{done} of 100")
        await asyncio.sleep(PAUSE_S)
    return said(text("done in three steps"))


async def _echo(ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    return said(text(json.dumps(params.arguments or {})))


SCHEMA_2020_12: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
IN_A_HEADER: Mapping[str, Any] = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    "required": ["region"],
}

TOOLS = (
    tool("test_simple_text", _fixed(text(TEXT))),
    tool("test_image_content", _fixed(image())),
    tool(
        "test_audio_content",
        _fixed(AudioContent(type="audio", data=wav(), mime_type="audio/wav")),
    ),
    tool(
        "test_embedded_resource",
        _fixed(
            embedded(
                "test://embedded-resource", "text/plain", "This is an embedded resource content."
            )
        ),
    ),
    tool(
        "test_multiple_content_types",
        _fixed(
            text("Multiple content types test:"),
            image(),
            embedded(
                "test://mixed-content-resource",
                "application/json",
                '{"test":"data","value":123}',
            ),
        ),
    ),
    tool("test_error_handling", _fail),
    tool("test_tool_with_logging", _log),
    tool("test_logging_tool", _log),
    tool("test_tool_with_progress", _progress),
    tool("test_streaming_elicitation", _progress),
    tool("json_schema_2020_12_tool", _echo, SCHEMA_2020_12),
    tool("test_x_mcp_header", _echo, IN_A_HEADER),
)
