"""Models in the documented shapes: what there is, what other names it has, what can be asked."""

from collections.abc import Iterator

from starlette.requests import Request

from omniroute.routing.access import require
from omniroute.routing.catalog.names import OLD_NAMES
from omniroute.routing.catalog.providers import ALL_PROVIDERS, provider_named
from omniroute.routing.catalog.resolve import models_of
from omniroute.routing.catalog.services import served_models
from omniroute.routing.errors import BadRequest, NotFound
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Account, Caller, Config
from omniroute.routing.views import Views

from ..model_catalog_json import (
    AccountModelJson,
    AccountModelsJson,
    AliasedModelJson,
    AliasMapJson,
    AliasMapWish,
    AvailabilityJson,
    AvailableJson,
    AvailableWish,
    CatalogJson,
    CatalogModelJson,
    CatalogProviderJson,
    DoneJson,
    ModelAliasJson,
    ModelAliasWish,
    ModelsJson,
    RenamesJson,
    RenameWish,
    UnavailableModelJson,
)
from .pages import Lists
from .providers import find_account
from .queries import Query
from .rows import Row, body_as

ALIAS_PATH = "/api/models/alias"
RENAMES_PATH = "/api/settings/model-aliases"
AVAILABILITY_PATH = "/api/models/availability"
MODELS_LISTED = Lists(
    "models",
    lambda one: (one.provider, one.model),
    (
        Query("provider", str, "whose models"),
        Query("available", bool, "whether one of their accounts may be asked now"),
    ),
)
CATALOG_LISTED = Lists(
    "catalog",
    lambda one: one[:1],
    (
        Query("provider", str, "its full name"),
        Query("active", bool, "whether an enabled account is there"),
    ),
)


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""
    return (*_list_rows(gateway), *_alias_rows(gateway), *_rename_rows(gateway))


def _list_rows(gateway: Gateway) -> tuple[Row, ...]:
    view = gateway.view

    async def models(request: Request, caller: Caller) -> ModelsJson:
        every = request.query_params.get("all", "") == "true"
        return ModelsJson(tuple(_models(view, every=every)))

    async def catalog(request: Request, caller: Caller) -> CatalogJson:
        return CatalogJson(_catalog(view))

    async def of_account(request: Request, caller: Caller) -> AccountModelsJson:
        account = find_account(gateway, request.path_params["account"])
        return AccountModelsJson(
            provider=account.provider,
            connection_id=account.account_id,
            models=tuple(AccountModelJson(one, one) for one in models_of(account)),
            source="account" if account.models else "catalogue",
        )

    async def availability(request: Request, caller: Caller) -> AvailabilityJson:
        found = tuple(_unavailable(view, caller))
        return AvailabilityJson(len(found), found)

    async def make_available(request: Request, caller: Caller) -> AvailableJson:
        wish = await body_as(request, AvailableWish)
        known = provider_named(wish.provider)
        provider = wish.provider if known is None else known.name
        ended = gateway.control.reset_health(caller, account=provider, model=wish.model or None)
        return AvailableJson(True, ended > 0)

    return (
        Row(
            *("GET", "/api/models", "read:models", "The models of the accounts", models),
            query=(Query("all", bool, "those of accounts that are switched off, too"),),
            lists=MODELS_LISTED,
        ),
        Row(
            *("GET", "/api/models/catalog", "read:models", "Providers and their models", catalog),
            lists=CATALOG_LISTED,
        ),
        Row("GET", AVAILABILITY_PATH, "read:health", "What is not asked now", availability),
        Row(
            *("POST", AVAILABILITY_PATH, "write:config", "Ask a model again", make_available),
            body=AvailableWish,
        ),
        Row(
            *("GET", "/api/providers/{account}/models", "admin", "An account's models"),
            of_account,
        ),
    )


def _alias_rows(gateway: Gateway) -> tuple[Row, ...]:
    async def aliases(request: Request, caller: Caller) -> AliasMapJson:
        return AliasMapJson(dict(sorted(gateway.view.configs.current().aliases)))

    async def put(request: Request, caller: Caller) -> ModelAliasJson:
        wish = await body_as(request, ModelAliasWish)
        await gateway.control.put_alias(wish.alias, wish.model, caller)
        return ModelAliasJson(True, wish.model, wish.alias)

    async def remove(request: Request, caller: Caller) -> DoneJson:
        await gateway.control.remove_alias(_named(request, "alias"), caller)
        return DoneJson()

    named = (Query("alias", str, "the name that is to stand for nothing more"),)
    return (
        Row(
            "PUT", "/api/models", "write:combos", "Give a model an alias", put, body=ModelAliasWish
        ),
        Row("GET", ALIAS_PATH, "read:combos", "Aliases as one map", aliases),
        Row("PUT", ALIAS_PATH, "write:combos", "Give a model an alias", put, body=ModelAliasWish),
        Row("DELETE", ALIAS_PATH, "write:combos", "Remove an alias", remove, query=named),
    )


def _rename_rows(gateway: Gateway) -> tuple[Row, ...]:
    def told() -> RenamesJson:
        custom = dict(sorted(gateway.view.configs.current().aliases))
        return RenamesJson(dict(OLD_NAMES), custom, {**OLD_NAMES, **custom})

    async def show(request: Request, caller: Caller) -> RenamesJson:
        return told()

    async def replace(request: Request, caller: Caller) -> RenamesJson:
        wish = await body_as(request, AliasMapWish)
        await _replace(gateway, wish.aliases, caller)
        return told()

    async def add(request: Request, caller: Caller) -> RenamesJson:
        wish = await body_as(request, RenameWish)
        await gateway.control.put_alias(wish.source, wish.target, caller)
        return told()

    async def remove(request: Request, caller: Caller) -> RenamesJson:
        name = _named(request, "from")
        if name in OLD_NAMES and name not in dict(gateway.view.configs.current().aliases):
            raise NotFound(f"{name!r} is the gateway's own: an alias of that name goes first")
        await gateway.control.remove_alias(name, caller)
        return told()

    named = (Query("from", str, "the name that is to stand for nothing more"),)
    return (
        Row("GET", RENAMES_PATH, "read:combos", "Names that stand for others", show),
        Row(
            *("PUT", RENAMES_PATH, "write:combos", "Put these aliases in place of all", replace),
            body=AliasMapWish,
        ),
        Row("POST", RENAMES_PATH, "write:combos", "Add an alias", add, body=RenameWish),
        Row("DELETE", RENAMES_PATH, "write:combos", "Remove an alias", remove, query=named),
    )


async def _replace(gateway: Gateway, wanted: dict[str, str], caller: Caller) -> None:
    """Have these aliases and no others."""
    known = dict(gateway.view.configs.current().aliases)
    for name in known.keys() - wanted.keys():
        await gateway.control.remove_alias(name, caller)
    for name, target in wanted.items():
        if known.get(name) != target:
            await gateway.control.put_alias(name, target, caller)


def _named(request: Request, field: str) -> str:
    """Give the name that the query gives.

    Raises:
        BadRequest: it gives none.
    """
    name = request.query_params.get(field, "")
    if not name:
        raise BadRequest(f"say which name: ?{field}=<name>", field=field)
    return name


def _models(view: Views, *, every: bool) -> Iterator[AliasedModelJson]:
    """Give each model of the accounts once, with whether one of them may be asked for it."""
    config = view.configs.current()
    stopped = _stopped(view)
    names = {target: alias for alias, target in sorted(config.aliases, reverse=True)}
    found: dict[tuple[str, str], bool] = {}
    for account in _accounts(config, every=every):
        for model in models_of(account):
            scopes = {(account.account_id, ""), (account.account_id, model)}
            free = account.enabled and scopes.isdisjoint(stopped)
            key = (account.provider, model)
            found[key] = found.get(key, False) or free
    for (provider, model), available in found.items():
        full = f"{provider}/{model}"
        yield AliasedModelJson(
            provider, model, full, names.get(full) or names.get(model), available
        )


def _stopped(view: Views) -> set[tuple[str, str]]:
    """Give the accounts, with an empty model, and the models that are not asked now."""
    book, now_s = view.health_book, view.clock.now()
    open_now = (scope for scope, one in book.breakers.items() if one.state(now_s) == "OPEN")
    return {*book.rests(now_s), *open_now}


def _accounts(config: Config, *, every: bool) -> list[Account]:
    return [one for one in config.accounts if every or one.enabled]


def _catalog(view: Views) -> dict[str, CatalogProviderJson]:
    """Give every provider that is known or has an account, by its first alias."""
    accounts = view.configs.current().accounts
    active = {one.provider for one in accounts if one.enabled}
    named: dict[str, list[str]] = {}
    for account in accounts:
        named.setdefault(account.provider, []).extend(account.models)
    listed: dict[str, tuple[str, ...]] = {
        one.name: (*one.models, *served_models(one.name)) for one in ALL_PROVIDERS
    }
    shorts = {one.name: one.aliases[0] for one in ALL_PROVIDERS if one.aliases}
    found: dict[str, CatalogProviderJson] = {}
    for provider in dict.fromkeys((*listed, *named)):
        known = listed.get(provider, ())
        models = dict.fromkeys((*known, *named.get(provider, ())))
        found[shorts.get(provider, provider)] = CatalogProviderJson(
            provider,
            provider in active,
            tuple(
                CatalogModelJson(
                    one, one, view.facts(provider, one).capabilities[0], one not in known
                )
                for one in models
            ),
        )
    return found


def _unavailable(view: Views, caller: Caller) -> Iterator[UnavailableModelJson]:
    """Give what has an open circuit, and what rests."""
    require(caller, "read:health")
    health = view.health(caller)
    for circuit in health.circuits:
        if circuit.state == "OPEN":
            yield UnavailableModelJson(
                *(circuit.provider, circuit.model, circuit.account_id, "unavailable"),
                reason="circuit_open",
                remaining_ms=None
                if circuit.next_try_s is None
                else round(circuit.next_try_s * 1000),
            )
    for rest in health.cooldowns:
        yield UnavailableModelJson(
            *(rest.provider, rest.model, rest.account_id, "cooldown"),
            reason=rest.reason,
            remaining_ms=round(rest.remaining_s * 1000),
        )
