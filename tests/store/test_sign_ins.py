"""Sessions of the dashboard on every database: what a cookie stands for, and when no more."""

from dataclasses import replace

import pytest

from omniroute.server.store import sign_ins as module
from omniroute.server.store.database import Statement
from omniroute.server.store.sign_in_tables import DashboardSessionRow
from omniroute.server.store.sign_ins import KEPT_S, OVERLAP_S, SignIns
from tests.fakes import FakeClock
from tests.store.opened import Opened

pytestmark = pytest.mark.anyio


@pytest.fixture
def sessions(store: Opened, clock: FakeClock) -> SignIns:
    return SignIns(store.database, store.ring, store.changes, clock)


async def begun(sessions: SignIns, key_id: str = "abc", **more: str) -> str:
    made = await sessions.begin(key_id, ("b", "a"), address="10.0.0.1", agent="Browser/1", **more)
    return made.text


async def is_open(sessions: SignIns, text: str) -> bool:
    found = await sessions.find(text)
    return found is not None and found.is_open


async def test_a_cookie_tells_whose_session_it_is(sessions: SignIns) -> None:
    text = await begun(sessions)
    found = await sessions.find(text)

    assert found is not None
    assert (found.is_open, found.is_newest) == (True, True)
    assert (found.sign_in.key_id, found.sign_in.scopes) == ("abc", "a b")
    assert (found.sign_in.address, found.sign_in.agent) == ("10.0.0.1", "Browser/1")
    assert text.startswith(f"{found.sign_in.session_id}-")


async def test_another_text_is_no_cookie(sessions: SignIns) -> None:
    text = await begun(sessions)
    last = "A" if text[-1] != "A" else "B"
    others = ("", "x", text[:-1] + last, text + "A", text.upper(), "aaaaaaaaaaaa" + text[12:])

    assert [await sessions.find(one) for one in others] == [None] * 6
    assert await is_open(sessions, text)


async def test_the_database_holds_no_cookie(sessions: SignIns, store: Opened) -> None:
    text = await begun(sessions)
    [row] = await store.database.read(Statement("SELECT * FROM dashboard_sessions"))

    held = [str(row[one]) for one in DashboardSessionRow.model_fields]
    assert text[:12] in held
    assert not [one for one in held if text[13:] in one]


async def test_each_sign_in_is_another_session_and_ends_the_browsers_last(
    sessions: SignIns,
) -> None:
    first = await begun(sessions)
    second = await begun(sessions, before=first[:12])

    assert first[:12] != second[:12]
    assert not await is_open(sessions, first)
    assert await is_open(sessions, second)


async def test_a_session_that_nobody_uses_ends(sessions: SignIns, clock: FakeClock) -> None:
    sessions.idle_s = 100.0
    text = await begun(sessions)
    for _ in range(3):
        clock.advance(99.0)
        assert await is_open(sessions, text)
    clock.advance(100.0)

    found = await sessions.find(text)
    assert found is not None
    assert (found.is_open, found.sign_in.key_id) == (False, "abc")


async def test_a_session_ends_however_much_it_is_used(sessions: SignIns, clock: FakeClock) -> None:
    sessions.idle_s, sessions.lasts_s = 100.0, 250.0
    text = await begun(sessions)
    told = []
    for _ in range(5):
        clock.advance(60.0)
        told.append(await is_open(sessions, text))

    assert told == [True, True, True, True, False]


async def test_a_cookie_whose_key_has_other_rights_is_renewed_once(
    sessions: SignIns, clock: FakeClock
) -> None:
    text = await begun(sessions)
    found = await sessions.find(text)
    assert found is not None
    renewed = await sessions.renew(found.sign_in, ("c",))
    assert renewed is not None
    again = await sessions.renew(found.sign_in, ("c",))
    before, after = await sessions.find(text), await sessions.find(renewed.text)
    clock.advance(OVERLAP_S)

    assert again is None
    assert before is not None
    assert after is not None
    assert (before.is_newest, before.is_open) == (False, True)
    assert (after.is_newest, after.sign_in.scopes) == (True, "c")
    assert after.sign_in.session_id == found.sign_in.session_id
    assert await sessions.find(text) is None
    assert await is_open(sessions, renewed.text)


async def test_one_session_is_signed_out_and_no_other(sessions: SignIns, store: Opened) -> None:
    first, second = await begun(sessions), await begun(sessions, "def")
    not_mine = await sessions.end(second[:12], actor="abc", of="abc")
    mine = await sessions.end(first[:12], actor="abc", of="abc")
    again = await sessions.end(first[:12], actor="abc")

    assert (not_mine, mine, again) == (False, True, False)
    assert [await is_open(sessions, one) for one in (first, second)] == [False, True]
    told = await store.audit.recent(limit=10)
    assert [(one.actor, one.action, one.target) for one in told] == [
        ("abc", "dashboard.sign_out", first[:12]),
        ("def", "dashboard.sign_in", second[:12]),
        ("abc", "dashboard.sign_in", first[:12]),
    ]


async def test_all_sessions_of_one_key_or_of_all_are_signed_out(sessions: SignIns) -> None:
    texts = [await begun(sessions, key) for key in ("abc", "abc", "def", "ghi")]
    of_one = await sessions.end_all(actor="abc", of="abc")
    left = [await is_open(sessions, one) for one in texts]
    of_all = await sessions.end_all(actor="ghi")

    assert (of_one, left, of_all) == (2, [False, False, True, True], 2)
    assert await sessions.open() == []


async def test_open_sessions_are_listed_the_last_used_first(
    sessions: SignIns, clock: FakeClock
) -> None:
    sessions.idle_s = 1000.0
    first = await begun(sessions)
    await begun(sessions, "def")
    clock.advance(600.0)
    assert await is_open(sessions, first)
    clock.advance(1.0)
    third = await begun(sessions, "abc")
    clock.advance(500.0)

    assert [one.session_id for one in await sessions.open()] == [third[:12], first[:12]]
    assert await sessions.open(of="def") == []
    assert len(await sessions.open(of="abc")) == 2


async def test_sessions_that_are_long_over_are_removed(
    sessions: SignIns, clock: FakeClock, store: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PRUNED_MAX", 2)
    for _ in range(3):
        await begun(sessions)
    clock.advance(KEPT_S + 1.0)
    last = await begun(sessions)
    counts = [await sessions.prune(now_unix_s=clock.unix()) for _ in range(3)]

    assert counts == [2, 1, 0]
    rows = await store.database.read(Statement("SELECT session_id FROM dashboard_sessions"))
    assert [row["session_id"] for row in rows] == [last[:12]]


async def test_a_session_outlives_a_key_of_the_ring(sessions: SignIns, store: Opened) -> None:
    text = await begun(sessions)
    await store.rings.add(actor="test")
    later = await begun(sessions)

    assert [await is_open(sessions, one) for one in (text, later)] == [True, True]


async def test_a_long_name_of_a_browser_is_cut(sessions: SignIns) -> None:
    made = await sessions.begin("abc", (), address="x", agent="y" * 5000)
    found = await sessions.find(made.text)

    assert found is not None
    assert found.sign_in == replace(found.sign_in, agent="y" * 200, scopes="")
