"""Combos: list, show, put, change, remove, and a short real call to each model of one."""

import uuid
from dataclasses import dataclass, replace
from functools import partial

from starlette.requests import Request

from omniroute.routing.catalog.combos import is_starter
from omniroute.routing.errors import BadRequest, Conflict, NotFound
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller, Combo, Strategy
from omniroute.routing.trials import PROMPT, Question, plan_trials, try_models

from ..combos_json import (
    ComboJson,
    CombosJson,
    ComboSwitch,
    ComboWish,
    combo_json,
    combo_of,
    combo_wish,
)
from .editing import Thing
from .pages import Lists
from .queries import Query
from .rows import Lines, Row, Tell, body_as, patched

PATH = "/api/combos"
ONE = f"{PATH}/{{name:path}}"

LISTED = Lists(
    "combos",
    lambda one: (one.name,),
    (
        Query("strategy", Strategy, "only combos that choose so"),
        Query("active", bool, "only combos that are on, or off"),
    ),
)
PROMPT_CHARS_MAX = 4_000


@dataclass(frozen=True, slots=True)
class TrialWish:
    """What each model of a combo is asked."""

    prompt: str = PROMPT


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""

    async def list_all(request: Request, caller: Caller) -> CombosJson:
        found = await gateway.view.combos(caller, include_metrics=False)
        return CombosJson(tuple(combo_json(row.combo) for row in found))

    async def put(request: Request, caller: Caller) -> ComboJson:
        return await _put(gateway, await body_as(request, ComboWish), caller)

    async def test(request: Request, caller: Caller) -> Lines:
        wish = await body_as(request, TrialWish)
        if not 0 < len(wish.prompt) <= PROMPT_CHARS_MAX:
            raise BadRequest(f"prompt has 1 to {PROMPT_CHARS_MAX} characters", field="prompt")
        plan = plan_trials(gateway.route, request.path_params["name"], Question(wish.prompt))

        async def work(tell: Tell) -> None:
            await tell(plan.models)
            await try_models(gateway.route, plan, caller, tell)

        return Lines(work)

    return (
        Row("GET", PATH, "read:combos", "List combos", list_all, lists=LISTED),
        Row("POST", PATH, "write:combos", "Add or replace a combo", put, 201, ComboWish),
        Row("POST", f"{ONE}/test", "write:route", "Call each model once", test, body=TrialWish),
        *_rows_of_one(gateway),
    )


def _rows_of_one(gateway: Gateway) -> tuple[Row, ...]:
    async def show(request: Request, caller: Caller) -> ComboJson:
        return combo_json(_named(gateway, request))

    async def switch(request: Request, caller: Caller) -> ComboJson:
        wish = await body_as(request, ComboSwitch)
        name = request.path_params["name"]
        return combo_json(await gateway.control.switch_combo(name, caller, active=wish.active))

    async def change(request: Request, caller: Caller) -> ComboJson:
        before = _named(gateway, request)
        if before.preference is not None:
            raise _is_auto(before)
        return await _change(gateway, before, await patched(request, combo_wish(before)), caller)

    async def make_or_change(request: Request, caller: Caller) -> ComboJson:
        name: str = request.path_params["name"]
        if find_combo(gateway, name) is not None:
            return await change(request, caller)
        wish = await body_as(request, ComboWish)
        if wish.name != name:
            raise BadRequest(f"a combo made at this path is named {name!r}", field="name")
        return await _put(gateway, wish, caller)

    async def remove(request: Request, caller: Caller) -> None:
        await gateway.control.remove_combo(request.path_params["name"], caller)

    thing = Thing(show)
    changing = partial(Row, scope="write:combos", body=ComboWish, merges=True, thing=thing)
    return (
        Row(
            *("POST", f"{ONE}/switch", "write:combos", "Switch a combo", switch),
            body=ComboSwitch,
            thing=thing,
        ),
        Row("GET", ONE, "read:combos", "One combo", show, thing=thing),
        changing("PUT", ONE, summary="Change a combo, or make it", handle=make_or_change),
        changing("PATCH", ONE, summary="Change a combo", handle=change),
        Row("DELETE", ONE, "write:combos", "Remove a combo", remove, 204, thing=thing),
    )


def find_combo(gateway: Gateway, name: str) -> Combo | None:
    """Give the combo of that name or else id, None when there is none."""
    combos = gateway.view.configs.current().combos
    found = next((one for one in combos if one.name == name), None)
    return found or next((one for one in combos if one.combo_id == name), None)


def _named(gateway: Gateway, request: Request) -> Combo:
    name: str = request.path_params["name"]
    found = find_combo(gateway, name)
    if found is None:
        raise NotFound(f"no combo is named {name!r}; `omniroute combos list` shows them")
    return found


def id_for(gateway: Gateway, name: str, *, auto: bool) -> str:
    """Give the id of the stored combo of that name, which is the one to replace, or a new one.

    Raises:
        Conflict: it is a user-made auto and the new one is not, or the other way round.
    """
    for one in gateway.view.configs.current().combos:
        if one.name != name or is_starter(one.combo_id):
            continue
        if auto != (one.preference is not None):
            kind, route = ("no auto", "/api/combos") if auto else ("an auto", "/api/combos/auto")
            raise Conflict(
                f"there is a combo named {name!r} already, and it is {kind}: change it with POST "
                f"{route}, remove it, or choose another name"
            )
        return one.combo_id
    return f"combo-{uuid.uuid4().hex[:12]}"


async def _put(gateway: Gateway, wish: ComboWish, caller: Caller) -> ComboJson:
    combo = combo_of(wish, id_for(gateway, wish.name, auto=False))
    await gateway.control.put_combo(combo, caller)
    return combo_json(combo)


async def _change(gateway: Gateway, before: Combo, wish: ComboWish, caller: Caller) -> ComboJson:
    as_it_is = combo_wish(before)
    if replace(wish, active=before.active) == as_it_is:
        # A starter stays one, and goes on following the accounts, when it is switched alone.
        kept = await gateway.control.switch_combo(before.combo_id, caller, active=wish.active)
        return combo_json(kept)
    if is_starter(before.combo_id):
        return await _put(gateway, wish, caller)
    combo = combo_of(wish, before.combo_id)
    await gateway.control.put_combo(combo, caller)
    return combo_json(combo)


def _is_auto(combo: Combo) -> Conflict:
    return Conflict(
        f"{combo.name!r} is an auto: change it with PATCH /api/combos/auto/{combo.name}"
    )
