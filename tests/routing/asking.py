"""Asking a gateway on fakes: a small request, its whole answer, and a provider's failure."""

from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import FailureKind, UpstreamFailure
from omniroute.routing.model import Features, Operation, RouteRequest
from tests.fakes import ADMIN, World

FEATURES = Features(input_tokens=10, input_tokens_max=100, output_tokens_max=50)


def ask(here: World, target: str) -> RouteRequest:
    """Give a request for a target, arriving now."""
    operation = Operation("chat", "openai_chat", b"{}", FEATURES, target, forward=False)
    return RouteRequest(new_request_id(), target, operation, here.clock.now())


async def answered(here: World, target: str) -> str:
    """Ask, read the whole answer and give its text."""
    reply = await here.gateway.route.open(ask(here, target), ADMIN)
    deltas = [piece.delta async for piece in reply]
    reply.close()
    return "".join(delta.text for delta in deltas if delta is not None)


def fails(kind: FailureKind, *, retry_after_s: float | None = None) -> UpstreamFailure:
    """Give a provider's failure of a kind."""
    return UpstreamFailure(f"a fake {kind}", kind=kind, retry_after_s=retry_after_s)
