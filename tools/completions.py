"""Completion of what templates and prompts are filled with: names, and ids of requests.

What is offered is what the key may see. Names that begin with what was typed come first, then
those that contain it; upper and lower case are the same.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import get_args

from omniroute.routing.access import ADMIN
from omniroute.routing.catalog.fitness import Task
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller

REQUESTS_MAX = 100
"""The newest requests, whose ids are offered."""

Source = Callable[[Gateway, Caller], Awaitable[Iterable[str]]]


async def _combos(gateway: Gateway, caller: Caller) -> Iterable[str]:
    rows = await gateway.view.combos(caller, include_metrics=False)
    return [row.combo.name for row in rows]


async def _models(gateway: Gateway, caller: Caller) -> Iterable[str]:
    return [row.model_id for row in gateway.view.models(caller)]


async def _providers(gateway: Gateway, caller: Caller) -> Iterable[str]:
    return sorted({row.owned_by for row in gateway.view.models(caller) if row.kind == "model"})


async def _requests(gateway: Gateway, caller: Caller) -> Iterable[str]:
    """Give the newest ids, those of requests that failed first."""
    outcomes = [one.outcome for one in await gateway.view.recent(caller, limit=REQUESTS_MAX)]
    ordered = sorted(outcomes, key=lambda one: one.status == "answered")
    return [one.request.request_id for one in ordered]


async def _tasks(gateway: Gateway, caller: Caller) -> Iterable[str]:
    # A prompt takes any other words as well.
    return get_args(Task)


SOURCES: dict[str, tuple[str | None, Source]] = {
    "combo": ("read:combos", _combos),
    "model": ("read:models", _models),
    "provider": ("read:models", _providers),
    "requestId": ("read:usage", _requests),
    "task": (None, _tasks),
}
"""By the name of the argument: the scope of what is offered, and what gives it."""


async def offered(gateway: Gateway, caller: Caller, argument: str, typed: str) -> list[str]:
    """Give what an argument of that name may be filled with, the likeliest first."""
    scope, source = SOURCES.get(argument, (None, _nothing))
    if scope is not None and scope not in caller.scopes and ADMIN not in caller.scopes:
        return []
    wanted = typed.casefold()
    found = dict.fromkeys(await source(gateway, caller))
    begin = [one for one in found if one.casefold().startswith(wanted)]
    inside = [one for one in found if wanted in one.casefold()[1:]]
    return list(dict.fromkeys((*begin, *inside)))


async def _nothing(gateway: Gateway, caller: Caller) -> Iterable[str]:
    return ()
