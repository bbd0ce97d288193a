"""The rules of content guards: what is looked for in requests and answers, and what is done."""

from collections.abc import Mapping

import msgspec
from starlette.requests import Request

from omniroute.routing.content import RULES_MAX, ContentRule, ContentRules
from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Caller
from omniroute.routing.ports import ContentGuard

from ..store.configs import ConfigStore
from ..store.content_rules import CONTENT
from .rows import Row, body_as

PATH = "/api/settings/guards"


class GuardsJson(msgspec.Struct, frozen=True):
    """The rules in force, and the kinds that each guard knows."""

    rules: ContentRules
    kinds: Mapping[str, tuple[str, ...]]


def rows(configs: ConfigStore, guards: Mapping[str, ContentGuard]) -> tuple[Row, ...]:
    """Give the routes."""
    known = {name: tuple(one.kinds) for name, one in guards.items()}

    async def show(request: Request, caller: Caller) -> GuardsJson:
        return GuardsJson(configs.current().content or ContentRules(), known)

    async def put(request: Request, caller: Caller) -> GuardsJson:
        rules = await body_as(request, ContentRules)
        _check(rules, known)
        await configs.put_setting(CONTENT, msgspec.to_builtins(rules), actor=caller.key_id)
        return GuardsJson(rules, known)

    return (
        Row("GET", PATH, "admin", "The rules of content guards", show),
        Row("PUT", PATH, "admin", "Put rules of content guards in force", put, body=ContentRules),
    )


def _check(rules: ContentRules, known: Mapping[str, tuple[str, ...]]) -> None:
    if len(rules.keys) + len(rules.combos) > RULES_MAX:
        raise BadRequest(f"there are at most {RULES_MAX} rules of keys and combos", field="keys")
    for rule in (rules.everywhere, *rules.keys.values(), *rules.combos.values()):
        _check_one(rule, known)


def _check_one(rule: ContentRule, known: Mapping[str, tuple[str, ...]]) -> None:
    if rule.guard not in known:
        raise BadRequest(f"there is no guard {rule.guard!r}; there is {', '.join(known)}")
    for kind in rule.kinds:
        if kind not in known[rule.guard]:
            raise BadRequest(
                f"the guard {rule.guard!r} knows no kind {kind!r}; it knows "
                f"{', '.join(known[rule.guard])}",
                field="kinds",
            )
