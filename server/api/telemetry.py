"""How long requests take, phase by phase, in the documented shape."""

from starlette.requests import Request

from omniroute.routing.access import ADMIN
from omniroute.routing.model import Caller

from ..storage import Storage
from ..store.phases import newest_times
from ..telemetry_json import TelemetryJson, telemetry_json
from .queries import Query
from .rows import Row, number

WINDOW_MS = 300_000
WINDOW_MS_MAX = 86_400_000


def rows(storage: Storage) -> tuple[Row, ...]:
    """Give the route."""

    async def summary(request: Request, caller: Caller) -> TelemetryJson:
        window_ms = number(request, "windowMs", WINDOW_MS, least=1, most=WINDOW_MS_MAX)
        await storage.ledger.flush()
        await storage.ledger.gather()
        totals, phases = await newest_times(
            storage.database,
            since_unix_s=storage.clock.unix() - window_ms / 1000,
            key_id=None if ADMIN in caller.scopes else caller.key_id,
        )
        return telemetry_json(window_ms, totals, phases)

    words = f"how far back in milliseconds, {WINDOW_MS} unless said"
    return (
        Row(
            *("GET", "/api/telemetry/summary", "read:usage", "How long requests take", summary),
            query=(Query("windowMs", int, words),),
        ),
    )
