"""How fast candidates answer: peaks, percentiles, and models that are not the one asked for."""

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.conversation import Delta, Usage
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.health.latency import GROWTH, SAMPLES_MAX, Sketch, Timing
from omniroute.routing.model import Call, Piece
from tests.fakes import ADMIN, World, combo, failing, world
from tests.routing.asking import answered, ask, fails


def peak_ms(timing: Timing, now_s: float) -> int:
    timing.publish(now_s)
    assert timing.published is not None
    return timing.published.peak_ms


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_percentile_is_known_to_half_a_bucket(share: float) -> None:
    drawn = random.Random(7)
    values = [drawn.lognormvariate(0.0, 0.8) for _ in range(SAMPLES_MAX - 1)]
    sketch = Sketch()
    for value in values:
        sketch.add(value)

    exact = statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]

    assert sketch.quantile_s(share) == pytest.approx(exact, rel=GROWTH - 1)


def test_a_sketch_stays_bounded_and_forgets() -> None:
    sketch = Sketch()
    for _ in range(10 * SAMPLES_MAX):
        sketch.add(10.0)
    for _ in range(3 * SAMPLES_MAX):
        sketch.add(0.1)

    assert sketch.total < SAMPLES_MAX
    assert sketch.quantile_s(0.95) == pytest.approx(0.1, rel=GROWTH - 1)


@pytest.mark.parametrize("value", [-1.0, 0.0, 1e-9, 1e12])
def test_absurd_durations_are_counted_at_the_bounds(value: float) -> None:
    sketch = Sketch()

    sketch.add(value)

    assert 0.0005 < (sketch.quantile_s(0.5) or 0.0) < 4000


def test_a_peak_rises_at_once_and_fades_to_the_median_without_traffic() -> None:
    timing = Timing()
    for _ in range(20):
        timing.answered(0.1, 0.5, 0.0)

    calm = peak_ms(timing, 0.0)
    timing.waited(5.0, 0.0)
    slow = peak_ms(timing, 0.0)
    after_10_s = peak_ms(timing, 10.0)
    goes_on = timing.publish(10.0)
    after_2_min = peak_ms(timing, 120.0)

    assert (calm, slow) == (100, 5000)
    assert after_10_s == pytest.approx(100 + 4900 / 2.718, rel=0.02)
    assert after_2_min == pytest.approx(100, rel=0.05)
    assert (goes_on, timing.publish(300.0)) == (True, False)


def test_a_peak_counts_at_once_and_quick_answers_wear_it_off() -> None:
    timing = Timing()
    timing.waited(0.2, 0.0)
    timing.waited(3.0, 1.0)
    at_peak = timing.peak_us(1.0)

    timing.waited(0.2, 2.0)
    soon = timing.peak_us(2.0)
    timing.waited(0.2, 62.0)

    assert at_peak == 3_000_000
    assert 2_500_000 < soon < at_peak
    assert timing.peak_us(62.0) < 210_000


def test_a_host_that_fails_fast_does_not_look_quick_and_may_be_tried_again_in_time() -> None:
    timing = Timing()

    timing.failed(0.001, 0.0)

    assert timing.peak_us(0.0) == 5_000_000
    assert timing.peak_us(10.0) == pytest.approx(5_000_000 / 2.718, rel=0.01)
    assert timing.peak_us(1000.0) == 0


def test_what_is_read_for_balancing_is_what_is_published() -> None:
    timing = Timing()
    for wait_s in (0.1, 0.1, 0.1, 2.0):
        timing.answered(wait_s, wait_s, 0.0)

    published = peak_ms(timing, 5.0)

    assert timing.peak_us(5.0) == pytest.approx(published * 1000, abs=1000)
    assert timing.published_mean_ms == 290
    assert timing.peak_us(1000.0) == pytest.approx(1e5, rel=0.05)


@given(waits=st.lists(st.floats(0.001, 3000.0), min_size=1, max_size=200))
def test_the_spread_of_a_sketch_is_that_of_its_values_to_half_a_bucket(waits: list[float]) -> None:
    sketch = Sketch()
    for wait_s in waits:
        sketch.add(wait_s)

    exact_ms = statistics.pstdev(waits) * 1000

    assert sketch.deviation_ms() == pytest.approx(exact_ms, abs=max(waits) * 1000 * 0.03 + 1)


def slow(here: World, first_byte_s: float, *, model: str = "m") -> None:
    """Let the clock pass while one/m answers, in the name of a model."""

    def script(call: Call) -> list[Piece]:
        here.clock.advance(first_byte_s)
        return [
            Piece(b"", Delta(text="hello", model=model)),
            Piece(b"", Delta(finish="stop", usage=Usage(10, 2), ended=True)),
        ]

    here.upstream.scripts["one/m"] = script


@pytest.mark.anyio
async def test_decisions_see_latency_as_of_the_last_second() -> None:
    here = world()
    slow(here, 0.0)
    await answered(here, "one/m")
    here.clock.advance(1)
    here.gateway.route.decide(ask(here, "one/m"), ADMIN)
    version = here.health.version

    slow(here, 0.5)
    await answered(here, "one/m")
    within = here.health.refresh(here.clock.now())
    (before,) = here.gateway.view.timings(ADMIN)
    here.clock.advance(1)
    (after,) = here.gateway.view.timings(ADMIN)

    assert within == version
    assert (before.latency.peak_ms, before.latency.total_p99_ms) == (0, 1)
    assert after.latency.total_p99_ms == pytest.approx(500, rel=0.05)
    assert after.latency.peak_ms > 400


@pytest.mark.anyio
async def test_a_first_byte_that_never_came_counts_as_slow() -> None:
    here = world()

    def script(call: Call) -> tuple[UpstreamFailure, ...]:
        here.clock.advance(60)
        return (fails("timeout_first_byte"),)

    here.upstream.scripts["one/m"] = script
    with pytest.raises(type(fails("connect"))):
        await answered(here, "one/m")
    here.clock.advance(1)

    (row,) = here.gateway.view.timings(ADMIN)

    assert row.latency.peak_ms > 50_000
    assert row.latency.first_byte_p50_ms is None


@pytest.mark.anyio
async def test_a_model_that_was_not_asked_for_is_noticed_counted_and_explained() -> None:
    here = world(combos=[combo("duo", "one/m", "two/m")])
    slow(here, 0.0, model="m-mini")

    text = await answered(here, "duo")
    slow(here, 0.0, model="m-2026-01-31")
    await answered(here, "duo")
    here.clock.advance(1)

    first, second = (record.outcome.attempts[0] for record in here.ledger.records)
    (row,) = here.gateway.view.timings(ADMIN)
    assert text == "hello"
    assert first.failure is None
    assert first.detail == "the provider answered with m-mini, not the model asked for"
    assert (first.swapped, first.model_served) == (True, "m-mini")
    assert (second.detail, second.swapped, row.swapped) == ("", False, 1)


@pytest.mark.anyio
async def test_a_failure_shows_as_a_long_wait_and_tells_nothing_else_of_speed() -> None:
    here = world(scripts={"one/m": failing(fails("server_error"))})

    with pytest.raises(type(fails("connect"))):
        await answered(here, "one/m")
    here.clock.advance(1)

    (row,) = here.gateway.view.timings(ADMIN)
    assert row.latency.peak_ms == pytest.approx(5000 / 1.105, rel=0.01)
    assert (row.latency.first_byte_p50_ms, row.latency.first_byte_deviation_ms) == (None, None)
