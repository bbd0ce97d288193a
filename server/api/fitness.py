"""Fitness: what the user says of models, and what own requests have shown of them."""

from starlette.requests import Request

from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller
from omniroute.routing.preference import FitnessRule

from ..fitness_json import FitnessJson, RuleJson, fitness_json, rule_json
from .editing import Thing
from .queries import Query
from .rows import Row, body_as

PATH = "/api/fitness"


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""

    async def show(request: Request, caller: Caller) -> FitnessJson:
        await gateway.view.gather()
        return fitness_json(gateway.view.fitness(caller))

    async def ruled(request: Request, caller: Caller) -> FitnessJson:
        # Without what was learned, which is no part of any edit, and another right.
        return FitnessJson(tuple(map(rule_json, gateway.view.configs.current().fitness)), (), ())

    async def put(request: Request, caller: Caller) -> RuleJson:
        wish = await body_as(request, RuleJson)
        rule = FitnessRule(wish.pattern, wish.kind, wish.fitness)
        return rule_json(await gateway.control.put_fitness(rule, caller))

    async def remove(request: Request, caller: Caller) -> None:
        kind = request.query_params.get("kind", "")
        await gateway.control.remove_fitness(request.path_params["pattern"], kind, caller)

    words = "Fitness rules, and what was learned of models"
    thing = Thing(ruled, edited=lambda shown: shown.rules, told=False)
    return (
        Row("GET", PATH, "read:models", words, show, thing=thing),
        Row("PUT", PATH, "write:config", "Say how fit models are", put, body=RuleJson, thing=thing),
        Row(
            *("DELETE", f"{PATH}/{{pattern:path}}", "write:config", "Remove a rule", remove, 204),
            query=(Query("kind", str, "the rule's kind of task; without, that of all kinds"),),
            thing=thing,
        ),
    )
