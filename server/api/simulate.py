"""Who would answer: a decision on a request that is not made."""

from msgspec import structs
from starlette.requests import Request

from omniroute.routing.access import ADMIN
from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import BadRequest
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller, Features, Operation, RouteRequest
from omniroute.routing.preference import mode_named
from omniroute.routing.wire.features import BYTES_PER_TOKEN, TEMPLATE_TOKENS_MAX
from omniroute.routing.wire.operations import OWN_DIALECT
from omniroute.routing.wire.sessions import NAME_BYTES_MAX

from ..drafts import with_draft
from ..simulations import SimulateWish, SimulationJson, simulation_json
from .rows import Row, body_as

TOKENS_MAX = 10**9
NAME_CHARS_MAX = 256


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""

    async def simulate(request: Request, caller: Caller) -> SimulationJson:
        wish = await body_as(request, SimulateWish)
        if wish.like:
            return await _again(gateway, wish.like, caller)
        asked = _request(gateway, wish)
        draft = None
        if wish.draft is not None:
            draft = with_draft(gateway.view.configs.current(), wish.draft)
        decision = gateway.route.decide(asked, caller, draft)
        return simulation_json(decision, asked.operation.features)

    return (
        Row(
            *("POST", "/api/simulate", "write:route", "Say who would answer", simulate),
            body=SimulateWish,
        ),
    )


async def _again(gateway: Gateway, request_id: str, caller: Caller) -> SimulationJson:
    """Decide a recorded request again, on the gateway as it is now.

    Raises:
        NotFound: no request has that id, or it is another key's.
    """
    recorded = (await gateway.view.explanation(request_id, caller)).outcome
    asked = structs.replace(recorded.request, at_s=gateway.route.clock.now())
    if ADMIN in caller.scopes:
        # Who may see another key's request sees it decided with that key's models and session.
        caller = structs.replace(caller, key_id=recorded.key_id, models=asked.allowed)
    decision = gateway.route.decide(asked, caller)
    return simulation_json(decision, asked.operation.features, before=recorded.decision)


def _request(gateway: Gateway, wish: SimulateWish) -> RouteRequest:
    if not wish.model:
        raise BadRequest("model names a model, a combo or auto", field="model")
    tokens, bound = wish.prompt_tokens, wish.prompt_tokens_max
    for name, value in (
        ("prompt_tokens", tokens),
        ("prompt_tokens_max", bound),
        ("max_tokens", wish.max_tokens),
    ):
        if value is not None and not 0 <= value <= TOKENS_MAX:
            raise BadRequest(f"{name} is a number from 0 to {TOKENS_MAX}", field=name)
    if len(wish.request_id) > NAME_CHARS_MAX:
        raise BadRequest(f"request_id has at most {NAME_CHARS_MAX} characters", field="request_id")
    if len(wish.session) > NAME_BYTES_MAX:
        raise BadRequest(f"session has at most {NAME_BYTES_MAX} characters", field="session")
    if wish.budget_usd_nanos is not None and wish.budget_usd_nanos < 0:
        raise BadRequest("budget_usd_nanos is not negative", field="budget_usd_nanos")
    if bound is None:
        # The most bytes that the engine would estimate at this many tokens.
        bound = tokens * BYTES_PER_TOKEN + BYTES_PER_TOKEN - 1 + TEMPLATE_TOKENS_MAX
    features = Features(
        stream=wish.stream,
        input_tokens=tokens,
        input_tokens_max=bound,
        output_tokens_max=wish.max_tokens,
        tools=wish.tools,
        images=wish.images,
        json_schema=wish.json_schema,
    )
    return RouteRequest(
        request_id=wish.request_id or new_request_id(),
        target=wish.model,
        operation=Operation("chat", OWN_DIALECT, b"", features),
        at_s=gateway.route.clock.now(),
        door="api",
        spend_usd_nanos_max=wish.budget_usd_nanos,
        session_id=wish.session or None,
        mode=mode_named(wish.mode) if wish.mode else None,
    )
