"""Virtual keys: shown once, useless to whoever copies the database, gone when revoked."""

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from omniroute.routing.access import LOCAL
from omniroute.routing.errors import BadRequest, NotAuthenticated
from omniroute.routing.model import Account
from omniroute.server.auth import Authenticator, KnownKeys
from omniroute.server.exchange import Head
from omniroute.server.store.budget import Budget
from omniroute.server.store.database import Statement
from omniroute.server.store.key_terms import KeyTerms
from omniroute.server.store.keyring import add_ring_key
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store

TERMS = KeyTerms(
    name="an agent", scopes=("agent",), models=("fast", "groq/*"), budget_ids=("team",)
)
CREDENTIAL = "sk-fake-provider-credential-0123456789"


async def everything_stored(store: Opened, url: str) -> bytes:
    """Give every value of every row of the database, in one text."""
    if store.database.kind == "sqlite":
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
            return "\n".join(file.iterdump()).encode()
    connection = await asyncpg.connect(url)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [
        await connection.fetch(f'SELECT t::text AS row FROM "{table["tablename"]}" AS t')
        for table in tables
    ]
    await connection.close()
    return "\n".join(str(row["row"]) for found in rows for row in found).encode()


@pytest.mark.anyio
async def test_a_new_key_is_its_caller_with_what_it_may_do(store: Opened) -> None:
    made = await store.keys.create(TERMS, actor="test")

    caller = store.keys.check(made.text)

    assert re.fullmatch(r"sk-omni-[a-z2-7]{12}-[A-Za-z0-9_-]{43}", made.text)
    assert caller is not None
    assert caller.key_id == made.stored.key_id == made.text[8:20]
    assert "write:route" in caller.scopes
    assert "admin" not in caller.scopes
    assert (caller.models, caller.budget_ids) == (("fast", "groq/*"), ("team",))
    assert caller.keep_content
    assert made.text not in repr(made)


@pytest.mark.anyio
async def test_no_secret_is_in_the_database(store: Opened, database_url: str) -> None:
    made = [await store.keys.create(TERMS, actor="test") for _ in range(5)]
    account = Account("acc", "groq", "openai_chat", "https://groq.example", credential=CREDENTIAL)
    await store.configs.put_account(account, actor="test")

    dump = await everything_stored(store, database_url)

    assert made[0].stored.key_id.encode() in dump
    assert CREDENTIAL.encode() not in dump
    assert CREDENTIAL.encode().hex().encode() not in dump.lower()
    for key in made:
        secret = key.text[-43:].encode()
        assert secret not in dump
        assert secret.hex().encode() not in dump.lower()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text[:21] + "A" * 43,
        lambda text: text[:8] + "a" * 12 + text[20:],
        lambda text: text + "A",
        lambda text: text[:-1],
        lambda text: text.upper(),
        lambda text: text + "\n",
        lambda text: "Bearer " + text,
        lambda text: text[:-1] + "é",
        lambda text: text[:-1] + "\ud800",
        lambda _: "",
        lambda _: "sk-omni-",
    ],
)
async def test_any_other_text_is_nobody(sqlite_store: Opened, change: object) -> None:
    made = await sqlite_store.keys.create(TERMS, actor="test")
    assert callable(change)

    assert sqlite_store.keys.check(change(made.text)) is None


@pytest.mark.anyio
async def test_an_expired_key_is_nobody_from_that_moment(store: Opened, clock: FakeClock) -> None:
    made = await store.keys.create(replace(TERMS, expires_unix_s=clock.unix() + 60), actor="test")

    assert store.keys.check(made.text) is not None
    clock.advance(60)
    assert store.keys.check(made.text) is None


@pytest.mark.anyio
async def test_a_revoked_key_is_nobody_here_at_once_and_elsewhere_after_a_poll(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    made = await store.keys.create(TERMS, actor="test")
    async with open_store(database_url, tmp_path, clock) as other:
        assert other.keys.check(made.text) is not None

        assert await store.keys.revoke(made.stored.key_id, actor="test")

        assert store.keys.check(made.text) is None
        assert await other.configs.poll()
        await other.keys.load()
        assert other.keys.check(made.text) is None
        assert other.keys.all() == ()
    assert not await store.keys.revoke(made.stored.key_id, actor="test")


@pytest.mark.anyio
async def test_a_keys_terms_can_be_changed(store: Opened) -> None:
    made = await store.keys.create(TERMS, actor="test")

    narrowed = replace(TERMS, name="a reader", scopes=("read:health",), models=())
    assert await store.keys.change(made.stored.key_id, lambda _: narrowed, actor="test")
    caller = store.keys.check(made.text)
    assert await store.keys.change(
        made.stored.key_id, lambda now: replace(now, enabled=False), actor="test"
    )

    assert caller is not None
    assert (caller.scopes, caller.models) == (frozenset({"read:health"}), ())
    assert store.keys.check(made.text) is None
    assert not await store.keys.change("nobodys-key", lambda _: TERMS, actor="test")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (replace(TERMS, scopes=("read:everything",)), "scopes"),
        (replace(TERMS, name=""), "name"),
        (replace(TERMS, name="x" * 201), "name"),
        (replace(TERMS, name="two\nlines"), "name"),
    ],
)
async def test_terms_that_are_not_valid_make_no_key(
    sqlite_store: Opened, terms: KeyTerms, field: str
) -> None:
    with pytest.raises(BadRequest) as refusal:
        await sqlite_store.keys.create(terms, actor="test")

    assert refusal.value.field == field
    assert len(sqlite_store.keys) == 0


@pytest.mark.anyio
async def test_keys_work_on_after_a_ring_key_was_added_and_not_without_their_own(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    old = await store.keys.create(TERMS, actor="test")
    clock.advance(1)
    store.vault.use(add_ring_key(tmp_path))
    new = await store.keys.create(TERMS, actor="test")
    await store.keys.load()

    assert store.keys.check(old.text) is not None
    assert store.keys.check(new.text) is not None
    (tmp_path / "keyring.json").unlink()
    async with open_store(database_url, tmp_path, clock) as other:
        assert [key.key_id for key in other.keys.all()] == [old.stored.key_id, new.stored.key_id]
        assert other.keys.check(old.text) is None
        assert other.keys.check(new.text) is None


@pytest.mark.anyio
async def test_every_change_of_a_key_is_audited(store: Opened) -> None:
    made = await store.keys.create(TERMS, actor="maria")
    await store.keys.revoke(made.stored.key_id, actor="otto")

    entries = await store.audit.recent(limit=10, target=made.stored.key_id)

    assert [(entry.actor, entry.action) for entry in entries] == [
        ("otto", "key.revoke"),
        ("maria", "key.create"),
    ]
    assert made.text not in "".join(entry.detail for entry in entries)
    rows = await store.database.read(Statement("SELECT version FROM config_version"))
    assert rows[0]["version"] == 3


@pytest.mark.anyio
async def test_every_request_of_a_key_is_charged_to_its_budgets_in_every_process(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    made = await store.keys.create(
        replace(TERMS, budget_ids=()), actor="test", budget=lambda key: Budget("b1", key, "b1", 5)
    )
    key_id = made.stored.key_id
    async with open_store(database_url, tmp_path, clock) as other:
        await store.budgets.put(Budget("b2", key_id, "b2", 5, "day"), actor="test")
        await other.keys.load()

        caller = other.keys.check(made.text)

    assert caller is not None
    assert caller.budget_ids == ("b1", "b2")


@pytest.mark.anyio
async def test_a_revoked_keys_budgets_go_with_it(store: Opened) -> None:
    made = await store.keys.create(
        TERMS, actor="test", budget=lambda key: Budget("b1", key, "b1", 5)
    )
    await store.budgets.put(Budget("b2", "another", "b2", 5), actor="test")

    await store.keys.revoke(made.stored.key_id, actor="test")
    await store.budgets.load()

    assert [one.budget_id for one in store.budgets.all()] == ["b2"]


@pytest.mark.anyio
async def test_no_key_is_made_when_its_budget_is_wrong(store: Opened) -> None:
    with pytest.raises(BadRequest):
        await store.keys.create(TERMS, actor="test", budget=lambda key: Budget("b1", key, "b1", -5))

    assert store.keys.all() == ()


def authenticator(store: Opened) -> Authenticator:
    """Give who asks these keys, on this machine."""
    keys = store.keys
    known = KnownKeys(
        keys.check,
        lambda: len(keys) > 0,
        lambda: keys.budgets_of(LOCAL),
        lambda: keys.generation,
        keys.lasts,
    )
    return Authenticator(keys=known, keyless=True, token=None)


def head(*presented: str) -> Head:
    """Give the head of a request on a connection that may send it again."""
    headers = [(b"authorization", b"Bearer " + one.encode()) for one in presented]
    return Head("POST", "/v1/chat/completions", headers, peer="127.0.0.1")


@pytest.mark.anyio
async def test_a_head_that_comes_again_is_who_its_key_is_now(
    store: Opened, clock: FakeClock
) -> None:
    asking, keyless = authenticator(store), head()
    assert asking.caller_of(keyless).key_id == LOCAL
    ends = replace(TERMS, expires_unix_s=clock.unix() + 60)
    made = await store.keys.create(TERMS, actor="test")
    ending = head((await store.keys.create(ends, actor="test")).text)
    again = head(made.text)

    first = [asking.caller_of(again) for _ in range(3)]
    only_sim = replace(TERMS, models=("sim/*",))
    await store.keys.change(made.stored.key_id, lambda _: only_sim, actor="test")
    changed = asking.caller_of(again)
    asking.caller_of(ending)
    clock.advance(61)
    await store.keys.revoke(made.stored.key_id, actor="test")

    assert first[0] is first[2]
    assert (first[0].models, changed.models) == (("fast", "groq/*"), ("sim/*",))
    for one in (again, ending, keyless):
        with pytest.raises(NotAuthenticated):
            asking.caller_of(one)


@pytest.mark.anyio
async def test_a_key_that_ends_is_refused_to_a_head_that_was_let_in(
    store: Opened, clock: FakeClock
) -> None:
    asking, ends = authenticator(store), replace(TERMS, expires_unix_s=clock.unix() + 60)
    ending = head((await store.keys.create(ends, actor="test")).text)

    assert "write:route" in asking.caller_of(ending).scopes
    clock.advance(61)

    with pytest.raises(NotAuthenticated):
        asking.caller_of(ending)
