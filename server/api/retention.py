"""Old requests: how many there are, and their removal at once."""

from starlette.requests import Request

from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Caller

from ..pruning import PrunedJson, PruneWish
from ..settings_values import DAYS_MAX
from ..store.changes import Changes, Told
from ..store.retention import SECONDS_A_DAY, Retention
from .rows import Row, body_as

BATCHES_MAX = 20
"""Transactions of one call; the next call goes on."""


def rows(retention: Retention, changes: Changes) -> tuple[Row, ...]:
    """Give the route."""

    async def prune(request: Request, caller: Caller) -> PrunedJson:
        wish = await body_as(request, PruneWish)
        days = retention.days if wish.days is None else wish.days
        if days is None:
            raise BadRequest("retention_days is never: say how old with `days`", field="days")
        if not 1 <= days <= DAYS_MAX:
            raise BadRequest(f"days is 1 to {DAYS_MAX}", field="days")
        before = changes.now() - days * SECONDS_A_DAY
        if wish.dry_run:
            found = await retention.count(before)
        else:
            # Before anything is gone, as there are many transactions: what was asked for is on
            # record, whatever comes of it.
            await changes.note(Told(caller.key_id, "records.prune", "requests", {"days": days}))
            found = await retention.prune(before, batches_max=BATCHES_MAX)
        return PrunedJson(
            days=days,
            dry_run=wish.dry_run,
            requests=found.requests,
            decisions=found.decisions,
            snapshots=found.snapshots,
            holds=found.holds,
            tool_calls=found.tool_calls,
            more=bool(found) and not wish.dry_run,
        )

    return (Row("POST", "/api/prune", "admin", "Remove old requests", prune, body=PruneWish),)
