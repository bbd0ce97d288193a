"""Live: requests as they happen."""

from starlette.responses import Response

from ...api.call_log import LOG_PATH
from ...api.live import PATH
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
    answer: Response = await visit.get(PATH, after=last or None)
    return answer
