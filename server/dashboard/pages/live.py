"""Live: requests as they happen."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from starlette.responses import Response, StreamingResponse

from ...api.call_log import LOG_PATH
from ...api.live import PATH
from ...feed import STILL_HERE
from ..visits import Menu, PageRow, Shown, Visit

PAGE = "/dashboard/live"
EVENTS = f"{PAGE}/events"
ROWS = 50


def rows() -> tuple[PageRow, ...]:
    """Give the routes."""
    needs = ("read:usage",)
    return (
        PageRow("GET", PAGE, needs, show, menu=Menu("live", "bolt")),
        PageRow("GET", EVENTS, needs, events),
    )


async def show(visit: Visit) -> Shown:
    """Show the newest requests; the page's script adds those that come."""
    return Shown("live.html", {"found": await visit.get(LOG_PATH, limit=ROWS), "rows_max": ROWS})


async def events(visit: Visit) -> Response:
    """Tell requests as they are stored; a browser that comes back says what it saw last."""
    last = visit.request.headers.get("last-event-id") or visit.query.text("after")
    answer: StreamingResponse = await visit.get(PATH, after=last or None)
    if visit.session_id is not None:
        told = cast("AsyncGenerator[bytes]", answer.body_iterator)
        answer.body_iterator = _while_signed_in(told, visit)
    return answer


async def _while_signed_in(told: AsyncGenerator[bytes], visit: Visit) -> AsyncGenerator[bytes]:
    """Tell no more once the session has ended, which is looked at with each sign of life."""
    async with aclosing(told):
        async for event in told:
            if event == STILL_HERE:
                open_now = await visit.sessions.open(visit.caller)
                if visit.session_id not in {one.session_id for one in open_now}:
                    return
            yield event
