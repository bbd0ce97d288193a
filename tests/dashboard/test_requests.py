"""The pages of requests: what a filter finds, and one request with its decision opened."""

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from omniroute.server.store.key_terms import KeyTerms
from tests.dashboard.visiting import Visitor, words_of
from tests.store.outcomes import SNAPSHOT, answered
from tests.store.test_pieces import keep, mixed
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

PAGE = "/dashboard/requests"
FAST = "sim/fast@latency=0,pace=0"
LINK = re.compile(r'<th scope="row"><a href="(/dashboard/requests/[^"]+)"')


async def ask(http: httpx2.AsyncClient, key: str, model: str) -> httpx2.Response:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"authorization": f"Bearer {key}"}
    return await http.post("/v1/chat/completions", json=body, headers=headers)


async def test_a_request_opened_tells_its_decision_calls_tokens_and_cost(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        await ask(http, gateway.token, FAST)
        (link,) = LINK.findall(await visitor.open(PAGE))
        page = await visitor.open(link)
        again = await visitor.send(link, page)

    words = words_of(page)
    assert "Answered by sim/" in words
    assert "calls: 1" in words
    assert re.search(r"Turn Candidate What became of it .* 1 sim/", words)
    assert re.search(r"Tokens \d+ in \(0 cached\), \d+ out", words)
    assert re.search(r"Cost \$0\.\d+", words)
    assert '<path class="fill-good" d="M' in page
    assert again.status_code == 200
    assert "The decision would be the same now." in words_of(again.text)


async def test_what_failed_on_the_way_is_told_in_words(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        gateway.parts.storage.ledger.record(answered("req_told"), SNAPSHOT)
        page = await Visitor(http, gateway.token).open(f"{PAGE}/req_told")

    words = words_of(page)
    assert "1. one/m" in words
    assert "rate_limited (status 429)" in words
    assert "another model: org/m-2026" in words
    assert re.search(r"one/m acc-1 failed: rate_limited", words)
    assert re.search(r"two/org/m acc-2 answered", words)
    assert page.count('class="fill-bad"') == 1


async def test_hostile_text_of_providers_and_clients_is_text(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    one = answered("req_evil", evil, error_detail=evil, error="provider_error", model_served=evil)
    async with opened(tmp_path) as gateway, client(gateway) as http:
        gateway.parts.storage.ledger.record(one, SNAPSHOT)
        visitor = Visitor(http, gateway.token)
        page = await visitor.open(f"{PAGE}/req_evil")
        listed = await visitor.open(f"{PAGE}?search={evil}&error=provider_error&status={'ok'}")

    assert "<img" not in page + listed
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in listed


async def test_lists_are_walked_to_their_end_within_their_filters(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        await keep(gateway.parts.storage.database, mixed(130))
        visitor = Visitor(http, gateway.token)
        first = await visitor.open(f"{PAGE}?key=key-1&status=answered")
        every = await visitor.open(PAGE)
        onward = re.search(r'rel="next" href="([^"]*)"', every)
        assert onward is not None
        second = await visitor.open(f"{PAGE}{onward[1].replace('&amp;', '&')}")

    assert words_of(first).count("key-1") >= len(LINK.findall(first)) > 5
    assert "key-2" not in words_of(first)
    assert (len(LINK.findall(every)), len(LINK.findall(second))) == (50, 50)
    assert not set(LINK.findall(every)) & set(LINK.findall(second))
    assert len(every.encode()) < 60_000


async def test_a_filter_that_is_none_is_told_in_place(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        headers = {"authorization": f"Bearer {gateway.token}"}
        wrong = await http.get(f"{PAGE}?status=great", headers=headers)
        odd = await http.get(f"{PAGE}?nothing=known", headers=headers)
        gone = await http.get(f"{PAGE}/req_of_nobody", headers=headers)

    assert (wrong.status_code, odd.status_code, gone.status_code) == (400, 200, 404)
    assert "status is one of" in wrong.text
    assert "There are no requests yet" in words_of(odd.text)


async def test_a_key_opens_its_own_requests_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        keys = gateway.parts.storage.keys
        terms = KeyTerms(name="mine", scopes=("read:usage",))
        mine = await keys.create(terms, actor="test")
        ledger = gateway.parts.storage.ledger
        ledger.record(answered("req_mine", mine.stored.key_id), SNAPSHOT)
        ledger.record(answered("req_other", "key-other"), SNAPSHOT)
        visitor = Visitor(http, mine.text)
        listed = await visitor.open(PAGE)
        page = await visitor.open(f"{PAGE}/req_mine")
        headers = {"authorization": f"Bearer {mine.text}"}
        other = await http.get(f"{PAGE}/req_other", headers=headers)
        missing = await http.get(f"{PAGE}/req_nobody", headers=headers)
        again = await http.post(f"{PAGE}/req_mine", headers=headers)

    assert LINK.findall(listed) == [f"{PAGE}/req_mine"]
    assert "Decide again" not in words_of(page)
    assert (other.status_code, missing.status_code, again.status_code) == (404, 404, 403)


async def test_kept_prompts_are_shown_to_administrators_as_text_and_cut(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    async with opened(tmp_path) as gateway, client(gateway) as http:
        keys = gateway.parts.storage.keys
        scopes = ("agent", "read:usage")
        made = await keys.create(KeyTerms(name="kept", scopes=scopes, log_content=True), actor="me")
        visitor, own = Visitor(http, gateway.token), Visitor(http, made.text)
        for said in (f"hello {evil}", "long " * 5_000):
            body = {"model": FAST, "messages": [{"role": "user", "content": said}]}
            headers = {"authorization": f"Bearer {made.text}"}
            await http.post("/v1/chat/completions", json=body, headers=headers)
        await gateway.parts.storage.flush()
        long, short = LINK.findall(await visitor.open(PAGE))
        page, cut, hidden = [
            await visitor.open(short),
            await visitor.open(long),
            await own.open(short),
        ]

    assert "What was asked and answered" in words_of(page)
    assert "hello &lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert evil not in page
    assert "What was asked and answered" not in words_of(hidden)
    assert "alert(1)" not in hidden
    assert len(cut.encode()) < 60_000
    assert "… (+" in cut


async def test_of_a_request_whose_prompt_is_not_kept_nothing_is_said(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        await ask(http, gateway.token, FAST)
        (link,) = LINK.findall(await visitor.open(PAGE))
        page = await visitor.open(link)

    assert "hello" not in words_of(page)
    assert "What was asked and answered" not in words_of(page)
