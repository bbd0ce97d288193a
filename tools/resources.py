"""What can be read beside the tools: combos, models, decisions and health, by address.

One row each. An address with variables is a template (RFC 6570); `{+model}` may hold slashes.
A key sees a row by the scope of what it shows, the same that the tools ask for it, and the
gateway asks for it again when the row is read.

A row also has a mark: a value that is another one when what the row shows has changed. Open
subscriptions compare it. Figures that change with every request or with time alone (uptime,
memory, a count of failures, how long somebody still rests) are no part of it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from omniroute.routing.errors import NotFound
from omniroute.routing.model import Caller, Outcome
from omniroute.routing.views import Views

from . import explanations, reads
from .invocation import Invocation
from .narrative import narrated
from .shapes import Result
from .units import iso, milliseconds, usd

DECISIONS_MAX = 50
"""Requests of one list of decisions."""
FOR_EVER_MS = 3_600_000
"""How long a client may keep what never changes; it may be removed meanwhile."""
JSON = "application/json"
TEXT = "text/plain"

Variables = Mapping[str, str]
Read = Callable[[Invocation, Variables], Awaitable[str]]
Mark = Callable[[Views, Caller, Variables], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """One address, or one kind of addresses.

    Attributes:
        uri: where it is read; with variables it stands for many.
        scope: what a key must carry to see and to read it.
        name: names the row for programs.
        read: gives its text.
        mark: gives what is another one when the text has changed.
        ttl_ms: how long a client may keep it.
    """

    uri: str
    scope: str
    name: str
    title: str
    description: str
    read: Read
    mark: Mark
    mime_type: str = JSON
    ttl_ms: int = 0


class DecisionRow(Result, frozen=True):
    """One request in the list of decisions."""

    request_id: str
    at: Annotated[str, Meta(description="When it arrived, ISO 8601.")]
    model_asked: str
    provider: str | None
    model: str | None
    status: str
    error: str | None
    attempts: int
    cost: Annotated[float | None, Meta(description="US dollars; null: unknown price.")]
    latency_ms: int
    uri: Annotated[str, Meta(description="Where the whole decision is read.")]


class Decisions(Result, frozen=True):
    """The newest requests of a key."""

    decisions: tuple[DecisionRow, ...]


class ProviderModels(Result, frozen=True):
    """One provider's models."""

    provider: str
    models: tuple[reads.ModelInfo, ...]
    left_out: int


async def _health(call: Invocation, given: Variables) -> str:
    return _json(await reads.get_health(call, reads.NoArguments()))


async def _combos(call: Invocation, given: Variables) -> str:
    return _json(await reads.list_combos(call, reads.ListCombos()))


async def _combo(call: Invocation, given: Variables) -> str:
    name = given["combo"]
    combos = (await reads.list_combos(call, reads.ListCombos())).combos
    found = next((one for one in combos if one.name == name), None)
    if found is None:
        raise NotFound(f"no combo is named {name[:80]!r}; omniroute://combos lists them")
    return _json(found)


async def _models(call: Invocation, given: Variables) -> str:
    return _json(await reads.list_models_catalog(call, reads.ListModels()))


async def _model(call: Invocation, given: Variables) -> str:
    name = given["model"]
    rows = call.gateway.view.models(call.caller)
    found = next((row for row in rows if row.model_id == name), None)
    if found is None:
        raise NotFound(f"no model is named {name[:80]!r}; omniroute://models lists them")
    return _json(reads.model_info(call, found))


async def _provider(call: Invocation, given: Variables) -> str:
    name = given["provider"]
    catalog = await reads.list_models_catalog(call, reads.ListModels(provider=name))
    if not catalog.models:
        raise NotFound(
            f"no model of a provider {name[:80]!r} can be asked for; omniroute://models lists all"
        )
    return _json(ProviderModels(catalog.models[0].provider, catalog.models, catalog.left_out))


async def _decisions(call: Invocation, given: Variables) -> str:
    records = await call.gateway.view.recent(call.caller, limit=DECISIONS_MAX)
    return _json(Decisions(tuple(_row(record.outcome) for record in records)))


async def _decision(call: Invocation, given: Variables) -> str:
    return _json(await explanations.explain_route(call, _asked_for(given)))


async def _story(call: Invocation, given: Variables) -> str:
    return narrated(await explanations.explain_route(call, _asked_for(given)))


def _asked_for(given: Variables) -> explanations.Explain:
    return explanations.Explain(given["requestId"])


def _row(outcome: Outcome) -> DecisionRow:
    winner, request_id = outcome.winner, outcome.request.request_id
    return DecisionRow(
        request_id=request_id,
        at=iso(outcome.at_unix_s),
        model_asked=outcome.request.target,
        provider=None if winner is None else winner.provider,
        model=None if winner is None else outcome.model_served or winner.model,
        status=outcome.status,
        error=outcome.error,
        attempts=len(outcome.attempts),
        cost=usd(outcome.cost_usd_nanos),
        latency_ms=milliseconds(outcome.total_s),
        uri=f"omniroute://decisions/{request_id}",
    )


def _json(result: Result) -> str:
    return msgspec.json.encode(result).decode()


async def _standing(view: Views, caller: Caller, given: Variables) -> object:
    """Mark the configuration, whose circuits are not closed, and who rests and why."""
    book, now_s = view.health_book, view.clock.now()
    circuits = {scope: one.state(now_s) for scope, one in book.breakers.items()}
    rests = {scope: reason for scope, (_, reason) in book.rests(now_s).items()}
    return (
        view.configs.current().version,
        {scope: state for scope, state in circuits.items() if state != "CLOSED"},
        rests,
    )


async def _all_combos(view: Views, caller: Caller, given: Variables) -> object:
    return view.configs.current().combos


async def _one_combo(view: Views, caller: Caller, given: Variables) -> object:
    return [one for one in view.configs.current().combos if one.name == given["combo"]]


async def _newest(view: Views, caller: Caller, given: Variables) -> object:
    records = await view.recent(caller, limit=1)
    return [record.outcome.request.request_id for record in records]


async def _never(view: Views, caller: Caller, given: Variables) -> object:
    """Mark what stays as it is."""
    return None


RESOURCES: tuple[ResourceRow, ...] = (
    ResourceRow(
        uri="omniroute://health",
        scope="read:health",
        name="health",
        title="Gateway health",
        description=(
            "Uptime, version, memory, circuits with failures, and which providers rest: what "
            "omniroute_get_health gives."
        ),
        read=_health,
        mark=_standing,
    ),
    ResourceRow(
        uri="omniroute://combos",
        scope="read:combos",
        name="combos",
        title="Combos",
        description="Every combo with its models, strategy and whether it can be asked for.",
        read=_combos,
        mark=_all_combos,
    ),
    ResourceRow(
        uri="omniroute://models",
        scope="read:models",
        name="models",
        title="Models",
        description=(
            "Every name that can be asked for, with capabilities, price, context size and "
            "whether it could answer now."
        ),
        read=_models,
        mark=_standing,
    ),
    ResourceRow(
        uri="omniroute://decisions",
        scope="read:usage",
        name="decisions",
        title="Recent decisions",
        description=(
            f"The newest {DECISIONS_MAX} requests of this key: who answered, what failed, cost "
            "and time, and where each decision is read."
        ),
        read=_decisions,
        mark=_newest,
    ),
    ResourceRow(
        uri="omniroute://combos/{combo}",
        scope="read:combos",
        name="combo",
        title="One combo",
        description="A combo by its name: its models in order, strategy and description.",
        read=_combo,
        mark=_one_combo,
    ),
    ResourceRow(
        uri="omniroute://models/{+model}",
        scope="read:models",
        name="model",
        title="One model",
        description="A model, a combo or a name such as auto, as the list of models shows it.",
        read=_model,
        mark=_standing,
    ),
    ResourceRow(
        uri="omniroute://providers/{provider}/models",
        scope="read:models",
        name="provider-models",
        title="A provider's models",
        description="The models of one provider, with price and whether they could answer now.",
        read=_provider,
        mark=_standing,
    ),
    ResourceRow(
        uri="omniroute://decisions/{requestId}",
        scope="read:usage",
        name="decision",
        title="One decision",
        description=(
            "Why a request was answered as it was: a verdict on every candidate, each attempt, "
            "cost and time. By the request's id, as in an answer's x-request-id header."
        ),
        read=_decision,
        mark=_never,
        ttl_ms=FOR_EVER_MS,
    ),
    ResourceRow(
        uri="omniroute://decisions/{requestId}/text",
        scope="read:usage",
        name="decision-text",
        title="One decision in words",
        description="The same as readable text, to be put before a person or a model.",
        read=_story,
        mark=_never,
        mime_type=TEXT,
        ttl_ms=FOR_EVER_MS,
    ),
)
