"""GET /v1/models: what can be asked for by name, readable by both vendors' SDKs.

A row has the fields of OpenAI's list and of Anthropic's, which do not clash, and ours beside
them: capabilities, context size and price where they are known.
"""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from omniroute.routing.catalog.listing import ModelRow
from omniroute.routing.errors import ModelNotFound
from omniroute.routing.gateway import Gateway

from ..auth import Authenticator

CREATED_UNIX_S = 1_763_769_600
"""A fixed date for rows whose own is unknown: a list must not change from call to call."""


class ModelsDoor:
    """The list and one row of it."""

    def __init__(self, gateway: Gateway, authenticator: Authenticator) -> None:
        self._gateway = gateway
        self._authenticator = authenticator

    async def list_all(self, request: Request) -> Response:
        """GET /v1/models."""
        caller = self._authenticator.caller(request.scope)
        rows = [row_json(row) for row in self._gateway.view.listing(caller)]
        return JSONResponse(
            {
                "object": "list",
                "data": rows,
                "has_more": False,
                "first_id": rows[0]["id"] if rows else None,
                "last_id": rows[-1]["id"] if rows else None,
            }
        )

    async def get_one(self, request: Request) -> Response:
        """GET /v1/models/{model}; names may hold slashes."""
        caller = self._authenticator.caller(request.scope)
        wanted: str = request.path_params["model"]
        for row in self._gateway.view.listing(caller):
            if row.model_id == wanted:
                return JSONResponse(row_json(row))
        raise ModelNotFound(f"no model is named {wanted!r}; GET /v1/models lists what there is")


def row_json(row: ModelRow) -> dict[str, Any]:
    """Give one row as JSON values."""
    facts = row.facts
    created = datetime.fromtimestamp(CREATED_UNIX_S, UTC)
    price = facts.price
    return {
        "id": row.model_id,
        "object": "model",
        "created": CREATED_UNIX_S,
        "owned_by": row.owned_by,
        "type": "model",
        "display_name": row.model_id,
        "created_at": created.isoformat().replace("+00:00", "Z"),
        "capabilities": list(facts.capabilities),
        "context_length": facts.context_tokens_max,
        "max_output_tokens": facts.output_tokens_max,
        "pricing": None
        if price is None
        else {
            "input_usd_per_mtok": price.input / 1e9,
            "output_usd_per_mtok": price.output / 1e9,
        },
    }
