"""Paths as clients write them: which one was meant, and in whose words it is answered.

People give their client an address with a part too much or too little, and the client adds its
own: `/v1/v1/messages`, `/chat/completions`, `/v1/v1beta/models/...`. What was meant is plain, so
it is answered. A path that is served is never looked at here.
"""

import re

from omniroute.routing.model import Dialect

ROOTS = ("/v1", "/v1beta", "/api")
"""What programs call: nothing below is ever answered with a page."""
ALONE = frozenset(
    {
        *("audio", "chat", "completions", "embeddings", "images", "messages", "models"),
        *("moderations", "music", "rerank", "responses", "videos"),
    }
)
"""First parts of paths that are served below /v1, and here stand alone."""

OLLAMAS = frozenset(
    {
        *("/api/chat", "/v1/api/chat", "/api/generate", "/v1/api/generate"),
        *("/api/embed", "/api/embeddings", "/api/show", "/api/tags"),
    }
)
"""Where errors are told in Ollama's words."""

_SLASHES = re.compile("//+")
# What stands before the last root of an API was written twice, or is another server's.
_DOUBLED = re.compile("(?:/api|/v1|/v1beta)+(?=/v1(?:beta)?(?:/|$))")
_GOOGLES_OPENAI = "/v1beta/openai/"
_CODEX = "/codex"
# Google's SDKs ask for these below /v1 since 2026; nobody else has methods of models.
_OF_GEMINI = re.compile(
    "/v1/models/.+:(?:generateContent|streamGenerateContent|countTokens"
    "|embedContent|batchEmbedContents)"
)
_ANTHROPICS = re.compile("/v1/(?:providers/[^/]*/)?messages")
_GEMINIS_MODELS = re.compile("/v1/models(?:/.*)?")


def meant(path: str) -> str:
    """Give the path that was meant, the same one where nothing is wrong with it."""
    path = _SLASHES.sub("/", path)
    if path == _CODEX or path.startswith(_CODEX + "/"):
        path = path[len(_CODEX) :].rstrip("/") or "/v1/responses"
    if (doubled := _DOUBLED.match(path)) is not None:
        path = path[doubled.end() :]
    if path.startswith(_GOOGLES_OPENAI):
        path = "/v1/" + path[len(_GOOGLES_OPENAI) :]
    if path.split("/", 2)[1:2] and path.split("/", 2)[1] in ALONE:
        path = "/v1" + path
    if _OF_GEMINI.fullmatch(path):
        path = "/v1beta" + path.removeprefix("/v1")
    if is_api(path) and path.endswith("/"):
        path = path.rstrip("/")
    return "/v1/models" if path == "/v1" else path


def geminis(path: str) -> str:
    """Give the path that a client of Google's means, whose lists of models stand below /v1, too."""
    return "/v1beta" + path.removeprefix("/v1") if _GEMINIS_MODELS.fullmatch(path) else path


def is_api(path: str) -> bool:
    """Whether a path is one that programs call."""
    return path.startswith(tuple(f"{root}/" for root in ROOTS)) or path in ROOTS


def dialect_of(path: str, *, anthropic: bool = False) -> Dialect:
    """Give the dialect that a path is answered in, for what goes wrong before its door is found.

    Args:
        path: as it was asked for.
        anthropic: the client says the version of Anthropic's API that it speaks.
    """
    path = meant(path)
    if path.startswith("/v1beta"):
        return "gemini"
    if path.startswith("/v1/responses"):
        return "openai_responses"
    if _ANTHROPICS.match(path) or (anthropic and path.startswith("/v1")):
        return "anthropic"
    return "openai_chat"
