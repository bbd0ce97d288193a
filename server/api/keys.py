"""Keys of this gateway: list, show, make, change, roll, revoke."""

from dataclasses import replace
from functools import partial
from typing import TypeVar

from msgspec import UNSET, structs
from starlette.requests import Request

from omniroute.routing.access import bound_by
from omniroute.routing.errors import NotFound
from omniroute.routing.model import Caller
from omniroute.routing.rates import Rates

from ..management_keys import KeyChange, KeyJson, KeysJson, KeyWish, NewKeyJson, RollWish
from ..store.budgets import Budgets
from ..store.key_terms import KeyTerms, NewKey, StoredKey
from ..store.keys import Keys
from .budgets import new_budget
from .editing import Thing
from .pages import Lists
from .queries import Query
from .rows import Row, body_as

SCOPES_WHEN_UNSAID = ("agent",)
NAME_WHEN_UNSAID = "key"
ALL = "/api/keys"
ONE = "/api/keys/{key_id}"
MAKE = "Make a key; the answer alone holds it"
ROLL = "Give a key a new secret; the answer alone holds it"
_RATES = Rates.__struct_fields__

LISTED = Lists(
    "keys",
    lambda one: (one.created_unix_s, one.key_id),
    (
        Query("name", str, "only keys of this name"),
        Query("enabled", bool, "only keys that are, or are not"),
    ),
)

Found = TypeVar("Found")


def rows(keys: Keys, budgets: Budgets) -> tuple[Row, ...]:
    """Give the routes."""

    async def list_all(request: Request, caller: Caller) -> KeysJson:
        return KeysJson(tuple(key_json(one) for one in keys.all()))

    async def show(request: Request, caller: Caller) -> KeyJson:
        key_id = _id(request)
        return key_json(_there(key_id, keys.find(key_id)))

    async def make(request: Request, caller: Caller) -> NewKeyJson:
        wish = await body_as(request, KeyWish)
        terms = _wished(wish)
        budget = None if wish.budget is None else partial(new_budget, wish.budget)
        made = await keys.create(terms, actor=caller.key_id, maker=bound_by(caller), budget=budget)
        await budgets.load()
        return _new(made)

    async def change(request: Request, caller: Caller) -> KeyJson:
        key_id = _id(request)
        edit = partial(_changed, await body_as(request, KeyChange))
        changed = await keys.change(key_id, edit, actor=caller.key_id, maker=bound_by(caller))
        return key_json(_there(key_id, changed))

    async def roll(request: Request, caller: Caller) -> NewKeyJson:
        key_id = _id(request)
        wish = await body_as(request, RollWish)
        rolled = await keys.roll(
            key_id, overlap_s=wish.overlap_s, actor=caller.key_id, maker=bound_by(caller)
        )
        return _new(_there(key_id, rolled))

    async def revoke(request: Request, caller: Caller) -> None:
        key_id = _id(request)
        gone = await keys.revoke(key_id, actor=caller.key_id, maker=bound_by(caller))
        _there(key_id, gone or None)
        await budgets.load()

    of_one = (
        Row("GET", ONE, "admin", "One key, without its secret", show),
        Row("PATCH", ONE, "admin", "Change a key; what is left out stays", change, 200, KeyChange),
        Row("POST", f"{ONE}/roll", "admin", ROLL, roll, 200, RollWish),
        Row("DELETE", ONE, "admin", "Revoke a key", revoke, 204),
    )
    return (
        Row("GET", ALL, "admin", "List keys, without their secrets", list_all, lists=LISTED),
        Row("POST", ALL, "admin", MAKE, make, 201, KeyWish),
        *(replace(one, thing=Thing(show, edited=_edited)) for one in of_one),
    )


def _edited(shown: KeyJson | NewKeyJson) -> KeyJson:
    return shown.key if isinstance(shown, NewKeyJson) else shown


def _id(request: Request) -> str:
    key_id: str = request.path_params["key_id"]
    return key_id


def _there(key_id: str, found: Found | None) -> Found:
    if found is None:
        raise NotFound(f"no key has the id {key_id!r}; `omniroute keys list` shows them")
    return found


def _wished(wish: KeyWish) -> KeyTerms:
    return KeyTerms(
        name=wish.name or NAME_WHEN_UNSAID,
        scopes=SCOPES_WHEN_UNSAID if wish.scopes is None else wish.scopes,
        models=wish.models,
        expires_unix_s=wish.expires_unix_s,
        keep_content=wish.keep_content,
        log_content=wish.log_content,
        rates=Rates(wish.requests_per_minute, wish.tokens_per_minute, wish.concurrency_max),
    )


def _changed(wish: KeyChange, terms: KeyTerms) -> KeyTerms:
    said = {name: value for name, value in structs.asdict(wish).items() if value is not UNSET}
    rates = {name: said.pop(name) for name in _RATES if name in said}
    return replace(terms, **said, rates=structs.replace(terms.rates, **rates))


def _new(made: NewKey) -> NewKeyJson:
    return NewKeyJson(key_json(made.stored), made.text)


def key_json(stored: StoredKey) -> KeyJson:
    """Give a key as the API shows it, without its secret."""
    terms = stored.terms
    return KeyJson(
        key_id=stored.key_id,
        name=terms.name,
        scopes=terms.scopes,
        models=terms.models,
        enabled=terms.enabled,
        keep_content=terms.keep_content,
        log_content=terms.log_content,
        created_unix_s=stored.created_unix_s,
        expires_unix_s=terms.expires_unix_s,
        requests_per_minute=terms.rates.requests_per_minute,
        tokens_per_minute=terms.rates.tokens_per_minute,
        concurrency_max=terms.rates.concurrency_max,
        budget_ids=terms.budget_ids,
        created_by=stored.created_by,
        rolled_unix_s=stored.rolled_unix_s,
        old_until_unix_s=stored.old_until_unix_s,
    )
