"""User-made autos: list and put. They are combos, so the rest is in combos.py."""

from starlette.requests import Request

from omniroute.routing.catalog.autos import TITLE_CHARS_MAX
from omniroute.routing.errors import BadRequest
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller

from ..autos_json import AutoJson, AutosJson, auto_combo, auto_json
from .combos import id_for
from .rows import Row, body_as


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""

    async def list_all(request: Request, caller: Caller) -> AutosJson:
        found = await gateway.view.combos(caller, include_metrics=False)
        autos = (row.combo for row in found if row.combo.preference is not None)
        return AutosJson(tuple(map(auto_json, autos)))

    async def put(request: Request, caller: Caller) -> AutoJson:
        wish = await body_as(request, AutoJson)
        if not 0 < len(wish.name) <= TITLE_CHARS_MAX or not wish.name.isprintable():
            raise BadRequest(f"name has 1 to {TITLE_CHARS_MAX} printable characters", field="name")
        combo = auto_combo(wish, id_for(gateway, wish.id, auto=True))
        await gateway.control.put_combo(combo, caller)
        return auto_json(combo)

    return (
        Row("GET", "/api/combos/auto", "read:combos", "List user-made autos", list_all),
        Row("POST", "/api/combos/auto", "write:combos", "Add or replace an auto", put, 201),
    )
