"""The page of set-up: a first request, each client's files filled in, and whether it has called."""

import re
from html import unescape
from pathlib import Path

import pytest

from omniroute.server.clients.table import CLIENTS
from omniroute.server.store.key_terms import KeyTerms
from tests.dashboard.visiting import Visitor, words_of
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

PAGE = "/dashboard/setup"
CHAT = {"model": "auto", "messages": [{"role": "user", "content": "hello"}]}


async def test_a_first_request_is_sent_and_its_decision_is_a_click_away(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        page = await visitor.open(PAGE)
        answer = await visitor.send(f"{PAGE}/first", page)
        link = re.findall(r'href="(/dashboard/requests/req_\w+)"', answer.text)
        decision = await visitor.open(link[0])

    assert "[simulated by " in words_of(answer.text)
    assert "Say hello." in unescape(page)
    assert "sim/" in words_of(decision)


@pytest.mark.parametrize("system", ["linux", "macos", "windows"])
async def test_every_client_has_its_files_filled_in(tmp_path: Path, system: str) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        page = await visitor.open(PAGE)
        told = {
            one.name: await visitor.api(f"/api/clients/{one.name}?system={system}")
            for one in CLIENTS
        }
        shown = await visitor.open(f"{PAGE}/claude-code?system={system}")

    assert all(f"{PAGE}/{one.name}" in page for one in CLIENTS)
    with_files = [name for name, one in told.items() if "files" in one]
    assert len(with_files) >= len(CLIENTS) - 2
    for name in with_files:
        files = told[name]["files"]
        assert isinstance(files, list)
        assert files
        text = "".join(one["text"] for one in files)
        assert "omniroute" in text.lower() or "127.0.0.1" in text, name
        assert all(one["path"].startswith("~") for one in files), name
    assert "omniroute setup claude-code" in shown


async def test_a_key_made_for_a_client_stands_in_its_files_this_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        await gateway.parts.storage.keys.create(KeyTerms(name="a", scopes=("full",)), actor="test")
        visitor = Visitor(http, gateway.token)
        before = await visitor.open(f"{PAGE}/cursor?transport=http")
        made = (await visitor.send(f"{PAGE}/cursor/key?transport=http", before)).text
        secret = re.findall(r"sk-omni-[\w-]{20,}", made)[0]
        check = unescape(re.findall(r'href="(\?[^"]*since=[^"]*)"', made)[0])
        quiet = await visitor.open(f"{PAGE}/cursor{check}")
        headers = {"authorization": f"Bearer {secret}"}
        await http.post("/v1/chat/completions", json=CHAT, headers=headers)
        called = await visitor.open(f"{PAGE}/cursor{check}")

    assert "sk-omni-..." in before
    assert "shown this once" in words_of(made)
    assert secret not in quiet
    assert "Not since this page was opened" in words_of(quiet)
    assert "Yes, since this page was opened" in words_of(called)


async def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        token = {"authorization": f"Bearer {gateway.token}"}
        unknown = await http.get(f"{PAGE}/emacs", headers=token)
        pair = await http.get("/api/clients/cursor?url=ftp://x", headers=token)
        way = await http.get("/api/clients/cursor?transport=pigeon", headers=token)

    assert unknown.status_code == 404
    assert "no client is called so; known are" in words_of(unknown.text)
    assert (pair.status_code, way.status_code) == (400, 400)
