"""MCP: the tools with who may call them, their calls, and one tried out through the door."""

from html import unescape
from pathlib import Path
from re import DOTALL, findall
from typing import Any

import orjson
import pytest

from omniroute.server.store.key_terms import KeyTerms
from omniroute.tools.table import TABLE
from tests.dashboard.visiting import Visitor, words_of
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

PAGE = "/dashboard/mcp"
HEALTH = f"{PAGE}/omniroute_get_health"
ASKING = f"{PAGE}/omniroute_route_request"
MESSAGES = '[{"role": "user", "content": "say hello"}]'


async def test_every_tool_is_shown_with_its_scope_and_the_keys_that_may_call_it(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        keys = gateway.parts.storage.keys
        await keys.create(KeyTerms(name="eyes", scopes=("read:health",)), actor="test")
        page = await Visitor(http, gateway.token).open(PAGE)

    rows = {row[0]: words_of(row[1]) for row in findall(r'/mcp/(\w+)">(.*?)</tr>', page, DOTALL)}
    assert set(rows) == {tool.name for tool in TABLE}
    assert all(tool.scope in rows[tool.name] for tool in TABLE)
    assert "eyes" in rows["omniroute_get_health"]
    assert "eyes" not in rows["omniroute_route_request"]
    assert "http://127.0.0.1:20128/mcp" in words_of(page)
    assert "omniroute --mcp" in words_of(page)
    assert "No tool was called yet" in words_of(page)


async def test_a_tool_is_called_with_typed_arguments_and_the_call_is_on_record(
    tmp_path: Path,
) -> None:
    said = {"arg_model": "sim/fast", "arg_messages": MESSAGES, "arg_budget": "0.5"}
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        page = await visitor.open(ASKING)
        answer = await visitor.send(ASKING, page, **said)
        listed = await visitor.open(PAGE)
        decision = await visitor.open(findall(r'href="(/dashboard/requests/[^"]+)"', listed)[0])
        told = await visitor.api("/api/mcp/audit")
        figures = await visitor.api("/api/mcp/audit/stats")

    given = _answer(answer.text)
    assert answer.status_code == 200
    assert "simulated by sim/fast" in orjson.dumps(given).decode()
    assert 'value="sim/fast"' in answer.text
    assert [one["toolName"] for one in _entries(told)] == ["omniroute_route_request"]
    assert (_entries(told)[0]["outcome"], figures["totalCalls"]) == ("answered", 1)
    assert "1 calls in all" in words_of(listed)
    assert "sim/fast" in words_of(decision)


async def test_what_a_tool_refuses_is_shown_in_its_own_words(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        path = f"{PAGE}/omniroute_get_combo_metrics"
        refused = await visitor.send(path, "", arg_comboId="<b>none</b>", arg_period="month")
        narrowed = await visitor.open(f"{PAGE}?outcome=answered")

    assert refused.status_code == 200
    assert "It did not answer." in words_of(refused.text)
    assert "<b>none</b>" not in refused.text
    assert "No call is like this." in words_of(narrowed)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"arg_messages": "[no"}, "messages is no JSON"),
        ({"arg_messages": ""}, "messages is no JSON"),
        ({"arg_messages": MESSAGES, "arg_budget": "much"}, "'much' is no number"),
    ],
)
async def test_an_argument_that_is_not_of_its_kind_stays_with_the_reason(
    tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        refused = await visitor.send(ASKING, "", arg_model="sim/smart", **wrong)
        told = await visitor.api("/api/mcp/audit")

    assert refused.status_code == 400
    assert said in words_of(refused.text)
    assert 'value="sim/smart"' in refused.text
    assert _entries(told) == []


async def test_the_page_calls_with_the_rights_of_who_looks_and_shows_no_more(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        keys = gateway.parts.storage.keys
        eyes = await keys.create(KeyTerms(name="eyes", scopes=("read:health",)), actor="test")
        blind = await keys.create(KeyTerms(name="blind", scopes=("write:route",)), actor="test")
        seen = await Visitor(http, eyes.text).open(PAGE)
        form = await Visitor(http, eyes.text).open(ASKING)
        wish = {"arg_model": "sim/fast", "arg_messages": MESSAGES}
        denied = await Visitor(http, eyes.text).send(ASKING, "", **wish)
        await Visitor(http, eyes.text).send(HEALTH)
        refused = await Visitor(http, blind.text).send(ASKING, "", **wish)
        told = await Visitor(http, gateway.token).api("/api/mcp/audit")

    assert "Keys that may call it" not in words_of(seen)
    assert "keys with the scope read:usage" in words_of(seen)
    assert "needs write:route" in words_of(form)
    assert "lacks scope write:route" in words_of(denied.text)
    assert refused.status_code == 403
    assert [(one["outcome"], one["apiKeyId"]) for one in _entries(told)] == [
        ("answered", eyes.stored.key_id),
        ("refused", eyes.stored.key_id),
    ]


async def test_calls_are_walked_page_by_page_and_narrowed(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        for _ in range(26):
            await visitor.send(HEALTH)
        await visitor.send(f"{PAGE}/omniroute_list_combos")
        first = await visitor.open(PAGE)
        older = unescape(findall(r'rel="next" href="(\?[^"]+)"', first)[0])
        second = await visitor.open(PAGE + older)
        combos = await visitor.open(f"{PAGE}?tool=omniroute_list_combos")

    assert [_rows(one) for one in (first, second, combos)] == [25, 2, 1]


async def test_a_tool_that_there_is_not_is_said_not_to_be(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        headers = {"authorization": f"Bearer {gateway.token}"}
        answer = await http.get(f"{PAGE}/<i>none</i>", headers=headers)

    assert answer.status_code == 404
    assert "<i>none" not in answer.text


def _answer(page: str) -> Any:
    found = findall(r'<pre id="answer"[^>]*><code>(.*?)</code>', page, DOTALL)
    return orjson.loads(unescape(found[0]))


def _entries(told: dict[str, object]) -> list[dict[str, object]]:
    found = told["entries"]
    assert isinstance(found, list)
    return found


def _rows(page: str) -> int:
    return page.partition('id="calls"')[2].count("<tr><td>")
