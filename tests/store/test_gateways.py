"""How many gateways share a database: each is counted once, and only while it serves."""

import subprocess
import sys
from dataclasses import replace

import pytest

from omniroute.server.store.boots import (
    SILENT_S,
    beat,
    end_boot,
    gateways_at_work,
    new_boot,
    register_boot,
)
from omniroute.server.store.processes import this_process
from tests.fakes import FakeClock
from tests.store.opened import Opened

pytestmark = pytest.mark.anyio


async def test_workers_of_one_gateway_count_once_and_commands_not_at_all(
    store: Opened, clock: FakeClock
) -> None:
    now = clock.unix()
    for gateway in ("one", "one", "other", None):
        await register_boot(store.database, new_boot("0.0.0-test", now, gateway))

    assert await gateways_at_work(store.database, now) == 2


async def test_who_has_ended_died_or_is_silent_counts_no_more(
    store: Opened, clock: FakeClock
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    process = this_process(gone.pid) or str(gone.pid)
    gone.wait()
    now = clock.unix()
    ends, dies, falls_silent, goes_on = (
        new_boot("0.0.0-test", now, name) for name in ("ends", "dies", "silent", "goes on")
    )
    dies = replace(dies, process_id=gone.pid, process=process)
    for one in (ends, dies, replace(falls_silent, machine="elsewhere"), goes_on):
        await register_boot(store.database, one)
    await end_boot(store.database, ends.boot_id, now)
    before = await gateways_at_work(store.database, now)
    later = now + SILENT_S + 1
    await beat(store.database, goes_on.boot_id, later)

    assert before == 2
    assert await gateways_at_work(store.database, later) == 1
