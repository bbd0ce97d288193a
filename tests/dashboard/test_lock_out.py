"""Guessing at the sign-in page, and connections on which nobody can sign in."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.dashboard.person import Person
from tests.dashboard.placed import (
    HASHED,
    PAGE,
    PASSWORD,
    SESSION,
    SESSIONS,
    SIGN_IN,
    Place,
    placed,
)
from tests.v1.whole import opened

pytestmark = pytest.mark.anyio

HERE = "http://10.0.0.1:20128"
PUBLIC = "https://gateway.example"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with placed(tmp_path) as made:
        await made.composed.parts.storage.passwords.put(HASHED, actor="test")
        yield made


def from_(place: Place, address: str) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=place.composed.app, client=(address, 1))
    return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:20128")


async def test_who_guesses_has_to_wait_and_so_has_the_right_password(place: Place) -> None:
    wrong = [(await place.person().sign_in(f"guess {number}")).status_code for number in range(5)]
    locked = await place.person().sign_in("guess 5")
    right = await place.person().sign_in(PASSWORD)
    async with from_(place, "10.9.9.9") as elsewhere:
        free = await Person(elsewhere).sign_in(PASSWORD)

    assert wrong == [401] * 5
    assert (locked.status_code, right.status_code) == (429, 429)
    assert 0 < int(locked.headers["retry-after"]) <= 31
    assert "too many attempts failed" in locked.text
    assert free.status_code == 303
    assert [(one.action, one.target) for one in await place.entries()][-2:] == [
        ("dashboard.lock", "127.0.0.1"),
        ("password.set", "dashboard"),
    ]


async def test_a_good_key_is_let_in_whatever_is_locked(place: Place) -> None:
    for number in range(6):
        await place.person().sign_in(f"guess {number}")

    assert (await place.person().sign_in(place.key)).status_code == 303


async def test_many_guesses_at_once_are_no_more_tries(place: Place) -> None:
    people = [place.person() for _ in range(12)]
    answers = await asyncio.gather(*(one.sign_in("no such password") for one in people))

    told = [one.status_code for one in answers]
    assert told.count(401) <= 5
    assert set(told) <= {401, 429, 503}


async def test_signing_in_forgets_what_failed_before(place: Place) -> None:
    told = []
    for _ in range(2):
        told += [(await place.person().sign_in("no")).status_code for _ in range(4)]
        told.append((await place.person().sign_in(PASSWORD)).status_code)

    assert told == [*[401] * 4, 303, *[401] * 4, 303]


async def test_nobody_signs_in_where_the_cookie_would_be_read_on_the_way(tmp_path: Path) -> None:
    async with placed(tmp_path, OMNIROUTE_ALLOWED_HOSTS="10.0.0.1") as place:
        person = place.person(HERE)
        form = await person.get(SIGN_IN)
        posted = await person.post(SIGN_IN, secret=place.key)

    assert (form.status_code, posted.status_code) == (403, 403)
    assert "needs an encrypted connection" in form.text
    assert 'name="secret"' not in form.text
    assert person.kept == []


async def test_a_setting_lets_people_sign_in_with_a_cookie_of_another_name(
    tmp_path: Path,
) -> None:
    allowed = {
        "OMNIROUTE_ALLOWED_HOSTS": "10.0.0.1",
        "OMNIROUTE_DASHBOARD_PLAIN_COOKIE": "on",
    }
    async with placed(tmp_path, **allowed) as place:
        person = await place.signed_in(origin=HERE)
        page = await person.get(PAGE)
        secure = place.person(HERE)
        secure.cookies = {SESSION: person.cookies["omniroute-session"]}
        other_name = await secure.get(PAGE)

    assert page.status_code == 200
    assert list(person.cookies) == ["omniroute-session"]
    assert not [one for one in person.kept if "Secure" in one or "__Host-" in one]
    assert other_name.status_code == 303


async def test_behind_a_proxy_with_tls_the_cookie_is_secure(tmp_path: Path) -> None:
    variables = {
        "OMNIROUTE_TRUSTED_PROXIES": "127.0.0.1",
        "OMNIROUTE_ALLOWED_HOSTS": "gateway.example",
    }
    forwarded = {"x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.7"}
    async with placed(tmp_path, **variables) as place:
        place.http.headers.update(forwarded)
        person = await place.signed_in(origin=PUBLIC)
        page = await person.get(SESSIONS)
        place.http.headers["x-forwarded-proto"] = "http"
        plain = await place.person("http://gateway.example").get(SIGN_IN)

    assert page.status_code == 200
    assert "192.0.2.7" in page.text
    assert list(person.cookies) == [SESSION]
    assert plain.status_code == 403


async def test_a_public_address_with_tls_is_believed_of_its_own_host(tmp_path: Path) -> None:
    async with placed(tmp_path, OMNIROUTE_PUBLIC_URL=PUBLIC) as place:
        person = await place.signed_in(origin=PUBLIC)

        assert list(person.cookies) == [SESSION]


async def test_a_forwarded_header_of_a_stranger_is_not_believed(tmp_path: Path) -> None:
    async with placed(tmp_path, OMNIROUTE_ALLOWED_HOSTS="10.0.0.1") as place:
        place.http.headers.update({"x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.7"})
        form = await place.person(HERE).get(SIGN_IN)

    assert form.status_code == 403


async def test_what_came_through_a_proxy_has_to_sign_in_where_no_key_exists(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as composed:
        transport = httpx2.ASGITransport(app=composed.app, client=("127.0.0.1", 1))
        base = "http://127.0.0.1:20128"
        async with httpx2.AsyncClient(transport=transport, base_url=base) as http:
            http.headers["x-forwarded-for"] = "192.0.2.7"
            asked = await Person(http).get(PAGE)

    assert asked.status_code == 303
    assert asked.headers["location"].startswith(SIGN_IN)
