"""What tells a key: nothing that is kept helps to use it, and nothing near it passes for it.

Threats T1, T3, T4 and T5.
"""

import asyncio
import base64
import gc
import statistics
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omniroute.routing.errors import NotAuthenticated, RoutingError
from omniroute.server.auth import Authenticator, KnownKeys
from omniroute.server.exchange import Head
from omniroute.server.store.key_terms import KeyTerms
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store
from tests.store.test_keys import everything_stored

AGENT = KeyTerms("an agent", ("agent",))
KEYS, AT_ONCE = {"sqlite": 1000, "postgres": 200}, 50
SPAN = 16
"""So much of a secret is looked for."""
IN_QUERY = b"?key="
PLACES = (b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key", IN_QUERY)
INJECTIONS = (
    "' OR 1=1 --",
    '"; DROP TABLE keys; --',
    "sk-omni-aaaaaaaaaaaa-' OR '1'='1",
    "$1",
    "%s %(x)s {0} {key}",
    "\\x00; SELECT pg_sleep(10)",
    "sk-omni-aaaaaaaaaaaa-" + "A" * 43 + "' UNION SELECT * FROM keys --",
)


def authenticator(store: Opened) -> Authenticator:
    keys = store.keys
    known = KnownKeys(
        keys.check, lambda: True, generation=lambda: keys.generation, lasts=keys.lasts
    )
    return Authenticator(keys=known, keyless=False, token="a-token-of-this-machine")


def head(name: bytes, value: bytes, path: str = "/v1beta/models") -> Head:
    if name == IN_QUERY:
        made = Head("POST", path, [], peer="127.0.0.1")
        made.query = b"key=" + quote_from_bytes(value).encode()
        return made
    shown = b"Bearer " + value if name == b"authorization" else value
    return Head("POST", path, [(name, shown)], peer="127.0.0.1")


def forms(secret: str) -> tuple[str, ...]:
    """Give how a secret could have been written down."""
    raw = base64.urlsafe_b64decode(secret + "=")
    return (
        secret,
        secret.encode().hex(),
        raw.hex(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.b64encode(secret.encode()).decode().rstrip("="),
        secret[::-1],
    )


@pytest.mark.anyio
async def test_many_keys_leave_no_secret_in_the_database_nor_beside_it(
    store: Opened, database_url: str, tmp_path: Path
) -> None:
    made = []
    for _ in range(KEYS[store.database.kind] // AT_ONCE):
        making = (store.keys.create(AGENT, actor="test") for _ in range(AT_ONCE))
        made += await asyncio.gather(*making)
    for key in made[:5]:
        rolled = await store.keys.roll(key.stored.key_id, overlap_s=60, actor="test")
        assert rolled is not None
        made.append(rolled)

    dump = (await everything_stored(store, database_url)).decode("latin-1").lower()
    files = [one for one in tmp_path.rglob("*") if one.is_file()]
    kept = dump + "".join(one.read_bytes().decode("latin-1").lower() for one in files)

    assert sum(key.stored.key_id in kept for key in made) == len(made)
    begun = {form.lower()[:SPAN] for key in made for form in forms(key.text[-43:])}
    spans = (kept[at : at + SPAN] for at in range(len(kept)))
    assert [one for one in spans if one in begun] == []


@pytest.mark.anyio
async def test_without_its_pepper_no_copied_key_is_anybody(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    made = await store.keys.create(AGENT, actor="test")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)

    async with open_store(database_url, elsewhere, clock) as thief:
        caller = thief.keys.check(made.text)

    assert caller is None


@given(value=st.binary(max_size=200) | st.text(max_size=100).map(lambda one: one.encode()))
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_as_a_credential_is_refused_and_asks_no_database(
    value: bytes, judge: Authenticator
) -> None:
    for name in PLACES:
        with pytest.raises(NotAuthenticated):
            judge.caller_of(head(name, value))


@pytest.mark.long
@given(value=st.binary(max_size=300) | st.text(max_size=200).map(lambda one: one.encode()))
@settings(
    max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_fifty_thousand_credentials_are_refused_and_ask_no_database(
    value: bytes, judge: Authenticator
) -> None:
    for name in PLACES:
        with pytest.raises(NotAuthenticated):
            judge.caller_of(head(name, value))


@pytest.mark.parametrize("text", INJECTIONS)
def test_sql_as_a_credential_is_text(text: str, judge: Authenticator) -> None:
    for name in PLACES:
        value = text.encode()
        with pytest.raises(NotAuthenticated, match="not one of this gateway's"):
            judge.caller_of(head(name, value))


@pytest.fixture
def judge(database_url: str, tmp_path: Path) -> Authenticator:
    """Who judges credentials; its database is closed, so that any statement would be a fault."""

    async def opened() -> Authenticator:
        async with open_store(database_url, tmp_path, FakeClock()) as store:
            await store.keys.create(AGENT, actor="test")
            return authenticator(store)

    return asyncio.run(opened())


@given(data=st.data())
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_keys_that_differ_in_one_character_never_share_an_identity(
    data: st.DataObject, known: tuple[Authenticator, str]
) -> None:
    asking, text = known
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(
        st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != text[place])
    )
    near = text[:place] + other + text[place + 1 :]
    good = head(b"x-api-key", text.encode(), "/v1/messages")

    asking.caller_of(good)
    with pytest.raises(NotAuthenticated):
        asking.caller_of(head(b"x-api-key", near.encode(), "/v1/messages"))

    assert asking.caller_of(good).key_id == text[8:20]


@pytest.fixture
def known(sqlite_url: str, tmp_path: Path) -> tuple[Authenticator, str]:
    """Who judges credentials, and a good one."""

    async def opened() -> tuple[Authenticator, str]:
        async with open_store(sqlite_url, tmp_path, FakeClock()) as store:
            made = await store.keys.create(AGENT, actor="test")
            return authenticator(store), made.text

    return asyncio.run(opened())


@pytest.mark.anyio
async def test_every_refusal_of_a_key_is_the_same(store: Opened, clock: FakeClock) -> None:
    good, ends, off, gone, rolled = [
        await store.keys.create(terms, actor="test")
        for terms in (AGENT, replace(AGENT, expires_unix_s=clock.unix() + 5), AGENT, AGENT, AGENT)
    ]
    await store.keys.change(
        off.stored.key_id, lambda now: replace(now, enabled=False), actor="test"
    )
    await store.keys.revoke(gone.stored.key_id, actor="test")
    await store.keys.roll(rolled.stored.key_id, overlap_s=0, actor="test")
    clock.advance(6)
    asking = authenticator(store)
    presented = {
        "of another secret": good.text[:-43] + "A" * 43,
        "of no id": "sk-omni-" + "a" * 12 + good.text[20:],
        "of no shape": "sk-fake",
        "ended": ends.text,
        "off": off.text,
        "revoked": gone.text,
        "rolled": rolled.text,
    }

    told = {name: refusal(asking, text) for name, text in presented.items()}

    assert len(set(told.values())) == 1, told
    assert asking.caller_of(head(b"x-api-key", good.text.encode(), "/v1")).key_id


def refusal(asking: Authenticator, text: str) -> tuple[int, str, str]:
    with pytest.raises(RoutingError) as error:
        asking.caller_of(head(b"x-api-key", text.encode(), "/v1/messages"))
    return error.value.status, error.value.code, str(error.value)


@pytest.mark.long
@pytest.mark.anyio
async def test_a_refusal_takes_as_long_whether_the_id_is_known_or_not(
    sqlite_store: Opened,
) -> None:
    """The medians of many interleaved looks differ by less than one HMAC of the two they cost."""
    good = (await sqlite_store.keys.create(AGENT, actor="test")).text
    rolled = await sqlite_store.keys.create(AGENT, actor="test")
    await sqlite_store.keys.roll(rolled.stored.key_id, overlap_s=60, actor="test")
    check, texts = (
        sqlite_store.keys.check,
        {
            "of another secret": good[:-43] + "A" * 43,
            "of no id": "sk-omni-" + "a" * 12 + good[20:],
            "of a rolled key": rolled.text[:-43] + "A" * 43,
        },
    )
    took: dict[str, list[int]] = {name: [] for name in texts}
    gc.disable()
    for _ in range(20_000):
        for name, text in texts.items():
            began = time.perf_counter_ns()
            check(text)
            took[name].append(time.perf_counter_ns() - began)
    gc.enable()

    medians = [statistics.median(some) for some in took.values()]
    assert max(medians) - min(medians) < 0.25 * min(medians)
