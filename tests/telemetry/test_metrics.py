"""The figures at /metrics: what they say, that they stay bounded, and that workers add up."""

import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from omniroute.routing.model import Candidate
from omniroute.server.store.key_terms import KeyTerms
from omniroute.server.telemetry.exposition import Page, tell
from omniroute.server.telemetry.figures import (
    MODELS_MAX,
    TALLIES_MAX,
    UNKNOWN_MODELS_MAX,
    Counted,
    Figures,
)
from omniroute.server.telemetry.shared import Live, SharedFigures
from omniroute.server.telemetry.telemetry import SEEN_MAX, Telemetry
from omniroute.server.workers.board import Board
from tests.processes import RunningGateway
from tests.store.outcomes import PRICED, SECOND, answered
from tests.v1.whole import client, opened
from tests.workers.clients import at_once, clients, log_of, until, workers, workers_of
from tests.workers.group import delivered, group

from .scrapes import read, total

pytestmark = pytest.mark.anyio

CHAT = {"model": "sim/fast@latency=0", "messages": [{"role": "user", "content": "hello"}]}
MODELS = 100_000
GUIDE = Path(__file__).parents[2] / "docs/observability.md"
REQUESTS = "omniroute_requests_total"
TOOL_CALLS = "omniroute_tool_call_duration_seconds_count"
LIVE = Live(1, 1, 2, 3, 4, 5.0, None, None, False)


def page_of(counted: Counted) -> str:
    page = Page()
    tell(page, counted)
    return page.text()


@asynccontextmanager
async def sharing(count: int) -> AsyncIterator[tuple[list[Figures], list[SharedFigures], Board]]:
    """Give workers' figures, each with one request, and how they share them."""
    async with group(count) as (peers, board):
        followed = [Telemetry() for _ in peers]
        shared = [
            SharedFigures(peer, one, run=f"run-{index}", live=lambda: LIVE)
            for index, (peer, one) in enumerate(zip(peers, followed, strict=True))
        ]
        figures = [one.figures for one in followed]
        for one in figures:
            one.request(answered("r1"))
            one.tool("omniroute_get_health", "answered", 0.2)
            one.task("completed")
        for sharer in shared:
            sharer.tell()
        await delivered(*peers)
        yield figures, shared, board


async def test_metrics_tell_what_was_answered_by_whom_and_what_it_cost(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        answer = await http.post("/v1/chat/completions", json=CHAT)
        scraped = await http.get("/metrics")

    page, usage = scraped.text, answer.json()["usage"]
    assert scraped.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert total(page, REQUESTS, provider="sim", model="fast", status="answered") == 1
    assert total(page, "omniroute_tokens_total", type="input") == usage["prompt_tokens"]
    assert total(page, "omniroute_tokens_total", type="output") == usage["completion_tokens"]
    cost = float(answer.headers["x-omniroute-cost-usd"])
    assert total(page, "omniroute_cost_usd_total") == pytest.approx(cost, rel=1e-9)
    assert total(page, "omniroute_request_duration_seconds_count", status="answered") == 1
    assert total(page, "omniroute_workers") == 1


def test_metrics_tell_each_failed_call_and_that_another_one_answered() -> None:
    figures = Figures()

    figures.request(answered("r1"))
    page = page_of(figures.counted)

    calls = "omniroute_upstream_call_duration_seconds_count"
    assert total(page, calls, provider="one", ended="rate_limited") == 1
    assert total(page, calls, provider="two", ended="answered") == 1
    assert total(page, "omniroute_fallbacks_total", status="answered") == 1
    assert total(page, "omniroute_first_content_seconds_bucket", le="0.5") == 0
    assert total(page, "omniroute_first_content_seconds_bucket", le="1") == 1


def test_a_price_that_is_not_known_is_in_no_sum_and_is_counted() -> None:
    figures = Figures()

    figures.request(answered("r1", cost_usd_nanos=None))
    figures.request(answered("r2", cost_usd_nanos=1))
    page = page_of(figures.counted)

    assert 'omniroute_cost_usd_total{provider="two",model="org/m"} 0.000000001\n' in page
    assert total(page, "omniroute_unpriced_requests_total") == 1


def test_a_hundred_thousand_random_models_do_not_make_metrics_grow() -> None:
    """Threat T37: the labels of metrics are bounded."""
    figures, known = Figures(), answered("r1")

    figures.request(known)
    for number in range(MODELS):
        stranger = Candidate("acc-2", "two", f"random-{number:x}", "openai_chat")
        figures.request(structs.replace(known, winner=stranger))

    page = page_of(figures.counted)
    assert len({dict(key)["model"] for key in read(page)[REQUESTS]}) == UNKNOWN_MODELS_MAX + 2
    assert total(page, REQUESTS) == MODELS + 1
    assert total(page, REQUESTS, model="other") == MODELS - UNKNOWN_MODELS_MAX
    assert total(page, REQUESTS, model="org/m") == 1


def test_known_models_and_all_that_can_happen_to_them_are_bounded_too() -> None:
    figures, known = Figures(), answered("r1")

    for number in range(2 * MODELS_MAX):
        winner = Candidate("acc-2", "two", f"known-{number}", "openai_chat", PRICED)
        for status in ("answered", "failed", "client_gone", "refused", "late"):
            figures.request(structs.replace(known, winner=winner, status=status))

    assert len(figures.counted.requests) <= TALLIES_MAX + 5
    assert sum(one.requests for one in figures.counted.requests.values()) == 10 * MODELS_MAX


@pytest.mark.parametrize(
    "name", ["tell me a secret", 'a"} 1\nomniroute_workers 7', "x" * 97, "naïve", ""]
)
def test_text_that_is_no_name_of_a_model_is_no_label(name: str) -> None:
    figures = Figures()

    winner = replace(SECOND, model=name)
    figures.request(structs.replace(answered("r1"), winner=winner))

    assert {dict(key)["model"] for key in read(page_of(figures.counted))[REQUESTS]} == {"other"}


async def test_the_name_of_no_tool_is_no_label(tmp_path: Path) -> None:
    headers = {
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2025-11-25",
    }
    async with opened(tmp_path, OMNIROUTE_WORKERS="2") as gateway, client(gateway) as http:
        for name in ("my_own_words", "omniroute_get_health"):
            call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
            body = {**call, "params": {"name": name, "arguments": {}}}
            await http.post("/mcp", json=body, headers=headers)
        page = (await http.get("/metrics")).text

    assert sorted((dict(key)["tool"], dict(key)["ended"]) for key in read(page)[TOOL_CALLS]) == [
        ("omniroute_get_health", "answered"),
        ("other", "refused"),
    ]


async def test_metrics_count_a2a_tasks_by_how_they_ended(tmp_path: Path) -> None:
    params = {
        "skill": "smart-routing",
        "messages": [{"role": "user", "content": "hello"}],
        "metadata": {"model": "sim/fast@latency=0"},
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": params}
    async with opened(tmp_path) as gateway, client(gateway) as http:
        answer = await http.post("/a2a", json=body)
        page = (await http.get("/metrics")).text

    assert answer.json()["result"]["task"]["state"] == "completed"
    assert total(page, "omniroute_a2a_tasks_total", state="completed") == 1
    assert total(page, REQUESTS, door="a2a") == 1


async def test_metrics_need_a_key_that_may_read_health_where_keys_are_needed(
    tmp_path: Path,
) -> None:
    """Threat T37: figures are not for everybody."""
    statuses = []
    async with opened(tmp_path, OMNIROUTE_REQUIRE_KEY="always") as gateway:
        keys = gateway.parts.storage.keys
        may = await keys.create(KeyTerms(name="a", scopes=("read:health",)), actor="test")
        may_not = await keys.create(KeyTerms(name="b", scopes=("write:route",)), actor="test")
        async with client(gateway) as http:
            for sent in ("", f"Bearer {may_not.text}", f"Bearer {may.text}"):
                answer = await http.get("/metrics", headers={"authorization": sent})
                statuses.append(answer.status_code)

    assert statuses == [401, 403, 200]


def test_what_waits_to_be_counted_is_bounded() -> None:
    telemetry, outcome = Telemetry(), answered("r1")

    for _ in range(SEEN_MAX):
        telemetry.outcome(outcome)

    assert sum(one.requests for one in telemetry.figures.counted.requests.values()) == SEEN_MAX


async def test_who_follows_and_fails_fails_no_request_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(told: object) -> None:
        raise ValueError("no such thing")

    async with opened(tmp_path) as gateway, client(gateway) as http:
        telemetry = gateway.parts.telemetry
        telemetry.followers.append(fails)
        telemetry.tool_followers.append(fails)
        answers = [await http.post("/v1/chat/completions", json=CHAT) for _ in range(2)]
        page = (await http.get("/metrics")).text

    assert [one.status_code for one in answers] == [200, 200]
    assert total(page, REQUESTS) == 2
    assert [one.msg for one in caplog.records] == ["follower_failed"]


async def test_a_scrape_of_any_worker_gives_the_figures_of_all() -> None:
    async with sharing(3) as (_, shared, _):
        gathered = [await one.gather() for one in shared]

    pages = [page_of(counted) for counted, _ in gathered]
    assert [total(page, REQUESTS) for page in pages] == [3, 3, 3]
    assert [total(page, "omniroute_a2a_tasks_total") for page in pages] == [3, 3, 3]
    assert [total(page, TOOL_CALLS) for page in pages] == [3, 3, 3]
    assert [len(lives) for _, lives in gathered] == [3, 3, 3]


async def test_counters_do_not_fall_when_a_worker_dies() -> None:
    """A counter that falls would be taken for a new start, and all of it be counted again."""
    async with sharing(3) as (_, shared, board):
        board.close(2)
        counted, lives = await shared[0].gather()
        again, _ = await shared[1].gather()

    assert (total(page_of(counted), REQUESTS), len(lives)) == (3, 2)
    assert total(page_of(again), REQUESTS) == 3


async def test_what_was_told_before_is_not_counted_twice() -> None:
    async with sharing(2) as (figures, shared, _):
        await shared[0].gather()
        figures[1].request(answered("r2"))
        shared[1].tell()
        counted, _ = await shared[0].gather()

    assert total(page_of(counted), REQUESTS) == 3


def test_workers_tell_the_same_sums_also_after_one_was_killed(tmp_path: Path) -> None:
    with workers(tmp_path, count=2) as running:
        with clients(running.port, 4) as sent:
            at_once([one.chat for one in sent])
            pages = [one.ask("GET", "/metrics").body.decode() for one in sent]
        os.kill(workers_of(running)[0], signal.SIGKILL)
        until(lambda: "worker_ended" in log_of(running))
        until(lambda: total(_page(running), "omniroute_workers") == 2)
        after = _page(running)

    assert [total(page, REQUESTS) for page in pages] == [4, 4, 4, 4]
    assert {total(page, "omniroute_workers") for page in pages} == {2}
    assert total(after, REQUESTS) == 4


def _page(running: RunningGateway) -> str:
    return running.call("GET", "/metrics").body.decode()


async def test_every_figure_has_its_row_in_the_documentation(tmp_path: Path) -> None:
    figures = Figures()
    figures.request(answered("r1"))
    figures.tool("omniroute_get_health", "answered", 0.1)
    figures.task("completed")
    figures.blocked(1.0)
    async with opened(tmp_path) as gateway, client(gateway) as http:
        page = (await http.get("/metrics")).text + page_of(figures.counted)

    documented = set(re.findall(r"`(omniroute_\w+)`", GUIDE.read_text(encoding="utf-8")))
    told = set(re.findall(r"^# TYPE (\w+) ", page, re.MULTILINE))
    assert told - documented == set()
    assert documented - told <= {"omniroute_circuits", "omniroute_cooldowns"}
