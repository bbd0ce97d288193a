"""A blocked event loop is said to be blocked, where, and for how long."""

import asyncio
import logging
import time
from pathlib import Path

import pytest

from omniroute.server.log_lines import JsonFormatter, LineFormatter
from omniroute.server.telemetry.telemetry import Telemetry
from omniroute.server.telemetry.watchdog import BLOCKED_S, LOOK_S, Pulse

from .scrapes import total
from .test_metrics import page_of

pytestmark = pytest.mark.anyio

WAIT_S_MAX = 30.0
EVERY_S = 0.25


def blocks_here(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the loop from turning until somebody says so."""
    ends_s = time.monotonic() + WAIT_S_MAX
    while not any(one.msg == "loop_blocked" for one in caplog.records):
        assert time.monotonic() < ends_s
        time.sleep(0.01)


async def test_a_blocked_event_loop_is_logged_with_its_stack_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Fault 49."""
    telemetry = Telemetry()
    with caplog.at_level(logging.WARNING, logger="omniroute"):
        running = asyncio.create_task(telemetry.run())
        await asyncio.sleep(0)

        blocks_here(caplog)
        async with asyncio.timeout(WAIT_S_MAX):
            while not telemetry.figures.counted.blocked:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])

    told = {one.msg: one for one in caplog.records}
    page = page_of(telemetry.figures.counted)
    assert "in blocks_here" in LineFormatter().format(told["loop_blocked"])
    assert Path(__file__).name in JsonFormatter().format(told["loop_blocked"])
    assert vars(told["loop_turns_again"])["duration_ms"] >= BLOCKED_S * 1000
    assert total(page, "omniroute_loop_blocked_total") >= 1
    assert total(page, "omniroute_loop_blocked_seconds_total") >= BLOCKED_S


def test_a_loop_that_turns_in_time_is_not_said_to_be_blocked() -> None:
    pulse = Pulse(0.0, every_s=EVERY_S)

    told = []
    for turn in range(1, 40):
        pulse.beat(turn * EVERY_S)
        told.append(pulse.is_news(turn * EVERY_S + 0.1))

    assert not any(told)


def test_a_blocked_loop_is_told_once_and_the_next_time_again() -> None:
    pulse = Pulse(0.0, every_s=EVERY_S)

    first = [pulse.is_news(at * LOOK_S) for at in range(1, 9)]
    late_s = pulse.beat(2.25)
    second = [pulse.is_news(2.25 + at * LOOK_S) for at in range(1, 6)]

    assert first == [False, False, True, False, False, False, False, False]
    assert late_s == 2.0
    assert second == [False, False, True, False, False]


def test_a_process_that_was_stopped_as_a_whole_is_not_said_to_be_blocked() -> None:
    """As by SIGSTOP, or on a machine that has no time for it."""
    pulse = Pulse(0.0, every_s=EVERY_S)
    assert not pulse.is_news(LOOK_S)

    woken = pulse.is_news(10.0)
    pulse.beat(10.1)
    later = pulse.is_news(10.25)

    assert not woken
    assert not later
