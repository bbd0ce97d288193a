"""No setting of a combo is without effect: each has a test that fails when nothing reads it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from msgspec import structs

from omniroute.routing.catalog.combos import BOUNDS
from omniroute.routing.errors import RoutingError, UpstreamFailure
from omniroute.routing.hedge import SAMPLES_MIN
from omniroute.routing.model import Features, Operation, RouteRequest
from omniroute.server.combos_json import COMBO_SETTINGS
from tests.fakes import ADMIN, World, account, combo, failing, world
from tests.routing.racing import Plan, Raced

pytestmark = pytest.mark.anyio

DOWN = UpstreamFailure("a fake fault", kind="server_error")

Story = tuple[list[str], list[float]]
"""Who was called, and how long was waited between."""
Effect = tuple[object, object]
"""What a setting led to, and what it should lead to."""


def duo(**settings: object) -> World:
    return world(combos=[combo("duo", "one/m", "two/m", **settings)])


def ask(here: World, request_id: str = "req_1") -> RouteRequest:
    features = Features(stream=True, input_tokens=10, input_tokens_max=100, output_tokens_max=50)
    operation = Operation("chat", "openai_chat", b"{}", features, "duo", forward=False)
    return RouteRequest(request_id, "duo", operation, here.clock.now())


async def story(here: World) -> Story:
    """Ask while both are down."""
    slept = list[float]()

    async def sleep(wait_s: float) -> None:
        slept.append(wait_s)
        here.clock.advance(wait_s)

    here.upstream.scripts |= {"one/m": failing(DOWN), "two/m": failing(DOWN)}
    with pytest.raises(RoutingError):
        await replace(here.gateway.route, sleep=sleep).open(ask(here), ADMIN)
    return [call.candidate.provider for call in here.upstream.calls], slept


async def attempts_max() -> Effect:
    return [await story(duo()), await story(duo(attempts_max=1))], [
        (["one", "two"], []),
        (["one"], []),
    ]


async def first_byte_s() -> Effect:
    here = duo(first_byte_s=7.0)
    await story(here)
    return {call.limits.first_byte_s for call in here.upstream.calls}, {7.0}


async def total_s() -> Effect:
    here = duo(total_s=9.0)
    await story(here)
    return {call.limits.total_s for call in here.upstream.calls}, {9.0}


async def retries() -> Effect:
    return await story(duo(retries=1)), (["one", "one", "two", "two"], [2.0, 2.0])


async def retry_delay_s() -> Effect:
    return (await story(duo(retries=1, retry_delay_s=0.25)))[1], [0.25, 0.25]


async def concurrency_per_model() -> Effect:
    here = duo(concurrency_per_model=2, queue_s=0.0)
    replies = [await here.gateway.route.open(ask(here, f"req_{n}"), ADMIN) for n in range(3)]
    for one in replies:
        one.close()
    return [call.candidate.provider for call in here.upstream.calls], ["one", "one", "two"]


async def queue_s() -> Effect:
    here = duo(concurrency_per_model=1, queue_s=0.0)
    first = await here.gateway.route.open(ask(here, "req_1"), ADMIN)
    second = await here.gateway.route.open(ask(here, "req_2"), ADMIN)
    first.close()
    second.close()
    return second.attempts[0].detail, "no place came free within 0 s"


async def session_s() -> Effect:
    here = world(
        account("one"),
        account("one", account_id="acc-more"),
        combos=[
            combo("duo", "one/m"),
            combo("brief", "one/m", session_s=4.0),
            combo("never", "one/m", session_s=0),
        ],
    )
    stays: list[bool] = []
    for name in ("duo", "brief", "never"):
        request = structs.replace(ask(here), target=name, session_id="conversation 1")
        (await here.gateway.route.open(request, ADMIN)).close()
        here.clock.advance(5)
        later = structs.replace(request, request_id="req_2", at_s=here.clock.now())
        verdicts = here.gateway.route.decide(later, ADMIN).verdicts
        stays.append(any("the session stays" in one.detail for one in verdicts))
    return stays, [True, False, False]


async def hedge_percentile() -> Effect:
    here = duo(hedge_percentile=95)
    first = here.gateway.route.decide(ask(here), ADMIN).order[0]
    for _ in range(SAMPLES_MIN):
        here.health.timing(first).answered(0.001, 0.001, here.clock.now())
    upstream = Raced(one=Plan(after="two"), two=Plan())
    async with asyncio.timeout(5):
        engine = replace(here.gateway.route, upstream=upstream)
        (await engine.open(ask(here), ADMIN)).close()
    return upstream.calls, ["one", "two"]


EFFECTS: dict[str, Callable[[], Awaitable[Effect]]] = {
    one.__name__: one
    for one in (
        attempts_max,
        first_byte_s,
        total_s,
        retries,
        retry_delay_s,
        concurrency_per_model,
        queue_s,
        session_s,
        hedge_percentile,
    )
}


@pytest.mark.parametrize("name", COMBO_SETTINGS)
async def test_a_combos_setting_has_its_effect(name: str) -> None:
    found, wished = await EFFECTS[name]()

    assert found == wished


def test_every_setting_has_bounds() -> None:
    assert set(BOUNDS) == set(COMBO_SETTINGS)
