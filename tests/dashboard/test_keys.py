"""The page of keys and budgets: made, bounded, rolled, revoked; a secret is shown once."""

import re
from pathlib import Path

import pytest

from tests.dashboard.visiting import Visitor, words_of
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

PAGE = "/dashboard/keys"
SECRET = re.compile(r"sk-omni-[\w-]+")
WISH = {"name": "ci", "scopes": "agent", "keep_content": "on"}
CHAT = {"model": "sim/fast", "messages": [{"role": "user", "content": "hello"}]}


async def test_a_key_is_made_its_secret_shown_once_and_revoked(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        page = await visitor.open(PAGE)
        made = await visitor.send(PAGE, page, **WISH, models="sim/*\nopenai/*", days="1.5")
        secret = SECRET.findall(made.text)[0]
        key_id = gateway.parts.storage.keys.all()[0].key_id
        await visitor.send(PAGE, page, **{**WISH, "name": "another"})
        before = await http.post("/v1/chat/completions", json=CHAT, headers=_bearer(secret))
        listed = await visitor.open(PAGE)
        shown = await visitor.open(f"{PAGE}/{key_id}")
        gone = await visitor.done(f"{PAGE}/{key_id}/revoke", shown)
        after = await http.post("/v1/chat/completions", json=CHAT, headers=_bearer(secret))

    assert made.headers["cache-control"] == "no-store"
    assert "shown this once" in words_of(made.text)
    assert secret not in listed + shown
    assert "sim/*, openai/*" in words_of(listed)
    assert before.status_code == 200
    assert "Revoked" in words_of(gone)
    assert after.status_code == 401


async def test_a_budget_is_set_hit_changed_and_removed(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        page = await visitor.open(PAGE)
        made = await visitor.send(PAGE, page, **WISH)
        secret = SECRET.findall(made.text)[0]
        key_id = gateway.parts.storage.keys.all()[0].key_id
        page = await visitor.done(
            "/dashboard/budgets", page, of=key_id, cap="0.000001", period="day", action="block"
        )
        refused = await http.post("/v1/chat/completions", json=CHAT, headers=_bearer(secret))
        budget_id = gateway.parts.storage.budgets.all()[0].budget_id
        one = f"/dashboard/budgets/{budget_id}"
        shown = await visitor.open(one)
        changed = await visitor.done(one, shown, cap="2.5", action="alert", warn_percent="50")
        answered = await http.post("/v1/chat/completions", json=CHAT, headers=_bearer(secret))
        gone = await visitor.done(f"{one}/remove", changed)

    assert "The budget is in force." in words_of(page)
    assert refused.status_code == 402
    assert "$0 of $0.000001 (day)" in words_of(shown)
    assert "$0 of $2.50 (day)" in words_of(changed)
    assert answered.status_code == 200
    assert "There is no budget" in words_of(gone)


async def test_a_key_gets_a_new_secret_and_keeps_what_its_form_says(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        first = SECRET.findall((await visitor.send(PAGE, **WISH)).text)[0]
        key_id = gateway.parts.storage.keys.all()[0].key_id
        page = await visitor.open(f"{PAGE}/{key_id}")
        change = {"name": "blue", "scopes": ["read:health", "write:route"], "enabled": "on"}
        changed = await visitor.done(f"{PAGE}/{key_id}", page, **change, requests_per_minute="7")
        rolled = await visitor.send(f"{PAGE}/{key_id}/roll", changed, overlap="0")
        second = SECRET.findall(rolled.text)[0]
        old = await http.get("/v1/models", headers=_bearer(first))
        new = await http.get("/v1/models", headers=_bearer(second))

    terms = gateway.parts.storage.keys.all()[0].terms
    assert (terms.name, set(terms.scopes)) == ("blue", {"read:health", "write:route"})
    assert (terms.rates.requests_per_minute, terms.keep_content) == (7, False)
    assert 'value="7"' in changed
    assert (old.status_code, new.status_code) == (401, 200)


@pytest.mark.parametrize(
    ("field", "typed"), [("cap", "lots"), ("requests_per_minute", "1.5"), ("days", "x")]
)
async def test_what_is_no_number_is_said_where_it_was_typed(
    tmp_path: Path, field: str, typed: str
) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        refused = await visitor.send(PAGE, **{**WISH, "name": "<i>", field: typed})

    assert refused.status_code == 400
    assert f'value="{typed}"' in refused.text
    assert f'id="{field}-error"' in refused.text
    assert 'value="&lt;i&gt;"' in refused.text
    assert len(gateway.parts.storage.keys.all()) == 0


async def test_an_edit_of_a_key_that_another_changed_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        await visitor.send(PAGE, **WISH)
        path = f"{PAGE}/{gateway.parts.storage.keys.all()[0].key_id}"
        page = await visitor.open(path)
        await visitor.done(path, page, name="first", scopes="agent", enabled="on")
        refused = await visitor.send(path, page, name="second", scopes="agent", enabled="on")

    assert refused.status_code == 412
    assert 'value="second"' in refused.text
    assert gateway.parts.storage.keys.all()[0].terms.name == "first"


async def test_a_key_wishes_its_prompts_kept_and_wishes_it_no_more(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        await visitor.send(PAGE, **WISH, log_content="on")
        wished = gateway.parts.storage.keys.all()[0]
        listed = await visitor.open(PAGE)
        path = f"{PAGE}/{wished.key_id}"
        page = await visitor.open(path)
        await visitor.done(path, page, name="ci", scopes="agent", keep_content="on", enabled="on")
        later = gateway.parts.storage.keys.all()[0]
        refused = await visitor.send(PAGE, name="odd", scopes="agent", log_content="on")

    box = 'name="log_content" value="on" checked'
    assert (wished.terms.log_content, later.terms.log_content) == (True, False)
    assert "prompts are kept" in words_of(listed)
    assert box in page
    assert box not in listed
    assert refused.status_code == 400
    assert 'id="log_content-error"' in refused.text
    assert box in refused.text


def _bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}
