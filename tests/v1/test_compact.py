"""Conversations made short: the endpoint, the trigger, and what goes on from them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from websockets.asyncio.client import connect

from omniroute.routing.wire.openai_responses.compaction import MARK, compaction_of
from omniroute.server.simulator.simulator import Simulator
from tests.processes import RunningGateway
from tests.v1.whole import HOST, client, opened

pytestmark = pytest.mark.anyio

MODEL = "sim/fast@latency=0"
SAID = [
    {"type": "message", "role": "developer", "content": "Be brief."},
    {"type": "message", "role": "user", "content": "hello there"},
    {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Hello!"}],
    },
    {"type": "message", "role": "user", "content": "and then?"},
]
TRIGGER = {"type": "compaction_trigger"}


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    async with opened(tmp_path) as gateway, client(gateway) as made:
        yield made


async def ask(http: httpx2.AsyncClient, items: object, **fields: object) -> Any:
    body = {"model": MODEL, "input": items, "store": False, **fields}
    answer = await http.post("/v1/responses", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def only_item(response: Any) -> Any:
    (item,) = response["output"]
    assert item["type"] == "compaction"
    assert item["encrypted_content"].startswith(MARK)
    return item


async def test_openais_sdk_compacts_and_goes_on(http: httpx2.AsyncClient) -> None:
    sdk = openai.AsyncOpenAI(
        api_key="sk-fake", base_url=f"{HOST}/v1", http_client=http, max_retries=0
    )

    made = await sdk.responses.compact(model=MODEL, input="hello there")
    items = [item.model_dump(exclude_none=True, warnings=False) for item in made.output]
    again = await ask(http, [*items, {"role": "user", "content": "go on"}])

    assert made.object == "response.compaction"
    assert [item.type for item in made.output] == ["message", "compaction"]
    assert made.usage.output_tokens > 0
    assert again["output"][0]["content"][0]["text"].endswith("go on")


async def test_the_users_messages_stay_and_all_else_is_one_item(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/v1/responses/compact", json={"model": MODEL, "input": SAID})

    output = answer.json()["output"]
    assert [one["type"] for one in output] == ["message", "message", "compaction"]
    assert [one["content"] for one in output[:2]] == ["hello there", "and then?"]
    assert all(one["id"] for one in output)
    assert answer.headers["x-omniroute-provider"] == "sim"


async def test_a_kept_conversation_is_made_short_by_its_id(http: httpx2.AsyncClient) -> None:
    first = await ask(http, "hello there", store=True)

    made = await http.post(
        "/v1/responses/compact", json={"model": MODEL, "previous_response_id": first["id"]}
    )

    assert [one["type"] for one in made.json()["output"]] == ["message", "compaction"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_trigger_is_answered_by_exactly_one_item(
    http: httpx2.AsyncClient, stream: bool
) -> None:
    body = {"model": MODEL, "input": [*SAID, TRIGGER], "store": False, "stream": stream}

    answer = await http.post("/v1/responses", json=body)

    assert answer.status_code == 200, answer.text
    if not stream:
        only_item(answer.json())
        return
    events = [json.loads(one[6:]) for one in answer.text.splitlines() if one.startswith("data: {")]
    assert [one["type"] for one in events] == [
        *("response.created", "response.output_item.added", "response.output_item.done"),
        "response.completed",
    ]
    assert [one["sequence_number"] for one in events] == [0, 1, 2, 3]
    assert events[2]["item"] == only_item(events[3]["response"])
    assert events[0]["response"]["output"] == []


async def test_a_trigger_is_answered_over_a_socket_and_gone_on_from(
    shared_gateway: RunningGateway,
) -> None:
    created = {"type": "response.create", "model": MODEL, "store": False}
    address = f"ws://127.0.0.1:{shared_gateway.port}/v1/responses"
    found: list[Any] = []

    async with connect(address) as socket:
        for items in ([*SAID, TRIGGER], [{"role": "user", "content": "go on"}]):
            previous = {"previous_response_id": found[-1]["response"]["id"]} if found else {}
            await socket.send(json.dumps({**created, "input": items, **previous}))
            found.append(json.loads(await socket.recv()))
            while found[-1]["type"] != "response.completed":
                assert found[-1]["type"] != "error", found[-1]
                found.append(json.loads(await socket.recv()))

    first, second = (one for one in found if one["type"] == "response.completed")
    only_item(first["response"])
    assert second["response"]["output"][0]["content"][0]["text"].endswith("go on")


@pytest.mark.parametrize("dialect", ["openai_chat", "openai_responses", "anthropic", "gemini"])
async def test_every_dialects_provider_is_told_the_summary(dialect: str, tmp_path: Path) -> None:
    version = "v1beta" if dialect == "gemini" else "v1"
    account = {
        "dialect": dialect,
        "provider": "mine",
        "models": ["fast"],
        "key": "sk-fake",
    }
    async with Simulator() as simulator, opened(tmp_path) as gateway, client(gateway) as http:
        account["base_url"] = f"{simulator.url}/{version}"
        assert (await http.post("/api/providers", json=account)).status_code == 201
        item = compaction_of("The user wants rivers. " * 50, "resp_1")
        asked = [item, {"role": "user", "content": "go on"}]
        told = await ask(http, asked, model="mine/fast")
        alone = await ask(http, asked[1:], model="mine/fast")
        made = await http.post("/v1/responses/compact", json={"model": "mine/fast", "input": SAID})

    assert told["usage"]["input_tokens"] > alone["usage"]["input_tokens"] + 200
    assert made.json()["output"][-1]["encrypted_content"].startswith(MARK)


async def test_who_makes_summaries_of_its_own_is_asked_as_the_client_asked(
    tmp_path: Path,
) -> None:
    account = {
        "dialect": "openai_responses",
        "provider": "mine",
        "base_url": "http://127.0.0.1:1/v1",
        "models": ["m"],
    }
    body = {"model": "mine/m", "input": [*SAID, TRIGGER], "store": False}

    async with opened(tmp_path) as gateway, client(gateway) as http:
        assert (await http.post("/api/providers", json=account)).status_code == 201
        answer = await http.post("/v1/responses", json=body)

    assert answer.status_code == 502
    assert "mine/m" in answer.text


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/responses/compact", {"model": MODEL}, 400),
        ("/v1/responses/compact", {"model": "none-such", "input": "x"}, 404),
        ("/v1/responses/compact", {"model": MODEL, "previous_response_id": "resp_none"}, 400),
        ("/v1/responses", {"model": MODEL, "input": [TRIGGER]}, 400),
        ("/v1/responses", {"model": "none-such", "input": [*SAID, TRIGGER], "stream": True}, 404),
        (
            "/v1/responses",
            {
                "model": MODEL,
                "input": [{"type": "compaction", "encrypted_content": f"{MARK}eA==", "id": "c"}],
            },
            400,
        ),
    ],
)
async def test_what_cannot_be_made_short_is_refused(
    http: httpx2.AsyncClient, path: str, body: object, status: int
) -> None:
    answer = await http.post(path, json=body)

    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


async def test_a_long_summary_is_kept_alive_and_fails_in_the_stream(tmp_path: Path) -> None:
    slow = "sim/fast@latency=0,fault=slow_first_byte,seconds=0.4"
    body = {"model": slow, "input": [*SAID, TRIGGER], "store": False, "stream": True}

    async with (
        opened(tmp_path, OMNIROUTE_FIRST_BYTE_HOLD_S="0.05") as gateway,
        client(gateway) as http,
    ):
        answer = await http.post("/v1/responses", json=body)

    assert answer.text.startswith(": keep-alive")
    assert '"type":"response.completed"' in answer.text
