"""Tools that tell what was used and what it cost: a report, and the session at a glance."""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal, TypeVar

from msgspec import Meta

from omniroute.routing.guard import Action, BudgetStanding
from omniroute.routing.usage import Period, Selection, UsageRow, UsageTotal

from .invocation import Invocation
from .reads import NoArguments
from .shapes import Arguments, Result
from .units import duration, iso, usd
from .writes import guard_status

Listed = TypeVar("Listed", bound=Result)

ROWS_MAX = 100
"""Rows of one list in a report; a longer one is cut and says so."""
TOP = 5
"""Rows of the lists in a snapshot."""


class TokenCount(Result, frozen=True):
    """Tokens, as providers reported or the gateway estimated them."""

    prompt: int
    completion: int
    cached_prompt: Annotated[
        int, Meta(description="What of prompt was read from the provider's cache.")
    ]
    reasoning: Annotated[int, Meta(description="What of completion was thought, not said.")]


class CostReport(Arguments, frozen=True):
    """What omniroute_cost_report takes."""

    period: Annotated[
        Period,
        Meta(
            description="session: since this client's session began, or the gateway where that "
            "is not known; day, week, month: the last 24 hours, 7 and 30 days."
        ),
    ] = "session"


class ProviderCost(Result, frozen=True):
    """What one provider answered."""

    name: str
    cost: Annotated[
        float | None, Meta(description="US dollars; null when some requests have no known price.")
    ]
    requests: int
    known_cost: Annotated[float, Meta(description="US dollars of the requests with a price.")]


class ModelCost(Result, frozen=True):
    """What one model answered."""

    model: Annotated[str, Meta(description="provider/model.")]
    cost: Annotated[
        float | None, Meta(description="US dollars; null when some requests have no known price.")
    ]
    requests: int
    known_cost: Annotated[float, Meta(description="US dollars of the requests with a price.")]


class BudgetInfo(Result, frozen=True):
    """One budget that pays for this key's requests."""

    id: str
    name: str
    period: Annotated[Literal["total", "day", "month"], Meta(description="Days and months in UTC.")]
    action: Annotated[Action, Meta(description="What it does when it cannot pay.")]
    limit: Annotated[float, Meta(description="US dollars.")]
    spent: float
    remaining: Annotated[float, Meta(description="What can still be set aside.")]


class BudgetLeft(Result, frozen=True):
    """The budget that has least left; null and null: no budget bounds this key."""

    limit: Annotated[float | None, Meta(description="US dollars.")]
    remaining: Annotated[float | None, Meta(description="US dollars.")]


class Costs(Result, frozen=True):
    """What omniroute_cost_report gives."""

    period: Period
    since: Annotated[str, Meta(description="ISO 8601 time at which the period began.")]
    total_cost: Annotated[
        float | None, Meta(description="US dollars; null when some requests have no known price.")
    ]
    known_cost: Annotated[float, Meta(description="US dollars of the requests with a price.")]
    unpriced_requests: int
    simulated_cost: Annotated[
        float, Meta(description="What of knownCost the simulator stands for: nobody charges it.")
    ]
    request_count: int
    token_count: TokenCount
    by_provider: Annotated[
        tuple[ProviderCost, ...], Meta(description="Who answered, the dearest first.")
    ]
    by_model: Annotated[
        tuple[ModelCost, ...], Meta(description="What answered, the dearest first.")
    ]
    unanswered_requests: Annotated[
        int, Meta(description="Requests that nobody answered: in no list, but in the totals.")
    ]
    left_out: Annotated[int, Meta(description="Rows beyond the longest lists.")]
    budget: BudgetLeft
    budgets: Annotated[tuple[BudgetInfo, ...], Meta(description="The tightest first.")]


async def cost_report(call: Invocation, arguments: CostReport) -> Costs:
    """Run omniroute_cost_report."""
    view = call.gateway.view.usage
    since = view.began(arguments.period, call.session_unix_s)
    usage = await view.report(call.caller, Selection(since), ("provider", "model"))
    budgets = await view.budgets(call.caller)
    whole = usage.whole.total
    providers, models = _named(usage.by["provider"]), _named(usage.by["model"])
    return Costs(
        period=arguments.period,
        since=iso(since),
        total_cost=cost(whole),
        known_cost=whole.cost_usd_nanos / 1e9,
        unpriced_requests=whole.unpriced,
        simulated_cost=whole.simulated_usd_nanos / 1e9,
        request_count=whole.requests,
        token_count=_tokens(whole),
        by_provider=_costs(ProviderCost, providers),
        by_model=_costs(ModelCost, models),
        unanswered_requests=whole.requests - sum(row.total.requests for row in providers),
        left_out=max(len(providers) - ROWS_MAX, 0) + max(len(models) - ROWS_MAX, 0),
        budget=BudgetLeft(
            usd(budgets[0].cap_usd_nanos) if budgets else None,
            usd(budgets[0].left_usd_nanos) if budgets else None,
        ),
        budgets=tuple(map(_budget, budgets)),
    )


class ModelCount(Result, frozen=True):
    """How many requests a model answered."""

    model: Annotated[str, Meta(description="provider/model.")]
    count: int


class ProviderCount(Result, frozen=True):
    """How many requests a provider answered."""

    provider: str
    count: int


class GuardLeft(Result, frozen=True):
    """The guard that omniroute_set_budget_guard set for this key."""

    active: Annotated[bool, Meta(description="false: nothing of it is left.")]
    remaining: Annotated[float, Meta(description="US dollars.")]
    action: Action
    limit: Annotated[float, Meta(description="US dollars.")]
    status: Annotated[
        Literal["active", "warning", "exceeded"],
        Meta(description="warning: less than 20 % is left; exceeded: nothing is."),
    ]


class Snapshot(Result, frozen=True):
    """What omniroute_get_session_snapshot gives."""

    session_start: Annotated[str, Meta(description="ISO 8601 time.")]
    session_of: Annotated[
        Literal["client", "gateway"],
        Meta(description="Whose start it is: the client's session's where the gateway knows it."),
    ]
    duration: Annotated[str, Meta(description='In words, such as "3h 0m 12s".')]
    duration_s: float
    request_count: int
    cost_total: Annotated[
        float | None, Meta(description="US dollars; null when some requests have no known price.")
    ]
    known_cost: Annotated[float, Meta(description="US dollars of the requests with a price.")]
    simulated_cost: Annotated[float, Meta(description="What of knownCost nobody charges.")]
    token_count: TokenCount
    top_models: Annotated[tuple[ModelCount, ...], Meta(description="At most 5.")]
    top_providers: Annotated[tuple[ProviderCount, ...], Meta(description="At most 5.")]
    errors: Annotated[int, Meta(description="Requests that failed or were refused.")]
    fallbacks: Annotated[
        int, Meta(description="Further calls after the first of a request: its repetitions, too.")
    ]
    budget_guard: Annotated[GuardLeft | None, Meta(description="null: none is set.")]


async def get_session_snapshot(call: Invocation, arguments: NoArguments) -> Snapshot:
    """Run omniroute_get_session_snapshot."""
    view = call.gateway.view.usage
    since = view.began("session", call.session_unix_s)
    usage = await view.report(call.caller, Selection(since), ("provider", "model"))
    guards = [one for one in await view.budgets(call.caller) if one.is_guard]
    whole, length_s = usage.whole.total, view.clock.unix() - since
    return Snapshot(
        session_start=iso(since),
        session_of="gateway" if call.session_unix_s is None else "client",
        duration=duration(length_s),
        duration_s=round(length_s, 3),
        request_count=whole.requests,
        cost_total=cost(whole),
        known_cost=whole.cost_usd_nanos / 1e9,
        simulated_cost=whole.simulated_usd_nanos / 1e9,
        token_count=_tokens(whole),
        top_models=_top(ModelCount, usage.by["model"]),
        top_providers=_top(ProviderCount, usage.by["provider"]),
        errors=whole.failed + whole.refused,
        fallbacks=whole.fallbacks,
        budget_guard=_guard(guards[0]) if guards else None,
    )


def cost(total: UsageTotal) -> float | None:
    """Give what requests cost in dollars; None when the price of some is not known."""
    return None if total.unpriced else total.cost_usd_nanos / 1e9


def _named(rows: Sequence[UsageRow]) -> list[UsageRow]:
    return [row for row in rows if row.name is not None]


def _costs(
    row_of: Callable[[str, float | None, int, float], Listed], rows: Sequence[UsageRow]
) -> tuple[Listed, ...]:
    dearest = sorted(
        rows, key=lambda row: (-row.total.cost_usd_nanos, -row.total.requests, row.name)
    )
    return tuple(
        row_of(row.name or "", cost(row.total), row.total.requests, row.total.cost_usd_nanos / 1e9)
        for row in dearest[:ROWS_MAX]
    )


def _top(row_of: Callable[[str, int], Listed], rows: Sequence[UsageRow]) -> tuple[Listed, ...]:
    most = sorted(_named(rows), key=lambda row: (-row.total.requests, row.name))
    return tuple(row_of(row.name or "", row.total.requests) for row in most[:TOP])


def _tokens(total: UsageTotal) -> TokenCount:
    return TokenCount(
        prompt=total.input_tokens,
        completion=total.output_tokens,
        cached_prompt=total.cached_input_tokens,
        reasoning=total.reasoning_tokens,
    )


def _budget(one: BudgetStanding) -> BudgetInfo:
    return BudgetInfo(
        id=one.budget_id,
        name=one.name,
        period=one.period,
        action=one.action,
        limit=one.cap_usd_nanos / 1e9,
        spent=one.spent_usd_nanos / 1e9,
        remaining=one.left_usd_nanos / 1e9,
    )


def _guard(one: BudgetStanding) -> GuardLeft:
    return GuardLeft(
        active=one.left_usd_nanos > 0,
        remaining=one.left_usd_nanos / 1e9,
        action=one.action,
        limit=one.cap_usd_nanos / 1e9,
        status=guard_status(one.cap_usd_nanos, one.left_usd_nanos),
    )
