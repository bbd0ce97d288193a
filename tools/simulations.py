"""The tool that says who would answer, without calling anyone.

It runs the engine's own `decide`. For the request id and the features of a live request it
gives the same decision, as long as health and configuration are the same.
"""

from typing import Annotated

from msgspec import Meta

from omniroute.routing.accounting.cost import expected_usd_nanos, upper_bound_usd_nanos
from omniroute.routing.choose.accounts import told
from omniroute.routing.choose.draw import ONE_Q32
from omniroute.routing.model import (
    Candidate,
    Decision,
    Features,
    Operation,
    RouteRequest,
    Strategy,
    Verdict,
)
from omniroute.routing.wire.features import BYTES_PER_TOKEN, TEMPLATE_TOKENS_MAX
from omniroute.routing.wire.operations import OWN_DIALECT

from .invocation import Invocation
from .reads import Circuit
from .routes import (
    TOKENS_MAX,
    BudgetUsd,
    ComboName,
    OutputTokens,
    Role,
    SessionName,
    Target,
    nanos,
    target_of,
)
from .shapes import Arguments, Result
from .units import usd

DrawnAs = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        description="Draw as the request of this id does; without one, as a new request.",
    ),
]
PromptTokensMax = Annotated[
    int,
    Meta(
        ge=0,
        le=TOKENS_MAX * BYTES_PER_TOKEN,
        description="What the prompt has at most; counts with a budget. By default its bytes.",
    ),
]


class Simulate(Arguments, frozen=True):
    """What omniroute_simulate_route takes."""

    model: Target
    prompt_token_estimate: Annotated[
        int, Meta(ge=0, le=TOKENS_MAX, description="About how many tokens the prompt has.")
    ]
    combo: ComboName | None = None
    request_id: DrawnAs | None = None
    prompt_tokens_max: PromptTokensMax | None = None
    max_tokens: OutputTokens | None = None
    budget: BudgetUsd | None = None
    role: Role | None = None
    session: SessionName | None = None
    stream: bool = False
    tools: Annotated[bool, Meta(description="The request has tools.")] = False
    images: Annotated[bool, Meta(description="The request has images.")] = False
    json_schema: Annotated[bool, Meta(description="The request asks for a JSON Schema.")] = False


class SimulatedCandidate(Result, frozen=True):
    """One candidate: first those that would be tried, in their order, then the others."""

    provider: str
    model: str
    account: Annotated[str, Meta(description="Id of the account it is asked at.")]
    probability: Annotated[
        float, Meta(description="0 to 1: with which it could have been the first for any request.")
    ]
    estimated_cost: Annotated[float | None, Meta(description="US dollars; null: unknown price.")]
    worst_case_cost: Annotated[float | None, Meta(description="US dollars at the very most.")]
    health_status: Circuit
    quota_available: Annotated[
        float | None, Meta(description="Percent left of its tightest limit; null: not known.")
    ]
    place: Annotated[int | None, Meta(description="Its turn, from 1; null: it is not tried.")]
    reason: Annotated[str, Meta(description='"ok", or why it is not tried.')]
    detail: str
    score: float | None
    simulated: bool


class FallbackTree(Result, frozen=True):
    """Who is asked first and who then. Costs in US dollars, null where a price is unknown."""

    primary: Annotated[str | None, Meta(description="null: nobody could answer now.")]
    fallbacks: tuple[str, ...]
    worst_case_cost: float | None
    best_case_cost: float | None


class Simulation(Result, frozen=True):
    """What omniroute_simulate_route gives."""

    simulated_path: tuple[SimulatedCandidate, ...]
    fallback_tree: FallbackTree
    request_id: str
    target: str
    combo: str | None
    strategy: Strategy
    snapshot_id: Annotated[str, Meta(description="Names the state of the gateway it was made on.")]


async def simulate_route(call: Invocation, arguments: Simulate) -> Simulation:
    """Run omniroute_simulate_route."""
    request = _request(call, arguments)
    decision = call.gateway.route.decide(request, call.caller)
    places = {id(one): place for place, one in enumerate(decision.order, start=1)}
    ranked = sorted(told(decision), key=lambda one: places.get(id(one.candidate), len(places) + 1))
    return Simulation(
        simulated_path=tuple(
            _simulated(call, request, one, places.get(id(one.candidate))) for one in ranked
        ),
        fallback_tree=_tree(decision, request.operation.features),
        request_id=request.request_id,
        target=decision.target,
        combo=decision.combo,
        strategy=decision.strategy,
        snapshot_id=decision.snapshot_id,
    )


def _request(call: Invocation, arguments: Simulate) -> RouteRequest:
    tokens, bound = arguments.prompt_token_estimate, arguments.prompt_tokens_max
    if bound is None:
        # The most bytes that the engine would estimate at this many tokens.
        bound = tokens * BYTES_PER_TOKEN + BYTES_PER_TOKEN - 1 + TEMPLATE_TOKENS_MAX
    features = Features(
        stream=arguments.stream,
        input_tokens=tokens,
        input_tokens_max=bound,
        output_tokens_max=arguments.max_tokens,
        tools=arguments.tools,
        images=arguments.images,
        json_schema=arguments.json_schema,
    )
    return RouteRequest(
        request_id=arguments.request_id or call.request_id,
        target=target_of(call.gateway, arguments.model, arguments.combo),
        operation=Operation("chat", OWN_DIALECT, b"", features),
        at_s=call.gateway.route.clock.now(),
        door="mcp",
        spend_usd_nanos_max=nanos(arguments.budget),
        role=arguments.role,
        session_id=arguments.session,
    )


def _simulated(
    call: Invocation, request: RouteRequest, verdict: Verdict, place: int | None
) -> SimulatedCandidate:
    one, features = verdict.candidate, request.operation.features
    return SimulatedCandidate(
        provider=one.provider,
        model=one.model,
        account=one.account_id,
        probability=verdict.first_q32 / ONE_Q32,
        estimated_cost=usd(expected_usd_nanos(one, features)),
        worst_case_cost=_worst_usd(one, features),
        health_status=_circuit(call, one, request.at_s),
        quota_available=_left_percent(call, one),
        place=place,
        reason=verdict.reason,
        detail=verdict.detail,
        score=verdict.score,
        simulated=one.simulated,
    )


def _circuit(call: Invocation, candidate: Candidate, now_s: float) -> Circuit:
    state = call.gateway.route.health.state(candidate)
    if not state.open_until_s:
        return "CLOSED"
    return "OPEN" if now_s < state.open_until_s else "HALF_OPEN"


def _left_percent(call: Invocation, candidate: Candidate) -> float | None:
    headroom = call.gateway.route.health.state(candidate).headroom
    return None if headroom is None else round(headroom * 100, 2)


def _worst_usd(candidate: Candidate, features: Features) -> float | None:
    if candidate.facts.price is None:
        return None
    return usd(upper_bound_usd_nanos(candidate, features))


def _tree(decision: Decision, features: Features) -> FallbackTree:
    names = tuple(one.name for one in decision.order)
    worst = [_worst_usd(one, features) for one in decision.order]
    best = [expected_usd_nanos(one, features) for one in decision.order]
    known = [one for one in worst if one is not None]
    return FallbackTree(
        primary=names[0] if names else None,
        fallbacks=names[1:],
        # One unknown price leaves the worst case open, and every one the best.
        worst_case_cost=max(known) if known and len(known) == len(worst) else None,
        best_case_cost=usd(min((one for one in best if one is not None), default=None)),
    )
