"""Combos: list, put, remove, and a short real call to each model of one."""

import uuid
from dataclasses import dataclass
from typing import get_args

from starlette.requests import Request

from omniroute.routing.catalog.combos import is_starter
from omniroute.routing.errors import BadRequest, Conflict
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller, Combo, ComboModel, Strategy
from omniroute.routing.trials import PROMPT, Question, plan_trials, try_models

from ..combos_json import ComboJson, CombosJson, ComboSwitch, ComboWish, combo_json
from .rows import Lines, Row, Tell, body_as

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
        wish = await body_as(request, ComboWish)
        combo = Combo(
            combo_id=id_for(gateway, wish.name, auto=False),
            name=wish.name,
            models=tuple(ComboModel(one.target, one.weight) for one in wish.models),
            strategy=_strategy(wish.strategy),
            active=wish.active,
            attempts_max=wish.attempts_max,
            first_byte_s=wish.first_byte_s,
            total_s=wish.total_s,
            description=wish.description,
            retries=wish.retries,
            retry_delay_s=wish.retry_delay_s,
            concurrency_per_model=wish.concurrency_per_model,
            queue_s=wish.queue_s,
            session_s=wish.session_s,
            hedge_percentile=wish.hedge_percentile,
        )
        await gateway.control.put_combo(combo, caller)
        return combo_json(combo)

    async def switch(request: Request, caller: Caller) -> ComboJson:
        wish = await body_as(request, ComboSwitch)
        name = request.path_params["name"]
        return combo_json(await gateway.control.switch_combo(name, caller, active=wish.active))

    async def remove(request: Request, caller: Caller) -> None:
        await gateway.control.remove_combo(request.path_params["name"], caller)

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
        Row("GET", "/api/combos", "read:combos", "List combos", list_all),
        Row("POST", "/api/combos", "write:combos", "Add or replace a combo", put, 201),
        Row("POST", "/api/combos/{name:path}/test", "write:route", "Call each model once", test),
        Row("POST", "/api/combos/{name:path}/switch", "write:combos", "Switch a combo", switch),
        Row("DELETE", "/api/combos/{name:path}", "write:combos", "Remove a combo", remove, 204),
    )


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


def _strategy(text: str) -> Strategy:
    known: tuple[Strategy, ...] = get_args(Strategy)
    for strategy in known:
        if strategy == text:
            return strategy
    raise BadRequest(f"strategy is one of {', '.join(known)}", field="strategy")
