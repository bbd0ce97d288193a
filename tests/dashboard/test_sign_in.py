"""Signing in to the dashboard: who may look, by what, and for how long."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from omniroute.server.store.key_terms import KeyTerms
from tests.dashboard.person import Person
from tests.dashboard.placed import (
    HASHED,
    PAGE,
    PASSWORD,
    SESSION,
    SESSIONS,
    SIGN_IN,
    VISIT,
    WISH,
    Place,
    placed,
)
from tests.dashboard.visiting import hidden_of, words_of
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with placed(tmp_path) as made:
        yield made


async def test_a_machine_that_needs_no_key_opens_directly_and_changes_by_its_forms(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as composed, client(composed) as http:
        person = Person(http)
        page = await person.get(PAGE)
        tag = hidden_of(page.text, "tag") or ""
        bare = await person.post(PAGE, tag=tag, **WISH)
        other = await Person(http).post(PAGE, page.text, tag=tag, **WISH)
        done = await person.post(PAGE, page.text, tag=tag, **WISH)
        asked = await person.get(SIGN_IN)

    assert page.status_code == 200
    assert list(person.cookies) == [VISIT]
    # Without the token, and with a token of another browser: offered again, not done.
    assert [bare.status_code, other.status_code, done.status_code] == [409, 409, 303]
    assert (asked.status_code, asked.headers["location"]) == (303, "/dashboard")


async def test_a_key_signs_in_and_out_and_comes_to_the_page_it_wanted(place: Place) -> None:
    person = place.person()
    sent = await person.get(f"{PAGE}?a=1&b=%2F")
    form = await person.get(sent.headers["location"])
    done = await person.post(
        SIGN_IN, form.text, secret=place.key, next=hidden_of(form.text, "next") or ""
    )
    page = await person.get(done.headers["location"], site="same-origin")
    cookie = person.cookies[SESSION]
    out = await person.post("/dashboard/sign-out", page.text)
    after = await person.get(PAGE)
    person.cookies[SESSION] = cookie
    stolen = await person.get(PAGE)

    assert sent.headers["location"] == f"{SIGN_IN}?next={PAGE}%3Fa%3D1%26b%3D%252F"
    assert done.headers["location"] == f"{PAGE}?a=1&b=%2F"
    assert page.status_code == 200
    assert "boss" in page.text
    assert (out.status_code, out.headers["location"]) == (303, SIGN_IN)
    assert (after.status_code, stolen.status_code) == (303, 303)
    assert [one.action for one in await place.entries()] == [
        "dashboard.sign_out",
        "dashboard.sign_in",
    ]


async def test_the_cookie_is_for_this_host_over_tls_and_no_script(place: Place) -> None:
    person = await place.signed_in()

    [line] = [one for one in person.kept if one.startswith(f"{SESSION}=")]
    text = line.partition("=")[2].partition(";")[0]
    assert re.fullmatch(r"[a-z2-7]{12}-[A-Za-z0-9_-]{43}", text)
    assert line.partition(";")[2] == " Path=/; HttpOnly; SameSite=Strict; Secure"


async def test_a_session_is_another_one_after_each_sign_in(place: Place) -> None:
    person = await place.signed_in()
    first = person.cookies[SESSION]
    # As if somebody had put it there before.
    victim = place.person()
    victim.cookies[SESSION] = first
    page = (await victim.get(SIGN_IN)).headers["location"]
    person.cookies.clear()
    person.cookies[SESSION] = "aaaaaaaaaaaa-" + "A" * 43
    await person.sign_in(place.key)
    second = person.cookies[SESSION]

    assert page == "/dashboard"
    assert len({first, second, "aaaaaaaaaaaa-" + "A" * 43}) == 3
    assert VISIT not in person.cookies


async def test_a_wrong_secret_is_refused_in_the_same_words_whatever_it_is(place: Place) -> None:
    wrong = place.key[:-1] + ("A" if place.key[-1] != "A" else "B")
    without = [await place.person().sign_in(one) for one in (wrong, "no such password", "")]
    await place.composed.parts.storage.passwords.put(HASHED, actor="test")
    await place.composed.parts.storage.locks.succeeded(
        await place.composed.parts.storage.locks.attempt("127.0.0.1", is_here=True)
    )
    with_one = [await place.person().sign_in(one) for one in (wrong, "no such password")]

    assert {one.status_code for one in (*without, *with_one)} == {401}
    assert len({words_of(one.text) for one in (*without, *with_one)}) == 1
    assert wrong not in without[0].text


async def test_the_password_signs_in_as_its_owner_until_it_is_changed(place: Place) -> None:
    passwords = place.composed.parts.storage.passwords
    before = await place.person().sign_in(PASSWORD)
    await passwords.put(HASHED, actor="test")
    person = await place.signed_in(PASSWORD)
    open_ = await person.get(PAGE)
    sessions = (await place.http.get("/api/dashboard/sessions", headers=bearer(place.key))).json()
    await passwords.put(HASHED, actor="test")
    changed = await person.get(PAGE)
    again = await place.signed_in(PASSWORD)
    await passwords.remove(actor="test")
    removed = await again.get(PAGE)

    assert before.status_code == 401
    assert open_.status_code == 200
    assert [one["key_id"] for one in sessions["sessions"]] == ["owner"]
    assert (changed.status_code, removed.status_code) == (303, 303)


async def test_a_password_is_asked_for_where_no_key_is_needed_too(tmp_path: Path) -> None:
    async with opened(tmp_path) as composed, client(composed) as http:
        await composed.parts.storage.passwords.put(HASHED, actor="test")
        person = Person(http)
        asked = await person.get(PAGE)
        signed = await person.sign_in(PASSWORD, PAGE)
        page = await person.get(PAGE)
        models = await http.get("/v1/models")

    assert (asked.status_code, signed.status_code, page.status_code) == (303, 303, 200)
    # Programs of this machine still need no key.
    assert models.status_code == 200


async def test_a_session_may_what_its_key_may_at_this_moment(place: Place) -> None:
    keys = place.composed.parts.storage.keys
    made = await keys.create(KeyTerms(name="weak", scopes=("read:usage",)), actor="test")
    person = await place.signed_in(made.text)
    first = person.cookies[SESSION]
    refused = await person.get(PAGE)
    key_id = made.stored.key_id
    await keys.change(key_id, lambda now: replace(now, scopes=("admin",)), actor="test")
    let_in = await person.get(PAGE)
    second = person.cookies[SESSION]
    old = place.person()
    old.cookies[SESSION] = first
    at_the_same_time = await old.get(PAGE)
    await keys.change(key_id, lambda now: replace(now, enabled=False), actor="test")
    switched_off = await person.get(PAGE)
    await keys.change(key_id, lambda now: replace(now, enabled=True), actor="test")
    switched_on = await person.get(PAGE)
    await keys.revoke(key_id, actor="test")
    revoked = await person.get(PAGE)

    assert refused.status_code == 403
    assert "lacks scope admin" in refused.text
    assert let_in.status_code == 200
    assert first[:12] == second[:12]
    assert first != second
    # A browser asks for several things at once: the cookie before is good for a moment.
    assert (at_the_same_time.status_code, SESSION in old.kept) == (200, False)
    assert [one.status_code for one in (switched_off, switched_on, revoked)] == [303, 200, 303]


COOKIE_IS_NOTHING = (
    *("/v1/models", "/api/keys", "/api/settings", "/api/dashboard/sessions", "/metrics"),
    *("/mcp", "/v1/responses/resp_1", "/v1beta/models", "/api/tags"),
)


@pytest.mark.parametrize("path", COOKIE_IS_NOTHING)
async def test_a_cookie_lets_nobody_in_anywhere_else(place: Place, path: str) -> None:
    person = await place.signed_in()

    got = await person.get(path, site="same-origin")
    posted = await person.post("/v1/chat/completions", model="auto")
    at_a2a = await person.post("/a2a", method="message/send")

    assert [one.status_code for one in (got, posted, at_a2a)] == [401, 401, 401]


async def test_a_key_that_is_presented_needs_no_session(place: Place) -> None:
    page = await place.http.get(PAGE, headers=bearer(place.key))
    tag = hidden_of(page.text, "tag") or ""
    done = await place.http.post(PAGE, data={"tag": tag, **WISH}, headers=bearer(place.key))
    wrong = await place.http.get(PAGE, headers=bearer("sk-omni-fake"))

    assert [page.status_code, done.status_code, wrong.status_code] == [200, 303, 401]
    assert "set-cookie" not in page.headers


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("/dashboard/combos?x=1", "/dashboard/combos?x=1"),
        ("/dashboard", "/dashboard"),
        *(
            (one, "/dashboard")
            for one in (
                *("", "//evil.example", "https://evil.example/dashboard", "/dashboardx"),
                *("/dashboard.evil.example", "/v1/models", "/dashboard/../api/keys"),
                *("/dashboard/%2e%2e/api", "/dashboard\\@evil.example", "javascript:alert(1)"),
                *("/dashboard/\r\nset-cookie: a=b", "/dashboard /x", "/dashboard@evil.example"),
                *("/dashboard/sign-in", "/dashboard/sign-in?next=/dashboard", "dashboard"),
            )
        ),
    ],
)
async def test_signing_in_leads_to_a_page_of_the_dashboard_alone(
    place: Place, asked: str, there: str
) -> None:
    person = place.person()
    page = (await person.get(SIGN_IN)).text
    done = await person.post(SIGN_IN, page, secret=place.key, next=asked)
    again = await person.get(f"{SIGN_IN}?next={quote(asked, safe='')}")

    assert (done.status_code, done.headers["location"]) == (303, there)
    assert (again.status_code, again.headers["location"]) == (303, there)


async def test_a_script_is_told_in_json_that_nobody_is_signed_in(place: Place) -> None:
    person = place.person()
    answer = await person.get(
        PAGE, site="same-origin", **{"sec-fetch-mode": "cors", "accept": "application/json"}
    )

    assert answer.status_code == 401
    assert "sign in at /dashboard/sign-in" in answer.json()["error"]["message"]


async def test_a_link_of_another_site_leads_in_without_signing_in_again(place: Place) -> None:
    person = await place.signed_in()
    cookies = dict(person.cookies)
    # A browser sends no cookie of ours with it.
    person.cookies.clear()
    hop = await person.get(f"{PAGE}?a=1", site="cross-site")
    person.cookies.update(cookies)
    to = re.findall(r'http-equiv="refresh" content="0;url=([^"]*)"', hop.text)

    assert hop.status_code == 200
    assert to == [f"{PAGE}?a=1"]
    assert (await person.get(to[0], site="same-origin")).status_code == 200


async def test_sessions_are_seen_and_ended_by_who_may(place: Place) -> None:
    keys = place.composed.parts.storage.keys
    made = await keys.create(KeyTerms(name="weak", scopes=("read:usage",)), actor="test")
    boss, weak, other = (
        await place.signed_in(),
        await place.signed_in(made.text),
        await place.signed_in(made.text),
    )
    seen = [(await one.get(SESSIONS)).text for one in (boss, weak)]
    not_mine = await weak.post(SESSIONS, seen[1], session=boss.cookies[SESSION][:12])
    not_all = await weak.post(SESSIONS, seen[1], everybody="on", session="x")
    mine = await weak.post(SESSIONS, seen[1], session=other.cookies[SESSION][:12])
    after = [(await one.get(PAGE)).status_code for one in (boss, weak, other)]
    all_ = await boss.post(SESSIONS, seen[0], everybody="on")
    out = [(await one.get(PAGE)).status_code for one in (boss, weak)]

    cookies = [one.cookies[SESSION][:12] for one in (boss, weak, other)]
    assert [sum(one in page for one in cookies) for page in seen] == [3, 2]
    assert cookies[0] not in seen[1]
    assert (not_mine.status_code, not_all.status_code) == (404, 404)
    assert mine.status_code == 303
    assert after == [200, 403, 303]
    assert all_.status_code == 303
    assert out == [303, 303]


async def test_an_administrator_sets_the_password_on_a_page_and_removes_it(place: Place) -> None:
    keys = place.composed.parts.storage.keys
    made = await keys.create(KeyTerms(name="weak", scopes=("read:usage",)), actor="test")
    boss, weak = await place.signed_in(), await place.signed_in(made.text)
    page, seen = (await boss.get(SESSIONS)).text, (await weak.get(SESSIONS)).text
    path, wish = f"{SESSIONS}/password", {"password": PASSWORD, "again": PASSWORD}
    refused = await weak.post(path, seen, **wish)
    typo = await boss.post(path, page, password=PASSWORD, again=f"{PASSWORD} ")
    short = await boss.post(path, page, password="short", again="short")
    set_ = await boss.post(path, page, **wish)
    owner = await place.signed_in(PASSWORD)
    told = (await boss.get(SESSIONS)).text
    removed = await boss.post(path, page, remove="on")

    assert "The password" not in seen
    assert [one.status_code for one in (refused, typo, short)] == [403, 400, 400]
    assert "the two were not the same" in typo.text
    assert "12 to 1024 characters" in short.text
    assert PASSWORD not in typo.text + told
    assert (set_.status_code, removed.status_code) == (303, 303)
    assert "Remove the password" in told
    assert (await owner.get(SESSIONS)).status_code == 303


async def test_signing_out_everywhere_ends_the_sessions_of_the_one_key(place: Place) -> None:
    keys = place.composed.parts.storage.keys
    made = await keys.create(KeyTerms(name="other", scopes=("admin",)), actor="test")
    first, second = await place.signed_in(), await place.signed_in()
    other = await place.signed_in(made.text)
    page = (await first.get(SESSIONS)).text
    await first.post(SESSIONS, page, mine="on")

    assert [(await one.get(PAGE)).status_code for one in (first, second, other)] == [303, 303, 200]


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}
