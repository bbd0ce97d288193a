"""The table of what callers need, as it is: whoever opens a route changes a line here, too."""

import pytest

from omniroute.server.rights import ANY_KEY, ANYONE, LISTS, RIGHTS, ROUTES, Needs

ASKED = {
    *("/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/messages/count_tokens"),
    *("/v1/responses", "/v1/responses/compact", "/v1/responses/input_tokens"),
    *("/v1/embeddings", "/v1/moderations", "/v1/rerank"),
    *("/v1/images/generations", "/v1/images/edits"),
    *("/v1/audio/speech", "/v1/audio/transcriptions", "/v1/audio/translations"),
    *("/v1/videos/generations", "/v1/music/generations"),
    *("/v1/providers/...", "/v1beta/models/..."),
    *("/api/chat", "/v1/api/chat", "/api/generate", "/v1/api/generate"),
    *("/api/embed", "/api/embeddings"),
}
LISTED = {
    *("/v1/models", "/v1/models/{model:path}", "/v1/providers/{provider}/models"),
    *("/v1beta/models", "/v1beta/models/{model:path}", "/api/tags"),
    *("/v1/embeddings", "/v1/moderations", "/v1/rerank"),
    *("/v1/images/generations", "/v1/images/edits"),
    *("/v1/audio/speech", "/v1/audio/transcriptions", "/v1/audio/translations"),
    *("/v1/videos/generations", "/v1/music/generations"),
}
KEPT = {
    ("UPGRADE", "/v1/responses"),
    ("GET", "/v1/responses/{response}"),
    ("DELETE", "/v1/responses/{response}"),
    ("GET", "/v1/responses/{response}/input_items"),
    ("POST", "/v1/responses/{response}/cancel"),
}
PUBLIC = {
    *("/", "/health", "/ready", "/openapi.json", "/api/hello", "/api/version"),
    *("/.well-known/agent.json", "/.well-known/agent-card.json", "/.well-known/jwks.json"),
    "/a2a/.well-known/agent-card.json",
}


@pytest.mark.parametrize(
    ("needs", "routes"),
    [
        (ROUTES, {("POST", path) for path in ASKED} | KEPT),
        (LISTS, {("GET", path) for path in LISTED} | {("POST", "/api/show")}),
        (
            ANY_KEY,
            {("*", path) for path in ("/mcp", "/mcp/", "/api/mcp/stream")}
            | {("POST", path) for path in ("/a2a", "/a2a/")},
        ),
        (ANYONE, {("GET", path) for path in PUBLIC} | {("OPTIONS", "/a2a"), ("OPTIONS", "/a2a/")}),
    ],
)
def test_just_these_routes_need_just_this(needs: Needs, routes: set[tuple[str, str]]) -> None:
    assert {(right.method, right.path) for right in RIGHTS if right.needs == needs} == routes


def test_nothing_beside_the_four_is_needed_and_no_route_stands_twice() -> None:
    assert {right.needs for right in RIGHTS} == {ROUTES, LISTS, ANY_KEY, ANYONE}
    assert (ROUTES, LISTS) == (("write:route",), ("read:models", "write:route"))
    assert (ANY_KEY, ANYONE) == ((), None)
    assert len({(right.method, right.path) for right in RIGHTS}) == len(RIGHTS)
