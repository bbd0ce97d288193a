"""An application called in this process: its answer comes as it is made, and ends when we leave."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from omniroute.server.cli.client import call
from omniroute.server.cli.exits import UNAVAILABLE, Stop
from omniroute.server.cli.inprocess import composed_app

START = {"type": "http.response.start", "status": 200, "headers": [(b"X-Kind", b"test")]}


@dataclass
class Composed:
    """What compose gives, with an application of the test's own."""

    app: ASGIApp
    token: str = "fake-token"
    closed: bool = False


@asynccontextmanager
async def composing(composed: Composed) -> AsyncGenerator[Composed]:
    # A task group must be left by the task that entered it, and wraps what is raised inside.
    async with asyncio.TaskGroup():
        yield composed
        composed.closed = True


def part(data: bytes, *, more: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def test_a_streamed_answer_is_seen_while_it_is_made() -> None:
    may_go_on = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(part(b"first", more=True))
        await asyncio.to_thread(may_go_on.wait, 30)
        await send(part(b"second", more=False))

    with (
        composed_app(composing(Composed(app))) as client,
        client.open("GET", "/", None, timeout_s=10) as answer,
    ):
        first = next(answer.chunks)
        may_go_on.set()
        rest = list(answer.chunks)

    assert (answer.status, answer.headers) == (200, {"x-kind": "test"})
    assert (first, rest) == (b"first", [b"second"])


def test_the_request_arrives_as_it_was_sent_with_admin_rights() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        seen.update(scope, body=message["body"])
        await send(START)
        await send(part(b"", more=False))

    with composed_app(composing(Composed(app))) as client:
        call(client, "POST", "/api/combos/a%2Fb?x=1", {"name": "a/b"})

    assert (seen["method"], seen["path"], seen["query_string"]) == (
        "POST",
        "/api/combos/a/b",
        b"x=1",
    )
    assert seen["body"] == b'{"name":"a/b"}'
    assert (b"authorization", b"Bearer fake-token") in seen["headers"]


def test_leaving_early_tells_the_application() -> None:
    told: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(part(b"first", more=True))
        await receive()
        told.append((await receive())["type"])
        await send(part(b"nobody reads this", more=False))

    with (
        composed_app(composing(Composed(app))) as client,
        client.open("GET", "/", None, timeout_s=10) as answer,
    ):
        next(answer.chunks)

    assert told == ["http.disconnect"]


@pytest.mark.parametrize("started", [False, True])
def test_an_application_that_fails_ends_as_a_message(started: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if started:
            await send(START)
        raise RuntimeError("broken")

    with composed_app(composing(Composed(app))) as client, pytest.raises(Stop) as stopped:
        call(client, "GET", "/")

    assert stopped.value.status == UNAVAILABLE
    assert "broken" not in str(stopped.value)


def test_an_application_that_says_nothing_is_not_waited_for_for_ever() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()

    with composed_app(composing(Composed(app))) as client, pytest.raises(Stop, match="no answer"):
        call(client, "GET", "/", timeout_s=0.05)


def test_a_command_that_fails_takes_the_application_down_well() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None: ...

    composed = Composed(app)

    with pytest.raises(Stop, match="the command's own"), composed_app(composing(composed)):
        raise Stop("the command's own")

    assert composed.closed
