"""Who is held back, by whose numbers, and what becomes of a request that finds no turn."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.health.bucket import Bucket
from omniroute.routing.reply import Reply
from tests.fakes import ADMIN, World, account, combo, failing, hello, world
from tests.routing.asking import answered, ask, fails

pytestmark = pytest.mark.anyio


class Waiting:
    """A gateway on fakes whose waits move its clock and are noted."""

    def __init__(self, here: World) -> None:
        self.here = here
        self.slept = list[float]()
        self.engine = replace(here.gateway.route, sleep=self._sleep)

    async def _sleep(self, wait_s: float) -> None:
        self.slept.append(round(wait_s, 6))
        self.here.clock.advance(wait_s)

    async def ask(self, target: str) -> Reply:
        """Ask, and end the answer as soon as it begins."""
        reply = await self.engine.open(ask(self.here, target), ADMIN)
        reply.close()
        return reply


async def refused(here: World, name: str = "one/m") -> None:
    """Let a model refuse for its rate, and its rest of a second pass."""
    before = here.upstream.scripts.get(name, hello)
    here.upstream.scripts[name] = failing(fails("rate_limited", retry_after_s=1.0))
    with pytest.raises(UpstreamFailure):
        await answered(here, name)
    here.upstream.scripts[name] = before
    here.clock.advance(1.0)


def tell(here: World, **told: str) -> None:
    """Let one/m tell of its limits with every answer."""
    here.upstream.headers["one/m"] = {
        f"x-ratelimit-{name.replace('_', '-')}".encode(): value.encode()
        for name, value in told.items()
    }


async def told_once(here: World, **told: str) -> None:
    """Let one answer tell limits, and the further ones nothing."""
    tell(here, **told)
    await answered(here, "one/m")
    tell(here)


async def test_an_account_that_never_complained_is_not_held_back() -> None:
    waiting = Waiting(world())

    for _ in range(300):
        await waiting.ask("one/m")

    assert waiting.slept == []


async def test_a_refused_account_is_held_to_the_profile_for_a_minute() -> None:
    here = world()
    waiting = Waiting(here)
    await refused(here)

    for _ in range(4):
        await waiting.ask("one/m")
    held = list(waiting.slept)
    here.clock.advance(60.0)
    for _ in range(4):
        await waiting.ask("one/m")

    # 100 a minute is one in 0.6 s: 1.67 of them have come in the second since the refusal.
    assert held == [0.2, 0.6, 0.6]
    assert waiting.slept == held


async def test_all_models_of_the_account_are_held_together() -> None:
    here = world(account("one", "m", "n"))
    waiting = Waiting(here)
    await refused(here)

    await waiting.ask("one/m")
    await waiting.ask("one/n")

    assert waiting.slept == [0.2]


async def test_a_candidate_whose_turn_is_far_is_passed_over_and_that_is_no_failure() -> None:
    here = world(combos=[combo("duo", "one/m", "two/m", attempts_max=1)])
    waiting = Waiting(here)
    await told_once(here, limit_requests="10", remaining_requests="1", reset_requests="90s")

    await waiting.ask("duo")
    reply = await waiting.ask("duo")

    assert [one.failure for one in reply.attempts] == ["busy", "client_gone"]
    assert "held to a rate, and its next turn is in 10.0 s" in reply.attempts[0].detail
    assert reply.winner is not None
    assert reply.winner.provider == "two"
    assert here.gateway.view.health(ADMIN).circuits == ()
    assert (waiting.slept, here.health.state(reply.attempts[0].candidate).success) == ([], 1.0)


async def test_the_last_candidate_is_waited_for_within_the_queue_time() -> None:
    here = world(combos=[combo("solo", "one/m", queue_s=2.0)])
    waiting = Waiting(here)
    await told_once(here, limit_requests="60", remaining_requests="1", reset_requests="59s")

    await waiting.ask("solo")
    await waiting.ask("solo")

    assert waiting.slept == [1.0]


async def test_a_turn_that_comes_after_the_queue_time_ends_the_request_with_its_time() -> None:
    here = world(combos=[combo("solo", "one/m", queue_s=2.0)])
    waiting = Waiting(here)
    await told_once(here, limit_requests="10", remaining_requests="1", reset_requests="90s")
    await waiting.ask("solo")

    with pytest.raises(UpstreamFailure) as busy:
        await waiting.ask("solo")

    assert (waiting.slept, busy.value.kind, busy.value.status) == ([], "busy", 503)
    assert busy.value.retry_after_s == pytest.approx(10.0)


async def test_a_changed_profile_holds_for_whoever_comes_next() -> None:
    here = world()
    waiting = Waiting(here)
    await refused(here)
    for _ in range(3):
        await waiting.ask("one/m")

    await here.gateway.control.set_resilience_profile("conservative", ADMIN)
    await waiting.ask("one/m")
    await waiting.ask("one/m")

    assert waiting.slept[-1] == 1.0


async def test_a_told_limit_of_requests_takes_the_place_of_the_profiles_numbers() -> None:
    here = world()
    waiting = Waiting(here)
    await refused(here)
    await told_once(here, limit_requests="600", remaining_requests="500", reset_requests="10s")

    for _ in range(50):
        await waiting.ask("one/m")

    assert waiting.slept == []


async def test_what_is_sent_between_two_tellings_is_counted_against_the_told_limit() -> None:
    here = world()
    waiting = Waiting(here)
    await told_once(here, limit_requests="10", remaining_requests="2", reset_requests="8s")

    for _ in range(4):
        await waiting.ask("one/m")

    assert waiting.slept == [1.0, 1.0]


async def test_tokens_are_counted_by_what_a_request_will_probably_use() -> None:
    here = world()
    waiting = Waiting(here)
    # A request is taken for 10 tokens in and 50 out, so 60 in all.
    await told_once(here, limit_tokens="600", remaining_tokens="60", reset_tokens="54s")

    await waiting.ask("one/m")
    await waiting.ask("one/m")

    assert waiting.slept == [6.0]


async def test_a_limit_whose_rate_nobody_told_makes_nobody_wait() -> None:
    here = world()
    waiting = Waiting(here)
    await told_once(here, limit_requests="10", remaining_requests="1")

    for _ in range(4):
        await waiting.ask("one/m")

    assert waiting.slept == []


async def test_the_next_answer_corrects_what_was_counted() -> None:
    here = world()
    waiting = Waiting(here)
    await told_once(here, limit_requests="10", remaining_requests="1", reset_requests="9s")
    await told_once(here, limit_requests="10", remaining_requests="9", reset_requests="1s")

    for _ in range(9):
        await waiting.ask("one/m")

    assert waiting.slept == []


async def test_the_view_and_the_snapshot_show_an_account_that_is_held() -> None:
    here = world(combos=[combo("duo", "one/m", "two/m")])
    await refused(here)
    await Waiting(here).ask("one/m")

    (row,) = here.gateway.view.health(ADMIN).limits
    reply = here.gateway.route.begin(ask(here, "duo"), ADMIN)
    reply.close()
    snapshot = here.ledger.records[-1].snapshot

    assert (row.provider, row.model, row.dimension) == ("one", "", "requests-minute")
    assert (row.source, row.limit, row.remaining) == ("profile", 100, 0)
    assert (row.age_s, row.expires_s) == (1.0, 59.0)
    assert snapshot is not None
    assert [one.headroom for one in snapshot.states] == [0.02, None]


async def test_a_reset_lets_a_held_account_go() -> None:
    here = world()
    waiting = Waiting(here)
    await refused(here)

    here.gateway.control.reset_health(ADMIN)
    for _ in range(20):
        await waiting.ask("one/m")

    assert waiting.slept == []


@given(
    steps=st.lists(st.tuples(st.integers(0, 90), st.integers(1, 12)), max_size=40),
    capacity=st.integers(1, 20),
    per_minute=st.integers(1, 600),
)
def test_a_bucket_never_gives_more_than_it_holds_and_what_flows_in(
    steps: list[tuple[int, int]], capacity: int, per_minute: int
) -> None:
    bucket = Bucket(capacity, per_minute / 60, capacity, 0.0)
    now, taken, last_s = 0, 0, 0.0

    for passed_s, need in steps:
        now += passed_s
        wait_s = bucket.wait_s(need, now)
        bucket.take(need, now)
        taken += min(need, capacity)
        last_s = now + wait_s

        assert taken <= capacity + last_s * per_minute / 60 + 1e-6


def test_a_clock_that_steps_back_fills_no_bucket() -> None:
    bucket = Bucket(10.0, 1.0, 0.0, at_s=100.0)

    bucket.take(1, 40.0)

    assert bucket.level_at(40.0) == -1.0
    assert bucket.level_at(42.0) == 1.0


async def test_a_refusal_that_tells_limits_is_believed_instead_of_the_profile() -> None:
    here = world()
    waiting = Waiting(here)
    refusal = fails("rate_limited", retry_after_s=1.0)
    refusal.headers = {
        b"x-ratelimit-limit-requests": b"600",
        b"x-ratelimit-remaining-requests": b"0",
        b"x-ratelimit-reset-requests": b"6s",
    }
    here.upstream.scripts["one/m"] = failing(refusal)
    with pytest.raises(UpstreamFailure):
        await answered(here, "one/m")
    here.upstream.scripts["one/m"] = hello

    (told, _) = here.gateway.view.health(ADMIN).limits
    (rest,) = here.gateway.view.health(ADMIN).cooldowns
    here.clock.advance(6.0)
    for _ in range(50):
        await waiting.ask("one/m")

    assert (told.source, told.limit, told.remaining) == ("provider", 600, 0)
    assert (rest.reason, rest.remaining_s) == ("no requests left in the provider's window", 6.0)
    assert waiting.slept == []
