"""What one worker is told or has learned, the others know: the user sees one gateway."""

import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.processes import RunningGateway

from .clients import Client, Heard, at_once, clients, log_of, until, workers, workers_of

SOON_S = 1.0
DOLLAR = 1_000_000_000
COMBO = {"name": "mine", "models": [{"target": "sim/fast@latency=0"}]}
PAID = 150
"""How many requests the test's small budget pays for."""


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Give a database's URL; it is empty for the one in the data folder."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def cost_and_bound(running: RunningGateway) -> tuple[int, int]:
    """Give what a short request costs and what is held for it, in nano-dollars."""
    with clients(running.port, 1, running.admin_key) as (one,):
        heard = short(one)
        found = one.ask("GET", f"/api/explain/{heard.headers['x-request-id']}").json()
    return found["request"]["cost_usd_nanos"], found["reserved_usd_nanos"]


def budget(running: RunningGateway) -> tuple[int, int]:
    """Give what the budget has spent, and what is set aside of it."""
    answer = running.call("GET", "/api/budgets", key=running.admin_key)
    (found,) = answer.json()["budgets"]
    return found["spent_usd_nanos"], found["held_usd_nanos"] + found["leased_usd_nanos"]


def answered(heard: Iterable[Heard]) -> int:
    """Give how many were answered; all others were refused for the budget."""
    statuses = [one.status for one in heard]
    assert set(statuses) <= {200, 402}
    return statuses.count(200)


def test_a_budget_pays_for_exactly_its_requests_over_all_workers(
    tmp_path: Path, database_url: str
) -> None:
    with workers(tmp_path, OMNIROUTE_DATABASE_URL=database_url) as running:
        cost, bound = cost_and_bound(running)
        # The last request that is paid for needs its bound to be free.
        cap = bound + (PAID - 1) * cost
        key = running.new_key("--budget-usd", f"{cap / DOLLAR:.9f}")

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


def short(client: Client) -> Heard:
    return client.chat(max_tokens=1)


def test_a_worker_that_is_killed_leaves_no_money_behind(tmp_path: Path, database_url: str) -> None:
    with workers(tmp_path, OMNIROUTE_DATABASE_URL=database_url) as running:
        cost, bound = cost_and_bound(running)
        cap = bound + 10_000 * cost
        key = running.new_key("--budget-usd", f"{cap / DOLLAR:.9f}")
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


def test_a_new_key_and_its_end_are_known_to_all_workers_at_once(tmp_path: Path) -> None:
    with workers(tmp_path) as running, clients(running.port, 1, running.admin_key) as (admin,):
        open_to_all = statuses(running, None)
        made = [admin.ask("POST", "/api/keys", {"name": name}).json() for name in ("one", "two")]
        without = statuses(running, None)
        one, two = (key["secret"] for key in made)
        before = statuses(running, one)
        admin.ask("DELETE", f"/api/keys/{made[0]['key']['key_id']}")
        after, other = statuses(running, one), statuses(running, two)

    assert open_to_all == {200}
    assert without == {401}
    assert before == {200}
    assert after == {401}
    assert other == {200}


def statuses(running: RunningGateway, key: str | None) -> set[int]:
    """Give what each worker answers to a key."""
    connections = [Client(running.port, key) for _ in range(4)]
    found = {one.ask("GET", "/v1/models").status for one in connections}
    for one in connections:
        one.close()
    return found


def test_a_change_by_another_process_is_in_force_within_a_second(tmp_path: Path) -> None:
    with workers(tmp_path) as running, clients(running.port, 4) as four:
        change = "UPDATE config_version SET version = version + 1"
        insert = "INSERT INTO aliases VALUES ('mine', 'sim/fast', 0, '')"
        with closing(sqlite3.connect(running.data_dir / "storage.sqlite")) as database:
            database.execute(insert)
            database.execute(change)
            database.commit()
        began_s = time.monotonic()
        until(lambda: {one.chat("mine").status for one in four} == {200})
        took_s = time.monotonic() - began_s

    assert took_s < SOON_S


def test_a_combo_that_one_worker_stores_is_served_by_all(tmp_path: Path) -> None:
    with workers(tmp_path) as running, clients(running.port, 4, running.admin_key) as four:
        put = four[0].ask("POST", "/api/combos", COMBO)
        heard = [one.chat("mine").status for one in four]

    assert put.status == 201
    assert heard == [200] * 4


def test_what_one_worker_answered_another_one_explains_at_once(tmp_path: Path) -> None:
    with workers(tmp_path) as running, clients(running.port, 2, running.admin_key) as (one, other):
        ids = [one.chat().headers["x-request-id"] for _ in range(5)]
        explained = [other.ask("GET", f"/api/explain/{ids[-1]}").status]
        newest = other.ask("GET", "/api/requests").json()["requests"]

    assert explained == [200]
    assert [found["request_id"] for found in newest] == ids[::-1]


def test_a_task_is_cancelled_by_whichever_worker_is_asked(tmp_path: Path) -> None:
    asked = {
        "messages": [{"role": "user", "content": "say hello"}],
        "metadata": {"model": "sim/fast@latency=0,pace=20"},
    }
    with workers(tmp_path) as running, clients(running.port, 2) as (one, other):
        call = {"jsonrpc": "2.0", "id": 1, "method": "message/stream", "params": asked}
        stream = one.begin("POST", "/a2a", call)
        lines = iter(stream.readline, b"")
        first = next(line for line in lines if line.startswith(b"data: "))
        params = {"taskId": json.loads(first[6:])["params"]["task"]["id"]}
        call = {"jsonrpc": "2.0", "id": 2, "method": "tasks/cancel", "params": params}
        canceled = other.ask("POST", "/a2a", call).json()
        began_s = time.monotonic()
        rest = stream.read()
        took_s = time.monotonic() - began_s

    assert canceled["result"]["task"]["state"] == "cancelled"
    assert b"cancelled" in rest
    assert took_s < SOON_S


def test_a_circuit_that_one_worker_opens_is_open_in_all(tmp_path: Path) -> None:
    down = "sim/fast@fault=server_error,latency=0"
    with workers(tmp_path) as running, clients(running.port, 2, running.admin_key) as (one, other):
        failures = [one.chat(down).status for _ in range(8)]
        seen = [client.ask("GET", "/api/status").json() for client in (one, other)]
        alerts = [client.ask("GET", "/api/alerts").json()["alerts"] for client in (one, other)]
        (killed, _) = workers_of(running)
        os.kill(killed, signal.SIGKILL)
        until(lambda: killed not in workers_of(running) and len(workers_of(running)) == 2)
        said = log_of(running)
        with clients(running.port, 4, running.admin_key) as four:
            after = [len(client.ask("GET", "/api/status").json()["circuits"]) for client in four]
            reset = four[0].ask("POST", "/api/resilience/reset", {})
            closed = [client.ask("GET", "/api/status").json()["circuits"] for client in four]

    assert set(failures) <= {502, 503}
    assert [len(status["circuits"]) for status in seen] == [1, 1]
    assert [[alert["name"] for alert in listed] for listed in alerts] == [["circuit_opened"]] * 2
    assert said.count("circuit_opened") == 1
    assert after == [1] * 4
    assert reset.json() == {"reset_count": 1}
    assert closed == [[]] * 4


def test_a_bound_on_calls_holds_for_all_workers_together(tmp_path: Path) -> None:
    bounded = {
        **COMBO,
        "models": [{"target": "sim/fast@latency=0.1"}],
        "concurrency_per_model": 1,
        "queue_s": 20,
    }
    with workers(tmp_path) as running, clients(running.port, 4, running.admin_key) as four:
        assert four[0].ask("POST", "/api/combos", bounded).status == 201
        began_s = time.monotonic()
        heard = at_once([partial(one.chat, "mine") for one in four])
        took_s = time.monotonic() - began_s

    assert [one.status for one in heard] == [200] * 4
    # One after the other, whichever worker answers.
    assert took_s >= 4 * 0.1


def test_figures_are_those_of_all_workers_whichever_is_asked(tmp_path: Path) -> None:
    with workers(tmp_path) as running, clients(running.port, 2, running.admin_key) as (one, other):
        one.chat("sim/cheap@latency=0")
        other.chat("sim/smart@latency=0")
        until(lambda: len(timed(one)) == len(timed(other)) == 2)
        listed = [timed(client) for client in (one, other)]
        learned = [client.ask("GET", "/api/fitness").json()["learned"] for client in (one, other)]
        ages = [client.ask("GET", "/api/status").json()["uptime_s"] for client in (one, other)]
        for client in (one, other):
            health(client)  # A worker imports what MCP needs with its first call.
        memory = [health(client)["memoryUsage"] for client in (one, other)]

    assert listed[0] == listed[1]
    assert learned[0] == learned[1] != []
    assert ages[1] - ages[0] < SOON_S
    assert memory[0]["heapUsed"] == pytest.approx(memory[1]["heapUsed"], rel=0.2)
    assert memory[0]["residentPeak"] is None


def test_what_was_used_is_of_all_workers_at_once_whichever_is_asked(tmp_path: Path) -> None:
    with workers(tmp_path) as running, clients(running.port, 2, running.admin_key) as (one, other):
        for model in ("sim/cheap@latency=0", "sim/smart@latency=0"):
            one.chat(model)
            other.chat(model)
        told = [client.ask("GET", "/api/usage/analytics").json() for client in (one, other)]
        calls = [client.ask("GET", "/api/usage/calls").json()["rows"] for client in (one, other)]

    assert [one["summary"]["totalRequests"] for one in told] == [4, 4]
    assert told[0]["byModel"] == told[1]["byModel"]
    assert calls[0] == calls[1]
    assert calls[0][0]["answered"] == 4


def test_a_tool_call_that_one_worker_answered_is_on_record_at_all(tmp_path: Path) -> None:
    with workers(tmp_path) as running, clients(running.port, 2, running.admin_key) as (one, other):
        for client in (one, other, one):
            health(client)
        pages = [client.ask("GET", "/api/mcp/audit").json() for client in (one, other)]
        chains = other.ask("GET", "/api/mcp/audit/chains").json()

    assert [page["total"] for page in pages] == [3, 3]
    assert pages[0] == pages[1]
    assert (chains["chains"], chains["rows"], chains["broken"]) == (2, 3, [])


def timed(client: Client) -> list[str]:
    """Give the models that the gateway knows times of."""
    return sorted(one["model"] for one in client.ask("GET", "/api/timings").json()["timings"])


def health(client: Client) -> Any:
    params = {"name": "omniroute_get_health", "arguments": {}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    accept = "application/json, text/event-stream"
    heard = client.ask(
        "POST", "/mcp", call, accept=accept, **{"mcp-protocol-version": "2025-11-25"}
    )
    data = next(line for line in heard.body.splitlines() if line.startswith(b"data: {"))
    return json.loads(data[6:])["result"]["structuredContent"]
