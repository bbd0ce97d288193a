"""What is answered beside the management API, for the OpenAPI document.

What each of these needs stands in rights.py; here are its words and the least that a body has to
be. The bodies themselves are their vendors': the vendors' references say all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..rights import BELOW, EVERY, RIGHTS, SOCKET, Needs

JSON = "application/json"
FORM = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Doors:
    """Routes that one sentence tells of.

    Attributes:
        paths: as the document has them.
        needed: the path of rights.py whose row says what they need; the same without.
        body: the schema of the body, None where there is none.
    """

    method: str
    paths: tuple[str, ...]
    summary: str
    body: Mapping[str, Any] | None = None
    media_type: str = JSON
    needed: str | None = None


def _object(**required: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "object", "required": list(required), "properties": required}


_TEXT: Mapping[str, Any] = {"type": "string", "minLength": 1}
_LIST: Mapping[str, Any] = {"type": "array", "minItems": 1, "items": {"type": "object"}}
_ANY: Mapping[str, Any] = {}
_CALL: Mapping[str, Any] = {"description": "JSON-RPC 2.0; faults are answered as JSON-RPC has them"}
_MODEL = _object(model=_TEXT)
_NAMED = _object(model={"type": "string"})
_FILE = _object(model=_TEXT, file={"type": "string", "contentMediaType": "audio/*"})

DOORS: tuple[Doors, ...] = (
    Doors(
        *("post", ("/v1/chat/completions",), "Answer an OpenAI chat, streamed or whole"),
        _object(model=_TEXT, messages=_LIST),
    ),
    Doors(
        *("post", ("/v1/completions",), "Answer OpenAI's older completions"),
        _object(model=_TEXT, prompt=_ANY),
    ),
    Doors(
        *("post", ("/v1/messages",), "Answer an Anthropic chat, streamed or whole"),
        _object(model=_TEXT, messages=_LIST, max_tokens={"type": "integer", "minimum": 1}),
    ),
    Doors(
        *("post", ("/v1/messages/count_tokens",), "Count the tokens of an Anthropic chat"),
        _object(model=_TEXT, messages=_LIST),
    ),
    Doors("post", ("/v1/responses",), "Answer in OpenAI's Responses", _MODEL),
    Doors("post", ("/v1/responses/input_tokens",), "Count the tokens of a response", _MODEL),
    Doors("post", ("/v1/responses/compact",), "Make a conversation short", _MODEL),
    Doors("get", ("/v1/responses",), "Responses over a WebSocket"),
    Doors("get", ("/v1/responses/{response}",), "A kept response"),
    Doors("delete", ("/v1/responses/{response}",), "Delete a kept response"),
    Doors("post", ("/v1/responses/{response}/cancel",), "End a response in the background"),
    Doors("get", ("/v1/responses/{response}/input_items",), "What a kept response was asked"),
    Doors(
        *("post", ("/v1/embeddings",), "Give vectors"),
        _object(model=_TEXT, input=_ANY),
    ),
    Doors("post", ("/v1/moderations",), "Judge texts", _object(input=_ANY)),
    Doors(
        *("post", ("/v1/rerank",), "Rank documents"),
        _object(model=_TEXT, query=_TEXT, documents={"type": "array"}),
    ),
    Doors("post", ("/v1/images/generations",), "Make pictures", _object(model=_TEXT, prompt=_TEXT)),
    Doors("post", ("/v1/images/edits",), "Change pictures", _object(prompt=_TEXT), FORM),
    Doors("post", ("/v1/audio/speech",), "Speak", _object(model=_TEXT, input=_TEXT)),
    Doors("post", ("/v1/audio/transcriptions",), "Write down what is said", _FILE, FORM),
    Doors("post", ("/v1/audio/translations",), "Write down in English what is said", _FILE, FORM),
    Doors("post", ("/v1/videos/generations",), "Make a film", _object(model=_TEXT, prompt=_TEXT)),
    Doors("post", ("/v1/music/generations",), "Make music", _object(model=_TEXT, prompt=_TEXT)),
    Doors(
        *("get", ("/v1/embeddings", "/v1/moderations", "/v1/rerank", "/v1/images/generations")),
        "List the models that can be asked for this",
    ),
    Doors(
        *("get", ("/v1/images/edits", "/v1/audio/speech", "/v1/audio/transcriptions")),
        "List the models that can be asked for this",
    ),
    Doors(
        *("get", ("/v1/audio/translations", "/v1/videos/generations", "/v1/music/generations")),
        "List the models that can be asked for this",
    ),
    Doors(
        *("post", ("/v1/providers/{provider}/{endpoint}",), "An endpoint of /v1 at one provider"),
        _object(),
        needed="/v1/providers/" + BELOW,
    ),
    Doors("get", ("/v1/providers/{provider}/models",), "A provider's models"),
    Doors("get", ("/v1/models",), "List what can be asked for by name"),
    Doors("get", ("/v1/models/{model}",), "One row of that list"),
    Doors(
        *("post", ("/v1beta/models/{model}:generateContent",), "Answer a Gemini chat"),
        _object(contents=_LIST),
        needed="/v1beta/models/" + BELOW,
    ),
    Doors(
        *("post", ("/v1beta/models/{model}:streamGenerateContent",), "Answer it as a stream"),
        _object(contents=_LIST),
        needed="/v1beta/models/" + BELOW,
    ),
    Doors(
        *("post", ("/v1beta/models/{model}:countTokens",), "Count the tokens of a Gemini chat"),
        _object(),
        needed="/v1beta/models/" + BELOW,
    ),
    Doors("get", ("/v1beta/models",), "The same list in Gemini's form"),
    Doors("get", ("/v1beta/models/{model}",), "One row of it"),
    Doors("post", ("/api/chat", "/v1/api/chat"), "Answer Ollama's chats", _NAMED),
    Doors("post", ("/api/generate", "/v1/api/generate"), "Answer Ollama's completions", _NAMED),
    Doors("post", ("/api/embed", "/api/embeddings"), "Make vectors for Ollama's clients", _MODEL),
    Doors("get", ("/api/tags",), "List models as Ollama does"),
    Doors("post", ("/api/show",), "One model as Ollama shows it", _object()),
    Doors("get", ("/api/version",), "The version of Ollama whose API is spoken"),
    Doors("get", ("/api/hello",), "Whether a gateway is here"),
    Doors("get", ("/mcp", "/mcp/", "/api/mcp/stream"), "Listen to an MCP session"),
    Doors("delete", ("/mcp", "/mcp/", "/api/mcp/stream"), "End an MCP session"),
    Doors("post", ("/mcp", "/mcp/", "/api/mcp/stream"), "The MCP server, streamable HTTP", _CALL),
    Doors("post", ("/a2a", "/a2a/"), "The A2A agent, JSON-RPC", _CALL),
    Doors("options", ("/a2a", "/a2a/"), "What a web page may ask the A2A agent"),
    Doors("get", ("/.well-known/agent-card.json",), "The agent card"),
    Doors("get", ("/.well-known/agent.json", "/a2a/.well-known/agent-card.json"), "The same card"),
    Doors("get", ("/.well-known/jwks.json",), "The public key of signed agent cards"),
    Doors("get", ("/health",), "Whether the process lives"),
    Doors("get", ("/ready",), "Whether it takes work"),
    Doors("get", ("/openapi.json",), "This document"),
    Doors("get", ("/",), "A page for people"),
)

_NEEDS: Mapping[tuple[str, str], Needs] = {
    (one.method.lower(), one.path.replace(":path}", "}")): one.needs for one in RIGHTS
}


def needs_of(one: Doors, method: str, path: str) -> Needs:
    """Give what a route needs, as rights.py says."""
    place = one.needed or path
    for name in (method, EVERY, SOCKET.lower()):
        if (name, place) in _NEEDS:
            return _NEEDS[name, place]
    raise KeyError(f"{method} {path} has no right")
