"""The page of providers: accounts are added, tried, changed, switched and removed."""

from pathlib import Path

import pytest

from tests.dashboard.visiting import Visitor, words_of
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

PAGE = "/dashboard/providers"
KEY = "sk-fake-0123456789abcdef"


async def test_an_account_is_added_changed_and_removed_and_its_key_never_shown(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        empty = await visitor.open(PAGE)
        wish = {"provider": "openai", "key": KEY, "name": "team", "enabled": "on"}
        added = await visitor.done(PAGE, empty, **wish)
        accounts = (await visitor.api("/api/providers"))["providers"]
        assert isinstance(accounts, list)
        account = next(one for one in accounts if one["provider"] == "openai")
        one = f"{PAGE}/{account['account_id']}"
        change = {"name": "zebra", "models": "gpt-5.5\ngpt-4o", "enabled": "on"}
        changed = await visitor.done(one, added, base_url=account["base_url"], **change)
        kept = gateway.parts.storage.configs.current().accounts
        removed = await visitor.done(f"{one}/remove", changed)

    assert "No provider is set up" in words_of(empty)
    assert "Added." in words_of(added)
    assert "openai · zebra" in words_of(changed)
    assert "gpt-5.5, gpt-4o" in words_of(changed)
    assert KEY not in added + changed
    assert next(one.credential for one in kept if one.name == "zebra") == KEY
    assert "Removed." in words_of(removed)
    assert "zebra" not in words_of(removed)


async def test_what_is_refused_stays_in_the_form_but_for_the_key(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        page = await visitor.open(PAGE)
        wish = {"provider": "mine", "key": KEY, "base_url": "ftp://x", "name": "<b>bold</b>"}
        refused = await visitor.send(PAGE, page, **wish)

    assert refused.status_code == 400
    assert 'role="alert"' in refused.text
    assert 'value="mine"' in refused.text
    assert 'value="ftp://x"' in refused.text
    assert "&lt;b&gt;bold&lt;/b&gt;" in refused.text
    assert KEY not in refused.text


async def test_a_test_says_in_words_how_it_went(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        page = await visitor.open(f"{PAGE}/simulator")
        tried = await visitor.send(f"{PAGE}/simulator/test", page)

    assert tried.status_code == 200
    assert "sim/fast answered after" in words_of(tried.text) or "fast answered" in tried.text


async def test_an_account_that_is_switched_off_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        page = await visitor.open(PAGE)
        await visitor.done(PAGE, page, provider="openai", key=KEY, enabled="on")
        path = f"{PAGE}/openai/enable"
        off = await visitor.done(path, page, enabled="no")
        on = await visitor.done(path, page, enabled="yes")

    assert "Switch on" in words_of(off)
    assert "Switch on" not in words_of(on)


async def test_an_account_that_is_not_there_says_so_in_a_page(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        token = {"authorization": f"Bearer {gateway.token}"}
        answer = await http.get(f"{PAGE}/nobody", headers=token)

    assert answer.status_code == 404
    assert "no account is named 'nobody'" in words_of(answer.text)
