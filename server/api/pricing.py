"""Prices: what models cost, prices of the user's own, and requests priced anew."""

from collections.abc import Iterable, Iterator

from starlette.requests import Request

from omniroute.routing.catalog.prices import Facts
from omniroute.routing.catalog.providers import ALL_PROVIDERS, provider_named
from omniroute.routing.catalog.resolve import models_of
from omniroute.routing.catalog.services import served_models
from omniroute.routing.errors import BadRequest, NotFound
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller, Config, Price
from omniroute.routing.usage import Selection
from omniroute.routing.views import Views

from ..pricing_json import (
    NANOS,
    PriceChanges,
    PricedModelJson,
    PricedModelsJson,
    PriceMap,
    RepricedJson,
    RepriceWish,
    price_json,
    wished_price,
)
from ..store.changes import Changes, Told
from ..store.database import Database
from ..store.repricing import reprice
from .editing import Thing
from .queries import Query
from .rows import Row, body_as
from .usage import since

PATH = "/api/pricing"
_ALL = (Query("provider", str, "of this provider alone"), Query("model", str, "of this model"))


def rows(gateway: Gateway, database: Database, changes: Changes) -> tuple[Row, ...]:
    """Give the routes."""
    return (*_price_rows(gateway), *_reprice_rows(gateway, database, changes))


def _price_rows(gateway: Gateway) -> tuple[Row, ...]:
    view, configs = gateway.view, gateway.view.configs

    def in_force() -> PriceMap:
        config = configs.current()
        return _prices(_known(config), view.facts_in_force)

    async def show(request: Request, caller: Caller) -> PriceMap:
        return in_force()

    async def defaults(request: Request, caller: Caller) -> PriceMap:
        listed = ((one.name, (*one.models, *served_models(one.name))) for one in ALL_PROVIDERS)
        every = [(provider, model) for provider, models in listed for model in models]
        return _prices([*every, *_served(configs.current())], view.facts)

    async def models(request: Request, caller: Caller) -> PricedModelsJson:
        return PricedModelsJson(tuple(_models(view)))

    async def put(request: Request, caller: Caller) -> PriceMap:
        wish = await body_as(request, PriceChanges)
        await gateway.control.set_prices(_wished(view, wish), caller)
        return in_force()

    async def remove(request: Request, caller: Caller) -> PriceMap:
        query = request.query_params
        meant = _meant(configs.current(), query.get("provider", ""), query.get("model", ""))
        await gateway.control.set_prices(dict.fromkeys(meant), caller)
        return in_force()

    thing = Thing(show)
    return (
        Row(*("GET", PATH, "read:models", "What models cost"), show, thing=thing),
        Row(
            *("PATCH", PATH, "admin", "Put prices of your own", put),
            body=PriceChanges,
            thing=thing,
        ),
        Row("DELETE", PATH, "admin", "Take prices of your own away", remove, query=_ALL),
        Row("GET", f"{PATH}/defaults", "read:models", "What the table of prices says", defaults),
        Row("GET", f"{PATH}/models", "read:models", "Which models have a price", models),
    )


def _reprice_rows(gateway: Gateway, database: Database, changes: Changes) -> tuple[Row, ...]:
    async def again(request: Request, caller: Caller) -> RepricedJson:
        wish = await body_as(request, RepriceWish)
        selection = Selection(
            since(wish.range, changes.now()),
            key_id=wish.key,
            provider=wish.provider,
            model=wish.model,
        )
        if not wish.dry_run:
            # Before any figure is stored, as there are many transactions.
            facts = {"range": wish.range, "provider": wish.provider, "model": wish.model}
            await changes.note(Told(caller.key_id, "pricing.reprice", "requests", facts))
        prices = gateway.view.facts_in_force
        found = await reprice(database, selection, prices, after=wish.after, store=not wish.dry_run)
        return RepricedJson(
            range=wish.range,
            dry_run=wish.dry_run,
            requests=found.requests,
            changed=found.changed,
            unpriced=found.unpriced,
            cost=found.cost_usd_nanos / NANOS,
            repriced_cost=found.repriced_usd_nanos / NANOS,
            after=found.after or None,
        )

    return (
        Row(
            *("POST", f"{PATH}/reprice", "admin", "Price requests on record anew", again),
            body=RepriceWish,
        ),
    )


def _served(config: Config) -> Iterator[tuple[str, str]]:
    """Give the models of the accounts."""
    for account in config.accounts:
        for model in models_of(account):
            yield account.provider, model


def _known(config: Config) -> Iterator[tuple[str, str]]:
    """Give the models of the accounts, and those with a price of the user's own."""
    yield from _served(config)
    for target, _ in config.prices:
        provider, _, model = target.partition("/")
        yield provider, model


def _prices(names: Iterable[tuple[str, str]], facts: Facts) -> PriceMap:
    """Give the prices that are known, by provider and model."""
    found: PriceMap = {}
    for provider, model in dict.fromkeys(names):
        price = price_json(facts(provider, model))
        if price is not None:
            found.setdefault(provider, {})[model] = price
    return found


def _models(view: Views) -> Iterator[PricedModelJson]:
    facts = view.facts_in_force
    for provider, model in dict.fromkeys(_known(view.configs.current())):
        known = facts(provider, model)
        yield PricedModelJson(provider, model, known.price is not None, known.price_source)


def _wished(view: Views, wish: PriceChanges) -> dict[str, Price | None]:
    """Give the prices by target; what a wish leaves out is taken from what is in force."""
    own, found = dict(view.configs.current().prices), dict[str, Price | None]()
    for named, models in wish.items():
        provider = _provider(named)
        for model, change in models.items():
            target = f"{provider}/{model}"
            table = None if model.endswith("*") else view.facts_in_force(provider, model).price
            known = own.get(target) or table
            found[target] = None if change is None else wished_price(target, change, known)
    return found


def _meant(config: Config, named: str, model: str) -> list[str]:
    """Give the targets of a provider, or of one of its models; of all without.

    Raises:
        BadRequest: a model without its provider.
        NotFound: there is no price of the user's own.
    """
    if model and not named:
        raise BadRequest("name the model's provider, too", field="provider")
    targets = [target for target, _ in config.prices]
    provider = _provider(named)
    if named:
        targets = [one for one in targets if one.startswith(f"{provider}/")]
    if model:
        targets = [one for one in targets if one == f"{provider}/{model}"]
    if not targets:
        raise NotFound(f"there is no price of your own of {provider}{'/' if model else ''}{model}")
    return targets


def _provider(named: str) -> str:
    known = provider_named(named)
    return named if known is None else known.name
