"""What a caller needs at every route: the one table that says so.

A route of the management API says its scope in its own row (api/rows.py); everything else that
is answered stands here. The gate (gate.py) reads both and knows no other source, and what stands
in neither is not served: the gateway does not start with a route that nobody declared.

A key that carries a scope of a row, or `admin`, is let in. Where one path answers many things,
as MCP and A2A do, any key is let in and what is asked for has a scope of its own: the table of
tools and the table of the agent's operations say it, and the Gateway asks again.
"""

from collections.abc import Iterator
from dataclasses import dataclass

Needs = tuple[str, ...] | None
"""One of these scopes; where there are none any key; None is nothing at all."""
ANYONE: Needs = None
ANY_KEY: Needs = ()
ROUTES: Needs = ("write:route",)
LISTS: Needs = ("read:models", "write:route")
"""An SDK lists models before it asks, so whoever may ask may list."""
SOCKET = "UPGRADE"
"""Stands for the method of what becomes a WebSocket."""
BELOW = "..."
"""Ends a path that stands for all below it."""
DASHBOARD = "/dashboard"
"""Begins the path of every page for people."""
EVERY = "*"
"""Stands for the methods of a door that looks at them itself."""


@dataclass(frozen=True, slots=True)
class Right:
    """What one route needs.

    Attributes:
        path: as the route has it; with BELOW at its end, all that is below it.
    """

    method: str
    path: str
    needs: Needs


def _rights() -> Iterator[Right]:
    for path in _ASKED:
        yield Right("POST", path, ROUTES)
    for path in _LISTED:
        yield Right("GET", path, LISTS)
    for method, path in _KEPT:
        yield Right(method, path, ROUTES)
    for path in ("/mcp", "/mcp/", "/api/mcp/stream"):
        yield Right(EVERY, path, ANY_KEY)
    for path in ("/a2a", "/a2a/"):
        yield Right("POST", path, ANY_KEY)
        yield Right("OPTIONS", path, ANYONE)
    for path in _PUBLIC:
        yield Right("GET", path, ANYONE)


_SERVICES = (
    "/v1/embeddings",
    "/v1/moderations",
    "/v1/rerank",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/videos/generations",
    "/v1/music/generations",
)
"""What is no chat: asked by POST, its models listed by GET."""
_ASKED = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/responses",
    "/v1/responses/compact",
    "/v1/responses/input_tokens",
    *_SERVICES,
    "/v1/providers/...",
    "/v1beta/models/...",
    "/api/chat",
    "/v1/api/chat",
    "/api/generate",
    "/v1/api/generate",
    "/api/embed",
    "/api/embeddings",
)
"""Answered by a model."""
_LISTED = (
    "/v1/models",
    "/v1/models/{model:path}",
    "/v1/providers/{provider}/models",
    "/v1beta/models",
    "/v1beta/models/{model:path}",
    *_SERVICES,
    "/api/tags",
)
_KEPT = (
    (SOCKET, "/v1/responses"),
    ("GET", "/v1/responses/{response}"),
    ("DELETE", "/v1/responses/{response}"),
    ("GET", "/v1/responses/{response}/input_items"),
    ("POST", "/v1/responses/{response}/cancel"),
)
_PUBLIC = (
    "/",
    "/health",
    "/ready",
    "/openapi.json",
    # Clients ask for these before they have, or send, a key.
    "/api/hello",
    "/api/version",
    "/.well-known/agent.json",
    "/.well-known/agent-card.json",
    "/.well-known/jwks.json",
    "/a2a/.well-known/agent-card.json",
)
"""Tell nothing but what this program is, and that it runs."""

RIGHTS = (*_rights(), Right("POST", "/api/show", LISTS))
