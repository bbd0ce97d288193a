"""What may change something: forms of the dashboard's own pages, and nothing of another site.

Threats T24 (a page of another site sends forms) and T23 (another program of this machine).
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from omniroute.server.dashboard import kept_forms
from tests.dashboard.person import ORIGIN
from tests.dashboard.placed import PAGE, SESSION, SESSIONS, SIGN_IN, VISIT, WISH, Place, placed
from tests.dashboard.visiting import hidden_of, words_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with placed(tmp_path) as made:
        yield made


async def mode(place: Place) -> str:
    answer = await place.http.get("/api/settings", headers={"authorization": f"Bearer {place.key}"})
    return str(answer.json()["mode"])


ELSEWHERE = {
    "another site": {"origin": "https://evil.example"},
    "no origin that can be told": {"origin": "null"},
    "another program of this machine": {"origin": "http://127.0.0.1:3000"},
    "another name of this machine": {"origin": "http://localhost:20128"},
    "another site, as the browser says": {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
    "another port, as the browser says": {"origin": ORIGIN, "sec-fetch-site": "same-site"},
}


@pytest.mark.parametrize("headers", ELSEWHERE.values(), ids=ELSEWHERE)
async def test_a_form_from_elsewhere_is_refused_even_with_its_token(
    place: Place, headers: dict[str, str]
) -> None:
    person = await place.signed_in()
    page = (await person.get(PAGE)).text
    before = await mode(place)
    refused = await person.post(PAGE, page, headers, tag=hidden_of(page, "tag") or "", **WISH)
    signing_in = await place.person().post(SIGN_IN, page, headers, secret=place.key)

    assert (refused.status_code, signing_in.status_code) == (403, 403)
    assert await mode(place) == before


@pytest.mark.parametrize("mode_", ["no-cors", "cors", "websocket"])
async def test_no_page_of_another_site_gets_one_of_ours(place: Place, mode_: str) -> None:
    person = await place.signed_in()
    got = await person.get(PAGE, site="same-site", **{"sec-fetch-mode": mode_})

    assert got.status_code == 403
    assert "settings" not in got.text


@pytest.mark.parametrize("token", ["", "x", "0" * 64, "é"])
async def test_a_form_without_its_token_is_not_done_and_offered_again(
    place: Place, token: str
) -> None:
    person = await place.signed_in()
    page = (await person.get(PAGE)).text
    tag, before = hidden_of(page, "tag") or "", await mode(place)
    offered = await person.post(PAGE, csrf=token, tag=tag, **WISH)
    between = await mode(place)
    done = await person.send_again(offered.text)

    assert offered.status_code == 409
    assert between == before
    assert "cheap" in words_of(offered.text)
    assert done.status_code == 303
    assert await mode(place) == "cheap"


async def test_a_form_that_the_browser_does_not_vouch_for_is_not_even_offered(
    place: Place,
) -> None:
    person = await place.signed_in()
    cookie = {"cookie": f"{SESSION}={person.cookies[SESSION]}", "accept": "text/html"}
    refused = await place.http.post(PAGE, data=WISH, headers=cookie)

    assert refused.status_code == 403
    assert "cheap" not in refused.text


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"mode": "cheap"}'),
        ("text/plain", b"mode=cheap"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nmode=cheap\r\n--x--\r\n"),
    ],
)
async def test_what_is_no_form_needs_the_token_in_its_header(
    place: Place, kind: str, body: bytes
) -> None:
    person = await place.signed_in()
    page = (await person.get(SESSIONS)).text
    told = {
        "cookie": f"{SESSION}={person.cookies[SESSION]}",
        "content-type": kind,
        "origin": ORIGIN,
        "sec-fetch-site": "same-origin",
        "sec-fetch-mode": "cors",
    }
    without = await place.http.post("/dashboard/sign-out", content=body, headers=told)
    wrong = await place.http.post(
        "/dashboard/sign-out", content=body, headers={**told, "x-csrf-token": "0" * 64}
    )
    still = await person.get(SESSIONS)
    token = hidden_of(page, "csrf") or ""
    right = await place.http.post(
        "/dashboard/sign-out", content=b"", headers={**told, "x-csrf-token": token}
    )

    assert without.status_code in (400, 403, 409)
    assert (wrong.status_code, still.status_code, right.status_code) == (403, 200, 303)
    assert (await person.get(SESSIONS)).status_code == 303


async def test_a_script_of_an_old_page_is_told_to_load_it_again(place: Place) -> None:
    person = await place.signed_in()
    told = await person.post(
        PAGE, "", {"sec-fetch-mode": "cors", "accept": "*/*"}, csrf="0" * 64, **WISH
    )

    assert told.status_code == 403
    assert "load it again" in told.json()["error"]["message"]


async def test_a_token_is_of_one_session_alone(place: Place) -> None:
    first, second = await place.signed_in(), await place.signed_in()
    page = (await first.get(PAGE)).text
    tag, before = hidden_of(page, "tag") or "", await mode(place)
    answer = await second.post(PAGE, page, tag=tag, **WISH)

    assert answer.status_code == 409
    assert await mode(place) == before


async def test_a_token_outlives_a_new_key_of_the_ring(place: Place) -> None:
    person = await place.signed_in()
    page = (await person.get(PAGE)).text
    await place.composed.parts.storage.rings.add(actor="test")
    done = await person.post(PAGE, page, tag=hidden_of(page, "tag") or "", **WISH)

    assert done.status_code == 303


async def test_what_was_entered_when_the_session_ended_is_offered_after_signing_in(
    place: Place,
) -> None:
    person = await place.signed_in()
    page = (await person.get(PAGE)).text
    tag = hidden_of(page, "tag") or ""
    await place.composed.parts.storage.sign_ins.end_all(actor="test")
    before = await mode(place)
    ended = await person.post(PAGE, page, tag=tag, **WISH)
    wrong = await person.post(
        SIGN_IN, ended.text, secret="no", kept=hidden_of(ended.text, "kept") or ""
    )
    offered = await person.post(
        SIGN_IN, wrong.text, secret=place.key, kept=hidden_of(wrong.text, "kept") or ""
    )
    between = await mode(place)
    done = await person.send_again(offered.text)

    assert (ended.status_code, wrong.status_code) == (401, 401)
    assert "What you had entered is kept" in ended.text
    assert "cheap" not in ended.text
    assert offered.status_code == 200
    assert "cheap" in words_of(offered.text)
    assert between == before
    assert done.status_code == 303
    assert await mode(place) == "cheap"


async def test_nobody_else_is_offered_what_somebody_had_entered(place: Place) -> None:
    keys = place.composed.parts.storage.keys
    stored = keys.find(place.key_id)
    assert stored is not None
    other = await keys.create(stored.terms, actor="test")
    person = await place.signed_in()
    page = (await person.get(PAGE)).text
    await place.composed.parts.storage.sign_ins.end_all(actor="test")
    ended = await person.post(PAGE, page, tag="1", **WISH)
    kept = hidden_of(ended.text, "kept") or ""
    # Another browser, and another key in the same one.
    stranger = place.person()
    form = (await stranger.get(SIGN_IN)).text
    elsewhere = await stranger.post(SIGN_IN, form, secret=place.key, kept=kept)
    as_other = await person.post(SIGN_IN, ended.text, secret=other.text, kept=kept)

    assert kept
    assert [one.status_code for one in (elsewhere, as_other)] == [303, 303]


async def test_secrets_are_not_kept_and_what_lacks_them_is_not_sent_again(place: Place) -> None:
    person = await place.signed_in()
    secret = "sk-fake-0123456789abcdef"
    offered = await person.post(
        "/dashboard/providers", provider="groq", key="fake-key", name=f"is {secret}"
    )

    assert offered.status_code == 409
    assert "Secrets are not kept (key, name)" in words_of(offered.text)
    assert "groq" in words_of(offered.text)
    assert secret not in offered.text
    assert "fake-key" not in offered.text
    assert "<button" not in offered.text.partition("<main")[2]


async def test_what_is_too_long_to_be_kept_is_said_to_be(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_forms, "KEPT_BYTES_MAX", 1000)
    person = place.person()
    ended = await person.post(PAGE, mode="x" * 1000)

    assert ended.status_code == 401
    assert "too long to be kept here" in ended.text
    assert hidden_of(ended.text, "kept") is None


async def test_a_form_from_elsewhere_is_never_kept(place: Place) -> None:
    person = place.person()
    headers = {"cookie": "", "accept": "text/html"}
    silent = await place.http.post(PAGE, data=WISH, headers=headers)
    foreign = await person.post(PAGE, "", ELSEWHERE["another site"], **WISH)

    assert silent.status_code == 401
    assert hidden_of(silent.text, "kept") is None
    assert foreign.status_code == 403


async def test_the_sign_in_page_says_when_the_browser_keeps_no_cookie(place: Place) -> None:
    person = place.person()
    page = (await person.get(SIGN_IN)).text
    person.cookies.clear()
    without = await person.post(SIGN_IN, page, secret=place.key)
    other = await person.post(SIGN_IN, page, secret=place.key)
    again = await person.post(SIGN_IN, other.text, secret=place.key)

    assert (without.status_code, other.status_code, again.status_code) == (400, 400, 303)
    assert "keeps no cookie" in without.text
    assert "this page was too old" in other.text
    assert VISIT not in person.cookies
