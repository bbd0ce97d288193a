"""The OpenAPI document, made from the tables of routes."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from .rows import Lines, LinesResponse, Row

REF = "#/components/schemas/{name}"
ERROR = {"description": "an error: {error: {message, type, param, code}}"}

OTHER_ROUTES = (
    ("post", "/v1/chat/completions", "Answer an OpenAI chat, streamed or whole"),
    ("post", "/v1/responses/compact", "Make a conversation short"),
    ("post", "/v1/providers/{provider}/{endpoint}", "An endpoint of /v1 at one provider"),
    ("get", "/v1/providers/{provider}/models", "A provider's models"),
    ("get", "/v1/responses", "Responses over a WebSocket"),
    ("get", "/v1/responses/{response}", "A kept response"),
    ("delete", "/v1/responses/{response}", "Delete a kept response"),
    ("get", "/v1/responses/{response}/input_items", "What a kept response was asked"),
    ("post", "/v1/embeddings", "Give vectors"),
    ("post", "/v1/moderations", "Judge texts"),
    ("post", "/v1/rerank", "Rank documents"),
    ("post", "/v1/images/generations", "Make pictures"),
    ("post", "/v1/images/edits", "Change pictures"),
    ("post", "/v1/audio/speech", "Speak"),
    ("post", "/v1/audio/transcriptions", "Write down what is said"),
    ("post", "/v1/audio/translations", "Write down in English what is said"),
    ("post", "/v1/videos/generations", "Make a film"),
    ("post", "/v1/music/generations", "Make music"),
    ("post", "/v1/completions", "Answer OpenAI's older completions"),
    ("post", "/api/chat", "Answer Ollama's chats"),
    ("post", "/api/generate", "Answer Ollama's completions"),
    ("post", "/api/embed", "Make vectors for Ollama's clients"),
    ("get", "/api/tags", "List models as Ollama does"),
    ("post", "/api/show", "One model as Ollama shows it"),
    ("get", "/api/version", "The version of Ollama whose API is spoken"),
    ("get", "/v1/models", "List what can be asked for by name"),
    ("get", "/v1/models/{model}", "One row of that list"),
    ("get", "/v1beta/models", "The same list in Gemini's form"),
    ("get", "/v1beta/models/{model}", "One row of it"),
    ("post", "/mcp", "The MCP server, streamable HTTP"),
    ("post", "/a2a", "The A2A agent, JSON-RPC"),
    ("get", "/.well-known/agent-card.json", "The agent card"),
    ("get", "/.well-known/jwks.json", "The public key of signed agent cards"),
    ("get", "/health", "Whether the process lives"),
    ("get", "/ready", "Whether it takes work"),
)


def document(rows: Sequence[Row], *, version: str) -> dict[str, Any]:
    """Give the OpenAPI 3.1 document."""
    kinds = [
        kind
        for row in rows
        for kind in (row.body, row.answer, *(query.kind for query in row.query))
        if _has_schema(kind)
    ]
    _, components = _schemas(kinds)
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        path = row.path.replace(":path}", "}")
        paths.setdefault(path, {})[row.method.lower()] = _operation_of(row, path)
    for method, path, summary in OTHER_ROUTES:
        answers = {"200": {"description": "done"}, "default": ERROR}
        paths.setdefault(path, {})[method] = {**_operation(path, summary), "responses": answers}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "OmniRoute",
            "version": version,
            "description": "One gateway for agents and people: MCP, A2A and /v1 over one engine.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}, {}],
    }


def _operation_of(row: Row, path: str) -> dict[str, Any]:
    operation = _operation(path, f"{row.summary} (needs {row.scope})")
    operation["parameters"] += [
        {
            "name": query.name,
            "in": "query",
            "description": query.summary,
            "schema": _schema(query.kind),
        }
        for query in row.query
    ]
    if row.body is not None:
        content = {"application/json": {"schema": _schema(row.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    good: dict[str, Any] = {"description": "done"}
    if row.answer is Lines:
        good["content"] = {LinesResponse.media_type: {}}
    elif _has_schema(row.answer):
        good["content"] = {"application/json": {"schema": _schema(row.answer)}}
    operation["responses"] = {str(row.status): good, "default": ERROR}
    operation["x-omniroute-scope"] = row.scope
    return operation


def _operation(path: str, summary: str) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", path)
    return {
        "summary": summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ],
    }


def _schema(kind: Any) -> dict[str, Any]:
    (schema,), _ = _schemas([kind])
    return schema


def _schemas(kinds: Sequence[Any]) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    return msgspec.json.schema_components(kinds, ref_template=REF)


def _has_schema(kind: Any) -> bool:
    """Whether values of a type are JSON of one shape: no answer of its own, and not nothing."""
    if kind in (None, type(None), Lines):
        return False
    return not (isinstance(kind, type) and issubclass(kind, Response))
