"""Kept Responses over HTTP: going on, reading, deleting, and whose they are."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from omniroute.server.compose import Composed
from omniroute.server.exchange import Head
from omniroute.server.simulator.simulator import Simulator
from omniroute.server.v1.responses import Keeping
from tests.v1.whole import HOST, client, opened

pytestmark = pytest.mark.anyio

MODEL = "sim/fast@latency=0"
DIALECTS = ("openai_chat", "openai_responses", "anthropic", "gemini")
HELLO = {"model": MODEL, "input": "hello there"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Composed]:
    async with opened(tmp_path) as running:
        yield running


@pytest.fixture
async def http(gateway: Composed) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(gateway) as made:
        yield made


async def ask(http: httpx2.AsyncClient, **fields: object) -> Any:
    answer = await http.post("/v1/responses", json={**HELLO, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def turns(http: httpx2.AsyncClient, response_id: str) -> list[tuple[str, str]]:
    """Give role and text of every item that a response was asked, oldest first."""
    listed = (await http.get(f"/v1/responses/{response_id}/input_items?order=asc&limit=100")).json()
    return [(one["role"], one["content"][0]["text"]) for one in listed["data"]]


def last_of(stream: str) -> Any:
    events = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: {")]
    assert events[-1]["type"] == "response.completed"
    return events[-1]["response"]


async def test_a_response_is_kept_and_gone_on_from_streamed_or_whole(
    http: httpx2.AsyncClient,
) -> None:
    first = await ask(http)
    streamed = await http.post(
        "/v1/responses",
        json={
            **HELLO,
            "input": "and then?",
            "previous_response_id": first["id"],
            "stream": True,
        },
    )
    second = last_of(streamed.text)
    third = await ask(http, input="and now?", previous_response_id=second["id"])

    said = first["output"][0]["content"][0]["text"]
    assert [role for role, _ in await turns(http, third["id"])] == [
        *("user", "assistant", "user", "assistant", "user"),
    ]
    assert (await turns(http, third["id"]))[:3] == [
        ("user", "hello there"),
        ("assistant", said),
        ("user", "and then?"),
    ]
    kept = (await http.get(f"/v1/responses/{second['id']}")).json()
    assert (kept["output"], kept["store"]) == (second["output"], True)
    assert kept["previous_response_id"] == first["id"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_provider_of_every_dialect_is_told_the_whole_conversation(
    dialect: str, tmp_path: Path
) -> None:
    version = "v1beta" if dialect == "gemini" else "v1"
    async with Simulator() as simulator, opened(tmp_path) as running, client(running) as http:
        account = {
            "provider": "mine",
            "base_url": f"{simulator.url}/{version}",
            "dialect": dialect,
            "models": ["fast"],
            "key": "sk-fake",
        }
        assert (await http.post("/api/providers", json=account)).status_code == 201
        first = await ask(http, model="mine/fast")
        short = await ask(http, model="mine/fast", input="and then?")
        second = await ask(
            http, model="mine/fast", input="and then?", previous_response_id=first["id"]
        )

    assert second["usage"]["input_tokens"] > short["usage"]["input_tokens"]


async def test_a_tools_answer_goes_on_from_the_call(http: httpx2.AsyncClient) -> None:
    tool = {
        "type": "function",
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }

    asked = await ask(http, input="use get_weather", tools=[tool])
    call = next(one for one in asked["output"] if one["type"] == "function_call")
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "21 degrees"}
    told = await ask(http, input=[result], tools=[tool], previous_response_id=asked["id"])

    assert "21 degrees" in json.dumps(told["output"])


@pytest.mark.parametrize("store", [True, False])
@pytest.mark.parametrize(
    "path", ["/v1/responses", "/v1/providers/sim/responses", "/v1/responses/compact"]
)
async def test_a_packed_body_is_unpacked_once(
    http: httpx2.AsyncClient, path: str, store: bool
) -> None:
    packed = gzip.compress(json.dumps({**HELLO, "store": store}).encode())

    answer = await http.post(path, content=packed, headers={"content-encoding": "gzip"})

    assert answer.status_code == 200, answer.text


async def test_what_is_not_to_be_kept_is_not(http: httpx2.AsyncClient) -> None:
    whole = await ask(http, store=False)
    streamed = await http.post("/v1/responses", json={**HELLO, "store": False, "stream": True})

    for response_id in (whole["id"], last_of(streamed.text)["id"]):
        assert (await http.get(f"/v1/responses/{response_id}")).status_code == 404


async def test_another_keys_response_is_answered_as_one_that_does_not_exist(
    gateway: Composed,
) -> None:
    async with client(gateway, authorization=f"Bearer {gateway.token}") as http:
        secrets = [
            (await http.post("/api/keys", json={"name": name, "scopes": ["write:route"]})).json()
            for name in ("mine", "other")
        ]
    mine, other = (one["secret"] for one in secrets)

    async with (
        client(gateway, authorization=f"Bearer {mine}") as http,
        client(gateway, authorization=f"Bearer {other}") as stranger,
    ):
        kept = await ask(http)
        body = {**HELLO, "previous_response_id": kept["id"]}
        foreign = await stranger.post("/v1/responses", json=body)
        reads = [
            await stranger.get(f"/v1/responses/{kept['id']}"),
            await stranger.get(f"/v1/responses/{kept['id']}/input_items"),
            await stranger.delete(f"/v1/responses/{kept['id']}"),
        ]
        own = await http.get(f"/v1/responses/{kept['id']}")
        assert (await http.delete(f"/v1/responses/{kept['id']}")).json()["deleted"]
        missing = await stranger.post("/v1/responses", json=body)
        gone = await http.get(f"/v1/responses/{kept['id']}")

    assert [one.status_code for one in reads] == [404, 404, 404]
    assert (own.status_code, gone.status_code) == (200, 404)
    assert gone.content == reads[0].content
    assert foreign.content == missing.content
    error = foreign.json()["error"]
    assert (foreign.status_code, error["code"]) == (400, "previous_response_not_found")
    assert error["param"] == "previous_response_id"


async def test_a_no_log_key_keeps_nothing(gateway: Composed) -> None:
    async with client(gateway) as http:
        wish = {"name": "quiet", "scopes": ["write:route"], "keep_content": False}
        made = await http.post("/api/keys", json=wish)
        assert made.status_code == 201, made.text
    async with client(gateway, authorization=f"Bearer {made.json()['secret']}") as http:
        answered = await ask(http, store=True)

        assert (await http.get(f"/v1/responses/{answered['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"previous_response_id": "resp_none"}, "previous_response_id"),
    ],
)
async def test_state_that_is_not_kept_here_is_refused_by_name(
    http: httpx2.AsyncClient, fields: dict[str, object], field: str
) -> None:
    answer = await http.post("/v1/responses", json={**HELLO, **fields})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)


async def test_nothing_runs_in_the_background_to_be_cancelled(http: httpx2.AsyncClient) -> None:
    kept = await ask(http)

    known = await http.post(f"/v1/responses/{kept['id']}/cancel")
    unknown = await http.post("/v1/responses/resp_none/cancel")

    assert (known.status_code, unknown.status_code) == (400, 404)


async def test_openais_sdk_keeps_reads_lists_and_deletes(http: httpx2.AsyncClient) -> None:
    sdk = openai.AsyncOpenAI(
        api_key="sk-fake", base_url=f"{HOST}/v1", http_client=http, max_retries=0
    )

    first = await sdk.responses.create(model=MODEL, input="hello there")
    second = await sdk.responses.create(
        model=MODEL, input="and then?", previous_response_id=first.id
    )
    read = await sdk.responses.retrieve(second.id)
    items = [item async for item in sdk.responses.input_items.list(second.id, limit=1)]
    await sdk.responses.delete(first.id)

    assert read.output_text == second.output_text
    assert len(items) == 3
    with pytest.raises(openai.NotFoundError):
        await sdk.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError, match="not found"):
        await sdk.responses.create(model=MODEL, input="x", previous_response_id=second.id)


class Taken:
    """An Exchange that remembers what it was sent."""

    def __init__(self) -> None:
        self.head = Head("POST", "/v1/responses", [], peer=None)
        self.body: bytes | None = None
        self.sent: list[bytes] = []

    async def read(self, bytes_max: int) -> bytes:
        return b""

    def whole(self, status: int, lines: bytes, body: bytes) -> None:
        self.sent.append(body)

    def start(self, status: int, lines: bytes) -> None: ...

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def end(self, data: bytes = b"") -> None:
        self.sent.append(data)


RESPONSE = {"id": "resp_1", "status": "completed", "output": []}
FIRST = (
    b'data: {"type":"response.output_text.delta","delta":"a \\"type\\":\\"response.completed\\""}'
)
STREAM = (
    FIRST
    + b"\n\nevent: response.completed\ndata: "
    + json.dumps({"type": "response.completed", "response": RESPONSE}).encode()
    + b"\n\n"
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, len(STREAM)])
async def test_the_last_event_waits_until_it_is_kept_however_it_is_cut(size: int) -> None:
    taken, seen = Taken(), list[Any]()

    async def keep(body: bytes) -> None:
        seen.append(json.loads(body))
        assert not b"".join(taken.sent).endswith(b"}\n\n")

    keeping = Keeping(taken, b"", keep)
    parts = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    for part in parts[:-1]:
        assert keeping.write(part) is None
    wait = keeping.end(parts[-1])
    assert wait is not None
    await wait

    assert seen == [RESPONSE]
    assert b"".join(taken.sent) == STREAM


async def test_a_stream_without_its_last_event_is_not_kept() -> None:
    taken = Taken()

    async def keep(body: bytes) -> None:
        raise AssertionError(body)

    keeping = Keeping(taken, b"", keep)
    keeping.write(FIRST + b"\n\n")
    wait = keeping.end(b'data: {"type":"error"}\n\n')

    assert wait is None
    assert b"".join(taken.sent).startswith(FIRST)
