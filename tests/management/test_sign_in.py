"""The management API of signing in: the dashboard's password, and who is signed in."""

from pathlib import Path

import pytest

from omniroute.server.store.key_terms import KeyTerms
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio
PASSWORD = "/api/dashboard/password"
SESSIONS = "/api/dashboard/sessions"
GOOD = "seven fake horses 42"


async def test_a_password_is_set_and_removed_and_never_given(tmp_path: Path) -> None:
    async with opened(tmp_path) as composed, client(composed) as admin:
        before = await admin.get(PASSWORD)
        weak = await admin.put(PASSWORD, json={"password": "123456"})
        put = await admin.put(PASSWORD, json={"password": GOOD})
        after = await admin.get(PASSWORD)
        stored = composed.parts.storage.passwords.stored
        gone = [(await admin.delete(PASSWORD)).status_code for _ in range(2)]

    assert before.json() == {"is_set": False, "changed_unix_s": None, "changed_by": None}
    assert (weak.status_code, weak.json()["error"]["param"]) == (400, "password")
    assert put.status_code == 200
    assert put.json() == after.json()
    assert (after.json()["is_set"], after.json()["changed_by"]) == (True, "local")
    assert stored is not None
    assert stored.hashed.startswith("$argon2id$")
    assert GOOD not in put.text + after.text + weak.text
    assert gone == [204, 404]


async def test_sessions_are_listed_and_signed_out(tmp_path: Path) -> None:
    async with opened(tmp_path) as composed, client(composed) as admin:
        storage = composed.parts.storage
        key = await storage.keys.create(KeyTerms(name="one", scopes=("admin",)), actor="test")
        admin.headers["authorization"] = f"Bearer {key.text}"
        for key_id in (key.stored.key_id, key.stored.key_id, "gone"):
            await storage.sign_ins.begin(key_id, (), address="10.0.0.1", agent="Browser/1")
        listed = (await admin.get(SESSIONS)).json()["sessions"]
        ended = await admin.delete(f"{SESSIONS}/{listed[0]['session_id']}")
        again = await admin.delete(f"{SESSIONS}/{listed[0]['session_id']}")
        left = (await admin.get(SESSIONS)).json()["sessions"]
        all_ = await admin.delete(SESSIONS)
        none = (await admin.get(SESSIONS)).json()["sessions"]

    # The one whose key is no more lets nobody in.
    assert [one["key_id"] for one in listed] == [key.stored.key_id] * 2
    assert (listed[0]["address"], listed[0]["agent"]) == ("10.0.0.1", "Browser/1")
    assert (ended.status_code, again.status_code) == (204, 404)
    assert left == listed[1:]
    assert all_.json() == {"ended": 2}
    assert none == []


async def test_a_start_sets_the_password_it_was_told_once(tmp_path: Path) -> None:
    told = []
    for password in (GOOD, "another fake phrase"):
        async with opened(tmp_path, INITIAL_PASSWORD=password) as composed:
            stored = composed.parts.storage.passwords.stored
            assert stored is not None
            told.append((stored.hashed, stored.changed_by))

    assert told[0] == told[1]
    assert told[0][1] == "start"


@pytest.mark.parametrize("example", ["CHANGEME", "123456", "password1234"])
async def test_an_example_is_no_first_password(tmp_path: Path, example: str) -> None:
    async with opened(tmp_path, INITIAL_PASSWORD=example) as composed:
        sources = composed.parts.facts.sources
        notes = () if sources is None else sources.notes

        assert composed.parts.storage.passwords.stored is None
        assert [one.name for one in notes] == ["INITIAL_PASSWORD"]
        assert example not in notes[0].words
