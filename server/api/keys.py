"""Keys of this gateway: list, make, revoke."""

from functools import partial

from starlette.requests import Request

from omniroute.routing.errors import NotFound
from omniroute.routing.model import Caller

from ..management_keys import KeyJson, KeysJson, KeyWish, NewKeyJson
from ..store.budgets import Budgets
from ..store.keys import Keys, KeyTerms, StoredKey
from .budgets import new_budget
from .rows import Row, body_as

SCOPES_WHEN_UNSAID = ("agent",)
NAME_WHEN_UNSAID = "key"


def rows(keys: Keys, budgets: Budgets) -> tuple[Row, ...]:
    """Give the routes."""

    async def list_all(request: Request, caller: Caller) -> KeysJson:
        return KeysJson(tuple(_json(one) for one in keys.all()))

    async def make(request: Request, caller: Caller) -> NewKeyJson:
        wish = await body_as(request, KeyWish)
        terms = KeyTerms(
            name=wish.name or NAME_WHEN_UNSAID,
            scopes=SCOPES_WHEN_UNSAID if wish.scopes is None else wish.scopes,
            models=wish.models,
            expires_unix_s=wish.expires_unix_s,
            keep_content=wish.keep_content,
        )
        budget = None if wish.budget is None else partial(new_budget, wish.budget)
        made = await keys.create(terms, actor=caller.key_id, budget=budget)
        await budgets.load()
        return NewKeyJson(_json(made.stored), made.text)

    async def revoke(request: Request, caller: Caller) -> None:
        key_id: str = request.path_params["key_id"]
        if not await keys.revoke(key_id, actor=caller.key_id):
            raise NotFound(f"no key has the id {key_id!r}; `omniroute keys list` shows them")
        await budgets.load()

    return (
        Row("GET", "/api/keys", "admin", "List keys, without their secrets", list_all),
        Row("POST", "/api/keys", "admin", "Make a key; the answer alone holds it", make, 201),
        Row("DELETE", "/api/keys/{key_id}", "admin", "Revoke a key", revoke, 204),
    )


def _json(stored: StoredKey) -> KeyJson:
    terms = stored.terms
    return KeyJson(
        key_id=stored.key_id,
        name=terms.name,
        scopes=terms.scopes,
        models=terms.models,
        enabled=terms.enabled,
        keep_content=terms.keep_content,
        created_unix_s=stored.created_unix_s,
        expires_unix_s=terms.expires_unix_s,
    )
