"""Faults of the catalogue (docs/faults.md) that no other test of the engine names."""

import pytest
from msgspec import structs

from omniroute.routing.conversation import Delta, Usage
from omniroute.routing.errors import FailureKind, UpstreamFailure
from omniroute.routing.model import Piece
from omniroute.routing.wire.counting import TOKENS_MAX, count
from omniroute.routing.wire.counting import usage as usage_of
from tests.fakes import ADMIN, World, account, combo, failing, hello, world
from tests.routing.asking import answered, ask, fails

pytestmark = pytest.mark.anyio


def duo() -> World:
    return world(combos=[combo("duo", "one/m", "two/m")])


def reasons(here: World) -> list[str]:
    return [one.reason for one in here.gateway.route.decide(ask(here, "duo"), ADMIN).verdicts]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("rate_limited", 429),
        ("quota_exhausted", 502),
        ("server_error", 502),
        ("overloaded", 503),
        ("auth", 502),
        ("bad_request", 400),
        ("inexpressible", 400),
        ("context_too_long", 400),
        ("content_policy", 400),
        ("model_gone", 404),
        ("connect", 502),
        ("timeout_connect", 504),
        ("tls", 502),
        ("timeout_first_byte", 504),
        ("timeout_idle", 504),
        ("timeout_total", 504),
        ("truncated", 502),
        ("malformed", 502),
        ("too_large", 502),
    ],
)
async def test_a_failure_of_the_only_candidate_has_its_status_and_never_a_401(
    kind: FailureKind, status: int
) -> None:
    here = world(scripts={"one/m": failing(fails(kind))})

    with pytest.raises(UpstreamFailure) as failed:
        await answered(here, "one/m")

    assert failed.value.status == status


async def test_when_all_are_limited_the_earliest_hint_is_told() -> None:
    here = duo()
    for name, hint_s in (("one/m", 30.0), ("two/m", 12.0)):
        here.upstream.scripts[name] = failing(fails("rate_limited", retry_after_s=hint_s))

    with pytest.raises(UpstreamFailure) as failed:
        await answered(here, "duo")

    assert (failed.value.status, failed.value.retry_after_s) == (429, 12.0)


async def test_a_refused_credential_is_left_for_another_of_the_same_provider() -> None:
    here = world(account("one"), account("one", account_id="acc-spare"))
    refusing = fails("auth")
    here.upstream.scripts["one/m"] = lambda call: (
        (refusing,) if call.account.account_id == "acc-one" else hello(call)
    )

    texts = [await answered(here, "one/m") for _ in range(3)]

    assert texts == ["hello"] * 3
    called = [call.account.account_id for call in here.upstream.calls]
    assert called.count("acc-one") <= 1
    assert [row.account_id for row in here.gateway.view.health(ADMIN).cooldowns] == [
        *("acc-one",) * called.count("acc-one")
    ]


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
async def test_a_wall_clock_that_jumps_ends_and_lengthens_no_wait(jump_s: float) -> None:
    here = duo()
    here.upstream.scripts["one/m"] = failing(fails("rate_limited", retry_after_s=40.0))
    await answered(here, "duo")

    here.clock.unix_s += jump_s
    at_once = reasons(here)
    here.clock.advance(39.0)
    before = reasons(here)
    here.clock.advance(1.0)

    assert (at_once, before) == (["cooling_down", "ok"], ["cooling_down", "ok"])
    assert reasons(here) == ["ok", "ok"]


async def test_a_monotonic_clock_that_steps_back_breaks_nothing() -> None:
    here = duo()
    here.upstream.scripts["one/m"] = failing(fails("rate_limited", retry_after_s=40.0))
    await answered(here, "duo")

    here.clock.advance(-500.0)
    text = await answered(here, "duo")
    here.clock.advance(541.0)
    here.upstream.scripts["one/m"] = hello

    assert text == "hello"
    assert reasons(here) == ["ok", "ok"]
    assert await answered(here, "duo") == "hello"


@pytest.mark.parametrize("kind", ["timeout_idle", "truncated", "malformed"])
async def test_what_came_before_a_stream_broke_is_settled_and_nothing_stays_held(
    kind: FailureKind,
) -> None:
    here = world(
        scripts={"one/m": lambda call: (Piece(b"", Delta(text="half of it")), fails(kind))},
    )

    asked = ask(here, "one/m")
    features = structs.replace(asked.operation.features, stream=True)
    asked = structs.replace(asked, operation=structs.replace(asked.operation, features=features))
    reply = await here.gateway.route.open(asked, ADMIN)
    with pytest.raises(UpstreamFailure):
        _ = [piece async for piece in reply]
    reply.close()
    outcome = here.ledger.records[-1].outcome

    assert (outcome.status, outcome.finish, outcome.usage_source) == ("failed", None, "estimated")
    assert [one.failure for one in outcome.attempts] == [kind]
    assert outcome.cost_usd_nanos == 100 * 1000 + len("half of it") * 2000
    assert here.budgets.holds == {}


def test_usage_of_nonsense_costs_no_less_than_nothing() -> None:
    assert [count(one) for one in (-1, 10**12, "7", True, None, 1.5)] == [
        *(0, TOKENS_MAX),
        *(None,) * 4,
    ]
    assert usage_of(input_tokens=5, output_tokens=1, cached=9, cache_write=9, reasoning=9) == (
        Usage(5, 1, 5, 0, 1)
    )
