"""Events of a page end when whoever watches may no more."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.types import Message

from omniroute.server.dashboard import lasting
from tests.dashboard.placed import Place, placed

pytestmark = pytest.mark.anyio

EVENTS = "/dashboard/live/events"
WAIT_S = 60.0
Change = Callable[[Place], Awaitable[object]]


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setattr(lasting, "CHECK_S", 0.0)
    async with placed(tmp_path) as made:
        yield made


async def sign_out(place: Place) -> None:
    await place.composed.parts.storage.sign_ins.end_all(actor="test")


async def revoke(place: Place) -> None:
    await place.composed.parts.storage.keys.revoke(place.key_id, actor="test")


async def weaken(place: Place) -> None:
    keys = place.composed.parts.storage.keys
    await keys.change(place.key_id, lambda now: replace(now, scopes=("read:models",)), actor="test")


async def watched(
    place: Place, headers: list[tuple[bytes, bytes]], change: Change
) -> list[Message]:
    """Watch events by hand, change something, have something happen; give what was sent."""
    told: list[Message] = []
    began = asyncio.Event()

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        told.append(message)
        if message["type"] == "http.response.start" or message.get("body"):
            began.set()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": EVENTS,
        "raw_path": EVENTS.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:20128"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 20128),
        "state": {},
    }
    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        watching = group.create_task(place.composed.app(scope, receive, send))
        await began.wait()
        await change(place)
        body = {"model": "sim/fast@latency=0", "messages": [{"role": "user", "content": "hi"}]}
        token = {"authorization": f"Bearer {place.composed.token}"}
        answer = await place.http.post("/v1/chat/completions", json=body, headers=token)
        assert answer.status_code == 200
        await watching
    return told


@pytest.mark.parametrize("change", [sign_out, revoke, weaken])
async def test_events_end_with_the_session_they_are_for(place: Place, change: Change) -> None:
    keys = place.composed.parts.storage.keys
    stored = keys.find(place.key_id)
    assert stored is not None
    await keys.create(stored.terms, actor="test")
    person = await place.signed_in()
    cookie = "; ".join(f"{name}={value}" for name, value in person.cookies.items())

    told = await watched(place, [(b"cookie", cookie.encode())], change)

    assert told[0]["status"] == 200
    assert told[-1] == {"type": "http.response.body", "body": b""}
    assert not [one for one in told if b"sim/fast" in one.get("body", b"")]


async def test_events_end_with_the_key_that_was_presented(place: Place) -> None:
    keys = place.composed.parts.storage.keys
    stored = keys.find(place.key_id)
    assert stored is not None
    await keys.create(stored.terms, actor="test")

    told = await watched(place, [(b"authorization", f"Bearer {place.key}".encode())], revoke)

    assert told[0]["status"] == 200
    assert not [one for one in told if b"sim/fast" in one.get("body", b"")]


async def test_events_end_where_nobody_had_to_sign_in_and_now_has_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lasting, "CHECK_S", 0.0)
    async with placed(tmp_path) as place:
        keys = place.composed.parts.storage.keys
        stored = keys.find(place.key_id)
        assert stored is not None
        await keys.revoke(place.key_id, actor="test")

        async def make_one(place: Place) -> None:
            await keys.create(stored.terms, actor="test")

        told = await watched(place, [], make_one)

    assert told[0]["status"] == 200
    assert told[-1] == {"type": "http.response.body", "body": b""}
