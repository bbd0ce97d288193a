"""Playground and translate: the same doors as every client's, with the caller of the page."""

import ast
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from omniroute.server.store.key_terms import KeyTerms
from tests.dashboard.visiting import Visitor, words_of
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

PAGE = "/dashboard/playground"
DIALECTS = ("openai_chat", "anthropic", "openai_responses", "gemini")
ASKED: dict[str, Any] = {"prompt": "say <b>hello</b>", "system": "be brief", "tokens": "200"}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_two_models_answer_side_by_side_and_are_on_record(
    tmp_path: Path, dialect: str
) -> None:
    sides = {"model1": "sim/fast", "dialect1": dialect, "model2": "sim/smart", "dialect2": dialect}
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        page = await visitor.open(PAGE)
        answer = await visitor.send(PAGE, page, **sides, **ASKED)
        await gateway.parts.storage.ledger.flush()
        requests = (await visitor.api("/api/requests"))["requests"]

    assert answer.status_code == 200
    assert "[simulated by sim/fast] " in words_of(answer.text)
    assert "[simulated by sim/smart] " in words_of(answer.text)
    assert "<b>hello</b>" not in answer.text
    assert isinstance(requests, list)
    assert {one["target"] for one in requests} == {"sim/fast", "sim/smart"}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_answer_is_streamed_in_its_dialect(tmp_path: Path, dialect: str) -> None:
    sides = {"model2": "sim/fast", "dialect2": dialect, "side": "2"}
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        answer = await visitor.send(f"{PAGE}/stream", "", **sides, **ASKED)

    lines = [line for line in answer.text.splitlines() if line.startswith("data:")]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-omniroute-model"] == "fast"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(lines) > 3
    assert "simulated" in answer.text


async def test_the_code_that_is_shown_is_whole_whatever_is_asked(tmp_path: Path) -> None:
    nasty = 'it\'s "quoted" $HOME `id` \\ </code>\nnext {{7*7}}'
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        for dialect in DIALECTS:
            wish = {**ASKED, "prompt": nasty, "model1": "sim/fast", "dialect1": dialect}
            page = (await visitor.send(f"{PAGE}/code", "", **wish)).text
            command, lines = _codes(page)
            words = shlex.split(command.replace("\\\n", ""))
            assert words[0] == "curl"
            assert nasty in json.dumps(json.loads(words[-1]), ensure_ascii=False).replace(
                "\\n", "\n"
            ).replace('\\"', '"').replace("\\\\", "\\")
            ast.parse(lines)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"prompt": ""}, "write what is asked"),
        ({"model1": ""}, "name a model or a combo"),
        ({"dialect1": "klingon"}, "dialect is one of"),
        ({"tokens": "0"}, "1 or more"),
    ],
)
async def test_what_is_wrong_is_said_and_what_was_typed_stays(
    tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        fields = {"model1": "sim/fast", "dialect1": "anthropic", **ASKED, **wrong}
        refused = await visitor.send(PAGE, "", **fields)

    assert refused.status_code == 400
    assert said in words_of(refused.text)
    assert "be brief" in refused.text


async def test_a_model_that_fails_says_why_in_its_place(tmp_path: Path) -> None:
    sides = {"model1": "sim/fast@fault=server_error", "dialect1": "anthropic"}
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        page = await visitor.send(PAGE, "", **sides, **ASKED)
        streamed = await visitor.send(f"{PAGE}/stream", "", **sides, **ASKED)

    assert page.status_code == 200
    assert 'badge-bad">5' in page.text
    assert streamed.status_code >= 500


async def test_who_may_not_ask_models_may_not_here_and_pays_with_the_own_key(
    tmp_path: Path,
) -> None:
    sides = {"model1": "sim/fast", "dialect1": "openai_chat"}
    async with opened(tmp_path) as gateway, client(gateway) as http:
        keys = gateway.parts.storage.keys
        eyes = await keys.create(KeyTerms(name="eyes", scopes=("readonly",)), actor="test")
        hands = await keys.create(KeyTerms(name="hands", scopes=("agent",)), actor="test")
        refused = await Visitor(http, eyes.text).send(PAGE, "", **sides, **ASKED)
        await Visitor(http, hands.text).send(PAGE, "", **sides, **ASKED)
        await gateway.parts.storage.ledger.flush()
        told = (await Visitor(http, gateway.token).api("/api/requests"))["requests"]

    assert refused.status_code == 403
    assert isinstance(told, list)
    assert [one["key_id"] for one in told] == [hands.stored.key_id]


async def test_a_body_is_translated_and_what_is_dropped_is_named(tmp_path: Path) -> None:
    body = {"model": "x", "messages": [{"role": "user", "content": "hi"}], "seed": 7}
    wish = {"from": "openai_chat", "to": "anthropic", "model": "", "body": json.dumps(body)}
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        page = await visitor.send("/dashboard/translate", "", **wish)
        bad = await visitor.send("/dashboard/translate", "", **{**wish, "body": "{no"})
        wrong = await visitor.send("/dashboard/translate", "", **{**wish, "body": '{"model": "x"}'})

    assert "POST /messages" in words_of(page.text)
    assert "seed" in words_of(page.text).partition("no word for these")[2]
    assert bad.status_code == 400
    assert "the body is not JSON" in words_of(bad.text)
    assert "{no" in bad.text
    assert wrong.status_code == 400


def _codes(page: str) -> tuple[str, str]:
    from html import unescape
    from re import DOTALL, findall

    first, second = findall(r"<code>(.*?)</code>", page, DOTALL)
    return unescape(first), unescape(second)
