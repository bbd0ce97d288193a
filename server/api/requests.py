"""What happened: one request's whole story, and the newest requests."""

from starlette.requests import Request

from omniroute.routing.errors import BadRequest
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller

from ..management import RequestsJson, request_json
from ..stories import StoryJson, story_json
from .rows import Query, Row, count

REQUESTS_MAX = 500
REQUESTS = 50


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""

    async def explain(request: Request, caller: Caller) -> StoryJson:
        record = await gateway.view.explanation(request.path_params["request_id"], caller)
        return story_json(record)

    async def recent(request: Request, caller: Caller) -> RequestsJson:
        text = request.query_params.get("limit", str(REQUESTS))
        if not text.isdigit() or not 1 <= int(text) <= REQUESTS_MAX:
            raise BadRequest(f"limit is a number from 1 to {REQUESTS_MAX}", field="limit")
        records = await gateway.view.recent(caller, limit=int(text))
        return RequestsJson(tuple(request_json(record.outcome) for record in records))

    return (
        Row("GET", "/api/explain/{request_id}", "read:usage", "Tell a request's story", explain),
        Row(
            *("GET", "/api/requests", "read:usage", "List the newest requests", recent),
            query=(Query("limit", count(1, REQUESTS_MAX), f"how many; {REQUESTS} unless said"),),
        ),
    )
