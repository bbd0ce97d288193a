"""Edits of what is configured: bound to what was seen, and never lost to one another.

Two gateways on one database stand for two replicas: neither is told of the other's changes
before it looks.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from omniroute.server.compose import Composed
from tests.services import postgres, postgres_url
from tests.v1.whole import client, opened

__all__ = ["postgres", "postgres_url"]

pytestmark = pytest.mark.anyio

COMBO = {"name": "team", "models": [{"target": "sim/fast"}]}
AUTO = {"type": "auto", "id": "mine", "name": "Mine", "candidatePool": ["sim"]}
ACCOUNT = {"provider": "own", "base_url": "https://own.example/v1", "dialect": "openai_chat"}
SECRET = "sk-fake-of-the-account"
PROXY = {"type": "http", "host": "proxy.example", "port": 3128, "password": "fake-of-the-proxy"}
BUDGET = {"key_id": "local", "terms": {"cap_usd_nanos": 5_000_000_000, "period": "day"}}


@dataclass(frozen=True)
class Noun:
    """A thing that can be edited.

    Attributes:
        path: where it is, with the answer to its making in braces.
        make: how it is made, None for what is always there.
        change: a change of it.
        method: that changes it.
    """

    path: str
    make: tuple[str, str, dict[str, Any]] | None
    change: dict[str, Any]
    method: str = "PATCH"
    removable: bool = True


NOUNS = {
    "combo": Noun("/api/combos/team", ("POST", "/api/combos", COMBO), {"retries": 1}),
    "auto": Noun("/api/combos/auto/mine", ("POST", "/api/combos/auto", AUTO), {"name": "Ours"}),
    "alias": Noun(
        "/api/aliases/quick",
        ("PUT", "/api/aliases", {"name": "quick", "target": "sim/fast"}),
        {"target": "sim/smart"},
    ),
    "account": Noun(
        "/api/providers/{account_id}",
        ("POST", "/api/providers", {**ACCOUNT, "key": SECRET}),
        {"key": "sk-fake-another-one"},
    ),
    "key": Noun(
        "/api/keys/{key[key_id]}",
        ("POST", "/api/keys", {"name": "one", "scopes": ["readonly"]}),
        {"name": "another"},
    ),
    "budget": Noun(
        "/api/budgets/{budget_id}",
        ("POST", "/api/budgets", BUDGET),
        {"terms": {"cap_usd_nanos": 1}},
    ),
    "system prompt": Noun(
        "/api/settings/system-prompt", None, {"prompt": "Be brief."}, "PUT", removable=False
    ),
    "thinking": Noun(
        "/api/settings/thinking-budget", None, {"mode": "adaptive"}, "PUT", removable=False
    ),
    "proxies": Noun(
        "/api/settings/proxy",
        ("PUT", "/api/settings/proxy", {"proxy": PROXY}),
        {"proxy": {**PROXY, "password": "fake-another-one"}},
        "PUT",
        removable=False,
    ),
    "resilience": Noun("/api/resilience", None, {"profile": "aggressive"}, "PUT", removable=False),
}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Composed]:
    async with opened(tmp_path) as gateway:
        yield gateway


@pytest.fixture
async def api(gateway: Composed) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(gateway, authorization=f"Bearer {gateway.token}") as api:
        yield api


@asynccontextmanager
async def two_replicas(folder: Path, **variables: str) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Give clients of two gateways on one database, none of which looks by itself."""
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(2):
            gateway = await stack.enter_async_context(opened(folder, **variables))
            token = f"Bearer {gateway.token}"
            clients.append(await stack.enter_async_context(client(gateway, authorization=token)))
        yield clients


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    """The variables that name the database."""
    if request.param == "sqlite":
        return {}
    return {"OMNIROUTE_DATABASE_URL": str(request.getfixturevalue("postgres_url"))}


@pytest.fixture
async def replicas(
    database: dict[str, str], tmp_path: Path
) -> AsyncIterator[list[httpx2.AsyncClient]]:
    async with two_replicas(tmp_path, **database) as clients:
        yield clients


async def made(api: httpx2.AsyncClient, noun: Noun) -> str:
    """Make a thing and give where it is."""
    if noun.make is None:
        return noun.path
    method, path, body = noun.make
    answer = await api.request(method, path, json=body)
    assert answer.status_code < 300, answer.text
    return noun.path.format_map(answer.json())


@pytest.mark.parametrize("noun", NOUNS.values(), ids=NOUNS)
async def test_an_edit_with_the_etag_that_was_shown_is_made_once(
    api: httpx2.AsyncClient, noun: Noun
) -> None:
    path = await made(api, noun)
    shown = await api.get(path)
    bound = {"if-match": shown.headers["etag"]}

    first = await api.request(noun.method, path, json=noun.change, headers=bound)
    after = await api.get(path)
    again = await api.request(noun.method, path, json=noun.change, headers=bound)

    assert (shown.status_code, first.status_code, again.status_code) == (200, 200, 412)
    assert first.headers["etag"] == after.headers["etag"] != shown.headers["etag"]
    assert again.json()["error"]["code"] == "precondition_failed"
    assert after.headers["etag"] in again.json()["error"]["message"]
    assert (await api.get(path)).text == after.text


@pytest.mark.parametrize("noun", NOUNS.values(), ids=NOUNS)
async def test_an_edit_that_changes_nothing_leaves_the_etag(
    api: httpx2.AsyncClient, noun: Noun
) -> None:
    path = await made(api, noun)
    await api.request(noun.method, path, json=noun.change)
    before = await api.get(path)

    again = await api.request(noun.method, path, json=noun.change)

    assert again.headers["etag"] == before.headers["etag"]


REMOVABLE = {name: noun for name, noun in NOUNS.items() if noun.removable}


@pytest.mark.parametrize("noun", REMOVABLE.values(), ids=REMOVABLE)
async def test_what_has_changed_since_it_was_read_is_not_removed(
    api: httpx2.AsyncClient, noun: Noun
) -> None:
    path = await made(api, noun)
    bound = {"if-match": (await api.get(path)).headers["etag"]}
    await api.request(noun.method, path, json=noun.change)

    refused = await api.delete(path, headers=bound)
    removed = await api.delete(path, headers={"if-match": (await api.get(path)).headers["etag"]})
    gone = await api.delete(path, headers={"if-match": "*"})

    assert (refused.status_code, removed.status_code, gone.status_code) == (412, 204, 404)
    assert (await api.get(path)).status_code == 404
    assert (await api.patch(path, json=noun.change)).status_code == 404


async def test_a_fitness_rule_is_set_and_removed_by_who_has_seen_the_rules(
    api: httpx2.AsyncClient,
) -> None:
    async def tag() -> str:
        return str((await api.get("/api/fitness")).headers["etag"])

    none = await tag()
    rule = {"pattern": "sim/fast", "fitness": 0.5}

    made = await api.put("/api/fitness", json=rule, headers={"if-match": none})
    one = await tag()
    refused = [
        await api.put("/api/fitness", json={**rule, "fitness": 1}, headers={"if-match": none}),
        await api.delete("/api/fitness/sim/fast", headers={"if-match": none}),
    ]
    kept = (await api.get("/api/fitness")).json()["rules"]
    removed = await api.delete("/api/fitness/sim/fast", headers={"if-match": one})

    assert (made.status_code, removed.status_code) == (200, 204)
    assert [answer.status_code for answer in refused] == [412, 412]
    assert kept == [{**rule, "kind": ""}]
    # Its answer shows one rule, and an ETag of that would be none of what is edited.
    assert "etag" not in made.headers
    assert none == await tag() != one


async def test_what_requests_have_shown_of_models_leaves_the_etag_of_the_rules(
    api: httpx2.AsyncClient,
) -> None:
    before = (await api.get("/api/fitness")).headers["etag"]
    body = {"model": "sim/fast", "messages": [{"role": "user", "content": "hi"}]}
    for _ in range(3):
        assert (await api.post("/v1/chat/completions", json=body)).status_code == 200

    assert (await api.get("/api/fitness")).headers["etag"] == before


async def test_a_put_can_be_bound_to_making_or_to_changing(api: httpx2.AsyncClient) -> None:
    path = "/api/combos/team"

    changed = await api.put(path, json=COMBO, headers={"if-match": "*"})
    made = await api.put(path, json=COMBO, headers={"if-none-match": "*"})
    made_again = await api.put(path, json=COMBO, headers={"if-none-match": "*"})

    assert (changed.status_code, made.status_code, made_again.status_code) == (412, 200, 412)
    assert "leave If-Match out" in changed.json()["error"]["message"]
    assert made.headers["etag"] in made_again.json()["error"]["message"]


@pytest.mark.parametrize("tags", ['"other", {}', "{}", "*", ' "a" ,{} '])
async def test_any_of_the_named_etags_will_do(api: httpx2.AsyncClient, tags: str) -> None:
    path = await made(api, NOUNS["combo"])
    tag = (await api.get(path)).headers["etag"]

    answer = await api.patch(path, json={"retries": 1}, headers={"if-match": tags.format(tag)})

    assert answer.status_code == 200


@pytest.mark.parametrize("tag", ["W/{}", '"another"'])
async def test_a_weak_etag_matches_nothing(api: httpx2.AsyncClient, tag: str) -> None:
    path = await made(api, NOUNS["combo"])
    bound = {"if-match": tag.format((await api.get(path)).headers["etag"])}

    assert (await api.patch(path, json={"retries": 1}, headers=bound)).status_code == 412


@pytest.mark.parametrize("tags", ["abc", '"a" "b"', "", ",", '"', "W/*"])
async def test_what_is_no_etag_is_refused(api: httpx2.AsyncClient, tags: str) -> None:
    path = await made(api, NOUNS["combo"])

    answer = await api.patch(path, json={"retries": 1}, headers={"if-match": tags})

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "if-match"


async def test_an_etag_of_another_replica_is_judged_by_what_is_stored(
    replicas: list[httpx2.AsyncClient],
) -> None:
    here, there = replicas
    path = await made(here, NOUNS["combo"])
    bound = {"if-match": (await here.get(path)).headers["etag"]}

    changed = await there.patch(path, json={"retries": 1}, headers=bound)
    refused = await here.patch(path, json={"retries": 0}, headers=bound)

    assert (changed.status_code, refused.status_code) == (200, 412)
    assert (await here.get(path)).json()["retries"] == 1


async def test_patches_of_two_replicas_at_once_all_count(
    replicas: list[httpx2.AsyncClient],
) -> None:
    path = await made(replicas[0], NOUNS["combo"])
    fields = {
        "retries": 2,
        "attempts_max": 3,
        "first_byte_s": 5.0,
        "total_s": 50.0,
        "description": "Ours.",
        "queue_s": 2.0,
        "concurrency_per_model": 4,
    }

    answers = await asyncio.gather(
        *(
            replicas[number % 2].patch(path, json={name: value})
            for number, (name, value) in enumerate(fields.items())
        )
    )

    assert [one.status_code for one in answers] == [200] * len(fields)
    shown = (await replicas[0].patch(path, json={})).json()
    assert {name: shown[name] for name in fields} == fields


async def test_counting_with_etags_loses_no_count(replicas: list[httpx2.AsyncClient]) -> None:
    path = await made(replicas[0], NOUNS["budget"])
    # It has the other one look at what there is.
    await replicas[1].patch(path, json={})

    async def add(api: httpx2.AsyncClient) -> None:
        while True:
            shown = await api.get(path)
            cap = shown.json()["terms"]["cap_usd_nanos"] + 1
            answer = await api.patch(
                path,
                json={"terms": {"cap_usd_nanos": cap}},
                headers={"if-match": shown.headers["etag"]},
            )
            if answer.status_code == 200:
                return
            assert answer.status_code == 412
            # What this replica has in force is what was refused: it is fresh now.

    await asyncio.gather(*(add(replicas[number % 2]) for number in range(8)))

    assert (await replicas[0].patch(path, json={})).json()["terms"]["cap_usd_nanos"] == (
        BUDGET["terms"]["cap_usd_nanos"] + 8  # type: ignore[index]
    )


async def test_a_budget_is_edited_while_it_is_spent(api: httpx2.AsyncClient) -> None:
    path = await made(api, NOUNS["budget"])
    shown = await api.get(path)
    body = {"model": "sim/fast", "messages": [{"role": "user", "content": "hi"}]}
    asked = await api.post("/v1/chat/completions", json=body)

    changed = await api.patch(
        path, json={"terms": {"name": "more"}}, headers={"if-match": shown.headers["etag"]}
    )

    assert (asked.status_code, changed.status_code) == (200, 200)
    assert changed.json()["terms"] == {**shown.json()["terms"], "name": "more"}


async def test_a_patch_keeps_what_it_does_not_name(api: httpx2.AsyncClient) -> None:
    path = await made(api, NOUNS["combo"])
    first = await api.patch(path, json={"description": "Ours.", "retries": 2})

    second = await api.patch(path, json={"description": None, "name": "ours"})

    expected = {**first.json(), "description": "", "name": "ours"}
    assert second.json() == expected
    assert (await api.get("/api/combos/ours")).json() == expected
    assert (await api.get(path)).status_code == 404


async def test_a_key_is_rolled_once_by_who_has_seen_it(api: httpx2.AsyncClient) -> None:
    path = await made(api, NOUNS["key"])
    bound = {"if-match": (await api.get(path)).headers["etag"]}

    rolled = await api.post(f"{path}/roll", json={}, headers=bound)
    again = await api.post(f"{path}/roll", json={}, headers=bound)

    assert (rolled.status_code, again.status_code) == (200, 412)
    assert rolled.headers["etag"] == (await api.get(path)).headers["etag"]


async def test_a_starter_combo_that_is_changed_becomes_an_own_one(
    api: httpx2.AsyncClient,
) -> None:
    before = (await api.get("/api/combos/cheap")).json()

    off = (await api.patch("/api/combos/cheap", json={"active": False})).json()
    on = (await api.patch("/api/combos/cheap", json={"active": True})).json()
    own = (await api.patch("/api/combos/cheap", json={"retries": 1})).json()

    assert off == {**before, "active": False}
    assert on == before
    assert own["combo_id"] != before["combo_id"]
    assert {**own, "combo_id": ""} == {**before, "combo_id": "", "retries": 1}


async def test_an_auto_is_changed_by_its_own_route_alone(api: httpx2.AsyncClient) -> None:
    await made(api, NOUNS["auto"])

    told = await api.patch("/api/combos/mine", json={"retries": 1})

    assert told.status_code == 409
    assert "/api/combos/auto/mine" in told.json()["error"]["message"]
    assert (await api.get("/api/combos/auto/cheap")).status_code == 404


async def test_an_account_is_changed_without_its_key(
    api: httpx2.AsyncClient, gateway: Composed
) -> None:
    path = await made(api, NOUNS["account"])
    before = (await api.get(path)).json()

    changed = await api.patch(path, json={"name": "ours", "enabled": False, "models": ["m"]})

    assert changed.json() == {**before, "name": "ours", "enabled": False, "models": ["m"]}
    stored = gateway.parts.gateway.view.configs.current().accounts[0]
    assert stored.credential == SECRET
    assert SECRET not in changed.text


async def test_a_key_that_is_not_entered_anew_goes_nowhere_else(
    api: httpx2.AsyncClient, gateway: Composed
) -> None:
    body = {**ACCOUNT, "key": SECRET, "headers": {"x-team": "sk-fake-header"}}
    account_id = (await api.post("/api/providers", json=body)).json()["account_id"]
    path = f"/api/providers/{account_id}"
    elsewhere = {"base_url": "https://another.example/v1"}

    refused = [
        await api.patch(path, json=change)
        for change in (
            elsewhere,
            {**elsewhere, "key": "sk-fake-new"},
            {"proxy": "http://10.0.0.9:3128"},
            {"base_url": "http://own.example/v1"},
            {"base_url": "https://own.example:444/v1"},
        )
    ]
    entered = {**elsewhere, "key": "sk-fake-new", "headers": None}
    changed = await api.patch(path, json=entered)
    beside = await api.patch(path, json={"base_url": "https://another.example/v2"})

    assert [one.status_code for one in refused] == [400] * 5
    assert {one.json()["error"]["param"] for one in refused} == {"key", "headers"}
    assert (changed.status_code, beside.status_code) == (200, 200)
    assert changed.json()["headers"] == []
    stored = gateway.parts.gateway.view.configs.current().accounts[0]
    assert (stored.credential, stored.headers) == ("sk-fake-new", ())


async def test_a_fingerprint_tells_two_secrets_apart_and_nothing_more(
    api: httpx2.AsyncClient,
) -> None:
    path = await made(api, NOUNS["account"])
    before = (await api.get(path)).json()

    changed = await api.patch(path, json={"key": "sk-fake-of-the-accounT"})
    back = await api.patch(path, json={"key": SECRET})

    assert changed.json()["fingerprint"] != before["fingerprint"]
    assert back.json() == before


async def test_an_account_that_was_found_is_not_edited(api: httpx2.AsyncClient) -> None:
    told = await api.patch("/api/providers/sim", json={"name": "x"})

    assert told.status_code == 400
    assert "it is not stored" in told.json()["error"]["message"]
