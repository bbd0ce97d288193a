"""The page of combos: made, simulated and tried before they are saved, changed, removed."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from omniroute.server.store.key_terms import KeyTerms
from tests.dashboard.visiting import Visitor, words_of
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

PAGE = "/dashboard/combos"
DRAFT: dict[str, Any] = {
    "name": "team/mine",
    "strategy": "priority",
    "active": "on",
    "place": ["2", "1", "3"],
    "target": ["sim/fast", "sim/smart", ""],
    "weight": ["", "5", ""],
}


async def test_a_combo_is_simulated_and_tried_before_it_is_saved_and_then_answers(
    tmp_path: Path,
) -> None:
    chat = {"model": "team/mine", "messages": [{"role": "user", "content": "hello"}]}
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        new = await visitor.open(f"{PAGE}/new")
        simulated = await visitor.send(f"{PAGE}/new", new, **DRAFT, do="simulate")
        tried = await visitor.send(
            f"{PAGE}/new", new, **DRAFT, do="lab", faults="1=unavailable@1-50"
        )
        nothing = (await visitor.api("/api/combos/team%2Fmine"))["error"]
        saved = await visitor.done(f"{PAGE}/new", new, **DRAFT, do="save")
        answer = await http.post(
            "/v1/chat/completions",
            json=chat,
            headers={"authorization": f"Bearer {gateway.token}"},
        )

    drafted = words_of(simulated.text).partition("Your draft")[2]
    assert drafted.index("sim/smart") < drafted.index("sim/fast")
    assert 'value="sim/smart"' in simulated.text
    assert "100 of 100 answered" in words_of(tried.text)
    assert nothing
    assert "Saved" in words_of(saved)
    assert answer.headers["x-omniroute-model"] == "smart"


async def test_what_is_stored_stands_beside_the_draft(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        page = await visitor.done(f"{PAGE}/new", **DRAFT, do="save")
        turned = {**DRAFT, "place": ["1", "2", "3"]}
        one = f"{PAGE}/one/team%2Fmine"
        beside = words_of((await visitor.send(one, page, **turned, do="simulate")).text)
        changed = await visitor.done(one, page, **turned, do="save")
        told = await visitor.api("/api/combos/team%2Fmine")
        late = await visitor.send(one, page, **DRAFT, do="save")

    stored, _, draft = beside.partition("Your draft")
    assert stored.index("sim/smart") < stored.index("sim/fast")
    assert draft.index("sim/fast") < draft.index("sim/smart")
    assert "Saved" in words_of(changed)
    models = told["models"]
    assert isinstance(models, list)
    assert [one["target"] for one in models] == ["sim/fast", "sim/smart"]
    assert late.status_code == 412
    assert "it has changed since it was read" in words_of(late.text)


async def test_a_combo_is_switched_off_and_removed(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        await visitor.done(f"{PAGE}/new", **DRAFT, do="save")
        off = await visitor.done(f"{PAGE}/switch", name="team/mine", active="no")
        active = (await visitor.api("/api/combos/team%2Fmine"))["active"]
        gone = await visitor.done(f"{PAGE}/remove", name="team/mine")

    assert "Switch on" in words_of(off)
    assert active is False
    assert "team/mine" not in words_of(gone)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"target": ["team/mine", "", ""]}, "contain"),
        ({"weight": ["heavy", "", ""]}, "is no number"),
        ({"retries": "1.5"}, "is no whole number"),
        ({"name": ""}, "name"),
    ],
)
async def test_what_is_wrong_is_said_and_the_draft_stays(
    tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        fields = {**DRAFT, "description": "<mine>", **wrong}
        refused = await visitor.send(f"{PAGE}/new", **fields, do="save")

    assert refused.status_code == 400
    assert said in words_of(refused.text)
    assert 'value="&lt;mine&gt;"' in refused.text


async def test_who_may_only_see_combos_can_do_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        terms = KeyTerms(name="eyes", scopes=("read:combos",))
        eyes = await gateway.parts.storage.keys.create(terms, actor="test")
        visitor = Visitor(http, eyes.text)
        page = await visitor.open(PAGE)
        refused = await visitor.send(f"{PAGE}/switch", name="cheap", active="no")

    assert "fast-coding" in page
    assert "Switch off" not in page
    assert refused.status_code == 403


async def test_two_hundred_combos_are_walked_in_light_pages(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        for number in range(200):
            wish = {"name": f"combo-{number:03}", "models": [{"target": "sim/fast"}]}
            token = {"authorization": f"Bearer {gateway.token}"}
            made = await http.post("/api/combos", json=wish, headers=token)
            assert made.status_code == 201
        pages = [await visitor.open(PAGE)]
        while onward := re.search(r'rel="next" href="([^"]*)"', pages[-1]):
            pages.append(await visitor.open(f"{PAGE}{unescape(onward[1])}"))

    found = re.findall(r'href="/dashboard/combos/one/(combo-[^"]+)"', "".join(pages))
    assert found == [f"combo-{number:03}" for number in range(200)]
    assert max(len(page.encode()) for page in pages) < 60_000
