"""What no door has answered: it is named in head, body and log; a flood of it is none there."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from omniroute.server import pace
from omniroute.server.bounds import Bounds
from omniroute.server.own_exchange import BODY_BYTES_COUNTED
from omniroute.server.refused import LINES_MAX, Refused
from tests.edge_server import WAIT_S, App, Served, post, serving
from tests.v1.mounted import mounted

pytestmark = pytest.mark.anyio

NO_HOST = "GET /{}whole HTTP/1.1\r\n\r\n"
OPEN_BODY = "POST /{} HTTP/1.1\r\nhost: h\r\ncontent-length: 1000\r\n\r\nbegun"
LONG_HEAD = post("whole", "", "x-long: " + "a" * 100_000)
# All of it is read when it is found to be too much, so nothing is left that would reset.
LARGE = "POST /whole HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\r\n" + "x" * (
    BODY_BYTES_COUNTED + 1
)
BEGUN = "POST /whole HTTP/1.1\r\nhost: h\r\n"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(App()) as one:
        yield one


def read(answer: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Give status, headers and body of the only answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(one.split(": ", 1) for one in lines)
    assert int(headers["content-length"]) == len(body)
    return int(first.split()[1]), headers, json.loads(body)


def refusals(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(one) for one in caplog.records if one.msg == "request_refused"]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "HEAD_S_MAX", 0.1)
    monkeypatch.setattr(pace, "BODY_IDLE_S", 0.1)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ("nonsense\r\n\r\n", 400, "bad_request"),
        (NO_HOST.format(""), 400, "bad_request"),
        (NO_HOST.format("asgi/"), 400, "bad_request"),
        (LONG_HEAD, 431, "request_too_large"),
        (BEGUN, 408, "request_timeout"),
        ("", 408, "request_timeout"),
        (OPEN_BODY.format("whole"), 408, "request_timeout"),
        (OPEN_BODY.format("asgi/parts"), 408, "request_timeout"),
        (LARGE, 503, "gateway_busy"),
    ],
    ids=[
        *("no request", "no host", "no host, asgi", "head too large", "head too slow", "nothing"),
        *("body too slow", "body too slow, asgi", "too much at once"),
    ],
)
async def test_a_refusal_of_the_edge_is_named_in_head_body_and_log(
    caplog: pytest.LogCaptureFixture, served: Served, asked: str, status: int, code: str
) -> None:
    served.app.bounds = Bounds(bytes_max=100_000)

    with caplog.at_level(logging.WARNING):
        got, headers, body = read(await served.ask(asked))

    (told,) = refusals(caplog)
    name = headers["x-request-id"]
    assert got == told["status"] == status
    assert body["error"]["code"] == told["error"] == code
    assert name == headers["request-id"] == body["request_id"] == told["request_id"]
    assert name.startswith("req_")
    assert told["peer"] == "127.0.0.1"
    assert headers["connection"] == "close"


async def test_who_is_turned_away_before_it_could_ask_is_named_as_well(
    caplog: pytest.LogCaptureFixture, served: Served
) -> None:
    served.app.bounds = Bounds(connections_max=0)

    with caplog.at_level(logging.WARNING):
        status, headers, body = read(await served.ask())

    (told,) = refusals(caplog)
    assert (status, told["status"]) == (503, 503)
    assert headers["x-request-id"] == body["request_id"] == told["request_id"]


async def test_no_two_refusals_have_one_name(served: Served) -> None:
    answers = [read(await served.ask("nonsense\r\n\r\n")) for _ in range(5)]

    assert len({headers["x-request-id"] for _, headers, _ in answers}) == 5


async def test_of_a_flood_the_first_are_logged_and_then_how_many_were_not(
    caplog: pytest.LogCaptureFixture, served: Served
) -> None:
    now_s = 1000.0
    served.app.refused = Refused(lambda: now_s)

    with caplog.at_level(logging.WARNING):
        for _ in range(LINES_MAX + 7):
            await served.ask("nonsense\r\n\r\n")
        first = refusals(caplog)
        now_s += 10.0
        await served.ask("nonsense\r\n\r\n")
        (later,) = refusals(caplog)[len(first) :]

    assert len(first) == LINES_MAX
    assert {one["left_out"] for one in first} == {None}
    assert later["left_out"] == 7


async def test_where_every_request_is_logged_each_refusal_is(
    caplog: pytest.LogCaptureFixture, served: Served
) -> None:
    served.app.refused = Refused()
    served.app.refused.tells_all = True

    with caplog.at_level(logging.WARNING):
        for _ in range(LINES_MAX + 7):
            await served.ask("nonsense\r\n\r\n")

    assert len(refusals(caplog)) == LINES_MAX + 7


async def test_a_door_that_gives_no_answer_is_logged_under_the_name_of_its_fault(
    caplog: pytest.LogCaptureFixture, served: Served
) -> None:
    with caplog.at_level(logging.ERROR):
        status, headers, _ = read(await served.ask(post("silent")))

    told = [vars(one)["request_id"] for one in caplog.records if one.msg == "no_answer"]
    assert status == 500
    assert told == [headers["x-request-id"]]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/keys"])
async def test_the_access_log_has_what_the_edge_said_and_nothing_of_what_was_asked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path, path: str
) -> None:
    monkeypatch.setattr(pace, "BODY_IDLE_S", 0.1)
    lines = ["host: 127.0.0.1", "content-type: application/json", "content-length: 1000"]
    begun = "\r\n".join([f"POST {path} HTTP/1.1", "x-words: my-diary", *lines, "", "begun"])

    with caplog.at_level(logging.INFO):
        async with mounted(tmp_path, OMNIROUTE_ACCESS_LOG="on") as here:
            port = here.client.base_url.port
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begun.encode())
            async with asyncio.timeout(WAIT_S):
                status, headers, _ = read(await reader.read())
                while not any(one.msg == "http_request" for one in caplog.records):
                    await asyncio.sleep(0.01)
            writer.close()

    (asked,) = [vars(one) for one in caplog.records if one.msg == "http_request"]
    assert (asked["status"], asked["route"]) == (status, path) == (408, path)
    assert asked["request_id"] == headers["x-request-id"] == refusals(caplog)[0]["request_id"]
    assert "my-diary" not in str([vars(one) for one in caplog.records])
