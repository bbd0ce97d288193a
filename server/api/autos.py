"""User-made autos: list, show, put, change, remove. They are combos with terms of their own."""

from starlette.requests import Request

from omniroute.routing.catalog.autos import TITLE_CHARS_MAX
from omniroute.routing.errors import BadRequest, NotFound
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller, Combo

from ..autos_json import AutoJson, AutosJson, auto_combo, auto_json
from .combos import find_combo, id_for
from .editing import Thing
from .pages import Lists
from .queries import Query
from .rows import Row, body_as, patched

PATH = "/api/combos/auto"
ONE = f"{PATH}/{{name:path}}"
LISTED = Lists(
    "combos", lambda one: (one.id,), (Query("active", bool, "only autos that are on, or off"),)
)


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""

    async def list_all(request: Request, caller: Caller) -> AutosJson:
        found = await gateway.view.combos(caller, include_metrics=False)
        autos = (row.combo for row in found if row.combo.preference is not None)
        return AutosJson(tuple(map(auto_json, autos)))

    async def show(request: Request, caller: Caller) -> AutoJson:
        return auto_json(_auto_named(gateway, request.path_params["name"]))

    async def put(request: Request, caller: Caller) -> AutoJson:
        wish = await body_as(request, AutoJson)
        return await _put(gateway, wish, id_for(gateway, wish.id, auto=True), caller)

    async def change(request: Request, caller: Caller) -> AutoJson:
        before = _auto_named(gateway, request.path_params["name"])
        wish = await patched(request, auto_json(before))
        return await _put(gateway, wish, before.combo_id, caller)

    async def make_or_change(request: Request, caller: Caller) -> AutoJson:
        name: str = request.path_params["name"]
        if find_combo(gateway, name) is not None:
            return await change(request, caller)
        wish = await body_as(request, AutoJson)
        if wish.id != name:
            raise BadRequest(
                f"no auto is named {name!r}: one that is made has the id of its path", field="id"
            )
        return await put(request, caller)

    async def remove(request: Request, caller: Caller) -> None:
        found = _auto_named(gateway, request.path_params["name"])
        await gateway.control.remove_combo(found.combo_id, caller)

    thing = Thing(show)
    return (
        Row("GET", PATH, "read:combos", "List user-made autos", list_all, lists=LISTED),
        Row("POST", PATH, "write:combos", "Add or replace an auto", put, 201, AutoJson),
        Row("GET", ONE, "read:combos", "One user-made auto", show, thing=thing),
        Row(
            *("PUT", ONE, "write:combos", "Change an auto, or make it", make_or_change),
            body=AutoJson,
            merges=True,
            thing=thing,
        ),
        Row(
            *("PATCH", ONE, "write:combos", "Change an auto", change),
            body=AutoJson,
            merges=True,
            thing=thing,
        ),
        Row("DELETE", ONE, "write:combos", "Remove an auto", remove, 204, thing=thing),
    )


def _auto_named(gateway: Gateway, name: str) -> Combo:
    found = find_combo(gateway, name)
    if found is None or found.preference is None:
        raise NotFound(f"no auto is named {name!r}; `omniroute auto list` shows them")
    return found


async def _put(gateway: Gateway, wish: AutoJson, combo_id: str, caller: Caller) -> AutoJson:
    if not 0 < len(wish.name) <= TITLE_CHARS_MAX or not wish.name.isprintable():
        raise BadRequest(f"name has 1 to {TITLE_CHARS_MAX} printable characters", field="name")
    combo = auto_combo(wish, combo_id)
    await gateway.control.put_combo(combo, caller)
    return auto_json(combo)
