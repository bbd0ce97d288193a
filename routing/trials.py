"""A short real call to each model of a combo, at the same time: which of them answer, and how.

A trial is a request like any other: it goes through the engine, counts for health, is paid
from the caller's budgets and is recorded. It is short on purpose, in tokens and in time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from msgspec import structs

from .access import require
from .catalog.names import name_allowed
from .conversation import Chat, Message, Text
from .engine import ROUTE, Engine, new_request_id
from .errors import NotFound, RoutingError
from .model import Caller, Door, Outcome, RouteRequest
from .reply import Reply
from .wire.operations import operation_of_chat

PROMPT = "Reply with the single word: pong"
OUTPUT_TOKENS_MAX = 16
TRIAL_S_MAX = 30.0
AT_ONCE = 16
ANSWER_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Question:
    """What each model is asked, and how much it may answer."""

    prompt: str = PROMPT
    output_tokens_max: int = OUTPUT_TOKENS_MAX
    door: Door = "api"


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom to ask: the models of a combo, those of combos inside it too, each once."""

    combo: str
    models: tuple[str, ...]
    question: Question


@dataclass(frozen=True, slots=True)
class Trial:
    """How one call went.

    Attributes:
        cost_usd_nanos: None when the price is unknown.
        tokens: of prompt and answer; None when nobody knows.
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
    tokens: int | None = None
    simulated: bool = False


def plan_trials(engine: Engine, name: str, question: Question) -> Plan:
    """Give whom to ask of a combo by name.

    Raises:
        NotFound: no active combo has that name.
        ModelNotFound: nothing goes by that name.
    """
    config, now_s = engine.configs.current(), engine.clock.now()
    snapshot = engine.preparer.prepare(config, name, now_s=now_s).snapshot
    if snapshot.combo is None:
        raise NotFound(f"no combo is named {name!r}; `omniroute combos list` shows them")
    models = tuple(dict.fromkeys(one.name for one in snapshot.candidates))
    return Plan(snapshot.combo, models, question)


async def try_models(
    engine: Engine, plan: Plan, caller: Caller, told: Callable[[Trial], Awaitable[None]]
) -> None:
    """Call each model once, and tell of each as it ends. None of them fails the others.

    A key that may ask the combo may ask its models here, as the combo would ask them for it.

    Raises:
        NotAllowed: the key lacks write:route; nobody is called then.
    """
    require(caller, ROUTE)
    question = plan.question
    chat = Chat(
        (Message("user", (Text(question.prompt),)),), output_tokens_max=question.output_tokens_max
    )
    if caller.models and name_allowed(caller.models, plan.combo):
        caller = structs.replace(caller, models=())
    room = asyncio.Semaphore(AT_ONCE)

    async def one(model: str) -> None:
        async with room:
            request = RouteRequest(
                request_id=new_request_id(),
                target=model,
                operation=operation_of_chat(chat, target=model),
                at_s=engine.clock.now(),
                door=question.door,
            )
            trial = await _try(engine, request, caller)
        await told(trial)

    async with asyncio.TaskGroup() as group:
        for model in plan.models:
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
        tokens=None if outcome is None else _tokens(outcome),
        simulated=outcome is not None and outcome.winner is not None and outcome.winner.simulated,
    )


def _tokens(outcome: Outcome) -> int | None:
    if outcome.usage_source == "none":
        return None
    return outcome.usage.input_tokens + outcome.usage.output_tokens
