"""The HTTP and JSON-RPC envelope: who may ask, and what a request must look like at all."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from omniroute.a2a.dialects.codec import EXTENSION
from omniroute.a2a.push import SubscriptionRow
from omniroute.a2a.routes import BODY_BYTES_MAX
from omniroute.a2a.tasks import TaskRow
from tests.a2a_door.door import MemoryTasks, serving, v03_message, v10_message

pytestmark = pytest.mark.anyio

SEND = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": v03_message()}}


@pytest.mark.parametrize("path", ["/a2a", "/a2a/"])
async def test_both_paths_answer_without_a_redirect(path: str) -> None:
    async with serving() as door:
        response = await door.client.post(path, json=SEND)

    assert response.status_code == 200
    assert response.json()["result"]["status"]["state"] == "completed"


@pytest.mark.parametrize("credential", ["", "Bearer sk-fake-unknown"])
async def test_without_a_valid_key_it_is_401_with_a_challenge(credential: str) -> None:
    async with serving(keys_required=True) as door:
        response = await door.post(SEND, authorization=credential)

        rows = door.store.rows

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.json()["error"]["code"] == -32600
    assert response.json()["id"] is None
    assert rows == {}


@pytest.mark.parametrize(
    "body",
    [
        SEND,
        {**SEND, "method": "message/stream"},
        {**SEND, "params": {"messages": [{"content": "hi"}]}},
    ],
)
async def test_a_key_without_the_scope_gets_403_and_no_task(body: dict[str, Any]) -> None:
    async with serving() as door:
        response = await door.post(body, authorization="Bearer sk-fake-reader")

        rows, calls = door.store.rows, door.world.upstream.calls

    assert response.status_code == 403
    assert 'scope="write:route"' in response.headers["www-authenticate"]
    assert "write:route" in response.json()["error"]["message"]
    assert (rows, calls) == ({}, [])


async def test_a_key_routes_only_to_its_own_models() -> None:
    params = {"message": v03_message(), "metadata": {"model": "one/m"}}
    key = "Bearer sk-fake-one-model"
    async with serving() as door:
        refused = await door.result("message/send", params, authorization=key)
        params["metadata"] = {"model": "two/m"}
        answered = await door.result("message/send", params, authorization=key)

    assert refused["status"]["state"] == "rejected"
    assert answered["status"]["state"] == "completed"


@pytest.mark.parametrize("name", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_body_that_is_not_json_by_its_type_is_415(name: str) -> None:
    async with serving() as door:
        headers = {"content-type": name}
        response = await door.client.post("/a2a", content=json.dumps(SEND), headers=headers)

    assert response.status_code == 415
    assert response.json()["error"]["code"] == -32005


@pytest.mark.parametrize("name", ["application/json; charset=utf-8", "application/a2a+json"])
async def test_json_may_be_named_in_any_of_its_ways(name: str) -> None:
    async with serving() as door:
        headers = {"content-type": name}
        response = await door.client.post("/a2a", content=json.dumps(SEND), headers=headers)

    assert response.json()["result"]["status"]["state"] == "completed"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"jsonrpc": "2.0", "id": NaN}',
        b'{"id": "\xc3\x28"}',
        b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"id": "\\ud800"}',
    ],
)
async def test_a_body_that_is_not_json_is_a_parse_error(body: bytes) -> None:
    async with serving() as door:
        headers = {"content-type": "application/json"}
        response = await door.client.post("/a2a", content=body, headers=headers)

    assert response.json()["error"]["code"] == -32700
    assert response.json()["id"] is None


@pytest.mark.parametrize(
    ("body", "code", "request_id"),
    [
        ([], -32600, None),
        ([SEND], -32600, None),
        ("hi", -32600, None),
        (7, -32600, None),
        ({**SEND, "jsonrpc": "1.0"}, -32600, 1),
        ({**SEND, "jsonrpc": None}, -32600, 1),
        ({**SEND, "id": {}}, -32600, None),
        ({**SEND, "id": 1.5}, -32600, None),
        ({**SEND, "id": True}, -32600, None),
        ({"jsonrpc": "2.0", "method": "message/send"}, -32600, None),
        ({**SEND, "method": 7}, -32600, 1),
        ({**SEND, "method": ""}, -32600, 1),
        ({**SEND, "method": "x" * 200}, -32600, 1),
        ({**SEND, "params": "hi"}, -32600, 1),
        ({**SEND, "params": []}, -32602, 1),
        ({**SEND, "params": None}, -32602, 1),
    ],
)
async def test_what_is_no_request_says_so(body: object, code: int, request_id: int | None) -> None:
    async with serving() as door:
        answered = (await door.post(body)).json()

        rows = door.store.rows

    assert answered["error"]["code"] == code
    assert answered["id"] == request_id
    assert rows == {}


@pytest.mark.parametrize("request_id", ["a", "", 0, -5, None])
async def test_an_id_comes_back_as_it_went(request_id: object) -> None:
    async with serving() as door:
        answered = (await door.post({**SEND, "id": request_id})).json()

    assert answered["id"] == request_id
    assert "result" in answered


async def test_metadata_that_is_too_deep_is_invalid() -> None:
    deep: dict[str, object] = {}
    for _ in range(40):
        deep = {"a": deep}
    async with serving() as door:
        params = {"message": v10_message(metadata=deep)}
        error = await door.error("SendMessage", params, A2A_Version="1.0")

    assert error["code"] == -32602
    assert "levels" in error["message"]


async def test_a_body_past_the_limit_is_413_by_its_told_length() -> None:
    async with serving() as door:
        headers = {"content-type": "application/json"}
        content = b" " * (BODY_BYTES_MAX + 1)
        response = await door.client.post("/a2a", content=content, headers=headers)

    assert response.status_code == 413
    assert response.json()["error"]["code"] == -32600


async def test_a_body_past_the_limit_is_413_also_when_no_length_is_told() -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(20):
            sent += 1
            yield b" " * 2**20

    async with serving() as door:
        headers = {"content-type": "application/json"}
        response = await door.client.post("/a2a", content=chunks(), headers=headers)

    assert response.status_code == 413


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_other_methods_are_not_allowed(method: str) -> None:
    async with serving() as door:
        response = await door.client.request(method, "/a2a")

    assert response.status_code == 405
    assert "POST" in response.headers["allow"]


async def test_options_say_what_is_allowed() -> None:
    async with serving(keys_required=True) as door:
        response = await door.client.options("/a2a")

    assert response.status_code == 204
    assert response.headers["allow"] == "OPTIONS, POST"


async def test_a_bug_is_an_internal_error_that_tells_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Buggy(MemoryTasks):
        async def create(
            self, task: TaskRow, event: str, *, push: SubscriptionRow | None = None
        ) -> None:
            raise ZeroDivisionError("a bug for a test")

    async with serving(store=Buggy()) as door:
        error = await door.error("message/send", {"message": v03_message()})

    assert error["code"] == -32603
    assert "bug" not in error["message"]
    assert "a2a_request_broke" in caplog.text


@pytest.mark.parametrize("name", ["A2A-Extensions", "X-A2A-Extensions"])
@pytest.mark.parametrize("method", ["message/send", "message/stream"])
async def test_who_asks_for_our_extension_is_told_that_it_is_active(name: str, method: str) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"message": v03_message()}}
    asked = {name: f"https://other.example/ext/v1, {EXTENSION}"}
    async with serving() as door:
        told = await door.client.post("/a2a", json=body, headers=asked)
        untold = await door.client.post("/a2a", json=body, headers={name: "https://other.example"})
        unasked = await door.client.post("/a2a", json=body)

    assert told.headers[name] == EXTENSION
    assert not {"a2a-extensions", "x-a2a-extensions"} & (
        untold.headers.keys() | unasked.headers.keys()
    )
