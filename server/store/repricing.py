"""What requests on record would cost at today's prices: a new figure beside the old one.

What a request has cost stays as it was, and so does what budgets have spent of it: money that
is gone does not come back because a price was entered late. The new figure is what the tokens of
the answer cost; calls that were outrun are in the old one alone. Requests are taken in the order
of their coming, BATCH_ROWS to a transaction, so that others have their turn meanwhile.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from omniroute.routing.accounting.billed import billed_usd_nanos
from omniroute.routing.conversation import Usage
from omniroute.routing.model import Candidate, ModelFacts
from omniroute.routing.usage import Selection

from .database import Database, Many, Row, Rows, Statement, Steps
from .usage import selected

BATCH_ROWS = 1_000
BATCHES_MAX = 100
"""Batches of one call; the next call goes on."""

_COLUMNS = (
    "SELECT request_id, at_unix_s, provider, account_id, model, model_served, input_tokens, "
    "output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, units, "
    "cost_usd_nanos, repriced_usd_nanos FROM outcomes"
)
_FOUND = "SELECT at_unix_s FROM outcomes WHERE request_id = $1"
_PUT = "UPDATE outcomes SET repriced_usd_nanos = $2 WHERE request_id = $1"

Facts = Callable[[str, str], ModelFacts]


@dataclass(frozen=True, slots=True)
class Repriced:
    """What came of it.

    Attributes:
        requests: those that were looked at: somebody answered them.
        changed: those whose new figure is another than the one before it.
        unpriced: those without a price today.
        cost_usd_nanos, repriced_usd_nanos: sums over the requests that have both figures.
        after: the last request that was looked at, "" when there are no more.
    """

    requests: int = 0
    changed: int = 0
    unpriced: int = 0
    cost_usd_nanos: int = 0
    repriced_usd_nanos: int = 0
    after: str = ""

    def plus(self, other: "Repriced") -> "Repriced":
        """Give the sum of both; the other one's end counts."""
        return Repriced(
            self.requests + other.requests,
            self.changed + other.changed,
            self.unpriced + other.unpriced,
            self.cost_usd_nanos + other.cost_usd_nanos,
            self.repriced_usd_nanos + other.repriced_usd_nanos,
            other.after,
        )


async def reprice(
    database: Database, selection: Selection, facts: Facts, *, after: str = "", store: bool
) -> Repriced:
    """Price requests anew, BATCHES_MAX batches at most; `store` keeps the figures."""
    total = Repriced(after=after)
    for _ in range(BATCHES_MAX):
        batch = partial(_batch, selection, facts, total.after, store=store)
        found = await database.write(batch)
        total = total.plus(found)
        if not total.after:
            break
    return total


def _batch(selection: Selection, facts: Facts, after: str, *, store: bool) -> Steps[Repriced]:
    where, values = selected(selection)
    where += " AND provider IS NOT NULL AND model IS NOT NULL"
    if after:
        known = yield Statement(_FOUND, (after,))
        if not known:
            return Repriced()
        values = (*values, known[0]["at_unix_s"], after)
        at, name = f"${len(values) - 1}", f"${len(values)}"
        where += f" AND (at_unix_s > {at} OR (at_unix_s = {at} AND request_id > {name}))"
    text = f"{_COLUMNS} WHERE {where} ORDER BY at_unix_s, request_id LIMIT {BATCH_ROWS}"
    rows = yield Statement(text, values)
    priced = [(row, _today(row, facts)) for row in rows]
    changed = [(row["request_id"], new) for row, new in priced if new != row["repriced_usd_nanos"]]
    if store and changed:
        yield Many(_PUT, changed)
    return _summed(rows, priced, len(changed))


def _summed(rows: Rows, priced: Sequence[tuple[Row, int | None]], changed: int) -> Repriced:
    both = [
        (int(row["cost_usd_nanos"]), new)
        for row, new in priced
        if new is not None and row["cost_usd_nanos"] is not None
    ]
    return Repriced(
        requests=len(rows),
        changed=changed,
        unpriced=sum(new is None for _, new in priced),
        cost_usd_nanos=sum(old for old, _ in both),
        repriced_usd_nanos=sum(new for _, new in both),
        after=str(rows[-1]["request_id"]) if len(rows) == BATCH_ROWS else "",
    )


def _today(row: Row, facts: Facts) -> int | None:
    provider, model = str(row["provider"]), str(row["model"])
    known = facts(provider, model)
    candidate = Candidate(row["account_id"], provider, model, "openai_chat", known)
    usage = Usage(
        input_tokens=int(row["input_tokens"]),
        output_tokens=int(row["output_tokens"]),
        cached_input_tokens=int(row["cached_input_tokens"]),
        cache_write_tokens=int(row["cache_write_tokens"]),
        reasoning_tokens=int(row["reasoning_tokens"]),
        units=int(row["units"] or 0),
    )
    return billed_usd_nanos(candidate, row["model_served"], usage, facts=facts)
