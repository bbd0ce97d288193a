"""What happened: one request's whole story, and the newest requests."""

from starlette.requests import Request

from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller

from ..management import RequestsJson, request_json
from ..stories import StoryJson, story_json
from .pages import CURSOR, cursor_of, tell_next
from .queries import Query, count
from .rows import Row, number

REQUESTS_MAX = 500
REQUESTS = 50


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""

    async def explain(request: Request, caller: Caller) -> StoryJson:
        record = await gateway.view.explanation(request.path_params["request_id"], caller)
        return story_json(record)

    async def recent(request: Request, caller: Caller) -> RequestsJson:
        limit = number(request, "limit", REQUESTS, least=1, most=REQUESTS_MAX)
        before = cursor_of(request, tuple[float, str])
        records = await gateway.view.recent(caller, limit=limit, before=before)
        if len(records) == limit:
            last = records[-1].outcome
            tell_next(request, (last.at_unix_s, last.request.request_id))
        return RequestsJson(tuple(request_json(record.outcome) for record in records))

    return (
        Row("GET", "/api/explain/{request_id}", "read:usage", "Tell a request's story", explain),
        Row(
            *("GET", "/api/requests", "read:usage", "List the newest requests", recent),
            query=(
                Query("limit", count(1, REQUESTS_MAX), f"how many; {REQUESTS} unless said"),
                CURSOR,
            ),
        ),
    )
