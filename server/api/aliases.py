"""Aliases: names that stand for other names."""

from dataclasses import dataclass

from starlette.requests import Request

from omniroute.routing.errors import NotFound
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller

from ..aliases_json import AliasesJson, AliasJson
from .editing import Thing
from .pages import Lists
from .queries import Query
from .rows import Row, body_as

PATH = "/api/aliases"
ONE = f"{PATH}/{{name:path}}"
LISTED = Lists(
    "aliases", lambda one: (one.name,), (Query("target", str, "only names of this target"),)
)


@dataclass(frozen=True, slots=True)
class AliasWish:
    """What a name is to stand for."""

    target: str


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""

    async def list_all(request: Request, caller: Caller) -> AliasesJson:
        found = gateway.view.configs.current().aliases
        return AliasesJson(tuple(AliasJson(*one) for one in sorted(found)))

    async def put(request: Request, caller: Caller) -> AliasJson:
        wish = await body_as(request, AliasJson)
        await gateway.control.put_alias(wish.name, wish.target, caller)
        return wish

    async def show(request: Request, caller: Caller) -> AliasJson:
        name: str = request.path_params["name"]
        for known, target in gateway.view.configs.current().aliases:
            if known == name:
                return AliasJson(name, target)
        raise NotFound(f"no alias is named {name!r}; `omniroute aliases list` shows them")

    async def put_one(request: Request, caller: Caller) -> AliasJson:
        name: str = request.path_params["name"]
        wish = await body_as(request, AliasWish)
        await gateway.control.put_alias(name, wish.target, caller)
        return AliasJson(name, wish.target)

    async def change(request: Request, caller: Caller) -> AliasJson:
        await show(request, caller)
        return await put_one(request, caller)

    async def remove(request: Request, caller: Caller) -> None:
        await gateway.control.remove_alias(request.path_params["name"], caller)

    thing, words = Thing(show), "Let a name stand for another"
    return (
        Row("GET", PATH, "read:combos", "List the aliases", list_all, lists=LISTED),
        Row("PUT", PATH, "write:combos", words, put, body=AliasJson),
        Row("GET", ONE, "read:combos", "One alias", show, thing=thing),
        Row("PUT", ONE, "write:combos", words, put_one, body=AliasWish, thing=thing),
        Row("PATCH", ONE, "write:combos", "Change an alias", change, body=AliasWish, thing=thing),
        Row("DELETE", ONE, "write:combos", "Remove an alias", remove, 204, thing=thing),
    )
