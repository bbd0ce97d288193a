"""A short real call to each model of a combo, at the same time: which of them answer, and how.

A trial is a request like any other: it goes through the engine, counts for health, is paid
from the caller's budgets and is recorded. It is short on purpose, in tokens and in time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .conversation import Chat, Message, Text
from .engine import Engine, new_request_id
from .errors import NotFound, RoutingError
from .model import Caller, RouteRequest
from .reply import Reply
from .wire.operations import operation_of_chat

PROMPT = "Reply with the single word: pong"
OUTPUT_TOKENS_MAX = 16
TRIAL_S_MAX = 30.0
AT_ONCE = 16
ANSWER_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Trial:
    """How one call went.

    Attributes:
        cost_usd_nanos: None when the price is unknown.
        answer: the beginning of what it said.
        error: in words; "" when it answered.
    """

    model: str
    request_id: str
    ok: bool
    total_s: float
    first_content_s: float | None = None
    cost_usd_nanos: int | None = None
    answer: str = ""
    error: str = ""


def models_to_try(engine: Engine, name: str) -> tuple[str, ...]:
    """Give the models of a combo by name, those of combos inside it too, each once.

    Raises:
        NotFound: no active combo has that name.
        ModelNotFound: nothing goes by that name.
    """
    config, now_s = engine.configs.current(), engine.clock.now()
    snapshot = engine.preparer.prepare(config, name, now_s=now_s).snapshot
    if snapshot.combo is None:
        raise NotFound(f"no combo is named {name!r}; `omniroute combos list` shows them")
    return tuple(dict.fromkeys(one.name for one in snapshot.candidates))


async def try_models(
    engine: Engine,
    models: tuple[str, ...],
    caller: Caller,
    told: Callable[[Trial], Awaitable[None]],
    *,
    prompt: str = PROMPT,
) -> None:
    """Call each model once, and tell of each as it ends. None of them fails the others."""
    chat = Chat((Message("user", (Text(prompt),)),), output_tokens_max=OUTPUT_TOKENS_MAX)
    room = asyncio.Semaphore(AT_ONCE)

    async def one(model: str) -> None:
        async with room:
            request = RouteRequest(
                request_id=new_request_id(),
                target=model,
                operation=operation_of_chat(chat, target=model),
                at_s=engine.clock.now(),
                door="api",
            )
            trial = await _try(engine, request, caller)
        await told(trial)

    async with asyncio.TaskGroup() as group:
        for model in models:
            group.create_task(one(model))


async def _try(engine: Engine, request: RouteRequest, caller: Caller) -> Trial:
    try:
        reply = engine.begin(request, caller)
    except RoutingError as error:
        return _trial(engine, request, None, error=str(error))
    parts: list[str] = []
    try:
        async with asyncio.timeout(TRIAL_S_MAX):
            await reply.start()
            parts = [piece.delta.text async for piece in reply if piece.delta is not None]
    except TimeoutError:
        return _trial(engine, request, reply, error=f"no answer within {TRIAL_S_MAX:g} s")
    except RoutingError as error:
        return _trial(engine, request, reply, error=str(error))
    finally:
        reply.close()
    return _trial(engine, request, reply, answer="".join(parts)[:ANSWER_CHARS_MAX])


def _trial(
    engine: Engine, request: RouteRequest, reply: Reply | None, *, answer: str = "", error: str = ""
) -> Trial:
    if reply is not None:
        # An outcome is there once the reply is closed, and closing twice changes nothing.
        reply.close()
    outcome = None if reply is None else reply.outcome
    return Trial(
        model=request.target,
        request_id=request.request_id,
        ok=not error,
        total_s=engine.clock.now() - request.at_s if outcome is None else outcome.total_s,
        first_content_s=None if outcome is None else outcome.first_content_s,
        cost_usd_nanos=0 if outcome is None else outcome.cost_usd_nanos,
        answer=answer,
        error=error,
    )
