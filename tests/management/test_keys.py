"""The management API on keys, of a whole gateway."""

from pathlib import Path
from typing import Any

import pytest

from omniroute.server.compose import Composed
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio


async def asked(gateway: Composed, method: str, path: str, body: Any = None, key: str = "") -> Any:
    """Send one request as a key, the command line's without one, and give its answer."""
    headers = {"authorization": f"Bearer {key or gateway.token}"}
    async with client(gateway, **headers) as http:
        return await http.request(method, path, json=body)


async def made(gateway: Composed, key: str = "", **wish: Any) -> tuple[str, str]:
    """Make a key and give its id and its secret."""
    answer = await asked(gateway, "POST", "/api/keys", wish, key)
    assert answer.status_code == 201, answer.text
    return answer.json()["key"]["key_id"], answer.json()["secret"]


async def test_a_change_names_what_changes_and_the_rest_stays(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway:
        key_id, _ = await made(
            gateway, name="ci", models=["groq/*"], requests_per_minute=5, concurrency_max=2
        )
        change = {"name": "nightly", "requests_per_minute": None, "keep_content": False}
        changed = await asked(gateway, "PATCH", f"/api/keys/{key_id}", change)
        shown = await asked(gateway, "GET", f"/api/keys/{key_id}")

    assert changed.status_code == 200
    assert changed.json() == shown.json()
    told = shown.json()
    assert (told["name"], told["models"], told["keep_content"]) == ("nightly", ["groq/*"], False)
    assert (told["requests_per_minute"], told["concurrency_max"]) == (None, 2)
    assert told["created_by"] == "local-cli"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"nmae": "typo"}, "nmae"),
        ({"scopes": ["write:everything"]}, "write:everything"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"requests_per_minute": 1.5}, "requests_per_minute"),
        ({"enabled": "no"}, "enabled"),
        ({"expires_unix_s": 1.0}, "future"),
        ({"models": [""]}, "model"),
    ],
)
async def test_a_change_that_is_not_right_is_refused_by_name(
    tmp_path: Path, change: dict[str, Any], word: str
) -> None:
    async with opened(tmp_path) as gateway:
        key_id, _ = await made(gateway)
        before = (await asked(gateway, "GET", f"/api/keys/{key_id}")).json()
        refused = await asked(gateway, "PATCH", f"/api/keys/{key_id}", change)
        after = (await asked(gateway, "GET", f"/api/keys/{key_id}")).json()

    assert refused.status_code == 400
    assert word in refused.text
    assert after == before


async def test_a_rolled_secret_is_shown_once_and_the_old_one_ends(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway:
        key_id, old = await made(gateway)
        rolled = await asked(gateway, "POST", f"/api/keys/{key_id}/roll", {"overlap_s": 0})
        new = rolled.json()["secret"]
        shown = await asked(gateway, "GET", f"/api/keys/{key_id}")
        statuses = [
            (await asked(gateway, "GET", "/v1/models", key=one)).status_code for one in (old, new)
        ]

    assert rolled.status_code == 200
    assert new[:20] == old[:20]
    assert new[-43:] not in shown.text
    assert shown.json()["rolled_unix_s"] >= shown.json()["created_unix_s"]
    assert statuses == [401, 200]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/keys/nobodys-key", None),
        ("PATCH", "/api/keys/nobodys-key", {"name": "x"}),
        ("POST", "/api/keys/nobodys-key/roll", {}),
        ("DELETE", "/api/keys/nobodys-key", None),
    ],
)
async def test_a_key_that_is_not_there_is_not_found(
    tmp_path: Path, method: str, path: str, body: Any
) -> None:
    async with opened(tmp_path) as gateway:
        answer = await asked(gateway, method, path, body)

    assert answer.status_code == 404
    assert "nobodys-key" in answer.text


async def test_an_admin_with_bounds_gives_away_no_more_over_http(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway:
        strong, _ = await made(gateway, name="strong", scopes=["full", "admin"])
        bound, key = await made(
            gateway, scopes=["full", "admin"], models=["groq/*"], requests_per_minute=10
        )
        wider = await asked(gateway, "POST", "/api/keys", {"name": "wider"}, key)
        child, _ = await made(gateway, key, models=["groq/llama*"], requests_per_minute=10)
        answers = {
            "itself": await asked(gateway, "PATCH", f"/api/keys/{bound}", {"models": []}, key),
            "strong": await asked(gateway, "POST", f"/api/keys/{strong}/roll", {}, key),
            "child": await asked(gateway, "POST", f"/api/keys/{child}/roll", {}, key),
        }

    assert wider.status_code == 403
    assert {name: one.status_code for name, one in answers.items()} == {
        "itself": 403,
        "strong": 403,
        "child": 200,
    }


async def test_the_last_admin_cannot_be_removed_while_others_need_it(tmp_path: Path) -> None:
    async with opened(tmp_path, REQUIRE_API_KEY="true") as gateway:
        admin, _ = await made(gateway, scopes=["admin"])
        refused = await asked(gateway, "DELETE", f"/api/keys/{admin}")
        disabled = await asked(gateway, "PATCH", f"/api/keys/{admin}", {"enabled": False})
        await made(gateway, scopes=["admin"])
        removed = await asked(gateway, "DELETE", f"/api/keys/{admin}")

    assert refused.status_code == disabled.status_code == 409
    assert "last one" in refused.text
    assert removed.status_code == 204


async def test_only_an_administrator_sees_or_changes_keys(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway:
        key_id, agent = await made(gateway)
        one = f"/api/keys/{key_id}"
        tries = [
            await asked(gateway, method, path, body, agent)
            for method, path, body in (
                ("GET", "/api/keys", None),
                ("GET", one, None),
                ("PATCH", one, {"scopes": ["admin"]}),
                ("POST", f"{one}/roll", {}),
                ("DELETE", one, None),
                ("POST", "/api/keys", {"scopes": ["admin"]}),
            )
        ]

    assert [one.status_code for one in tries] == [403] * len(tries)


async def test_gateways_are_counted_while_a_key_has_limits(tmp_path: Path) -> None:
    counted: list[int] = []
    async with opened(tmp_path) as gateway:
        storage = gateway.parts.storage
        storage.on_gateways = counted.append
        await made(gateway)
        await storage.poll()
        unlimited = list(counted)
        await made(gateway, requests_per_minute=10)
        await storage.poll()
        await storage.poll()

    assert unlimited == []
    # Once a second, and it serves nobody itself.
    assert counted == [0]


async def test_a_key_does_not_change_the_budgets_that_bound_it(tmp_path: Path) -> None:
    budget = {"cap_usd_nanos": 5, "period": "day"}
    async with opened(tmp_path) as gateway:
        strong, _ = await made(gateway, scopes=["full", "admin"])
        bound, key = await made(gateway, scopes=["full", "admin"], budget=budget)
        child, _ = await made(gateway, key, budget=budget)
        budgets = (await asked(gateway, "GET", "/api/budgets")).json()["budgets"]
        ids = {one["key_id"]: one["budget_id"] for one in budgets}
        terms = {"cap_usd_nanos": 500, "period": "day"}
        await asked(gateway, "POST", "/api/budgets", {"terms": terms, "key_id": strong})
        without, _ = await made(gateway, scopes=["full"])
        own, others, first, childs = [
            await asked(gateway, "POST", "/api/budgets", {"terms": terms, "key_id": one}, key)
            for one in (bound, strong, without, child)
        ]
        path = f"/api/budgets/{ids[bound]}"
        patched = await asked(gateway, "PATCH", path, {"terms": {"cap_usd_nanos": 500}}, key)
        gone = await asked(gateway, "DELETE", path, None, key)
        by_another = await asked(gateway, "DELETE", path)

    refused = (own, others, first, patched, gone)
    assert [one.status_code for one in refused] == [403] * len(refused)
    assert "bounds it" in own.text
    assert childs.status_code == 201
    assert by_another.status_code == 204
