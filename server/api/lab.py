"""A combo against scripted faults, told as it runs; nothing real is called."""

from starlette.requests import Request

from omniroute.routing.errors import BadRequest
from omniroute.routing.gateway import Gateway
from omniroute.routing.model import Caller

from ..lab import REQUESTS_MAX, LabWish, open_lab
from .rows import Lines, Row, Tell, body_as

FRAMES_MAX = 100
RUNNER = Caller("lab", frozenset({"write:route"}))
"""Whoever may run the lab: the caller's own limits are no part of the experiment."""


def rows(gateway: Gateway) -> tuple[Row, ...]:
    """Give the routes."""

    async def run(request: Request, caller: Caller) -> Lines:
        wish = await body_as(request, LabWish)
        if not 1 <= wish.requests <= REQUESTS_MAX:
            raise BadRequest(f"requests is a number from 1 to {REQUESTS_MAX}", field="requests")
        config, limits = gateway.view.configs.current(), gateway.route.preparer.limits
        lab = open_lab(config, wish, limits)
        every = -(-wish.requests // FRAMES_MAX)

        async def work(tell: Tell) -> None:
            for number in range(1, wish.requests + 1):
                await lab.step(RUNNER)
                if number % every == 0 or number == wish.requests:
                    await tell(lab.frame())

        return Lines(work)

    return (
        Row("POST", "/api/lab", "write:route", "Try a combo against faults", run, body=LabWish),
    )
