"""Requests as they happen, as server-sent events."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from omniroute.routing.model import Caller

from ..call_log_json import LoggedJson, logged_json
from ..feed import Feed, Known
from ..parts import Parts
from ..store.database import Row as Stored
from .queries import Query
from .rows import Row

PATH = "/api/usage/live"
LAST_SEEN = "last-event-id"


def feed_of(parts: Parts) -> Feed:
    """Give the feed of a gateway's parts."""
    storage, route = parts.storage, parts.gateway.route

    def calls() -> int:
        return sum(calls for calls, _ in route.loads.by_account().values())

    def shown(row: Stored) -> LoggedJson:
        key = storage.keys.find(row["key_id"])
        keys = {} if key is None else {key.key_id: key.terms.name}
        accounts = {
            one.account_id: one.name or one.provider
            for one in storage.configs.current().accounts
            if one.account_id == row["account_id"]
        }
        return logged_json(row, keys, accounts)

    known = Known(calls=calls, still=parts.authenticator.caller_named, shown=shown)
    return Feed(storage.database, parts.clock, known)


def rows(feed: Feed) -> tuple[Row, ...]:
    """Give the route."""

    async def live(request: Request, caller: Caller) -> Response:
        # A browser that comes back says itself what it saw last; what it was told first is older.
        after = request.headers.get(LAST_SEEN) or request.query_params.get("after", "")
        events = await feed.watch(caller, after)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(events, headers=headers, media_type="text/event-stream")

    return (
        Row(
            *("GET", PATH, "read:usage", "Requests as they happen", live),
            query=(Query("after", str, "the id of the last event that was seen"),),
        ),
    )
