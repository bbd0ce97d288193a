"""Responses over a WebSocket, by real clients over a socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests import processes
from tests.processes import RunningGateway

pytestmark = pytest.mark.anyio

MODEL = "sim/fast@latency=0"
WAIT_S = 10
BETA = {"openai-beta": "responses_websockets=2026-02-06"}
HELLO = {"type": "response.create", "model": MODEL, "input": "hello there", "store": False}


def address(gateway: RunningGateway) -> str:
    return f"ws://127.0.0.1:{gateway.port}/v1/responses"


@asynccontextmanager
async def connected(gateway: RunningGateway, **headers: str) -> AsyncIterator[ClientConnection]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with asyncio.timeout(6 * WAIT_S):
        async with connect(address(gateway), additional_headers={**BETA, **named}) as socket:
            yield socket


async def events(socket: ClientConnection) -> list[Any]:
    """Give the frames up to the one that ends an answer."""
    found: list[Any] = []
    while not found or found[-1]["type"] not in ("response.completed", "error"):
        found.append(json.loads(await asyncio.wait_for(socket.recv(), WAIT_S)))
    return found


async def ask(socket: ClientConnection, **fields: object) -> list[Any]:
    await socket.send(json.dumps({**HELLO, **fields}))
    return await events(socket)


def text_of(found: list[Any]) -> str:
    return "".join(one["delta"] for one in found if one["type"] == "response.output_text.delta")


async def test_a_frame_is_answered_by_the_events_of_its_stream(
    shared_gateway: RunningGateway,
) -> None:
    async with connected(shared_gateway) as socket:
        found = await ask(socket)
    posted = shared_gateway.call(
        "POST", "/v1/responses", {"model": MODEL, "input": "hello there", "stream": True}
    )

    lines = posted.body.decode().splitlines()
    streamed = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert [one["type"] for one in found] == [one["type"] for one in streamed]
    assert text_of(found) == text_of(streamed) == "[simulated by sim/fast] You said: hello there"


async def test_a_warm_up_is_answered_at_once_and_gone_on_from_with_new_items_alone(
    shared_gateway: RunningGateway,
) -> None:
    first = {"type": "message", "role": "developer", "content": "Answer in one word."}
    second = {"type": "message", "role": "user", "content": "hello there"}

    async with connected(shared_gateway) as socket:
        warm = await ask(socket, generate=False, input=[first])
        answered = await ask(
            socket, input=[second], previous_response_id=warm[-1]["response"]["id"]
        )
        alone = await ask(socket, input=[second])

    assert warm[-1]["response"]["status"] == "completed"
    assert warm[-1]["response"]["output"] == []
    used, less = (one[-1]["response"]["usage"]["input_tokens"] for one in (answered, alone))
    assert used > less


async def test_a_connection_remembers_its_turns_though_nothing_is_stored(
    shared_gateway: RunningGateway,
) -> None:
    tool = {
        "type": "function",
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }

    async with connected(shared_gateway) as socket:
        asked = (await ask(socket, input="use get_weather", tools=[tool]))[-1]["response"]
        call = next(one for one in asked["output"] if one["type"] == "function_call")
        result = {
            "type": "function_call_output",
            "call_id": call["call_id"],
            "output": "21 degrees",
        }
        told = await ask(socket, input=[result], tools=[tool], previous_response_id=asked["id"])
    async with connected(shared_gateway) as other:
        missing = await ask(other, previous_response_id=asked["id"])

    assert "21 degrees" in text_of(told)
    assert missing == [
        {
            "type": "error",
            "status": 400,
            "error": {
                **missing[0]["error"],
                "code": "previous_response_not_found",
                "param": "previous_response_id",
            },
        }
    ]


async def test_a_kept_response_is_gone_on_from_on_another_connection_and_over_http(
    shared_gateway: RunningGateway,
) -> None:
    async with connected(shared_gateway) as socket:
        first = (await ask(socket, store=True))[-1]["response"]["id"]
    async with connected(shared_gateway) as socket:
        second = await ask(socket, input="and then?", store=True, previous_response_id=first)
    listed = shared_gateway.call(
        "GET", f"/v1/responses/{second[-1]['response']['id']}/input_items?order=asc"
    )

    assert [one["role"] for one in listed.json()["data"]] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        ("{", None),
        ("[]", None),
        ('{"type": "response.dance"}', "type"),
        ('{"model": "m"}', "type"),
        (json.dumps({**HELLO, "background": True}), "background"),
        (json.dumps({**HELLO, "stream_id": "a"}), "stream_id"),
        (json.dumps({**HELLO, "input": 3}), "input"),
        (json.dumps({**HELLO, "model": "none-such"}), None),
    ],
)
async def test_an_error_is_a_frame_and_the_connection_goes_on(
    shared_gateway: RunningGateway, frame: str, field: str | None
) -> None:
    async with connected(shared_gateway) as socket:
        await socket.send(frame)
        (refused,) = await events(socket)
        await socket.send(json.dumps({"type": "response.processed", "response_id": "resp_1"}))
        answered = await ask(socket)

    assert refused["type"] == "error"
    assert refused["status"] in (400, 404)
    assert refused["error"]["param"] == field
    assert refused["error"]["message"]
    assert text_of(answered)


async def test_a_failure_in_the_middle_ends_the_answer_and_not_the_connection(
    shared_gateway: RunningGateway,
) -> None:
    async with connected(shared_gateway) as socket:
        await socket.send(json.dumps({**HELLO, "model": "sim/fast@latency=0,fault=error_later"}))
        found: list[Any] = []
        while not found or found[-1]["type"] != "response.failed":
            found.append(json.loads(await asyncio.wait_for(socket.recv(), WAIT_S)))
        answered = await ask(socket)

    assert text_of(answered)


async def test_requests_that_wait_are_answered_in_their_order(
    shared_gateway: RunningGateway,
) -> None:
    async with connected(shared_gateway) as socket:
        for number in range(12):
            await socket.send(json.dumps({**HELLO, "input": f"number {number}"}))
        said = [text_of(await events(socket)) for _ in range(12)]

    assert [one.rpartition(" ")[2] for one in said] == [str(number) for number in range(12)]


async def test_keys_hosts_and_origins_are_checked_before_anything_is_upgraded(
    running_gateway: RunningGateway,
) -> None:
    key = running_gateway.new_key("--name", "mine", "--scope", "write:route")
    reader = running_gateway.new_key("--name", "reader", "--scope", "readonly")

    statuses: list[int] = []
    refused_ones: tuple[dict[str, str], ...] = (
        {},
        {"authorization": "Bearer sk-fake"},
        {"origin": "https://evil.example"},
        {"authorization": f"Bearer {reader}"},
    )
    for headers in refused_ones:
        with pytest.raises(InvalidStatus) as refused:
            async with connected(running_gateway, **headers):
                pass
        statuses.append(refused.value.response.status_code)
    async with connected(running_gateway, authorization=f"Bearer {key}") as socket:
        answered = await ask(socket)

    assert statuses == [401, 401, 403, 403]
    assert text_of(answered)


async def test_a_key_that_is_revoked_is_refused_on_the_socket_that_it_opened(
    running_gateway: RunningGateway,
) -> None:
    running_gateway.new_key("--name", "stays")
    key = running_gateway.new_key("--name", "goes", "--scope", "write:route")

    async with connected(running_gateway, authorization=f"Bearer {key}") as socket:
        before = await ask(socket)
        await asyncio.to_thread(running_gateway.command, "keys", "revoke", key[8:20])
        after = [await ask(socket), await ask(socket, generate=False)]

    assert before[-1]["type"] == "response.completed"
    assert [[one["type"], one["status"]] for (one,) in after] == [["error", 401]] * 2


def test_a_get_that_is_no_handshake_is_json(shared_gateway: RunningGateway) -> None:
    plain = shared_gateway.call("GET", "/v1/responses")
    broken = shared_gateway.call(
        "GET", "/v1/responses", headers={"upgrade": "websocket", "connection": "upgrade"}
    )

    assert plain.status == 405
    assert broken.status == 400
    for answer in (plain, broken):
        assert answer.json()["error"]["message"]


async def test_a_client_that_leaves_ends_the_call(running_gateway: RunningGateway) -> None:
    slow = {**HELLO, "model": "sim/fast@fault=stall,after=1,seconds=30"}

    for abrupt in (False, True):
        async with connected(running_gateway) as socket:
            await socket.send(json.dumps(slow))
            await asyncio.wait_for(socket.recv(), WAIT_S)
            if abrupt:
                socket.transport.abort()
    ended: list[str] = []
    async with asyncio.timeout(WAIT_S):
        while len(ended) < 2:
            seen = await asyncio.to_thread(running_gateway.call, "GET", "/api/requests")
            ended = [one["status"] for one in seen.json()["requests"]]
            await asyncio.sleep(0.05)

    assert ended == ["client_gone", "client_gone"]


async def test_a_message_that_is_too_large_ends_the_connection(tmp_path: Path) -> None:
    with processes.gateway(tmp_path, OMNIROUTE_BODY_BYTES_MAX="2000") as gateway:
        async with connected(gateway) as socket:
            await socket.send(json.dumps({**HELLO, "input": "x" * 5000}))
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), WAIT_S)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_a_gateway_that_ends_says_goodbye_to_who_is_idle(tmp_path: Path) -> None:
    with processes.gateway(tmp_path) as gateway:
        async with connected(gateway) as socket:
            assert text_of(await ask(socket))
            gateway.process.terminate()
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), WAIT_S)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


async def test_openais_sdk_asks_over_a_socket(shared_gateway: RunningGateway) -> None:
    async with (
        openai.AsyncOpenAI(
            api_key="sk-fake",
            base_url=f"{shared_gateway.url}/v1",
            websocket_base_url=f"ws://127.0.0.1:{shared_gateway.port}/v1",
        ) as sdk,
        sdk.responses.connect() as socket,
    ):
        await socket.response.create(model=MODEL, input="hello there", store=False)
        said = ""
        async for event in socket:
            if event.type == "response.output_text.delta":
                said += event.delta
            if event.type == "response.completed":
                break

    assert said == "[simulated by sim/fast] You said: hello there"
