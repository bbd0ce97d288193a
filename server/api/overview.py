"""What the dashboard's Overview shows: every figure of a window in one answer."""

from dataclasses import replace

from starlette.requests import Request

from omniroute.routing.errors import BadRequest
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.usage import Selection

from ..overview import Overviews
from ..overview_json import OverviewJson, overview_json
from ..storage import Storage
from ..store.pieces import Pieces
from .queries import WINDOW, moment_in
from .rows import Row
from .usage import SELECTED, asked

PATH = "/api/usage/overview"
RANGE = "1d"


def rows(gateway: Gateway, storage: Storage) -> tuple[Row, ...]:
    """Give the route."""
    clock = gateway.view.clock
    overviews = Overviews(storage.ledger, Pieces(storage.database), clock)

    async def overview(request: Request, caller: Caller) -> OverviewJson:
        found = await overviews.of(caller, _selection(request, clock.unix()))
        names = {one.key_id: one.terms.name for one in storage.keys.all()}
        return overview_json(found, names)

    return (
        Row(
            *("GET", PATH, "read:usage", "Every figure of a window at once", overview),
            query=(*SELECTED, *WINDOW),
        ),
    )


def _selection(request: Request, now_unix_s: float) -> Selection:
    _, selection = asked(request, now_unix_s, default=RANGE)
    since, until = moment_in(request, "since"), moment_in(request, "until")
    if since is not None:
        if "range" in request.query_params:
            raise BadRequest("a window is told by range or by since, not by both", field="since")
        selection = replace(selection, since_unix_s=since)
    if until is not None:
        selection = replace(selection, until_unix_s=until)
    return selection
