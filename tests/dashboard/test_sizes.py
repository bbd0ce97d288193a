"""The pages of a large gateway: 500 models, 200 combos, 300 keys with budgets; all stay light."""

import asyncio
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx2
import pytest

from omniroute.server.store.key_terms import KeyTerms
from tests.dashboard.visiting import Visitor
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

MODELS, COMBOS, KEYS = 500, 200, 300
LIGHT_BYTES = 60_000
PATHS = (
    *("", "/live", "/requests", "/combos", "/combos/new", "/combos/one/combo-7", "/providers"),
    *("/keys", "/playground", "/setup", "/mcp", "/a2a", "/health", "/translate", "/settings"),
)
KEY = re.compile(r'<th scope="row" class="name"><a href="/dashboard/keys/([^"]+)"')
BUDGET = re.compile(r'<th scope="row" class="name"><a href="/dashboard/budgets/([^"]+)"')
COMBO = re.compile(r'href="/dashboard/combos/one/([^"]+)"')
NEXT = re.compile(r'rel="next" href="(\?[^"#]*)(#budgets)?"')


async def _put(http: httpx2.AsyncClient, method: str, path: str, body: object) -> None:
    answer = await http.request(method, path, json=body)
    assert answer.status_code in (200, 201), answer.text[:500]


@pytest.fixture
async def large(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with (
        opened(tmp_path) as gateway,
        client(gateway, authorization=f"Bearer {gateway.token}") as http,
    ):
        names = [f"model-{number}" for number in range(MODELS)]
        account = {"provider": "openai", "name": "many", "key": "sk-fake-0123456789abcdef"}
        await _put(http, "POST", "/api/providers", {**account, "models": names})
        keys = gateway.parts.storage.keys
        made = [
            keys.create(KeyTerms(name=f"key {number}", scopes=("agent",)), actor="test")
            for number in range(KEYS)
        ]
        ids = [one.stored.key_id for one in await asyncio.gather(*made)]
        terms = {"cap_usd_nanos": 10**9, "period": "day"}
        for key_id in ids[:60]:
            await _put(http, "POST", "/api/budgets", {"key_id": key_id, "terms": terms})
        for number in range(COMBOS):
            models = [{"target": f"many/{one}"} for one in names[number : number + 3]]
            body = {"name": f"combo-{number}", "models": models}
            await _put(http, "PUT", f"/api/combos/combo-{number}", body)
        yield Visitor(http, gateway.token)


async def _walked(
    visitor: Visitor, found: re.Pattern[str], *, of_budgets: bool = False, at: str = "/keys"
) -> list[str]:
    every, query = [], ""
    for _ in range(KEYS):
        page = await visitor.open(f"/dashboard{at}{query}")
        every += found.findall(page)
        onward = [where for where, mark in NEXT.findall(page) if bool(mark) is of_budgets]
        if not onward:
            break
        query = unescape(onward[0])
    return every


async def test_every_page_of_a_large_gateway_answers_and_is_light(large: Visitor) -> None:
    pages = {path: await large.open(f"/dashboard{path}") for path in PATHS}
    heavy = {path: len(page.encode()) for path, page in pages.items()}
    keys = await _walked(large, KEY)
    budgets = await _walked(large, BUDGET, of_budgets=True)
    combos = await _walked(large, COMBO, at="/combos")

    assert {path: size for path, size in heavy.items() if size >= LIGHT_BYTES} == {}
    assert (len(keys), len(set(keys))) == (KEYS, KEYS)
    assert (len(budgets), len(set(budgets))) == (60, 60)
    assert len(combos) == len(set(combos)) >= COMBOS


async def test_a_key_that_was_chosen_on_another_page_of_the_list_stays_chosen(
    large: Visitor,
) -> None:
    keys = await _walked(large, KEY)
    refused = await large.send("/dashboard/budgets", of=keys[-1], cap="lots")

    assert refused.status_code == 400
    assert f'<option value="{keys[-1]}" selected>' in refused.text
    assert len(refused.text.encode()) < LIGHT_BYTES
