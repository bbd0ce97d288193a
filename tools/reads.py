"""Tools that read: health, combos, the catalogue of models.

What is not known is null, never 0: an agent decides by these figures.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, get_args

from msgspec import Meta

from omniroute.routing.catalog.listing import ModelRow
from omniroute.routing.catalog.prices import Facts
from omniroute.routing.catalog.providers import provider_named
from omniroute.routing.catalog.resolve import models_of, resolve
from omniroute.routing.errors import RoutingError
from omniroute.routing.model import Candidate, Capability, ComboModel, Config, Strategy
from omniroute.routing.moment import CandidateState
from omniroute.routing.usage import UsageTotal
from omniroute.routing.views import ComboRow

from .invocation import Invocation
from .limits import RateLimit, rate_limits
from .memory import memory
from .shapes import Arguments, Result
from .units import duration, iso, usd

DEGRADED_BELOW = 0.9
"""A model whose recent calls succeed less often than this is listed as degraded."""
MODELS_MAX = 1000
"""Rows of one catalogue answer; a longer one is cut and says so."""

Circuit = Literal["CLOSED", "OPEN", "HALF_OPEN"]
Status = Literal["available", "degraded", "unavailable"]


class NoArguments(Arguments, frozen=True):
    """Nothing to say."""


class MemoryUsage(Result, frozen=True):
    """Bytes; null where the system does not tell."""

    heap_used: Annotated[
        int | None, Meta(description="Bytes of private memory that are resident now.")
    ]
    heap_total: Annotated[int | None, Meta(description="Bytes of private memory ever reserved.")]
    resident_peak: Annotated[int | None, Meta(description="Most resident bytes so far.")]


class CircuitBreaker(Result, frozen=True):
    """One circuit that has failures in its history."""

    provider: str
    state: Circuit
    failure_count: Annotated[int, Meta(description="Failures in a row.")]
    last_failure: Annotated[str | None, Meta(description="ISO 8601 time.")]
    account: Annotated[str, Meta(description="Id of the account it stands for.")]
    model: Annotated[str | None, Meta(description="null: it stands for the whole account.")]
    next_try_s: Annotated[
        float | None, Meta(description="Seconds until it lets a call through; null when closed.")
    ]


class Health(Result, frozen=True):
    """What omniroute_get_health gives."""

    uptime: Annotated[str, Meta(description='In words, such as "3h 0m 12s".')]
    uptime_s: float
    version: str
    memory_usage: MemoryUsage
    circuit_breakers: Annotated[
        tuple[CircuitBreaker, ...],
        Meta(description="Circuits with failures; one that is not listed is closed."),
    ]
    rate_limits: Annotated[
        tuple[RateLimit, ...],
        Meta(description="Who rests now, and whose limits are known; all others may be asked."),
    ]
    accounts: Annotated[int, Meta(description="Configured provider accounts.")]
    simulated_only: Annotated[
        bool, Meta(description="No real provider is configured: answers are simulated.")
    ]
    config_version: int


async def get_health(call: Invocation, arguments: NoArguments) -> Health:
    """Run omniroute_get_health."""
    view = call.gateway.view.health(call.caller)
    return Health(
        uptime=duration(view.uptime_s),
        uptime_s=round(view.uptime_s, 3),
        version=view.version,
        memory_usage=_memory(call.gateway.view.processes()),
        circuit_breakers=tuple(
            CircuitBreaker(
                provider=one.provider,
                state=circuit_named(one.state),
                failure_count=one.failures,
                last_failure=None
                if one.last_failure_unix_s is None
                else iso(one.last_failure_unix_s),
                account=one.account_id,
                model=one.model or None,
                next_try_s=None if one.next_try_s is None else round(one.next_try_s, 3),
            )
            for one in view.circuits
        ),
        rate_limits=rate_limits(view),
        accounts=view.accounts,
        simulated_only=view.simulated_only,
        config_version=view.config_version,
    )


class ListCombos(Arguments, frozen=True):
    """What omniroute_list_combos takes."""

    include_metrics: Annotated[
        bool, Meta(description="Also give what this key's requests measured in the last 30 days.")
    ] = False


class ComboEntry(Result, frozen=True):
    """One entry of a combo."""

    provider: Annotated[
        str | None, Meta(description="null: the entry names a model or a combo without provider.")
    ]
    model: Annotated[str | None, Meta(description="null: the entry is another combo.")]
    priority: Annotated[int, Meta(description="Its place, from 1.")]
    target: Annotated[str, Meta(description="The entry as it was configured.")]
    combo: Annotated[str | None, Meta(description="The nested combo's name.")]
    weight: Annotated[int, Meta(description="Its share with strategy weighted.")]


class ComboMetrics(Result, frozen=True):
    """What was measured of a combo. A rate or a mean of no request is null."""

    request_count: int
    success_rate: Annotated[
        float | None, Meta(description="0 to 1; a client that left counts neither way.")
    ]
    avg_latency_ms: Annotated[float | None, Meta(description="Of the answered ones.")]
    total_cost: Annotated[
        float | None, Meta(description="US dollars; null when some requests have no known price.")
    ]
    known_cost: Annotated[float, Meta(description="US dollars of the requests with a price.")]
    unpriced_requests: int


class ComboInfo(Result, frozen=True):
    """One combo."""

    id: str
    name: Annotated[str, Meta(description="Ask for it by this name.")]
    models: tuple[ComboEntry, ...]
    strategy: Strategy
    enabled: Annotated[bool, Meta(description="A disabled combo cannot be asked for.")]
    description: str
    metrics: Annotated[ComboMetrics | None, Meta(description="null: not asked for.")]


class Combos(Result, frozen=True):
    """What omniroute_list_combos gives."""

    combos: tuple[ComboInfo, ...]


async def list_combos(call: Invocation, arguments: ListCombos) -> Combos:
    """Run omniroute_list_combos."""
    rows = await call.gateway.view.combos(call.caller, include_metrics=arguments.include_metrics)
    combos = frozenset(row.combo.name for row in rows)
    accounts = call.gateway.view.configs.current().accounts
    providers = frozenset(name for one in accounts for name in (one.provider, one.name))
    return Combos(tuple(_combo(row, combos, providers) for row in rows))


ProviderName = Annotated[
    str, Meta(min_length=1, max_length=128, description="Only this provider's models.")
]


class ListModels(Arguments, frozen=True):
    """What omniroute_list_models_catalog takes."""

    provider: ProviderName | None = None
    capability: Annotated[Capability | None, Meta(description="Only models that can do this.")] = (
        None
    )


class Pricing(Result, frozen=True):
    """US dollars per million tokens."""

    input_per_million: float | None
    output_per_million: float | None


class ModelInfo(Result, frozen=True):
    """One name that can be asked for."""

    id: Annotated[str, Meta(description="Ask for it by this name.")]
    provider: Annotated[
        str, Meta(description='The provider; "combo" or "omniroute" for names of the gateway.')
    ]
    capabilities: tuple[Capability, ...]
    status: Annotated[Status, Meta(description="Whether it could answer now.")]
    pricing: Annotated[Pricing | None, Meta(description="null: unknown, which is not free.")]
    context_tokens: Annotated[int | None, Meta(description="Room for prompt and answer.")]
    kind: Literal["model", "combo", "auto"]
    simulated: Annotated[bool, Meta(description="Answered by the simulator, not by a model.")]


class Catalog(Result, frozen=True):
    """What omniroute_list_models_catalog gives."""

    models: tuple[ModelInfo, ...]
    left_out: Annotated[int, Meta(description="Rows beyond the longest answer; filter to see.")]


async def list_models_catalog(call: Invocation, arguments: ListModels) -> Catalog:
    """Run omniroute_list_models_catalog."""
    rows = call.gateway.view.models(
        call.caller, provider=arguments.provider, capability=arguments.capability
    )
    shown = rows[:MODELS_MAX]
    return Catalog(tuple(model_info(call, row) for row in shown), len(rows) - len(shown))


def circuit_named(state: str) -> Circuit:
    """Give the state of a circuit as a value."""
    return next(one for one in get_args(Circuit) if one == state)


def _memory(processes: Sequence[int]) -> MemoryUsage:
    now = memory(processes)
    return MemoryUsage(now.private_resident, now.private_reserved, now.resident_peak)


def _combo(row: ComboRow, combos: frozenset[str], providers: frozenset[str]) -> ComboInfo:
    combo = row.combo
    return ComboInfo(
        id=combo.combo_id,
        name=combo.name,
        models=tuple(
            _entry(one, place, combos, providers) for place, one in enumerate(combo.models, start=1)
        ),
        strategy=combo.strategy,
        enabled=combo.active,
        description=combo.description,
        metrics=None if row.metrics is None else _metrics(row.metrics),
    )


def _entry(
    entry: ComboModel, place: int, combos: frozenset[str], providers: frozenset[str]
) -> ComboEntry:
    """Give an entry in parts; a model's own name may hold slashes as well."""
    provider: str | None = None
    model: str | None = entry.target
    prefix, _, rest = entry.target.partition("/")
    known = provider_named(prefix)
    nested = entry.target in combos
    if nested:
        model = None
    elif rest and (known is not None or prefix in providers):
        provider, model = prefix if known is None else known.name, rest
    return ComboEntry(
        provider=provider,
        model=model,
        priority=place,
        target=entry.target,
        combo=entry.target if nested else None,
        weight=entry.weight,
    )


def _metrics(total: UsageTotal) -> ComboMetrics:
    known = total.cost_usd_nanos / 1e9
    return ComboMetrics(
        request_count=total.requests,
        success_rate=total.success,
        avg_latency_ms=None if total.mean_s is None else round(total.mean_s * 1000, 3),
        total_cost=None if total.unpriced else known,
        known_cost=known,
        unpriced_requests=total.unpriced,
    )


def model_info(call: Invocation, row: ModelRow) -> ModelInfo:
    """Give one row of the catalogue, with whether it could answer now."""
    price = row.facts.price
    return ModelInfo(
        id=row.model_id,
        provider=row.owned_by,
        capabilities=row.facts.capabilities,
        status=_status(call, row),
        pricing=None if price is None else Pricing(usd(price.input), usd(price.output)),
        context_tokens=row.facts.context_tokens_max,
        kind=row.kind,
        simulated=row.simulated,
    )


def _status(call: Invocation, row: ModelRow) -> Status:
    """Give whether any, all or none of those who could answer may be asked now."""
    view = call.gateway.view
    now_s = view.clock.now()
    candidates = _candidates(view.configs.current(), view.facts_in_force, row)
    states = [view.health_book.state(one) for one in candidates]
    rested = [_rests(state, now_s) for state in states]
    if all(rested):
        return "unavailable"
    if any(rested) or any(state.success < DEGRADED_BELOW for state in states):
        return "degraded"
    return "available"


def _rests(state: CandidateState, now_s: float) -> bool:
    return state.open_until_s > now_s or state.cooldown_until_s > now_s or state.probing


def _candidates(config: Config, facts: Facts, row: ModelRow) -> Iterable[Candidate]:
    """Give who could answer to a row's name; resolving every model would take far longer."""
    if row.kind == "model":
        model = row.model_id.partition("/")[2]
        return [
            Candidate(one.account_id, one.provider, model, one.dialect)
            for one in config.accounts
            if one.enabled and one.provider == row.owned_by and model in models_of(one)
        ]
    try:
        return resolve(config, row.model_id, facts=facts).candidates
    except RoutingError:
        return ()
