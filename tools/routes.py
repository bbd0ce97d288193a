"""Tools that route: ask a model, say who would answer, tell why one did.

All three run on the engine's own decision; nothing here estimates it a second time.
"""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from omniroute.routing.conversation import Chat, Message, Text
from omniroute.routing.errors import ModelNotFound
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Attempt, Combo, Outcome, RouteRequest
from omniroute.routing.policy import OUTRUN
from omniroute.routing.reply import Reply
from omniroute.routing.wire.operations import operation_of_chat
from omniroute.routing.wire.sessions import NAME_BYTES_MAX

from .invocation import Invocation
from .shapes import Arguments, Result
from .units import milliseconds, usd
from .words import explain

MESSAGES_MAX = 1000
NAME_CHARS_MAX = 256
BUDGET_USD_MAX = 1_000_000
TOKENS_MAX = 100_000_000
TELL_EVERY_S = 0.25
"""The least time between two progress notifications of one answer."""
TOLD_CHARS_MAX = 16_000
"""The end of the text so far that one progress notification carries at most."""

TaskRole = Literal["coding", "review", "planning", "analysis"]
Target = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=NAME_CHARS_MAX,
        description='A model, as omniroute_list_models_catalog names it, or "auto".',
    ),
]
ComboName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=NAME_CHARS_MAX,
        description="A combo's name or id; it takes the place of the model.",
    ),
]
ComboNamed = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=NAME_CHARS_MAX,
        description="A combo's id or name, as omniroute_list_combos gives it.",
    ),
]
BudgetUsd = Annotated[
    float,
    Meta(
        ge=0,
        le=BUDGET_USD_MAX,
        description="US dollars that the request may cost at most. Longer answers are cut to it; "
        "a model that could not give a short one for it is not asked, nor is one whose price is "
        "unknown.",
    ),
]
Role = Annotated[TaskRole, Meta(description="What kind of task it is.")]
OutputTokens = Annotated[
    int, Meta(ge=1, le=TOKENS_MAX, description="The most tokens the answer may have.")
]


IdempotencyKey = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        description="Name of this request: repeated with the same arguments within 24 hours it "
        "gives the first answer again, without asking or paying a provider.",
    ),
]


SessionName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=NAME_BYTES_MAX,
        description="Ties requests of one conversation together: they stay where their prompt is "
        "likely cached. A name of the key's own.",
    ),
]


class ChatMessage(Arguments, frozen=True):
    """One turn of the conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str


class RouteChat(Arguments, frozen=True):
    """What omniroute_route_request takes."""

    model: Target
    messages: Annotated[
        tuple[ChatMessage, ...],
        Meta(min_length=1, max_length=MESSAGES_MAX, description="The conversation, oldest first."),
    ]
    combo: ComboName | None = None
    budget: BudgetUsd | None = None
    role: Role | None = None
    stream: Annotated[bool, Meta(description="Send the text so far as progress notifications.")] = (
        False
    )
    max_tokens: OutputTokens | None = None
    idempotency_key: IdempotencyKey | None = None
    session: SessionName | None = None


class Tokens(Result, frozen=True):
    """Tokens of prompt and answer; null when not known."""

    prompt: int | None
    completion: int | None
    source: Annotated[
        Literal["reported", "estimated", "none", "suspect"],
        Meta(
            description="estimated: an upper bound, as the provider did not report all; suspect: "
            "it reported more than there could be."
        ),
    ]


class Response(Result, frozen=True):
    """What the model said."""

    content: str
    model: Annotated[str, Meta(description="The model that answered, as its provider names it.")]
    tokens: Tokens
    finish_reason: str | None


class FailedAttempt(Result, frozen=True):
    """A candidate that was asked and did not answer well."""

    provider: str
    model: str
    reason: Annotated[str, Meta(description="The failure's class, such as rate_limited.")]
    detail: str


class Routing(Result, frozen=True):
    """How the answer came about."""

    provider: str
    combo: str | None
    fallbacks_triggered: Annotated[
        int, Meta(description="Candidates that failed before the one that answered.")
    ]
    cost: Annotated[float | None, Meta(description="US dollars; null: the price is unknown.")]
    latency_ms: int
    routing_explanation: str
    request_id: Annotated[str, Meta(description="For omniroute_explain_route.")]
    simulated: Annotated[bool, Meta(description="No real model answered.")]
    failed_attempts: tuple[FailedAttempt, ...]


class Routed(Result, frozen=True):
    """What omniroute_route_request gives."""

    response: Response
    routing: Routing


async def route_request(call: Invocation, arguments: RouteChat) -> Routed:
    """Run omniroute_route_request, or give the first answer to it again.

    Raises:
        RequestInFlight: it is being answered.
        IdempotencyMismatch: its idempotency key was used with other arguments.
        RoutingError: nobody answered, or the answer broke off.
    """
    name = arguments.idempotency_key
    if name is None or call.once is None or not call.caller.keep_content:
        return await _route(call, arguments)

    async def make() -> tuple[bytes, bool]:
        return msgspec.json.encode(await _route(call, arguments)), True

    asked = b"mcp\0" + msgspec.json.encode(arguments)
    made, _ = await call.once(call.caller.key_id, name, asked, make)
    return msgspec.json.decode(made, type=Routed)


async def _route(call: Invocation, arguments: RouteChat) -> Routed:
    """Ask and read the whole answer. Cancelling it closes the provider's answer at once."""
    gateway = call.gateway
    target = target_of(gateway, arguments.model, arguments.combo)
    chat = Chat(
        messages=tuple(Message(one.role, (Text(one.content),)) for one in arguments.messages),
        output_tokens_max=arguments.max_tokens,
        stream=arguments.stream,
    )
    request = RouteRequest(
        request_id=call.request_id,
        target=target,
        operation=operation_of_chat(chat, target=target),
        at_s=gateway.route.clock.now(),
        door="mcp",
        spend_usd_nanos_max=nanos(arguments.budget),
        role=arguments.role,
        session_id=arguments.session,
    )
    reply = await gateway.route.open(request, call.caller)
    try:
        content = await _folded(reply, call, tells=arguments.stream)
    finally:
        reply.close()
    return _routed(reply, content)


def target_of(gateway: Gateway, model: str, combo: str | None) -> str:
    """Give what to ask for: the combo's name where one is given, else the model's.

    Raises:
        ModelNotFound: no active combo has that name or id.
    """
    return model if combo is None else active_combo(gateway, combo).name


def active_combo(gateway: Gateway, name: str) -> Combo:
    """Give the combo of a name or id.

    Raises:
        ModelNotFound: none has it, or it is switched off.
    """
    found = combo_named(gateway, name)
    if found is None:
        raise ModelNotFound(f"no combo is named {name!r}; omniroute_list_combos lists them")
    if not found.active:
        raise ModelNotFound(
            f"combo {found.name!r} is switched off; omniroute_switch_combo switches it on, and "
            "omniroute_list_combos lists those that are enabled"
        )
    return found


def combo_named(gateway: Gateway, name: str) -> Combo | None:
    """Give the combo of a name or id, also one that is switched off; a name comes first."""
    combos = gateway.route.configs.current().combos
    by_name = next((one for one in combos if one.name == name), None)
    return by_name or next((one for one in combos if one.combo_id == name), None)


def nanos(dollars: float | None) -> int | None:
    """Give dollars in nano-dollars, never more than was said: a ceiling is not rounded up."""
    if dollars is None:
        return None
    exact = Decimal(repr(dollars)) * 1_000_000_000
    return int(exact.to_integral_value(ROUND_FLOOR))


def failed_attempts(attempts: Sequence[Attempt]) -> tuple[FailedAttempt, ...]:
    """Give the attempts that failed, in order."""
    return tuple(
        FailedAttempt(one.candidate.provider, one.candidate.model, one.failure, one.detail)
        for one in attempts
        if one.failure not in (None, OUTRUN)
    )


async def _folded(reply: Reply, call: Invocation, *, tells: bool) -> str:
    """Give the answer's text, and tell it as it grows where that was asked for."""
    clock = call.gateway.route.clock
    parts: list[str] = []
    chars = told_chars = 0
    told_s = -TELL_EVERY_S
    async for piece in reply:
        if piece.delta is None or not piece.delta.text:
            continue
        parts.append(piece.delta.text)
        chars += len(piece.delta.text)
        if tells and clock.now() - told_s >= TELL_EVERY_S:
            told_s, told_chars = clock.now(), chars
            parts = ["".join(parts)]
            await call.tell(float(chars), parts[0][-TOLD_CHARS_MAX:])
    content = "".join(parts)
    if tells and chars > told_chars:
        await call.tell(float(chars), content[-TOLD_CHARS_MAX:])
    return content


def _routed(reply: Reply, content: str) -> Routed:
    outcome, winner = reply.outcome, reply.winner
    assert outcome is not None and winner is not None  # noqa: S101, PT018 - it is closed
    failed = failed_attempts(outcome.attempts)
    return Routed(
        Response(
            content=content,
            model=outcome.model_served or winner.model,
            tokens=tokens_of(outcome),
            finish_reason=outcome.finish,
        ),
        Routing(
            provider=winner.provider,
            combo=None if outcome.decision is None else outcome.decision.combo,
            fallbacks_triggered=len(failed),
            cost=usd(outcome.cost_usd_nanos),
            latency_ms=milliseconds(outcome.total_s),
            routing_explanation=explain(outcome),
            request_id=outcome.request.request_id,
            simulated=winner.simulated,
            failed_attempts=failed,
        ),
    )


def tokens_of(outcome: Outcome) -> Tokens:
    """Give the tokens that were used; null where nobody knows."""
    if outcome.usage_source == "none":
        return Tokens(None, None, "none")
    usage = outcome.usage
    return Tokens(usage.input_tokens, usage.output_tokens, outcome.usage_source)
