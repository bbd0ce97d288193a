"""Limits of keys, their rolls and their ends, as all workers and all replicas hold them."""

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from omniroute.routing.errors import RateLimited
from omniroute.routing.health.key_rates import Need, Turn
from omniroute.routing.rates import Rates
from omniroute.server.workers import minutes as minutes_of
from omniroute.server.workers.key_rates import SharedKeyRates
from omniroute.server.workers.minutes import Minutes
from tests.processes import RunningGateway, gateway

from .clients import Client, at_once, clients, until, workers

WORKERS = 2
LATE_S = 10.0
"""Ten times what is promised, as the machine may be busy."""


@pytest.fixture
def minutes() -> Iterator[Minutes]:
    made = Minutes(WORKERS)
    yield made
    made.close()


def both(minutes: Minutes) -> tuple[SharedKeyRates, SharedKeyRates]:
    one, other = (SharedKeyRates(minutes, index=index, workers=WORKERS) for index in range(WORKERS))
    return one, other


def need(key_id: str = "one", tokens: int = 0, **rates: int) -> Need:
    return Need(key_id, Rates(**rates), tokens)


def let_in(book: SharedKeyRates, wanted: Need, now_s: float = 1000.0) -> Turn | None:
    try:
        return book.enter(wanted, now_s)
    except RateLimited:
        return None


def test_a_limit_counts_the_requests_of_all_workers(minutes: Minutes) -> None:
    one, other = both(minutes)
    wanted = need(requests_per_minute=3)

    entered = [let_in(book, wanted) is not None for book in (one, other, one, other, one)]
    later = let_in(other, wanted, 1061.5)

    assert entered == [True, True, True, False, False]
    assert later is not None


def test_tokens_and_places_are_counted_together_too(minutes: Minutes) -> None:
    one, other = both(minutes)
    first = let_in(one, need(tokens=10, tokens_per_minute=100))
    assert first is not None
    first.end(95, 1001.0)
    place = let_in(other, need("two", concurrency_max=1))
    assert place is not None

    refused = (
        let_in(other, need(tokens=10, tokens_per_minute=100), 1002.0),
        let_in(one, need("two", concurrency_max=1)),
    )
    place.end(0, 1001.0)

    assert refused == (None, None)
    assert let_in(one, need("two", concurrency_max=1)) is not None


def test_the_requests_of_a_worker_that_died_hold_no_place(minutes: Minutes) -> None:
    one, other = both(minutes)
    wanted = need(concurrency_max=1)
    assert let_in(one, wanted) is not None

    refused = let_in(other, wanted)
    minutes.clear(0)

    assert refused is None
    assert let_in(other, wanted) is not None


def test_the_row_of_a_key_that_rests_goes_to_another_one(
    minutes: Minutes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minutes_of, "ROWS", 2)
    small = Minutes(WORKERS)
    one, other = both(small)
    busy = let_in(one, need("busy", concurrency_max=1))
    rests = let_in(one, need("rests", requests_per_minute=1))
    assert busy is not None
    assert rests is not None
    rests.end(0, 1000.0)

    third = need("third", requests_per_minute=1)
    entered = [let_in(book, third, 1100.0) is not None for book in (one, other)]

    assert entered == [True, False]
    assert let_in(other, need("busy", concurrency_max=1), 1100.0) is None
    small.close()


def test_keys_beyond_the_memory_have_their_limits_divided(
    minutes: Minutes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minutes_of, "ROWS", 0)
    one, other = both(minutes)
    wanted = need(requests_per_minute=4)

    entered = [let_in(book, wanted) is not None for book in (one, one, one, other, other, other)]

    assert entered == [True, True, False, True, True, False]


def test_no_request_is_let_in_twice_by_processes_that_race(minutes: Minutes) -> None:
    limit, tries = 50, 200
    pids = []
    for index in range(WORKERS):
        pid = os.fork()
        if pid == 0:
            book = SharedKeyRates(minutes, index=index, workers=WORKERS)
            wanted = need(requests_per_minute=limit)
            os._exit(sum(let_in(book, wanted) is not None for _ in range(tries)))
        pids.append(pid)
    entered = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]

    assert sum(entered) == limit


def test_a_limit_holds_for_all_workers_of_a_gateway_to_the_request(tmp_path: Path) -> None:
    with workers(tmp_path) as running:
        key = running.new_key("--requests-per-minute", "6")
        with clients(running.port, 4, key) as four:
            heard = at_once([partial(statuses_of, one, 3) for one in four])

    found = [status for some in heard for status in some]
    assert sorted(found) == [200] * 6 + [429] * 6


def statuses_of(client: Client, requests: int) -> list[int]:
    return [client.chat().status for _ in range(requests)]


def test_a_roll_holds_in_all_workers_when_it_returns_and_streams_go_on(tmp_path: Path) -> None:
    slow = {"model": "sim/fast@latency=0,pace=0.1", "stream": True}
    hello = {"messages": [{"role": "user", "content": "say hello"}]}
    with workers(tmp_path) as running, clients(running.port, 1, running.admin_key) as (admin,):
        made = admin.ask("POST", "/api/keys", {"name": "rolled"}).json()
        old, path = made["secret"], f"/api/keys/{made['key']['key_id']}"
        with clients(running.port, 4, old) as four:
            before = {one.ask("GET", "/v1/models").status for one in four}
            stream = four[0].begin("POST", "/v1/chat/completions", {**slow, **hello})
            first = stream.readline()
            rolled = admin.ask("POST", f"{path}/roll", {"overlap_s": 0}).json()
            on_open_connections = {one.ask("GET", "/v1/models").status for one in four[1:]}
            rest = stream.read()
        with clients(running.port, 4, rolled["secret"]) as four:
            after = {one.ask("GET", "/v1/models").status for one in four}

    assert (before, on_open_connections, after) == ({200}, {401}, {200})
    assert first.startswith(b"data: ")
    assert rest.rstrip().endswith(b"data: [DONE]")


@pytest.fixture
def replicas(postgres_url: str, tmp_path: Path) -> Iterator[tuple[RunningGateway, RunningGateway]]:
    """Give two gateways that need a key, in folders of their own, on one database."""
    settings = {
        "REQUIRE_API_KEY": "true",
        "OMNIROUTE_DATABASE_URL": postgres_url,
        "OMNIROUTE_STORAGE_ENCRYPTION_KEY": "0123456789abcdef0123456789abcdef",
    }
    with (
        gateway(tmp_path / "first", **settings) as first,
        gateway(tmp_path / "second", **settings) as second,
    ):
        yield first, second


def status(running: RunningGateway, key: str) -> int:
    return running.call("GET", "/v1/models", key=key).status


def test_rolls_and_revocations_hold_in_another_replica_within_moments(
    replicas: tuple[RunningGateway, RunningGateway],
) -> None:
    first, second = replicas
    made = first.call("POST", "/api/keys", {"name": "one"}, key=first.admin_key).json()
    old, path = made["secret"], f"/api/keys/{made['key']['key_id']}"
    until(lambda: status(second, old) == 200)

    rolled = first.call("POST", f"{path}/roll", {}, key=first.admin_key).json()["secret"]
    rolled_s = time.monotonic()
    until(lambda: status(second, old) == 401)
    until(lambda: status(second, rolled) == 200)
    rolled_s = time.monotonic() - rolled_s
    first.call("DELETE", path, key=first.admin_key)
    revoked_s = time.monotonic()
    until(lambda: status(second, rolled) == 401)
    revoked_s = time.monotonic() - revoked_s

    assert status(first, old) == status(first, rolled) == 401
    assert max(rolled_s, revoked_s) < LATE_S


def test_replicas_let_in_their_share_of_a_limit(
    replicas: tuple[RunningGateway, RunningGateway],
) -> None:
    first, second = replicas
    wish = {"name": "shared", "concurrency_max": 2}
    made = first.call("POST", "/api/keys", wish, key=first.admin_key).json()
    endless = {"model": "sim/fast@latency=0,pace=20", "stream": True}
    endless |= {"messages": [{"role": "user", "content": "say hello"}]}
    until(lambda: status(second, made["secret"]) == 200)

    def one_is_enough(running: RunningGateway) -> bool:
        """Whether a second request beside one that runs is refused: the other one's share."""
        with clients(running.port, 2, made["secret"]) as (one, other):
            stream = one.begin("POST", "/v1/chat/completions", endless)
            assert stream.status == 200
            beside = other.begin("POST", "/v1/chat/completions", endless)
            return beside.status == 429

    until(lambda: one_is_enough(first))
    until(lambda: one_is_enough(second))

    assert one_is_enough(first)
