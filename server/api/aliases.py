"""Aliases: names that stand for other names."""

from starlette.requests import Request

from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller

from ..aliases_json import AliasesJson, AliasJson
from .rows import Row, body_as

PATH = "/api/aliases"


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""

    async def list_all(request: Request, caller: Caller) -> AliasesJson:
        found = gateway.view.configs.current().aliases
        return AliasesJson(tuple(AliasJson(*one) for one in sorted(found)))

    async def put(request: Request, caller: Caller) -> AliasJson:
        wish = await body_as(request, AliasJson)
        await gateway.control.put_alias(wish.name, wish.target, caller)
        return wish

    async def remove(request: Request, caller: Caller) -> None:
        await gateway.control.remove_alias(request.path_params["name"], caller)

    return (
        Row("GET", PATH, "read:combos", "List the aliases", list_all),
        Row("PUT", PATH, "write:combos", "Let a name stand for another", put),
        Row("DELETE", f"{PATH}/{{name:path}}", "write:combos", "Remove an alias", remove, 204),
    )
