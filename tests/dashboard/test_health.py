"""The pages of health and audit: what is wrong and what to do, who changed what, and proofs."""

import sqlite3
from pathlib import Path

import pytest

from omniroute.server.store.key_terms import KeyTerms
from tests.dashboard.visiting import Visitor, words_of
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

HEALTH = "/dashboard/health"
AUDIT = "/dashboard/audit"


async def test_findings_come_with_what_to_do_and_the_grade_of_the_command(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        page = words_of(await visitor.open(HEALTH))
        report = await visitor.api("/api/doctor/report")

    findings, checks = report["findings"], report["checks"]
    assert isinstance(findings, list)
    assert isinstance(checks, list)
    assert f"Security: grade {report['grade']}" in page
    for one in (*findings, *checks):
        assert one["what"] in page
        assert one["next"] in page
    assert "no provider is set up: answers come from the simulator" in page


async def test_a_model_that_rests_is_shown_and_asked_again(tmp_path: Path) -> None:
    fault = "sim/fast@fault=bad_key"
    chat = {"model": fault, "messages": [{"role": "user", "content": "hello"}]}
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        token = {"authorization": f"Bearer {gateway.token}"}
        await http.post("/v1/chat/completions", json=chat, headers=token)
        resting = await visitor.open(HEALTH)
        again = await visitor.done(f"{HEALTH}/reset")

    assert "Ask all again now" in words_of(resting)
    assert "Nothing: every account and model may be asked." in words_of(again)


async def test_a_profile_is_put_in_force_and_a_backup_made(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        chosen = await visitor.done(f"{HEALTH}/profile", profile="aggressive")
        made = await visitor.send(f"{HEALTH}/backup")
        refused = await visitor.send(f"{HEALTH}/profile", profile="reckless")

    assert "In force: aggressive." in words_of(chosen)
    assert "was made and found whole" in words_of(made.text)
    assert gateway.parts.storage.backups.folder.is_dir()
    assert any(gateway.parts.storage.backups.folder.iterdir())
    assert refused.status_code == 400


async def test_who_may_see_health_sees_no_more_than_that(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        terms = KeyTerms(name="eyes", scopes=("read:health",))
        eyes = await gateway.parts.storage.keys.create(terms, actor="test")
        visitor = Visitor(http, eyes.text)
        page = await visitor.open(HEALTH)
        refused = await visitor.send(f"{HEALTH}/backup")

    assert "Security: grade" not in page
    assert "Backups" not in page
    assert refused.status_code == 403


async def test_the_log_of_changes_is_shown_filtered_and_verified(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        for number in range(55):
            await visitor.done(f"{HEALTH}/profile", profile=("balanced", "aggressive")[number % 2])
        page = await visitor.open(AUDIT)
        cursor = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
        older = await visitor.open(AUDIT + cursor)
        other = await visitor.open(f"{AUDIT}?target=nobody")
        sound = await visitor.send(f"{AUDIT}/verify")

    assert page.count("<time") == 50
    assert older.count("<time") >= 5
    assert "Nothing was changed yet" in words_of(other)
    assert "Every record is what it was." in words_of(sound.text)


async def test_a_record_that_was_changed_behind_our_back_is_named(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as http:
        visitor = Visitor(http, gateway.token)
        await visitor.done(f"{HEALTH}/profile", profile="aggressive")
        path = gateway.parts.settings.data_dir / "storage.sqlite"
        with sqlite3.connect(path) as database:
            database.execute("UPDATE audit SET actor = 'somebody'")
        database.close()
        told = words_of((await visitor.send(f"{AUDIT}/verify")).text)

    assert "Records are not what they were." in told
