"""What one worker is told or has learned, the others know: the user sees one gateway."""

import os
import signal
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from tests.processes import RunningGateway

from .clients import Client, Heard, at_once, clients, rows, until, workers, workers_of

SOON_S = 1.0
DOLLAR = 1_000_000_000
COMBO = {"name": "mine", "models": [{"target": "sim/fast@latency=0"}]}
PAID = 150
"""How many requests the test's small budget pays for."""


def cost_and_bound(running: RunningGateway) -> tuple[int, int]:
    """Give what a short request costs and what is held for it, in nano-dollars."""
    with clients(running.port, 1, running.admin_key) as (one,):
        assert one.chat(max_tokens=1).status == 200
    read = "SELECT actual_usd_nanos, bound_usd_nanos FROM reservations"
    until(lambda: [one for one, _ in rows(running, read)] not in ([], [None]))
    ((cost, bound),) = rows(running, read)
    return cost, bound


def budget(running: RunningGateway) -> tuple[int, int]:
    """Give what the budget has spent and holds."""
    ((spent, held),) = rows(running, "SELECT spent_usd_nanos, held_usd_nanos FROM budget_windows")
    return spent, held


def answered(heard: Iterable[Heard]) -> int:
    """Give how many were answered; all others were refused for the budget."""
    statuses = [one.status for one in heard]
    assert set(statuses) <= {200, 402}
    return statuses.count(200)


def test_a_budget_pays_for_exactly_its_requests_over_all_workers(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        cost, bound = cost_and_bound(running)
        # The last request that is paid for needs its bound to be free.
        cap = bound + (PAID - 1) * cost
        key = new_key(running, "--budget-usd", f"{cap / DOLLAR:.9f}")

        with clients(running.port, 8, key) as eight:
            paid = sum(at_once([partial(some, one, 25) for one in eight]))
            # A hold is known to be settled a moment after its answer: what was refused for one
            # is asked again, of the one worker and the other.
            while paid < PAID:
                paid += answered([short(one) for one in eight])
            beyond = answered([short(one) for one in eight for _ in range(5)])
        until(lambda: budget(running)[1] == 0)
        spent, _ = budget(running)

    assert (paid, beyond) == (PAID, 0)
    assert spent == PAID * cost


def new_key(running: RunningGateway, *words: str) -> str:
    """Make a key, and wait until all workers ask for one."""
    key = running.new_key(*words)
    with clients(running.port, 4) as four:
        until(lambda: statuses(four) == {401})
    return key


def short(client: Client) -> Heard:
    return client.chat(max_tokens=1)


def test_a_worker_that_is_killed_leaves_no_money_behind(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        cost, bound = cost_and_bound(running)
        cap = bound + 10_000 * cost
        key = new_key(running, "--budget-usd", f"{cap / DOLLAR:.9f}")
        with clients(running.port, 4, key) as four:
            paid = sum(at_once([partial(some, one, 50) for one in four]))
            os.kill(workers_of(running)[0], signal.SIGKILL)
        until(lambda: budget(running)[1] == 0)
        spent, _ = budget(running)

    # What its last requests cost was not all recorded: that is settled at its bound.
    assert paid == 200
    assert paid * cost <= spent <= cap


def some(client: Client, requests: int) -> int:
    return answered([short(client) for _ in range(requests)])


def statuses(on: list[Client], path: str = "/v1/models") -> set[int]:
    return {one.ask("GET", path).status for one in on}


def test_a_revoked_key_is_refused_by_all_workers_within_a_second(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        new_key(running, "--name", "stays")
        key = running.new_key("--name", "gone")
        with (
            clients(running.port, 4, key) as four,
            clients(running.port, 1, running.admin_key) as (admin,),
        ):
            until(lambda: statuses(four) == {200})
            (key_id,) = [
                one["key_id"]
                for one in admin.ask("GET", "/api/keys").json()["keys"]
                if one["name"] == "gone"
            ]
            removed = admin.ask("DELETE", f"/api/keys/{key_id}")
            began_s = time.monotonic()
            until(lambda: statuses(four) == {401})
            took_s = time.monotonic() - began_s

    assert removed.status < 300
    assert took_s < SOON_S


def test_a_combo_that_one_worker_stores_is_served_by_all_within_a_second(tmp_path: Path) -> None:
    with workers(tmp_path) as running, clients(running.port, 4, running.admin_key) as four:
        put = four[0].ask("POST", "/api/combos", COMBO)
        began_s = time.monotonic()
        until(lambda: {one.chat("mine").status for one in four} == {200})
        took_s = time.monotonic() - began_s

    assert put.status < 300
    assert took_s < SOON_S
