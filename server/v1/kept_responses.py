"""What was kept of Responses: read, listed and deleted by the key whose they are."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from omniroute.routing.access import require
from omniroute.routing.errors import BadRequest, NotFound
from omniroute.routing.model import Caller

from ..auth import Authenticator
from ..store.kept_responses import KeptResponse, KeptResponses
from .kept_history import items_in, output_of

PAGE = 20
PAGE_MAX = 100


@dataclass(frozen=True, slots=True)
class KeptResponsesDoor:
    """GET and DELETE of a response, and its input items."""

    authenticator: Authenticator
    kept: KeptResponses

    def routes(self) -> list[Route]:
        """Give the routes."""
        path = "/v1/responses/{response}"
        return [
            Route(path, self.get, methods=["GET"]),
            Route(path, self.delete, methods=["DELETE"]),
            Route(f"{path}/input_items", self.input_items, methods=["GET"]),
            Route(f"{path}/cancel", self.cancel, methods=["POST"]),
        ]

    async def get(self, request: Request) -> Response:
        """GET /v1/responses/{response}."""
        _, row = await self._row(request)
        if request.query_params.get("stream", "false").lower() != "false":
            raise BadRequest("`stream` of a kept response is not served here", field="stream")
        return Response(row.response, media_type="application/json")

    async def delete(self, request: Request) -> Response:
        """DELETE /v1/responses/{response}."""
        caller, row = await self._row(request)
        await self.kept.delete(caller.key_id, row.response_id)
        return JSONResponse({"id": row.response_id, "object": "response", "deleted": True})

    async def cancel(self, request: Request) -> Response:
        """POST /v1/responses/{response}/cancel: none runs in the background here."""
        await self._row(request)
        raise BadRequest("only a background response can be cancelled, and none runs here")

    async def input_items(self, request: Request) -> Response:
        """GET /v1/responses/{response}/input_items, newest first unless asked otherwise."""
        caller, row = await self._row(request)
        rows = await self.kept.chain(caller.key_id, row.response_id) or [row]
        before = [item for one in rows[:-1] for item in (*items_in(one), *output_of(one))]
        items = [*before, *items_in(rows[-1])]
        query = request.query_params
        if _order(query.get("order", "desc")) == "desc":
            items.reverse()
        after = query.get("after")
        if after is not None:
            ids = [item.get("id") for item in items]
            if after not in ids:
                raise BadRequest("`after` is none of these items' ids", field="after")
            items = items[ids.index(after) + 1 :]
        limit = _limit(query.get("limit", str(PAGE)))
        page = items[:limit]
        return JSONResponse(
            {
                "object": "list",
                "data": page,
                "first_id": page[0].get("id") if page else None,
                "last_id": page[-1].get("id") if page else None,
                "has_more": len(items) > limit,
            }
        )

    async def _row(self, request: Request) -> tuple[Caller, KeptResponse]:
        caller = self.authenticator.caller(request.scope)
        require(caller, "write:route")
        response_id: str = request.path_params["response"]
        row = await self.kept.get(caller.key_id, response_id)
        if row is None:
            raise NotFound(f"Response with id {response_id!r} not found.")
        return caller, row


def _order(word: str) -> str:
    if word not in ("asc", "desc"):
        raise BadRequest("`order` is asc or desc", field="order")
    return word


def _limit(text: str) -> int:
    if len(text) < 10 and text.isdecimal() and 1 <= int(text) <= PAGE_MAX:
        return int(text)
    raise BadRequest(f"`limit` is a number from 1 to {PAGE_MAX}", field="limit")
