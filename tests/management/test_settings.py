"""The settings in force over the API, and those that change while the gateway serves."""

import time
from pathlib import Path

import pytest

from omniroute.server.store.key_terms import KeyTerms
from tests.store.outcomes import SNAPSHOT, answered
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

SECRET = "0123456789abcdef0123456789abcdef"
PATH = "/api/settings"
AGENT = KeyTerms(name="agent", scopes=("agent",))


async def test_every_setting_comes_with_its_source_and_no_secret(tmp_path: Path) -> None:
    variables = {"STORAGE_ENCRYPTION_KEY": SECRET, "OMNIROUTE_LOG_LEVEL": "error"}
    async with opened(tmp_path, **variables) as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        answer = await caller.get(PATH, headers=token)
        agent = await gateway.parts.storage.keys.create(AGENT, actor="test")
        denied = await caller.get(PATH, headers={"authorization": f"Bearer {agent.text}"})

    shown = answer.json()
    by_name = {one["name"]: one for one in shown["settings"]}
    level = by_name["log_level"]
    assert (level["value"], level["source"]) == (
        "error",
        "OMNIROUTE_LOG_LEVEL in the environment",
    )
    assert (by_name["port"]["source"], by_name["port"]["flag"]) == ("default", "--port")
    assert by_name["storage_encryption_key"]["secret"]
    assert SECRET not in answer.text
    assert [name for name, one in by_name.items() if one["changeable"]] == ["retention_days"]
    assert (shown["mode"], shown["resilience"], shown["logRetentionDays"]) == (
        "balanced",
        "balanced",
        90,
    )
    assert denied.status_code == 403


async def test_a_change_is_in_force_at_once_and_after_a_new_start(tmp_path: Path) -> None:
    wish = {"mode": "cheap", "resilience": "aggressive", "logRetentionDays": 30}
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        changed = await caller.patch(PATH, json=wish, headers=token)
        config = gateway.parts.storage.configs.current()
        log = (await caller.get("/api/audit/log", headers=token)).json()["entries"]
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        kept = (await caller.get(PATH, headers=token)).json()

    assert changed.status_code == 200
    assert (config.mode, config.resilience) == ("cheap", "aggressive")
    assert {name: kept[name] for name in wish} == wish
    assert log[0]["action"] == "setting.put"


@pytest.mark.parametrize(("days", "kept"), [(5, True), (1, False), ("never", True), (None, True)])
async def test_old_requests_go_by_the_stored_age(days: object, kept: bool, tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        storage = gateway.parts.storage
        token = {"authorization": f"Bearer {gateway.token}"}
        await caller.patch(PATH, json={"logRetentionDays": days}, headers=token)
        outcome = answered("r1", at_unix_s=time.time() - 3 * 86_400)
        storage.ledger.record(outcome, SNAPSHOT)
        await storage.ledger.flush()
        await storage.retention.poll(now_s=1e9, now_unix_s=time.time())
        found = await storage.ledger.find("r1", key_id=None)

    assert (found is not None) == kept


@pytest.mark.parametrize(
    "wish",
    [
        {"mode": "fastest"},
        {"resilience": "reckless"},
        {"logRetentionDays": 0},
        {"logRetentionDays": 366},
        {"logRetentionDays": "soon"},
        {"newPassword": "a fake one"},
        {"mode": "cheap", "resilience": "reckless"},
    ],
)
async def test_a_wish_that_is_wrong_in_part_changes_nothing(
    wish: dict[str, object], tmp_path: Path
) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        answer = await caller.patch(PATH, json=wish, headers=token)
        config = gateway.parts.storage.configs.current()

    assert answer.status_code == 400
    assert (config.mode, config.resilience) == ("balanced", "balanced")


async def test_an_edit_of_what_has_changed_since_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        seen = (await caller.get(PATH, headers=token)).headers["etag"]
        bound = {**token, "if-match": seen}
        first = await caller.patch(PATH, json={"mode": "cheap"}, headers=bound)
        second = await caller.patch(PATH, json={"mode": "fast"}, headers=bound)
        config = gateway.parts.storage.configs.current()

    assert (first.status_code, second.status_code, config.mode) == (200, 412, "cheap")
