"""What can be asked for by name: one list, in the shape that each client reads.

GET /v1/models is OpenAI's and Anthropic's list in one, or Codex's catalogue where the query
names its `client_version`; GET /v1beta/models is Gemini's. All are the same rows: combos, our
own names, each provider's models. /v1 lists Claude models by their bare name, too, where only
one provider has them: Claude Code's model picker shows only names that begin with "claude".
"""

from collections.abc import Sequence

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from omniroute.routing.catalog.listing import ModelRow, with_claude_names
from omniroute.routing.catalog.names import spelled
from omniroute.routing.errors import BadRequest, ModelNotFound, RoutingError
from omniroute.routing.gateway import Gateway
from omniroute.routing.wire.table import codec

from ..auth import Authenticator
from .model_shapes import codex_json, gemini_json, row_json

PAGE_MAX = 1000
"""The longest page that can be asked for, in Anthropic's dialect and in Gemini's."""


class ModelsDoor:
    """The list, and one row of it, for every client."""

    def __init__(self, gateway: Gateway, authenticator: Authenticator) -> None:
        self._gateway = gateway
        self._authenticator = authenticator

    async def list_all(self, request: Request) -> Response:
        """GET /v1/models, all of it unless a page is asked for."""
        rows = self._rows(request)
        if "client_version" in request.query_params:
            return JSONResponse({"models": _catalogue(rows)})
        page, has_more = _page(with_claude_names(rows), request.query_params)
        for_anthropic = "anthropic-version" in request.headers
        shown = [row_json(row, for_anthropic=for_anthropic) for row in page]
        return JSONResponse(
            {
                "object": "list",
                "data": shown,
                "has_more": has_more,
                "first_id": shown[0]["id"] if shown else None,
                "last_id": shown[-1]["id"] if shown else None,
            }
        )

    async def get_one(self, request: Request) -> Response:
        """GET /v1/models/{model}; names may hold slashes."""
        row = named_row(self._rows(request), request.path_params["model"])
        return JSONResponse(row_json(row, for_anthropic="anthropic-version" in request.headers))

    async def list_gemini(self, request: Request) -> Response:
        """GET /v1beta/models, in pages of `pageSize` where that is asked for."""
        try:
            rows, query = self._rows(request), request.query_params
            start = _count(query, "pageToken", least=0, most=len(rows)) or 0
            end = start + (_count(query, "pageSize") or PAGE_MAX)
            more = {"nextPageToken": str(end)} if end < len(rows) else {}
            return JSONResponse({"models": [gemini_json(row) for row in rows[start:end]], **more})
        except RoutingError as error:
            return _gemini_refusal(error)

    async def get_gemini(self, request: Request) -> Response:
        """GET /v1beta/models/{model}."""
        try:
            rows = self._rows(request)
            row = named_row(rows, request.path_params["model"], "/v1beta/models")
            return JSONResponse(gemini_json(row))
        except RoutingError as error:
            return _gemini_refusal(error)

    def _rows(self, request: Request) -> tuple[ModelRow, ...]:
        return self._gateway.view.listing(self._authenticator.caller(request.scope))


def _catalogue(rows: Sequence[ModelRow]) -> list[dict[str, object]]:
    chats = [row for row in rows if "chat" in row.facts.capabilities]
    return [codex_json(row, priority=place) for place, row in enumerate(chats)]


def named_row(rows: Sequence[ModelRow], asked: str, path: str = "/v1/models") -> ModelRow:
    """Give the row that goes by a name, as a request would find it.

    Raises:
        ModelNotFound: there is none.
    """
    name = spelled(asked)
    for row in rows:
        if row.model_id == name:
            return row
    bare = [row for row in rows if row.kind == "model" and row.bare_name == name]
    if len({row.owned_by for row in bare}) == 1:
        return bare[0].named(name)
    raise ModelNotFound(f"no model is named {asked!r}; GET {path} lists what there is")


def _page(rows: Sequence[ModelRow], query: QueryParams) -> tuple[Sequence[ModelRow], bool]:
    """Give the rows of the page that is asked for, and whether more follow in its direction.

    Raises:
        BadRequest: `limit` is no number from 1 to PAGE_MAX, or no row has the id.
    """
    limit = _count(query, "limit") or len(rows)
    before = query.get("before_id")
    if before is not None:
        left = rows[: _place(rows, before, "before_id")]
        return left[-limit:], len(left) > limit
    after = query.get("after_id")
    left = rows if after is None else rows[_place(rows, after, "after_id") + 1 :]
    return left[:limit], len(left) > limit


def _place(rows: Sequence[ModelRow], wanted: str, field: str) -> int:
    for place, row in enumerate(rows):
        if row.model_id == wanted:
            return place
    raise BadRequest(f"`{field}` is none of this list's ids", field=field)


def _count(query: QueryParams, name: str, *, least: int = 1, most: int = PAGE_MAX) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if len(text) < 10 and text.isdecimal() and least <= int(text) <= most:
        return int(text)
    raise BadRequest(f"`{name}` is a number from {least} to {most}", field=name)


def _gemini_refusal(error: RoutingError) -> Response:
    body = codec("gemini").render_error(error, request_id="")
    return Response(body, error.status, media_type="application/json")
